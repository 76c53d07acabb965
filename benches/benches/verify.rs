//! The verification path beside its yardsticks, all in one run: figures are ratios to `raw_rsa`.

use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use benches::{Subject, bounds};
use criterion::Criterion;

/// Arguments with which criterion measures nothing, or keeps nothing of it.
const NOT_MEASURING: [&str; 5] = [
    "--discard-baseline",
    "--list",
    "--load-baseline",
    "--profile-time",
    "--test",
];

fn main() -> ExitCode {
    let began = SystemTime::now();
    let all = verify(&mut Criterion::default().configure_from_args());
    Criterion::default().configure_from_args().final_summary();
    if !all || !is_measuring(std::env::args()) {
        return ExitCode::SUCCESS;
    }
    match bounds::hold(&output_folder().join("verify"), began) {
        Ok(verdict) => {
            // A reader that has left wants no report, and is told by the exit code.
            let _ = std::io::stdout().write_all(verdict.table.as_bytes());
            if verdict.is_within {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("the bounds cannot be held: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Without `--bench`, which `cargo bench` gives, criterion only tests.
fn is_measuring(arguments: impl Iterator<Item = String>) -> bool {
    let arguments: Vec<_> = arguments.collect();
    let is_there = |name: &str| {
        let mut names = arguments
            .iter()
            .map(|argument| argument.split('=').next().unwrap_or_default());
        names.any(|argument| argument == name)
    };
    is_there("--bench") && !NOT_MEASURING.into_iter().any(is_there)
}

/// Where criterion keeps its estimates: as it chooses the folder itself, but that cargo's target folder is the one that this
/// was built in.
fn output_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("CRITERION_HOME") {
        return folder.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).join(".."),
        PathBuf::from,
    );
    target.join("criterion")
}

/// Times every way that the arguments' filter lets through; whether that was all of them.
fn verify(criterion: &mut Criterion) -> bool {
    let subject = Subject::new(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-keys"));
    let _runtime = subject.enter();
    // The keys are fetched by the first decision, which is none of those that are timed.
    assert!(subject.decision() && subject.cached_decision());
    let mut group = criterion.benchmark_group("verify");
    let ways = [
        ("raw_rsa", Subject::raw_rsa as fn(&Subject) -> bool),
        ("verifier", Subject::verifier),
        ("decision", Subject::decision),
        ("cached_decision", Subject::cached_decision),
        ("reject_malformed", Subject::reject_malformed),
        ("reject_expired", Subject::reject_expired),
        ("reject_unknown_kid", Subject::reject_unknown_kid),
        ("jsonwebtoken", Subject::jsonwebtoken),
        ("ring", Subject::ring),
    ];
    let mut timed = 0;
    for (name, way) in ways {
        let mut is_timed = false;
        group.bench_function(name, |bencher| {
            is_timed = true;
            bencher.iter(|| way(black_box(&subject)));
        });
        timed += usize::from(is_timed);
    }
    group.finish();
    timed == ways.len()
}
