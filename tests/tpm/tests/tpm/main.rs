//! Keys in TPMs, with real ones made of software: each test starts its own.

#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]

use std::time::Duration;

#[path = "../../../peers/ends.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod ends;
#[path = "../../../peers/tool.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod tool;

#[path = "../../../common/pair.rs"]
mod pair;

mod domain;
mod faults;
mod handshakes;
mod interop;
mod pki;
mod proxy;
mod rooted;
mod sealed;
mod signatures;
mod swtpm;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
