//! Full and resumed mutual TLS handshakes in memory, both sides on one thread, all providers side
//! by side: wall-clock time, every handshake's kind checked.
//!
//! `cargo bench --features ring,graviola --bench handshakes`
#![allow(clippy::unwrap_used)] // here a panic is a failed bench

mod arms;

use arms::Arm;
use criterion::{Criterion, criterion_group, criterion_main};
use rustls::HandshakeKind;
use rustls_offload::cpu::Cpu;
use rustls_offload::plan::Backend;

fn handshakes(criterion: &mut Criterion) {
    let mut backends = Backend::available(&Cpu::detect().unwrap());
    backends.retain(|&backend| backend != Backend::RustCrypto); // no provider in its own right
    for (name, kind) in [("full", HandshakeKind::Full), ("resumed", HandshakeKind::Resumed)] {
        let mut group = criterion.benchmark_group(format!("mutual TLS 1.3, {name}"));
        for name in std::iter::once("offload").chain(backends.iter().map(|b| b.name())) {
            let arm = Arm::new(name, kind);
            group.bench_function(name, |bencher| bencher.iter(|| arm.handshake()));
        }
        group.finish();
    }
}

criterion_group!(benches, handshakes);
criterion_main!(benches);
