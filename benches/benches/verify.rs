//! The verification path beside its yardsticks, all in one run: figures are ratios to `raw_rsa`.

use std::hint::black_box;
use std::path::Path;

use benches::Subject;
use criterion::{Criterion, criterion_group, criterion_main};

fn verify(criterion: &mut Criterion) {
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
    for (name, way) in ways {
        group.bench_function(name, |bencher| bencher.iter(|| way(black_box(&subject))));
    }
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
