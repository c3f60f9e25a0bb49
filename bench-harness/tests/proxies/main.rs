//! Proxies of others as sidecars: each real program is held against an end of TLS of our own, which
//! sees what it negotiates, and run by the command as its users do.
//!
//! `ci/setup` installs the programs; one that is missing fails its tests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ends;
mod lives;
mod runs;
#[path = "../support/mod.rs"]
mod support;
