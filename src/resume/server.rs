//! The server's side: a configuration for each connection, whose sessions know their lineage.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::server::{ProducesTickets, StoresServerSessions};
use rustls::time_provider::TimeProvider;
use rustls::{ProtocolVersion, ServerConfig};

use super::metrics::Counters;
use super::session::Session;
use super::{Error, Judge, KeyRing, Refusal, ResumptionMetrics, SessionStore, seal};

/// The longest that a ticket may live (RFC 8446, section 4.6.1).
const WEEK: u64 = 7 * 24 * 3600;

/// How many sessions of one handshake are looked at. Clients offer one or two.
const MAX_OFFERS: u32 = 8;

/// In place of a time: the connection did not resume.
const NO_LINEAGE: u64 = u64::MAX;

/// Makes the configurations of a server's connections; see [the module](super).
#[derive(Debug)]
pub struct ServerResumption {
    config: ServerConfig,
    shared: Arc<Shared>,
}

/// Sets up a [`ServerResumption`].
#[derive(Debug)]
#[must_use = "nothing is resumed before `tickets` or `store`"]
pub struct ServerResumptionBuilder {
    config: ServerConfig,
    scope: String,
    judge: Arc<dyn Judge>,
    max_lineage: Duration,
}

/// What all connections have in common.
struct Shared {
    scope: String,
    judge: Arc<dyn Judge>,
    keep: Keep,
    /// In seconds.
    max_lineage: u64,
    time: Arc<dyn TimeProvider>,
    counters: Counters,
}

/// Where sessions are between two connections.
enum Keep {
    Tickets(Arc<KeyRing>),
    Store(Arc<SessionStore>),
}

/// That early data (0-RTT) is wanted, and what that means was considered.
///
/// Early data is not forward secret and **can be replayed** (RFC 8446, sections 2.3 and 8): an attacker who holds it
/// back, or copies it to a replica with a store of its own, has the server act on it another time. Only requests
/// that may be repeated are to be taken from it: an HTTP server answers others with 425 (RFC 8470).
#[derive(Clone, Copy, Debug)]
pub struct EarlyData {
    bytes: u32,
}

impl EarlyData {
    /// Up to so many bytes a connection. The application reads them from `ServerConnection::early_data`, apart from
    /// what comes after the handshake.
    pub fn i_accept_replays(bytes: u32) -> Self {
        Self { bytes }
    }
}

impl ServerResumption {
    /// Starts from `config`, whose own ticketer, session store and early data are put out of force, and which must
    /// require client certificates; a session without one is not resumed. `judge` is asked about each.
    ///
    /// `scope` names what sessions are for: replicas of a service have the same, and whatever has other
    /// policies, certificates or clients has another. Sessions of one scope don't resume in another, even
    /// where keys or stores are shared.
    pub fn builder(
        scope: impl Into<String>,
        config: ServerConfig,
        judge: Arc<dyn Judge>,
    ) -> ServerResumptionBuilder {
        ServerResumptionBuilder {
            scope: scope.into(),
            config,
            judge,
            max_lineage: Duration::from_secs(3600),
        }
    }

    /// The configuration for one connection. Give none to two: sessions of one could pass for those of the other,
    /// and count as old as the older one.
    pub fn config(&self) -> Arc<ServerConfig> {
        let connection = Arc::new(Connection {
            shared: Arc::clone(&self.shared),
            since: AtomicU64::new(NO_LINEAGE),
            offers: AtomicU32::new(0),
        });
        let mut config = self.config.clone();
        config.ticketer = connection.clone();
        config.session_storage = connection;
        Arc::new(config)
    }

    /// What became of sessions so far.
    pub fn metrics(&self) -> ResumptionMetrics {
        self.shared.counters.sum()
    }
}

impl ServerResumptionBuilder {
    /// Demands a full handshake when the client's last CertificateVerify was `age` ago. Default: an hour. At most a
    /// week, the longest that TLS 1.3 lets tickets live.
    pub fn max_lineage(mut self, age: Duration) -> Self {
        self.max_lineage = age;
        self
    }

    /// Seals sessions into tickets with `keys`.
    ///
    /// # Errors
    /// [`Error::Zero`] if the lineage is limited to less than a second.
    pub fn tickets(self, keys: Arc<KeyRing>) -> Result<ServerResumption, Error> {
        self.build(Keep::Tickets(keys))
    }

    /// Keeps sessions in `store`, for TLS 1.3. TLS 1.2 does not resume then.
    ///
    /// # Errors
    /// [`Error::Zero`] if the lineage is limited to less than a second.
    pub fn store(self, store: Arc<SessionStore>) -> Result<ServerResumption, Error> {
        self.build(Keep::Store(store))
    }

    /// As [`store`](Self::store), and takes early data (0-RTT) of sessions that resume. Tickets can't: they can be
    /// offered to several replicas, or again, while a store gives out each session once.
    ///
    /// ```
    /// # use rustls_offload::resume::{EarlyData, KeyRing, ServerResumptionBuilder, SessionStore};
    /// # fn f(builder: ServerResumptionBuilder, sessions: std::sync::Arc<SessionStore>) {
    /// builder.store_and_early_data(sessions, EarlyData::i_accept_replays(16384));
    /// # }
    /// ```
    ///
    /// ```compile_fail
    /// # use rustls_offload::resume::{EarlyData, KeyRing, ServerResumptionBuilder, SessionStore};
    /// # fn f(builder: ServerResumptionBuilder, sessions: std::sync::Arc<KeyRing>) {
    /// builder.store_and_early_data(sessions, EarlyData::i_accept_replays(16384));
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Zero`] if the lineage is limited to less than a second, or early data to nothing.
    pub fn store_and_early_data(
        self,
        store: Arc<SessionStore>,
        early_data: EarlyData,
    ) -> Result<ServerResumption, Error> {
        if early_data.bytes == 0 {
            return Err(Error::Zero { what: "early data", least: "a byte" });
        }
        let mut resumption = self.store(store)?;
        resumption.config.max_early_data_size = early_data.bytes;
        Ok(resumption)
    }

    fn build(self, keep: Keep) -> Result<ServerResumption, Error> {
        let Self { mut config, scope, judge, max_lineage } = self;
        let max_lineage = max_lineage.as_secs().min(WEEK);
        if max_lineage == 0 {
            return Err(Error::Zero { what: "a lineage", least: "a second" });
        }
        config.max_early_data_size = 0;
        let (time, counters) = (Arc::clone(&config.time_provider), Counters::default());
        let shared = Shared { scope, judge, keep, max_lineage, time, counters };
        Ok(ServerResumption { config, shared: Arc::new(shared) })
    }
}

impl Shared {
    /// The seconds since the client's last CertificateVerify.
    fn lineage(&self, since: UnixTime, now: UnixTime) -> Result<u64, Refusal> {
        let age = now.as_secs().checked_sub(since.as_secs()).ok_or(Refusal::FromTheFuture)?;
        if age < self.max_lineage { Ok(age) } else { Err(Refusal::LineageTooOld) }
    }

    fn judge(&self, session: &[u8], since: UnixTime, now: UnixTime) -> Result<(), Refusal> {
        let session = Session::read(session).ok_or(Refusal::Unreadable)?;
        session.is_eligible()?;
        self.lineage(since, now)?;
        self.judge.judge(&session.chain, now)
    }
}

impl Session<'_> {
    /// Whether there is someone to judge, and a secret that is this connection's alone.
    fn is_eligible(&self) -> Result<(), Refusal> {
        if self.chain.is_empty() {
            return Err(Refusal::NoClientCertificate);
        }
        if self.version != ProtocolVersion::TLSv1_3 && !self.extended_master_secret {
            return Err(Refusal::NoExtendedMasterSecret);
        }
        Ok(())
    }
}

/// What links the session that a connection resumes to those that it issues.
struct Connection {
    shared: Arc<Shared>,
    /// The oldest last CertificateVerify of the sessions that passed, in seconds since 1970, or [`NO_LINEAGE`]. If
    /// the handshake became a full one after all, its sessions count as older than they are.
    since: AtomicU64,
    offers: AtomicU32,
}

impl Connection {
    fn now(&self) -> Option<UnixTime> {
        self.shared.time.current_time()
    }

    /// When the client of the session that is to be issued last proved to hold its key; none if it is not
    /// to be issued.
    fn issue(&self, session: &[u8], now: UnixTime) -> Option<UnixTime> {
        Session::read(session)?.is_eligible().ok()?;
        let since = match self.since.load(Relaxed) {
            NO_LINEAGE => now,
            since => seal::at(since),
        };
        self.shared.lineage(since, now).ok()?;
        Some(since)
    }

    /// The session offered, if it passes. `found` looks for it.
    fn offered<S: AsRef<[u8]>>(
        &self,
        found: impl FnOnce(UnixTime) -> Result<(S, UnixTime), Refusal>,
    ) -> Option<S> {
        let now = self.now()?;
        let verdict = (|| {
            if self.offers.fetch_add(1, Relaxed) >= MAX_OFFERS {
                return Err(Refusal::TooManyOffers);
            }
            let (session, since) = found(now)?;
            self.shared.judge(session.as_ref(), since, now)?;
            self.since.fetch_min(since.as_secs(), Relaxed);
            Ok(session)
        })();
        self.shared.counters.offered(verdict)
    }
}

impl ProducesTickets for Connection {
    fn enabled(&self) -> bool {
        matches!(self.shared.keep, Keep::Tickets(_))
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(self.shared.max_lineage).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        let Keep::Tickets(keys) = &self.shared.keep else { return None };
        let now = self.now()?;
        let since = self.issue(session, now)?;
        let ticket = seal::seal(keys, &self.shared.scope, session, since, now)?;
        self.shared.counters.issued();
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let Keep::Tickets(keys) = &self.shared.keep else { return None };
        let open = |now| seal::open(keys, &self.shared.scope, ticket, now);
        self.offered(open).map(|mut session| std::mem::take(&mut *session))
    }
}

impl StoresServerSessions for Connection {
    fn put(&self, id: Vec<u8>, session: Vec<u8>) -> bool {
        let Keep::Store(store) = &self.shared.keep else { return false };
        let issue = || {
            let now = self.now()?;
            let since = self.issue(&session, now)?;
            store.put(&id, &self.shared.scope, session.into(), since, now)
        };
        let issued = issue().is_some();
        if issued {
            self.shared.counters.issued();
        }
        issued
    }

    /// Only TLS 1.2 asks this way, and more than once.
    fn get(&self, _id: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn take(&self, id: &[u8]) -> Option<Vec<u8>> {
        let Keep::Store(store) = &self.shared.keep else { return None };
        let take = |now| store.take(id, &self.shared.scope, now).ok_or(Refusal::Unknown);
        self.offered(take).map(|mut session| std::mem::take(&mut *session))
    }

    /// Whether TLS 1.2 is to hand out session identifiers.
    fn can_cache(&self) -> bool {
        false
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("scope", &self.scope)
            .field("judge", &self.judge)
            .field("max_lineage", &self.max_lineage)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;

    use super::*;

    fn session(version: ProtocolVersion, certificates: usize) -> Session<'static> {
        let chain = vec![CertificateDer::from(&[1][..]); certificates];
        Session { version, extended_master_secret: false, chain }
    }

    #[test]
    fn a_session_without_a_chain_is_not_resumed() {
        let session = session(ProtocolVersion::TLSv1_3, 0);
        assert_eq!(session.is_eligible(), Err(Refusal::NoClientCertificate));
    }

    #[test]
    fn tls_1_2_resumes_with_extended_master_secret_only() {
        let mut session = session(ProtocolVersion::TLSv1_2, 1);
        assert_eq!(session.is_eligible(), Err(Refusal::NoExtendedMasterSecret));
        session.extended_master_secret = true;
        assert_eq!(session.is_eligible(), Ok(()));
    }
}
