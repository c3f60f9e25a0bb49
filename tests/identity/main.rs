//! Peers known by their SPIFFE ID: every rule of an X.509-SVID, on both sides of real connections.

#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]

#[path = "../common/mod.rs"]
mod common;

mod domain;
mod files;
mod policy;
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
mod rotation;
mod spiffe;
