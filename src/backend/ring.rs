//! *ring*: everything but X25519MLKEM768, P-521 and ML-DSA, on any CPU.

use rustls::crypto::ring;

use super::Adapter;

pub(super) static ADAPTER: Adapter = Adapter {
    requires: &[],
    serves: None,
    provider: ring::default_provider,
    ticketer: ring::Ticketer::new,
};
