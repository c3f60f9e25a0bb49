//! Points of the curves, and their multiples.

pub(super) mod edwards25519;
pub(super) mod montgomery25519;
pub(in crate::multibuffer) mod p256_secret;
mod table25519;
