//! ECDSA with P-256 (FIPS 186-5), in batches.

pub mod sign;

/// The most operations in a batch.
pub const MAX_BATCH: usize = super::lanes::MAX_LANES;
