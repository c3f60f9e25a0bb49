//! Real connections of TLS 1.2 and 1.3 with caching verifiers on both sides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::UnixTime;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};
use rustls_offload::verify::{CachingClientVerifier, CachingServerVerifier};

use super::authority::{Authority, Identity, at, later};
use super::common::pair::Pair;

/// A clock that the test sets.
#[derive(Debug)]
struct Clock(AtomicU64);

impl Clock {
    fn set(&self, now: UnixTime) {
        self.0.store(now.as_secs(), Ordering::Relaxed);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = self.0.load(Ordering::Relaxed);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Both ends, each with a caching verifier around rustls's.
struct Ends {
    clock: Arc<Clock>,
    version: &'static SupportedProtocolVersion,
    of_clients: Arc<CachingClientVerifier>,
    of_servers: Arc<CachingServerVerifier>,
    server: Arc<ServerConfig>,
}

impl Ends {
    fn new(authority: &Authority, version: &'static SupportedProtocolVersion) -> Self {
        let of_clients = CachingClientVerifier::new(authority.client_verifier());
        Self::around(authority, version, of_clients)
    }

    fn around(
        authority: &Authority,
        version: &'static SupportedProtocolVersion,
        of_clients: Arc<CachingClientVerifier>,
    ) -> Self {
        let provider = Arc::new(rustls_offload::default_provider());
        let clock = Arc::new(Clock(AtomicU64::new(at(2025, 6, 1).as_secs())));
        let identity = authority.issue("localhost", 2025, 2027);
        let mut server = ServerConfig::builder_with_details(provider.clone(), clock.clone())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(of_clients.clone())
            .with_single_cert(identity.chain, identity.key)
            .unwrap();
        server.session_storage = Arc::new(NoServerSessionStorage {});
        let inner = WebPkiServerVerifier::builder_with_provider(authority.roots(), provider);
        let of_servers = CachingServerVerifier::new(inner.build().unwrap());
        Self { clock, version, of_clients, of_servers, server: Arc::new(server) }
    }

    fn client(&self, identity: Option<&Identity>) -> ClientConfig {
        let provider = Arc::new(rustls_offload::default_provider());
        let builder = ClientConfig::builder_with_details(provider, self.clock.clone())
            .with_protocol_versions(&[self.version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(self.of_servers.clone());
        let mut config = match identity {
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        config
    }

    /// One full handshake, and data both ways.
    fn connect(&self, identity: Option<&Identity>) -> Result<Pair, String> {
        let mut pair = Pair::connect(&Arc::new(self.client(identity)), &self.server)?;
        pair.echo(b"hello")?;
        Ok(pair)
    }

    /// Hits and misses at the server, then at the client.
    fn counts(&self) -> [u64; 4] {
        let (clients, servers) = (self.of_clients.metrics(), self.of_servers.metrics());
        [clients.hits, clients.misses, servers.hits, servers.misses]
    }
}

#[test]
fn each_side_verifies_a_peer_once() {
    for version in [&TLS12, &TLS13] {
        let authority = Authority::new("a");
        let ends = Ends::new(&authority, version);
        let identities = ["x", "y"].map(|name| authority.issue(name, 2025, 2027));
        for _ in 0..3 {
            for identity in &identities {
                let pair = ends.connect(Some(identity)).unwrap();
                assert_eq!(pair.server.peer_certificates(), Some(&identity.chain[..]));
            }
        }
        assert_eq!(ends.counts(), [4, 2, 5, 1]);
    }
}

/// The certificate is public; a thief of it has no key to sign with.
#[test]
fn a_cached_chain_without_its_key_is_refused() {
    for version in [&TLS12, &TLS13] {
        let authority = Authority::new("a");
        let ends = Ends::new(&authority, version);
        let (owner, thief) = (authority.issue("x", 2025, 2027), authority.issue("y", 2025, 2027));
        ends.connect(Some(&owner)).unwrap();
        let mut config = ends.client(Some(&owner));
        let key = config.crypto_provider().key_provider.load_private_key(thief.key).unwrap();
        let stolen = Arc::new(CertifiedKey::new(owner.chain.clone(), key));
        config.client_auth_cert_resolver = Arc::new(Always(stolen));
        let refused = Pair::connect(&Arc::new(config), &ends.server).map(|_| ()).unwrap_err();
        assert!(refused.contains("BadSignature"), "{refused}");
        assert_eq!(ends.counts()[..2], [1, 1], "the chain was found, the signature was not good");
    }
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl rustls::client::ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn a_peer_that_expires_while_cached_is_refused() {
    for version in [&TLS12, &TLS13] {
        let authority = Authority::new("a");
        let ends = Ends::new(&authority, version);
        let identity = authority.issue("x", 2025, 2027);
        ends.clock.set(at(2026, 1, 1));
        ends.connect(Some(&identity)).unwrap();
        ends.connect(Some(&identity)).unwrap();
        ends.clock.set(later(at(2026, 1, 1), 1));
        let refused = ends.connect(Some(&identity)).map(|_| ()).unwrap_err();
        assert!(refused.contains("expired"), "{refused}");
    }
}

#[test]
fn a_replaced_bundle_counts_for_the_next_connection_of_each_side() {
    for version in [&TLS12, &TLS13] {
        let (authority, other) = (Authority::new("a"), Authority::new("b"));
        let ends = Ends::new(&authority, version);
        let identity = authority.issue("x", 2025, 2027);
        let mut up = ends.connect(Some(&identity)).unwrap();
        ends.of_clients.replace(other.client_verifier());
        let refused = ends.connect(Some(&identity)).map(|_| ()).unwrap_err();
        assert!(refused.contains("server: ") && refused.contains("UnknownIssuer"), "{refused}");
        ends.of_clients.replace(authority.client_verifier());
        ends.connect(Some(&identity)).unwrap();
        ends.of_servers.replace(other.server_verifier());
        let refused = ends.connect(Some(&identity)).map(|_| ()).unwrap_err();
        assert!(refused.contains("client: ") && refused.contains("UnknownIssuer"), "{refused}");
        up.echo(b"still up").unwrap();
    }
}

#[test]
fn clients_without_a_certificate_are_the_inner_verifiers_to_admit() {
    for version in [&TLS12, &TLS13] {
        let authority = Authority::new("a");
        let identity = authority.issue("x", 2025, 2027);
        let required = Ends::new(&authority, version);
        required.connect(None).map(|_| ()).unwrap_err();

        let provider = Arc::new(rustls_offload::default_provider());
        let optional = WebPkiClientVerifier::builder_with_provider(authority.roots(), provider)
            .allow_unauthenticated()
            .build()
            .unwrap();
        let ends = Ends::around(&authority, version, CachingClientVerifier::new(optional));
        for _ in 0..2 {
            assert!(ends.connect(None).unwrap().server.peer_certificates().is_none());
            let pair = ends.connect(Some(&identity)).unwrap();
            assert_eq!(pair.server.peer_certificates(), Some(&identity.chain[..]));
        }
        assert_eq!(ends.counts()[..2], [1, 1], "nobody asked about a client without a chain");

        ends.of_clients.replace(WebPkiClientVerifier::no_client_auth());
        let pair = ends.connect(Some(&identity)).unwrap();
        assert!(pair.server.peer_certificates().is_none(), "not even asked for");
    }
}
