//! Points of the curves, and their multiples, a lane each.

pub(super) mod edwards25519;
pub(super) mod montgomery25519;
pub(super) mod p256;
pub(super) mod p256_secret;
mod table25519;
