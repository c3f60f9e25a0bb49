//! TLS as every role uses it: one way to build configurations, one way to see what was negotiated.
//!
//! Generator, server and sidecars all go through this module, so that two arms differ in the
//! provider and the path only, never in a detail of how a connection is made.

mod accounts;
mod agent;
mod callers;
mod config;
mod dial;
mod kernel;
mod observe;
mod peers;
mod provider;
mod sessions;
mod workload;

pub use agent::workload_id;
pub use callers::Population;
pub use config::{Records, TlsEnd, check_parameters};
pub use dial::{Acceptor, Connection, DialError, Dialer, Secured};
pub use kernel::Carrier;
pub use observe::{ChainCacheUse, HandshakeCount, Negotiated, Observations, Observer};
pub use provider::build as build_provider;
pub use workload::Rotation;
