//! A SPIFFE Workload API for tests: real gRPC on a Unix socket, which says whatever a test wants it to.

#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]

mod api;

pub use api::{Answer, Api, Calls, X509Svid, X509SvidRequest, X509SvidResponse};
