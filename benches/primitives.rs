//! Every algorithm on every backend that runs here: wall-clock time of the operations that plans
//! are calibrated with.
//!
//! `cargo bench --features ring,graviola --bench primitives`
#![allow(clippy::unwrap_used)] // here a panic is a failed bench

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rustls_offload::cpu::Cpu;
use rustls_offload::plan::Algorithm;
use rustls_offload::plan::measure::operations;

fn primitives(criterion: &mut Criterion) {
    let cpu = Cpu::detect().unwrap();
    for &algorithm in Algorithm::ALL {
        let mut group = criterion.benchmark_group(algorithm.name());
        for backend in algorithm.candidates(&cpu) {
            for mut operation in operations(algorithm, backend).unwrap() {
                if let Some(bytes) = operation.bytes() {
                    group.throughput(Throughput::Bytes(bytes));
                }
                let id = BenchmarkId::new(operation.name(), backend);
                group.bench_function(id, |bencher| bencher.iter(|| operation.run().unwrap()));
            }
        }
        group.finish();
    }
}

criterion_group!(benches, primitives);
criterion_main!(benches);
