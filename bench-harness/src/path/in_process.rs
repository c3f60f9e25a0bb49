//! `in-process`: client and server speak mutual TLS themselves, with no hop between them.

use std::net::SocketAddr;

use super::{Availability, Ground, Hops, Path, Starting, Tells, TlsEnds};
use crate::settings::{Settings, Workload};

/// TLS as a library in the service.
pub(super) struct InProcess;

impl Path for InProcess {
    fn name(&self) -> &str {
        "in-process"
    }

    fn availability(&self, _: &Settings, _: Workload) -> Availability {
        Availability::Available
    }

    fn tls_ends(&self) -> Option<TlsEnds> {
        Some(TlsEnds { client: "generator", server: "server", tells: Tells::OwnEnds })
    }

    fn start<'a>(&'a self, _: &'a Ground<'a>, server: SocketAddr) -> Starting<'a> {
        Box::pin(async move { Ok(Hops { roles: Vec::new(), entry: server }) })
    }
}
