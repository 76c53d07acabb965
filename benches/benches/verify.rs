//! The verification path beside its yardsticks, all in one run: figures are ratios to `raw_rsa`.

use std::hint::black_box;
use std::path::Path;

use benches::Subject;
use criterion::{Criterion, criterion_group, criterion_main};

fn verify(criterion: &mut Criterion) {
    let subject = Subject::new(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-keys"));
    let mut group = criterion.benchmark_group("verify");
    group.bench_function("raw_rsa", |bencher| {
        bencher.iter(|| black_box(&subject).raw_rsa());
    });
    group.bench_function("verifier", |bencher| {
        bencher.iter(|| black_box(&subject).verifier());
    });
    group.bench_function("decision", |bencher| {
        bencher.iter(|| black_box(&subject).decision());
    });
    group.bench_function("jsonwebtoken", |bencher| {
        bencher.iter(|| black_box(&subject).jsonwebtoken());
    });
    group.bench_function("ring", |bencher| {
        bencher.iter(|| black_box(&subject).ring());
    });
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
