//! A server that resumes safely and its client, with a clock that both read and the test sets.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, ServerConfig, SupportedProtocolVersion};
use rustls_offload::resume::{
    ChainJudge, KeyRing, Refusal, Seed, ServerResumption, ServerResumptionBuilder, SessionStore,
};
use rustls_offload::verify::CachingClientVerifier;
use zeroize::Zeroizing;

use super::authority::{Authority, Identity, at, later};
use super::common::pair::Pair;

/// How sessions are kept, in the versions in which they can be.
pub(crate) const WAYS: [Way; 3] =
    [(&TLS13, Keep::Tickets), (&TLS12, Keep::Tickets), (&TLS13, Keep::Store)];

pub(crate) type Way = (&'static SupportedProtocolVersion, Keep);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Keep {
    Tickets,
    Store,
}

/// A clock that the test sets.
#[derive(Debug)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn new(now: UnixTime) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(now.as_secs())))
    }

    pub(crate) fn set(&self, now: UnixTime) {
        self.0.store(now.as_secs(), Relaxed);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = self.0.load(Relaxed);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls_offload::default_provider())
}

pub(crate) fn seed(fill: u8) -> Seed {
    let mut bytes = Zeroizing::new([fill; 32]);
    bytes[0] = !fill;
    Seed::new(bytes).unwrap()
}

/// Keys that every call with the same `fill` has.
pub(crate) fn keys(fill: u8) -> Arc<KeyRing> {
    KeyRing::derived(&provider(), &seed(fill), Duration::from_secs(12 * 3600)).unwrap()
}

pub(crate) struct Ends {
    pub(crate) clock: Arc<Clock>,
    pub(crate) start: UnixTime,
    pub(crate) verifier: Arc<CachingClientVerifier>,
    pub(crate) denied: Arc<AtomicBool>,
    pub(crate) server: ServerResumption,
    pub(crate) client: Arc<ClientConfig>,
    identity: Identity,
}

impl Ends {
    /// A client whose leaf expires ten minutes after the start; the intermediate is valid for another year.
    pub(crate) fn new(authority: &Authority, way: Way) -> Self {
        Self::with(authority, way, |builder| kept(builder, way.1))
    }

    pub(crate) fn with(
        authority: &Authority,
        (version, _): Way,
        build: impl FnOnce(ServerResumptionBuilder) -> ServerResumption,
    ) -> Self {
        let start = later(at(2024, 12, 31), 24 * 3600 - 600);
        let clock = Clock::new(start);
        let verifier = CachingClientVerifier::new(authority.client_verifier());
        let host = authority.issue("localhost", 2024, 2027);
        let mut config = ServerConfig::builder_with_details(provider(), clock.clone())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier.clone())
            .with_single_cert(host.chain, host.key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let denied = Arc::new(AtomicBool::new(false));
        let deny = Arc::clone(&denied);
        let judge = ChainJudge::new(verifier.clone()).authorize(move |peer| {
            assert_eq!(peer.spiffe_id(), Some("spiffe://example.org/client"));
            !deny.load(Relaxed)
        });
        let builder = ServerResumption::builder("orders", config, Arc::new(judge));
        let identity = authority.issue("client", 2024, 2025);
        let client = client(authority, version, &clock, &identity);
        let server = build(builder);
        Self { clock, start, verifier, denied, server, client: Arc::new(client), identity }
    }

    /// Sets the clock to so many seconds after the start.
    pub(crate) fn after(&self, seconds: u64) {
        self.clock.set(later(self.start, seconds));
    }

    /// A connection, data both ways; the server must know the client in any case.
    pub(crate) fn connect(&self) -> Result<HandshakeKind, String> {
        self.connect_to(&self.server.config())
    }

    pub(crate) fn connect_to(&self, config: &Arc<ServerConfig>) -> Result<HandshakeKind, String> {
        let mut pair = Pair::connect(&self.client, config)?;
        pair.echo(b"hello")?;
        assert_eq!(pair.server.peer_certificates(), Some(&self.identity.chain[..]));
        let kind = pair.server.handshake_kind().unwrap();
        assert_eq!(pair.client.handshake_kind(), Some(kind));
        Ok(kind)
    }

    /// Connects, in full, and resumes.
    pub(crate) fn begin(&self) {
        assert_eq!(self.connect(), Ok(HandshakeKind::Full));
        assert_eq!(self.connect(), Ok(HandshakeKind::Resumed));
        assert_eq!(self.server.metrics().refused_in_all(), 0);
    }

    /// One session was refused, for that reason.
    #[track_caller]
    pub(crate) fn refused(&self, refusal: Refusal, way: impl fmt::Debug) {
        let metrics = self.server.metrics();
        assert_eq!(metrics.refused_in_all(), 1, "{way:?}: {metrics:?}");
        assert_eq!(metrics.refused(refusal), 1, "{way:?}: {metrics:?}");
    }
}

pub(crate) fn kept(builder: ServerResumptionBuilder, keep: Keep) -> ServerResumption {
    match keep {
        Keep::Tickets => builder.tickets(keys(1)),
        Keep::Store => {
            builder.store(SessionStore::new(1 << 20, Duration::from_secs(7200)).unwrap())
        }
    }
    .unwrap()
}

fn client(
    authority: &Authority,
    version: &'static SupportedProtocolVersion,
    clock: &Arc<Clock>,
    identity: &Identity,
) -> ClientConfig {
    let mut config = ClientConfig::builder_with_details(provider(), clock.clone())
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(authority.server_verifier())
        .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::in_memory_sessions(8);
    config
}
