//! The client's side: sessions that are forgotten when they can no longer be trusted.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;
use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// Tickets kept for a server; servers send two or so a connection.
const TICKETS: usize = 8;

/// A store of a client's sessions for `rustls::client::Resumption::store`, one for each identity that is expected of
/// servers: rustls itself resumes only under the verifier and the client credentials of the session.
///
/// A resumed handshake does not ask that verifier whether it still trusts the server. So sessions are bound to a
/// *generation*, which the application or the verifier raises when roots, CRLs or policy change, and are
/// dropped when it is another one, or when they are older than a given age.
///
/// A ticket of TLS 1.3 is used once (RFC 8446, appendix C.4), and the oldest go first when there are more
/// servers than there is room for.
pub struct ClientSessions {
    servers: Mutex<LruCache<ServerName<'static>, Server>>,
    generation: Box<dyn Fn() -> u64 + Send + Sync>,
    max_age: Duration,
}

#[derive(Default)]
struct Server {
    group: Option<NamedGroup>,
    tls12: Option<Stamped<Tls12ClientSessionValue>>,
    tls13: VecDeque<Stamped<Tls13ClientSessionValue>>,
}

struct Stamped<T> {
    session: T,
    generation: u64,
    since: Instant,
}

impl ClientSessions {
    /// For up to `servers` servers. Sessions are dropped after `max_age`, and when `generation` gives another number
    /// than when they were made: `move || verifier.generation()` with a
    /// [`CachingServerVerifier`](crate::verify::CachingServerVerifier).
    pub fn new(
        servers: usize,
        max_age: Duration,
        generation: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Arc<Self> {
        let servers = Mutex::new(LruCache::new(servers.max(1)));
        Arc::new(Self { servers, generation: Box::new(generation), max_age })
    }

    /// Drops all sessions: when the client's own certificate has been replaced, for one, since servers go on to see the
    /// old one in resumed sessions.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<ServerName<'static>, Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stamp<T>(&self, session: T) -> Stamped<T> {
        Stamped { session, generation: (self.generation)(), since: Instant::now() }
    }

    fn holds<T>(&self, stamped: &Stamped<T>) -> bool {
        stamped.generation == (self.generation)() && stamped.since.elapsed() < self.max_age
    }

    fn change(&self, name: ServerName<'static>, change: impl FnOnce(&mut Server)) {
        let mut servers = self.lock();
        if !servers.contains_key(&name) {
            servers.insert(name.clone(), Server::default());
        }
        if let Some(server) = servers.get_mut(&name) {
            change(server);
        }
    }
}

impl ClientSessionStore for ClientSessions {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.change(name, |server| server.group = Some(group));
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.lock().get(&name.to_owned())?.group
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        let stamped = self.stamp(session);
        self.change(name, |server| server.tls12 = Some(stamped));
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        let mut servers = self.lock();
        let found = &mut servers.get_mut(&name.to_owned())?.tls12;
        found.take_if(|stamped| !self.holds(stamped));
        found.as_ref().map(|stamped| stamped.session.clone())
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        if let Some(server) = self.lock().get_mut(name) {
            server.tls12 = None;
        }
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, session: Tls13ClientSessionValue) {
        let stamped = self.stamp(session);
        self.change(name, |server| {
            if server.tls13.len() == TICKETS {
                server.tls13.pop_front();
            }
            server.tls13.push_back(stamped);
        });
    }

    /// The newest that holds: its lineage is the shortest.
    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let mut servers = self.lock();
        let tickets = &mut servers.get_mut(name)?.tls13;
        tickets.retain(|stamped| self.holds(stamped));
        tickets.pop_back().map(|stamped| stamped.session)
    }
}

impl fmt::Debug for ClientSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSessions").field("max_age", &self.max_age).finish_non_exhaustive()
    }
}
