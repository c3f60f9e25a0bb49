//! The client's store of sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustls::HandshakeKind::{Full, Resumed};
use rustls::client::Resumption;
use rustls_offload::resume::ClientSessions;

use super::authority::Authority;
use super::ends::{Ends, WAYS};

fn ends(way: super::ends::Way, max_age: Duration) -> (Ends, Arc<ClientSessions>, Arc<AtomicU64>) {
    let mut ends = Ends::new(&Authority::new("a"), way);
    let generation = Arc::new(AtomicU64::new(1));
    let seen = Arc::clone(&generation);
    let sessions = ClientSessions::new(8, max_age, move || seen.load(Relaxed));
    let mut client = (*ends.client).clone();
    client.resumption = Resumption::store(sessions.clone());
    ends.client = Arc::new(client);
    (ends, sessions, generation)
}

#[test]
fn sessions_are_forgotten_with_the_generation_that_they_are_of() {
    for way in WAYS {
        let (ends, _, generation) = ends(way, Duration::from_secs(3600));
        ends.begin();
        generation.store(2, Relaxed);
        assert_eq!(ends.connect(), Ok(Full), "{way:?}");
        assert_eq!(ends.connect(), Ok(Resumed), "{way:?}");
        assert_eq!(ends.server.metrics().refused_in_all(), 0, "{way:?}: not even offered");
    }
}

#[test]
fn sessions_are_forgotten_when_asked_to() {
    for way in WAYS {
        let (ends, sessions, _) = ends(way, Duration::from_secs(3600));
        ends.begin();
        sessions.clear();
        assert_eq!(ends.connect(), Ok(Full), "{way:?}");
    }
}

#[test]
fn sessions_older_than_nothing_are_never_offered() {
    for way in WAYS {
        let (ends, _, _) = ends(way, Duration::ZERO);
        for _ in 0..3 {
            assert_eq!(ends.connect(), Ok(Full), "{way:?}");
        }
    }
}

#[test]
fn a_ticket_is_used_once_and_there_are_enough_for_connections_side_by_side() {
    let (ends, _, _) = ends(WAYS[0], Duration::from_secs(3600));
    ends.begin();
    // each connection spent a ticket and brought two
    for _ in 0..20 {
        assert_eq!(ends.connect(), Ok(Resumed));
    }
    let metrics = ends.server.metrics();
    assert_eq!((metrics.accepted(), metrics.refused_in_all()), (21, 0));
}
