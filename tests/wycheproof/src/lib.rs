//! Project Wycheproof's test vectors, for every algorithm on every implementation a plan can choose.
//!
//! Everything is driven through the rustls traits that a connection goes through, on a provider
//! that was built with that algorithm served by that backend. `tests/provider/composition.rs` proves that
//! such a provider holds the backend's own parts, so it is the backend that is tested here. What
//! cannot be put to a trait as the vector has it is checked in two steps: a [`reference`] that
//! takes arbitrary keys passes the vectors, then each backend must agree with it.
//!
//! What the traits leave no way to express, and so is **not** tested on a backend directly:
//! - AEAD with nonces that are not 96 bits or tags that are not 128: no suite of TLS has them.
//! - Arbitrary associated data on a backend without QUIC (Graviola): its records are compared with
//!   the reference's instead, for every key, nonce and plaintext of the vectors.
//! - A given private key in a key exchange: rustls makes each one at random. Public shares of the
//!   vectors are accepted or refused as they must be, and the secrets are compared with the
//!   reference's, which holds the vectors' private keys.
//! - ML-KEM from given randomness, for the same reason; likewise with the reference.
//! - HMAC keys above 64 bytes: rustls keys are never longer.
//! - Signing: Wycheproof verifies only. Deterministic schemes are compared with RFC 8032's vectors
//!   and with the reference, the others verified by every backend.
//! - Encodings of a whole public key in a key exchange (the ASN.1 variants): TLS sends the point.
//!
//! Our own engines are tested without a provider, in batches, where they are: `multibuffer/tests/vectors`.

#![cfg(test)]
#![allow(clippy::unwrap_used)] // what fails to unwrap is a failed test

mod agree;
mod algorithms;
mod hybrid;
mod implementations;
mod packets;
mod records;
mod reference;
mod schedule;
mod sign;
mod tally;
mod transcript;
mod verify;
