//! Graviola: no QUIC, P-521 or ML-DSA, and only on CPUs with the features it takes for granted.

use super::Adapter;
use crate::cpu::Feature;

/// What graviola 0.4.4 documents (README, "Limitations") and what its entry check tests
/// (`low/x86_64/cpu.rs`, `low/aarch64/cpu.rs`: `bmi1` is tested, but not documented). Calling it
/// on a CPU without them panics.
#[cfg(target_arch = "x86_64")]
const REQUIRES: &[Feature] = &[
    Feature::Aes,
    Feature::Pclmulqdq,
    Feature::Ssse3,
    Feature::Avx,
    Feature::Avx2,
    Feature::Adx,
    Feature::Bmi1,
    Feature::Bmi2,
];
#[cfg(target_arch = "aarch64")]
const REQUIRES: &[Feature] = &[Feature::Neon, Feature::Aes, Feature::Pmull, Feature::Sha2];

pub(super) static ADAPTER: Adapter = Adapter {
    requires: REQUIRES,
    serves: None,
    provider: rustls_graviola::default_provider,
    ticketer: rustls_graviola::Ticketer::new,
};
