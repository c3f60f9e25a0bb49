//! `mtls-bench` measures the handshake rate, CPU tax and tail latency of mutual TLS on the machine
//! it runs on.
//!
//! Data flows one way: [`cli`] turns arguments into [`settings`] and arms; [`experiment`] starts the
//! processes of each arm ([`role`], along a [`path`]), makes load ([`load`]) and measures
//! ([`measure`]); [`report`] turns what was measured into a document, tables and a page with charts, and [`compare`] ranks
//! such documents. [`tls`] and [`pki`] are what every role shares, [`machine`] describes where it all
//! happened.
//!
//! It is a library for the sake of its tests; the command is its interface.

pub mod cli;
pub mod compare;
mod error;
pub mod experiment;
pub mod load;
pub mod machine;
pub mod measure;
pub mod path;
pub mod pki;
pub mod report;
mod rhythm;
pub mod role;
pub mod settings;
mod sources;
pub mod stats;
pub mod tls;

pub use error::Error;
