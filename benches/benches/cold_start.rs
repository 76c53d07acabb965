//! From the start of a process to its first decision, keys fetched from loopback on the way, beside a hello world of
//! `lambda_runtime`, both started in turn in the same run.
//!
//! Not criterion: a start is milliseconds and has a tail, so medians of whole starts say more than a slope over loops.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use benches::cold_start::{Candidate, Issuer};

/// Starts of each program: the median of so many moves by a few per cent from run to run.
const STARTS: usize = 200;

/// Starts of each whose figures are dropped: the first ones read the programs from disk.
const WARM_UP: usize = 5;

/// What a start may take, as a multiple of the hello world's.
const RATIO_MAX: f64 = 2.0;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    let is_there = |name: &str| arguments.iter().any(|argument| argument == name);
    // Then it is asked whether it works, not how fast; `cargo bench` gives `--bench`, `cargo test` does not.
    let tests_only = is_there("--test") || !is_there("--bench");
    let starts = if tests_only { 1 } else { STARTS };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads can be started");
    let (report, is_within) = runtime.block_on(measure(starts));
    // A reader that has left wants no report.
    let _ = std::io::stdout().lock().write_all(report.as_bytes());
    if is_within || tests_only {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The report, and whether the ratio is within its bound.
async fn measure(starts: usize) -> (String, bool) {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-keys");
    let issuer = Issuer::start(&keys).await;
    let hello = env!("CARGO_BIN_EXE_hello_world");
    let mut hello = Candidate::new("hello world", hello, BTreeMap::new()).await;
    let ours = env!("CARGO_BIN_EXE_cold_start_authorizer");
    let mut ours = Candidate::new("authorizer", ours, issuer.variables()).await;
    for round in 0..WARM_UP + starts {
        if round == WARM_UP {
            hello.forget();
            ours.forget();
        }
        // In turn, and each first as often as second: whatever drifts on the machine is the same for both.
        if round % 2 == 0 {
            hello.start(&issuer).await;
            ours.start(&issuer).await;
        } else {
            ours.start(&issuer).await;
            hello.start(&issuer).await;
        }
    }
    let ratio = ours.median().as_secs_f64() / hello.median().as_secs_f64();
    let is_within = ratio <= RATIO_MAX;
    let verdict = if is_within { "within" } else { "above" };
    let report = format!(
        "cold start: from the start of the process to the first decision\n{}\n{}\nratio {ratio:.2}, {verdict} {RATIO_MAX}\n",
        hello.row(),
        ours.row()
    );
    (report, is_within)
}
