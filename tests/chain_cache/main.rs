//! The caching verifiers around rustls's own: whatever is cached, no verdict may differ from what
//! the inner verifier would say at that moment.

#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]

#[path = "../common/mod.rs"]
mod common;

mod authority;
mod connections;
mod delegation;
mod swap;
mod verdicts;
