//! Instructions of full and resumed mutual TLS handshakes, both sides, counted by Callgrind.
//!
//! Counts hardly move between runs and machines, so a change of one percent is a change in the
//! code. They say nothing of speed: valgrind knows neither AVX-512 nor ADX, every backend falls to
//! an older path under it, and Graviola, which needs ADX, does not run at all. Use `handshakes`
//! for time.
//!
//! Needs valgrind and `cargo install gungraun-runner --version 0.20.0`, then
//! `cargo bench --features ring --bench instructions`
#![allow(clippy::unwrap_used)] // here a panic is a failed bench
#![allow(missing_docs, unreachable_pub)] // of what gungraun's macros make

mod arms;

use std::hint::black_box;

use arms::Arm;
use gungraun::prelude::*;
use rustls::HandshakeKind;

fn full(name: &'static str) -> Arm {
    Arm::new(name, HandshakeKind::Full)
}

fn resumed(name: &'static str) -> Arm {
    Arm::new(name, HandshakeKind::Resumed)
}

#[library_benchmark]
#[bench::full_offload(full("offload"))]
#[bench::resumed_offload(resumed("offload"))]
#[cfg_attr(feature = "aws-lc-rs", bench::full_aws_lc_rs(full("aws-lc-rs")))]
#[cfg_attr(feature = "aws-lc-rs", bench::resumed_aws_lc_rs(resumed("aws-lc-rs")))]
#[cfg_attr(feature = "ring", bench::full_ring(full("ring")))]
#[cfg_attr(feature = "ring", bench::resumed_ring(resumed("ring")))]
fn handshake(arm: Arm) {
    black_box(arm.handshake());
}

library_benchmark_group!(name = handshakes, benchmarks = handshake);
main!(library_benchmark_groups = handshakes);
