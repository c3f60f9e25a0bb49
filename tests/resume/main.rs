//! Resumption under mutual TLS: what is doubtful ends in a full handshake or a refusal, never in a resumed
//! session. Named after what went wrong in other servers, or could.

#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]
// Graviola alone has nothing to seal tickets with
#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]

#[path = "../chain_cache/authority.rs"]
mod authority;
#[path = "../common/mod.rs"]
mod common;

mod client;
mod early_data;
mod ends;
mod lineage;
mod refused;
mod tampered;
