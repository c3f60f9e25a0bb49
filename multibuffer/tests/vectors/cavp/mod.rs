//! NIST's vectors (Cryptographic Algorithm Validation Program) for P-256 on our own engines: every
//! vector in every lane, in batches of every size. Unoptimized, in full batches only.
//!
//! They are read from where Debian's package `python3-cryptography-vectors` puts them. A machine without
//! it fails these tests; `ci/setup` installs it.

mod ecdh;
mod ecdsa;
mod file;

use std::ops::RangeInclusive;

use rustls_offload_multibuffer::Engine;

/// The most operations in a batch.
const MAX_BATCH: usize = 8;

/// The engine with eight lanes and the one with one lane.
///
/// Without AVX-512 IFMA, the portable engine stands for the lanes.
fn engines() -> [Engine; 2] {
    let eight = Engine::eight_lanes();
    [eight.unwrap_or_else(Engine::portable), Engine::single()]
}

/// The sizes of batch to try: all, or the engine's own where nothing is optimized.
fn sizes(engine: Engine) -> RangeInclusive<usize> {
    if cfg!(debug_assertions) { engine.lanes()..=engine.lanes() } else { 1..=MAX_BATCH }
}

/// Batches of every size that together have every case in every lane once.
fn batches<T>(engine: Engine, cases: &[T]) -> impl Iterator<Item = Vec<&T>> {
    let batch = move |first: usize, size: usize| {
        (first..first + size).map(|i| &cases[i % cases.len()]).collect()
    };
    sizes(engine).flat_map(move |size| (0..cases.len()).map(move |first| batch(first, size)))
}

/// How many operations there are in [`batches`] of `cases` cases.
fn checks(engine: Engine, cases: usize) -> usize {
    cases * sizes(engine).sum::<usize>()
}
