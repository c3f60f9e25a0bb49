//! ECDSA with P-256 (FIPS 186-5), in batches.
//!
//! Verification works on public data alone, and takes variable time.

mod der;
mod known;
pub mod sign;
#[cfg(test)]
mod tests;
mod verify;

pub use der::parse_signature;
pub use known::KnownKeys;

use super::{Engine, Kind};
use crate::curve::p256::Comb;

/// The most operations in a batch.
pub const MAX_BATCH: usize = super::lanes::MAX_LANES;

/// A signature to be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The public key: x, then y, each of 32 bytes, big-endian (an uncompressed point of SEC 1 without
    /// its leading 4).
    pub key: [u8; 64],
    /// The message's hash; of a longer hash, its first 32 bytes.
    pub digest: [u8; 32],
    /// r of the signature, big-endian.
    pub r: [u8; 32],
    /// s of the signature, big-endian.
    pub s: [u8; 32],
}

/// What became of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The signature is the key's.
    Valid,
    /// It is not, or the key is no point of the curve, or a number is out of range.
    Invalid,
    /// The sum met a case that the formulas leave out: ask other code. Only keys and signatures that
    /// were made for the purpose meet one.
    Undecided,
}

/// Verifies up to [`MAX_BATCH`] signatures by keys that nothing is known of.
///
/// Verdict i is that of `jobs[i]`; those beyond the last job are `Undecided`. With eight lanes, the
/// time does not depend on the number of jobs; with one, it is proportional.
///
/// # Panics
/// If there are more than [`MAX_BATCH`] jobs.
pub fn verify(engine: Engine, jobs: &[Verification]) -> [Verdict; MAX_BATCH] {
    let mut verdicts = [Verdict::Undecided; MAX_BATCH];
    in_batches(engine, jobs, &mut verdicts, |engine, jobs| match engine.0 {
        #[cfg(target_arch = "x86_64")]
        Kind::Ifma(l) => verify::by_new_keys(l, jobs),
        Kind::Portable(l) => verify::by_new_keys(l, jobs),
        Kind::Single(l) => verify::by_new_keys(l, jobs),
    });
    verdicts
}

/// Verifies signatures by keys whose tables are given.
fn verify_by_tables(engine: Engine, jobs: &[(&Verification, &Comb)]) -> [Verdict; MAX_BATCH] {
    let mut verdicts = [Verdict::Undecided; MAX_BATCH];
    in_batches(engine, jobs, &mut verdicts, |engine, jobs| match engine.0 {
        #[cfg(target_arch = "x86_64")]
        Kind::Ifma(l) => verify::by_known_keys(l, jobs),
        Kind::Portable(l) => verify::by_known_keys(l, jobs),
        Kind::Single(l) => verify::by_known_keys(l, jobs),
    });
    verdicts
}

/// Calls `batch` with as many `jobs` at once as the engine has lanes, and keeps its verdicts.
fn in_batches<J>(
    engine: Engine,
    jobs: &[J],
    verdicts: &mut [Verdict; MAX_BATCH],
    batch: impl Fn(Engine, &[J]) -> [Verdict; MAX_BATCH],
) {
    assert!(jobs.len() <= MAX_BATCH, "{} jobs, more than {MAX_BATCH}", jobs.len());
    let lanes = engine.lanes();
    for (jobs, verdicts) in jobs.chunks(lanes).zip(verdicts.chunks_mut(lanes)) {
        for (verdict, result) in verdicts.iter_mut().zip(batch(engine, jobs)).take(jobs.len()) {
            *verdict = result;
        }
    }
}

/// The tables of `keys`; nothing where a key is no point of the curve.
fn tables(engine: Engine, keys: &[[u8; 64]]) -> Vec<Option<Box<Comb>>> {
    let batches = keys.chunks(engine.lanes()).flat_map(|keys| match engine.0 {
        #[cfg(target_arch = "x86_64")]
        Kind::Ifma(l) => verify::tables(l, keys),
        Kind::Portable(l) => verify::tables(l, keys),
        Kind::Single(l) => verify::tables(l, keys),
    });
    batches.collect()
}
