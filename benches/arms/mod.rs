//! The providers that handshakes are compared on, all set up to do the same work.
//!
//! rustls's providers differ in what they prefer, so suite and group are pinned: TLS 1.3,
//! AES-128-GCM, X25519, ECDSA P-256 on root, intermediate and leaf of both sides.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::sync::Arc;

use common::own_provider;
use common::pair::{Kind, Pair, Pki};
use rustls::crypto::CryptoProvider;
use rustls::server::ProducesTickets;
use rustls::version::TLS13;
use rustls::{CipherSuite, ClientConfig, HandshakeKind, NamedGroup, ServerConfig};
use rustls_offload::Offload;
use rustls_offload::plan::Backend;

/// A client and a server of one provider.
pub(crate) struct Arm {
    name: &'static str,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    kind: HandshakeKind,
}

impl Arm {
    /// Both sides with our provider if `name` is "offload", else with that backend's own, ready
    /// for handshakes of `kind`.
    pub(crate) fn new(name: &'static str, kind: HandshakeKind) -> Self {
        let (mut provider, ticketer) = provider(name);
        provider.cipher_suites.retain(|s| s.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
        provider.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
        let provider = Arc::new(provider);
        let pki = Pki::new(Kind::P256);
        let resumed = kind == HandshakeKind::Resumed;
        let ticketer = resumed.then_some(ticketer);
        let mut server = pki.server(&provider, &[&TLS13], ticketer);
        server.send_tls13_tickets = usize::from(resumed);
        let mut client = pki.client(&provider, &[&TLS13]);
        if !resumed {
            client.resumption = rustls::client::Resumption::disabled();
        }
        let arm = Self { name, client: Arc::new(client), server: Arc::new(server), kind };
        if resumed {
            Pair::connect(&arm.client, &arm.server).unwrap(); // for the first ticket
        }
        arm
    }

    /// One handshake, both sides, of the kind that was asked for.
    pub(crate) fn handshake(&self) -> Pair {
        let pair = Pair::connect(&self.client, &self.server).unwrap();
        assert_eq!(pair.client.handshake_kind(), Some(self.kind), "{}", self.name);
        assert_eq!(pair.server.handshake_kind(), Some(self.kind), "{}", self.name);
        pair
    }
}

/// Each arm has the ticketer of the backend it would use by itself.
fn provider(name: &str) -> (CryptoProvider, Arc<dyn ProducesTickets>) {
    if name == "offload" {
        let offload = Offload::new().unwrap();
        return (offload.provider(), offload.ticketer().unwrap());
    }
    let backend: Backend = name.parse().unwrap();
    let ticketer = match backend {
        #[cfg(feature = "aws-lc-rs")]
        Backend::AwsLcRs => rustls::crypto::aws_lc_rs::Ticketer::new(),
        #[cfg(feature = "ring")]
        Backend::Ring => rustls::crypto::ring::Ticketer::new(),
        #[cfg(feature = "graviola")]
        Backend::Graviola => rustls_graviola::Ticketer::new(),
        other => panic!("{other} is not compiled in"),
    };
    (own_provider(backend), ticketer.unwrap())
}
