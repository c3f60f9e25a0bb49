//! Our own cryptography, in batches, against aws-lc-rs and published vectors: on every engine, in every
//! lane and every size of batch.
//!
//! Unoptimized code would take an hour over all of it. Debug builds therefore do a sample;
//! `cargo test --release -p rustls-offload-multibuffer` does everything.

#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]

mod ecdh;
mod sign;
mod verify;
mod x25519;

use rustls_offload_multibuffer::Engine;

/// The engine that does this CPU's work: the eight lanes, or where there are none, the scalar one.
fn fastest() -> Engine {
    Engine::eight_lanes().unwrap_or_else(Engine::single)
}

/// The eight-lane engine where the CPU has it, and the two that every CPU has.
fn engines() -> Vec<Engine> {
    let fast = Engine::eight_lanes();
    if fast.is_none() {
        println!("this CPU has no AVX-512 IFMA: the other engines alone");
    }
    fast.into_iter().chain([Engine::portable(), Engine::single()]).collect()
}

/// How many operations of [`fastest`] are compared with aws-lc-rs: a million where there are lanes; fewer of
/// scalar code, which takes hours over as many; `sample` where nothing is optimized.
fn operations(sample: usize) -> usize {
    match fastest().lanes() {
        _ if cfg!(debug_assertions) => sample,
        8 => 1_000_000,
        _ => 40_000,
    }
}
