//! The provider as an application gets it: what it is composed of, that it works with every other
//! provider and with any overrides, and the plan behind it.
//!
//! One program, for linking costs more than the tests. What changes the process, or measures it, is a
//! program of its own.

#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]

#[path = "../common/mod.rs"]
mod common;

#[cfg(not(feature = "fips"))]
mod composition;
#[cfg(not(feature = "fips"))]
mod keys;
#[cfg(all(feature = "pool", feature = "aws-lc-rs", not(feature = "fips")))]
mod lanes;
#[cfg(not(feature = "fips"))]
mod overrides;
mod pairs;
mod plan;
