//! `plaintext`: client and server over bare TCP; what every tax is computed from.

use std::net::SocketAddr;

use super::{Availability, Ground, Hops, Path, Starting, TlsEnds};
use crate::settings::{Settings, Workload};

/// The baseline.
pub(super) struct Plaintext;

impl Path for Plaintext {
    fn name(&self) -> &str {
        "plaintext"
    }

    fn availability(&self, _: &Settings, _: Workload) -> Availability {
        Availability::Available
    }

    fn tls_ends(&self) -> Option<TlsEnds> {
        None
    }

    fn start<'a>(&'a self, _: &'a Ground<'a>, server: SocketAddr) -> Starting<'a> {
        Box::pin(async move { Ok(Hops { roles: Vec::new(), entry: server }) })
    }
}
