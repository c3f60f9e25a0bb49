//! `ktls`: client and server do their own handshakes, and the kernel protects the records.

use std::net::SocketAddr;

use rustls_offload::ktls::Kernel;

use super::{Availability, Ground, Hops, Path, Starting, Tells, TlsEnds};
use crate::machine::Root;
use crate::machine::doctor::{Finding, kernel_tls};
use crate::settings::{ProviderName, Settings, Workload};
use crate::tls::{Records, build_provider};

/// TLS as a library in the service for handshakes, and in the kernel for records.
pub(super) struct KernelTls;

impl Path for KernelTls {
    fn name(&self) -> &str {
        "ktls"
    }

    fn availability(&self, settings: &Settings, _: Workload) -> Availability {
        if let Finding::Missing { reason, fix } = kernel_tls::finding(&Root::host()) {
            return Availability::Unavailable { reason, fix };
        }
        if protects(&settings.tls.suite) {
            return Availability::Available;
        }
        Availability::Unavailable {
            reason: format!("the kernel's TLS can't do {}", settings.tls.suite),
            fix: "load its module (gcm, chacha20poly1305), or choose another --suite".to_owned(),
        }
    }

    fn tls_ends(&self) -> Option<TlsEnds> {
        Some(TlsEnds { client: "generator", server: "server", tells: Tells::OwnEnds })
    }

    fn records(&self) -> Records {
        Records::Kernel
    }

    fn start<'a>(&'a self, _: &'a Ground<'a>, server: SocketAddr) -> Starting<'a> {
        Box::pin(async move { Ok(Hops { roles: Vec::new(), entry: server }) })
    }
}

/// Whether the kernel can do the suite of this name.
fn protects(suite: &str) -> bool {
    let (Ok(kernel), Ok(built)) = (Kernel::here(), build_provider(ProviderName::Offload)) else {
        return false;
    };
    let suites = built.provider.cipher_suites;
    suites.iter().any(|one| format!("{:?}", one.suite()) == suite && kernel.supports(*one))
}
