//! Other TLS implementations as peers: OpenSSL's and GnuTLS's command-line tools, in both roles.
//!
//! Always over loopback TCP with client certificates required, TLS 1.2 and 1.3, full and resumed,
//! by the default plan and by each backend for everything it has. Both ends are asked whether the
//! session was resumed; data goes both ways. Nothing waits for a fixed time: every wait is for a
//! line of output or for bytes, and gives up after [`PATIENCE`].
//!
//! A tool that is not installed is a failed test that says what to install.

#![allow(clippy::unwrap_used)] // what fails to unwrap is a failed test

#[path = "../common/mod.rs"]
mod common;

mod ends;
mod files;
mod gnutls;
mod openssl;
mod scenarios;
mod tool;

use std::time::Duration;

/// How long a peer may take before the test is given up as failed.
const PATIENCE: Duration = Duration::from_secs(60);
