//! Configurations of both sides, put together so that none of their parts has to be known.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::{Resumption, TicketRequest};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ServerConfig};

use super::{IdentityError, WorkloadIdentity};
use crate::resume::{ChainJudge, ClientSessions, KeyRing, ResumptionMetrics, ServerResumption};
use crate::verify::policy::{AuthorizingClientVerifier, Callers, Policy};
use crate::verify::spiffe::ExpectedServer;

/// How long a key seals tickets, unless keys are given.
const TICKET_KEY_PERIOD: Duration = Duration::from_secs(6 * 3600);

/// Servers whose sessions a client keeps.
const SERVERS: usize = 256;

/// For how long a client offers a session. Whoever resumes does not look at the server's certificate again, so this
/// bounds how long one that has expired goes unnoticed.
const SESSION_AGE: Duration = Duration::from_secs(600);

/// Tickets that a client asks for (RFC 9149): two with a full handshake, so that two connections can follow; one for each
/// that it uses up.
const ASKED: TicketRequest = TicketRequest { new_session_count: 2, resumption_count: 1 };

/// Tickets that a server gives at most to a client that asks: as many as browsers open connections at once.
const GIVEN: usize = 6;

/// Sets up [`Mtls`].
#[derive(Debug)]
#[must_use = "nothing happens before `build`"]
pub struct MtlsConfig {
    provider: Arc<CryptoProvider>,
    identity: Arc<WorkloadIdentity>,
    policy: Policy,
    alpn: Vec<Vec<u8>>,
    ticket_keys: Option<Arc<KeyRing>>,
}

/// Mutual TLS for a workload, as a server and as a client. Lives as long as the process.
#[derive(Debug)]
pub struct Mtls {
    provider: Arc<CryptoProvider>,
    identity: Arc<WorkloadIdentity>,
    callers: Arc<Callers>,
    alpn: Vec<Vec<u8>>,
    server: ServerResumption,
}

impl MtlsConfig {
    /// As `identity`. Nobody may call until there is a policy.
    pub fn new(provider: Arc<CryptoProvider>, identity: Arc<WorkloadIdentity>) -> Self {
        let (policy, alpn) = (Policy::default(), Vec::new());
        Self { provider, identity, policy, alpn, ticket_keys: None }
    }

    /// Who may call, to begin with; [`Mtls::callers`] changes it.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The application's protocols, most preferred first (RFC 7301): `h2`, `http/1.1`.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Ticket keys that replicas share. By default they are random and this process's alone.
    pub fn ticket_keys(mut self, keys: Arc<KeyRing>) -> Self {
        self.ticket_keys = Some(keys);
        self
    }

    /// `service` is what sessions are for, and the same at all replicas:
    /// [the scope](ServerResumption::builder) of its tickets.
    ///
    /// # Errors
    /// [`IdentityError::Resumption`] if the provider has nothing to seal tickets with;
    /// [`IdentityError::Configuration`].
    pub fn build(self, service: impl Into<String>) -> Result<Mtls, IdentityError> {
        let Self { provider, identity, policy, alpn, ticket_keys } = self;
        let callers = Callers::new(policy);
        let chains = identity.client_verifier();
        let verifier = AuthorizingClientVerifier::new(Arc::clone(chains), Arc::clone(&callers));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(IdentityError::Configuration)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(&identity) as _);
        config.alpn_protocols.clone_from(&alpn);
        config.max_tls13_tickets = GIVEN;
        let who = Arc::clone(&callers);
        let judge = ChainJudge::new(Arc::clone(chains)).authorize(move |peer| who.may_call(peer));
        let keys = match ticket_keys {
            Some(keys) => keys,
            None => KeyRing::random(&provider, TICKET_KEY_PERIOD)?,
        };
        let server = ServerResumption::builder(service, config, Arc::new(judge)).tickets(keys)?;
        Ok(Mtls { provider, identity, callers, alpn, server })
    }
}

impl Mtls {
    /// The configuration of a server for *one* connection; see [`ServerResumption::config`].
    pub fn server(&self) -> Arc<ServerConfig> {
        self.server.config()
    }

    /// A configuration for all connections to servers that are `expected`. Make one for each expectation and keep it:
    /// its sessions are with these servers alone.
    ///
    /// # Errors
    /// [`IdentityError::Configuration`].
    pub fn client(&self, expected: ExpectedServer) -> Result<Arc<ClientConfig>, IdentityError> {
        let verifier = self.identity.server_verifier(expected);
        let (trust, identity) = (Arc::clone(&verifier), Arc::clone(&self.identity));
        let generation = move || trust.generation() + identity.renamed();
        let sessions = ClientSessions::new(SERVERS, SESSION_AGE, generation);
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(IdentityError::Configuration)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::clone(&self.identity) as _);
        config.alpn_protocols.clone_from(&self.alpn);
        config.resumption = Resumption::store(sessions);
        config.send_ticket_request = Some(ASKED);
        Ok(Arc::new(config))
    }

    /// Who may call, to be changed, and to admit connections to.
    pub fn callers(&self) -> &Arc<Callers> {
        &self.callers
    }

    /// Who this workload is.
    pub fn identity(&self) -> &Arc<WorkloadIdentity> {
        &self.identity
    }

    /// What became of the sessions that clients offered.
    pub fn resumptions(&self) -> ResumptionMetrics {
        self.server.metrics()
    }
}
