//! Points of the curves, and their multiples.

pub(super) mod edwards25519;
pub(super) mod montgomery25519;
mod table25519;
