//! `sidecar`: a built-in L4 proxy beside each of client and server; the two speak mutual TLS.
//!
//! It uses the provider under test and reads no protocol, so against `in-process` it shows the cost
//! of the hops and of nothing else; what a real proxy adds on top is not in it.

use std::net::SocketAddr;

use super::{
    Availability, CLIENT_SIDECAR, Ground, Hops, Path, SERVER_SIDECAR, Starting, Tells, TlsEnds,
};
use crate::role::Role;
use crate::role::protocol::{ProxySide, ProxySpec, RoleSpec};
use crate::settings::{Settings, Workload};

/// TLS in a proxy on each side.
pub(super) struct Sidecar;

impl Path for Sidecar {
    fn name(&self) -> &str {
        "sidecar"
    }

    fn availability(&self, _: &Settings, _: Workload) -> Availability {
        Availability::Available
    }

    fn tls_ends(&self) -> Option<TlsEnds> {
        Some(TlsEnds { client: CLIENT_SIDECAR, server: SERVER_SIDECAR, tells: Tells::OwnEnds })
    }

    fn start<'a>(&'a self, ground: &'a Ground<'a>, server: SocketAddr) -> Starting<'a> {
        Box::pin(async move {
            let terminating = ProxySpec {
                cpus: ground.settings.server_cpus.clone(),
                upstream: server,
                side: ProxySide::Terminate,
                tls: ground.server_end(),
            };
            let terminating = Role::start(SERVER_SIDECAR, &RoleSpec::Proxy(terminating)).await?;
            let originating = ProxySpec {
                cpus: ground.settings.client_cpus.clone(),
                upstream: terminating.address()?,
                side: ProxySide::Originate(ground.mix),
                tls: ground.client_end(),
            };
            let originating = Role::start(CLIENT_SIDECAR, &RoleSpec::Proxy(originating)).await?;
            let entry = originating.address()?;
            Ok(Hops { roles: vec![originating, terminating], entry })
        })
    }
}
