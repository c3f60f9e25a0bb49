//! Published test vectors on our own engines: Project Wycheproof's and NIST's.

#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]

mod cavp;
#[path = "../../../tests/wycheproof/src/tally.rs"]
mod tally;
mod wycheproof;
