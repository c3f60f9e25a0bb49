//! The client's sessions: a bounded pool that never runs dry under concurrent resumption.
//!
//! rustls's own cache keeps eight TLS 1.3 tickets a server name; 64 handshakes in flight would empty
//! it and turn some of them into full ones. A ticket is still used once only (RFC 8446, C.4). Each
//! client identity has a pool of its own: a session belongs to the identity that it was made with.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// Tickets that all pools together keep at most; the oldest goes first. Twice what may be in flight.
const CAPACITY: usize = 2 * crate::settings::MOST_IN_FLIGHT;

/// Tickets that any pool may keep.
const LEAST: usize = 32;

/// One identity's sessions with the one server that a role talks to.
#[derive(Debug)]
pub(super) struct SessionPool {
    sessions: Mutex<Sessions>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Sessions {
    tls13: VecDeque<Tls13ClientSessionValue>,
    /// How many of these are promised to handshakes that have yet to take them.
    reserved: usize,
    tls12: Option<Tls12ClientSessionValue>,
}

impl SessionPool {
    /// A pool for an identity that makes this share, from 0 to 1, of all connections.
    pub(super) fn new(share: f64) -> Self {
        let capacity = (CAPACITY as f64 * share) as usize;
        Self { sessions: Mutex::default(), capacity: capacity.max(LEAST) }
    }

    /// Promises a session to the next handshake that asks for one, if there is one to spare.
    pub(super) fn reserve(&self) -> bool {
        let mut sessions = self.sessions();
        let spare = sessions.tls13.len() > sessions.reserved;
        sessions.reserved += usize::from(spare);
        // A session of TLS 1.2 is not used up.
        spare || sessions.tls12.is_some()
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for SessionPool {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.sessions().tls12 = Some(session);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.sessions().tls12.clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.sessions().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let mut sessions = self.sessions();
        if sessions.tls13.len() - sessions.reserved >= self.capacity {
            sessions.tls13.pop_front();
        }
        sessions.tls13.push_back(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let mut sessions = self.sessions();
        sessions.reserved = sessions.reserved.saturating_sub(1);
        sessions.tls13.pop_front()
    }
}

/// A store that keeps sessions in the pool and never gives one out: it fills the pool.
#[derive(Debug)]
pub(super) struct KeepOnly(pub(super) Arc<SessionPool>);

impl ClientSessionStore for KeepOnly {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.0.set_tls12_session(name, session);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(name, ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}
