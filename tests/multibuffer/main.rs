//! Our own cryptography, in batches, against aws-lc-rs and published vectors: on every engine, in every
//! lane and every size of batch.
//!
//! Unoptimized code would take an hour over all of it. Debug builds therefore do a sample;
//! `cargo test --release --test multibuffer` does everything.

#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]
#![cfg(not(feature = "fips"))]

mod ecdh;
mod sign;
mod verify;
mod x25519;
