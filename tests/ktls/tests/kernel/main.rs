//! Connections in a kernel that protects records. Where it does not, every test fails.
//!
//! `ci/steps/37-ktls` runs them one by one, for they read counters of the whole machine: `rekeying` under a kernel
//! that can change keys, `refused` under one that can't, the rest under both.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]

mod control;
mod refused;
mod rekeying;
#[path = "../support/mod.rs"]
mod support;
mod switch;
mod transfer;

use rustls_offload::ktls::{KtlsError, Stream};

/// What is behind an error of reading or writing.
fn cause(error: &std::io::Error) -> &KtlsError {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .unwrap_or_else(|| panic!("not one of ours: {error:?}"))
}

/// `stream`, if the kernel protects it.
fn in_kernel(stream: Stream) -> rustls_offload::ktls::KernelStream {
    match stream {
        Stream::Kernel(stream) => stream,
        other => panic!("not in the kernel: {:?}", other.unavailable()),
    }
}
