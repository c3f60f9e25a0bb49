//! Tickets that were changed, replayed, or offered in numbers.

use std::fmt;
use std::sync::{Arc, Mutex};

use rustls::HandshakeKind::{Full, Resumed};
use rustls::ServerConfig;
use rustls::server::{ProducesTickets, StoresServerSessions};
use rustls_offload::resume::Refusal;

use super::authority::Authority;
use super::ends::{Ends, Keep, WAYS};

/// Changes every ticket on its way in.
struct Tampering {
    inner: Arc<dyn ProducesTickets>,
    change: Change,
}

type Change = fn(&mut Vec<u8>);

impl ProducesTickets for Tampering {
    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.inner.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.inner.encrypt(plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let mut ticket = ticket.to_vec();
        (self.change)(&mut ticket);
        self.inner.decrypt(&ticket)
    }
}

impl fmt::Debug for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tampering").finish_non_exhaustive()
    }
}

/// That each bit counts is a test of the sealing itself.
#[test]
fn a_ticket_that_was_changed() {
    let changes: [(Change, Refusal); 6] = [
        (|ticket| ticket[0] ^= 2, Refusal::Malformed),
        (|ticket| ticket[1] ^= 1, Refusal::Unknown),
        (|ticket| ticket[17] ^= 1, Refusal::Forged),
        (|ticket| ticket[60] ^= 0x80, Refusal::Forged),
        (|ticket| ticket.truncate(ticket.len() - 1), Refusal::Forged),
        (Vec::clear, Refusal::Malformed),
    ];
    for way in WAYS.into_iter().filter(|(_, keep)| *keep == Keep::Tickets) {
        for (change, refusal) in changes {
            let authority = Authority::new("a");
            let ends = Ends::new(&authority, way);
            ends.begin();
            let mut config = ServerConfig::clone(&ends.server.config());
            let inner = config.ticketer;
            config.ticketer = Arc::new(Tampering { inner, change });
            assert_eq!(ends.connect_to(&Arc::new(config)), Ok(Full), "{way:?}, {refusal:?}");
            ends.refused(refusal, way);
        }
    }
}

/// A thief of sessions: whatever is offered, offers the first one again.
#[derive(Debug)]
struct Replaying {
    inner: Arc<dyn StoresServerSessions>,
    first: Arc<Mutex<Option<Vec<u8>>>>,
}

impl StoresServerSessions for Replaying {
    fn put(&self, id: Vec<u8>, session: Vec<u8>) -> bool {
        self.inner.put(id, session)
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.inner.get(id)
    }

    fn take(&self, id: &[u8]) -> Option<Vec<u8>> {
        let first = self.first.lock().unwrap().get_or_insert_with(|| id.to_vec()).clone();
        self.inner.take(&first)
    }

    fn can_cache(&self) -> bool {
        self.inner.can_cache()
    }
}

#[test]
fn a_session_of_the_store_that_is_replayed() {
    let way = WAYS[2];
    let ends = Ends::new(&Authority::new("a"), way);
    let first = Arc::default();
    let config = || {
        let mut config = ServerConfig::clone(&ends.server.config());
        let inner = config.session_storage;
        config.session_storage = Arc::new(Replaying { inner, first: Arc::clone(&first) });
        Arc::new(config)
    };
    assert_eq!(ends.connect_to(&config()), Ok(Full));
    assert_eq!(ends.connect_to(&config()), Ok(Resumed));
    assert_eq!(ends.connect_to(&config()), Ok(Full));
    ends.refused(Refusal::Unknown, way);
}

#[test]
fn a_session_that_nobody_made() {
    for way in WAYS {
        let ends = Ends::new(&Authority::new("a"), way);
        let config = ends.server.config();
        for junk in [&[][..], &[0; 32], &[1; 64], &[1; 600], &[0xff; 70_000]] {
            assert_eq!(config.ticketer.decrypt(junk), None);
            assert_eq!(config.session_storage.take(junk), None);
            assert_eq!(config.session_storage.get(junk), None);
        }
        assert_eq!(ends.server.metrics().accepted(), 0);
    }
}

#[test]
fn more_offers_than_are_looked_at() {
    let way = WAYS[0];
    let ends = Ends::new(&Authority::new("a"), way);
    ends.begin();
    let config = ends.server.config();
    for _ in 0..10 {
        assert_eq!(config.ticketer.decrypt(&[1; 100]), None);
    }
    assert_eq!(ends.server.metrics().refused(Refusal::TooManyOffers), 2);
    assert_eq!(ends.connect_to(&config), Ok(Full));
    assert_eq!(ends.connect(), Ok(Resumed));
}

/// Rings and seeds are secrets; what is printed must not tell them.
#[test]
fn what_is_printed_holds_no_key() {
    let ticketer = Ends::new(&Authority::new("a"), WAYS[0]).server.config().ticketer.clone();
    let printed = format!("{:?} {:?} {ticketer:?}", super::ends::keys(90), super::ends::seed(90));
    assert!(!printed.contains("90, ") && !printed.contains("5a5a"), "{printed}");
}
