//! Early data (0-RTT): off, or taken from sessions that were judged, once.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustls::HandshakeKind::{Full, Resumed};
use rustls::{ClientConnection, ServerConnection};
use rustls_offload::resume::{EarlyData, Error, Refusal, SessionStore};

use super::authority::Authority;
use super::ends::{Ends, WAYS, Way, kept};

const STORE: Way = WAYS[2];

fn store() -> Arc<SessionStore> {
    SessionStore::new(1 << 20, Duration::from_secs(7200)).unwrap()
}

/// A server that takes early data, and a client that sends some whenever it may.
fn early() -> Ends {
    let build = |builder: rustls_offload::resume::ServerResumptionBuilder| {
        builder.store_and_early_data(store(), EarlyData::i_accept_replays(1024)).unwrap()
    };
    eager(Ends::with(&Authority::new("a"), STORE, build))
}

fn eager(mut ends: Ends) -> Ends {
    let mut client = (*ends.client).clone();
    client.enable_early_data = true;
    ends.client = Arc::new(client);
    ends
}

/// A connection whose client sends early data if it has a session that allows it; what the server got of it.
fn connect(ends: &Ends) -> (rustls::HandshakeKind, Option<Vec<u8>>) {
    let name = "localhost".try_into().unwrap();
    let mut client = ClientConnection::new(ends.client.clone(), name).unwrap();
    let mut server = ServerConnection::new(ends.server.config()).unwrap();
    if let Some(mut early) = client.early_data() {
        early.write_all(b"early").unwrap();
    }
    let mut received = None;
    while client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut &wire[..]).unwrap();
        server.process_new_packets().unwrap();
        if let Some(mut early) = server.early_data() {
            let mut bytes = Vec::new();
            early.read_to_end(&mut bytes).unwrap();
            if !bytes.is_empty() {
                received = Some(bytes);
            }
        }
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut unread = &wire[..];
        while !unread.is_empty() {
            client.read_tls(&mut unread).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    assert_eq!(client.is_early_data_accepted(), received.is_some());
    let kind = server.handshake_kind().unwrap();
    assert_eq!(client.handshake_kind(), Some(kind));
    (kind, received)
}

#[test]
fn early_data_is_taken_from_sessions_that_resume() {
    let ends = early();
    assert_eq!(connect(&ends), (Full, None));
    for _ in 0..3 {
        assert_eq!(connect(&ends), (Resumed, Some(b"early".to_vec())));
    }
}

#[test]
fn early_data_is_off_unless_asked_for() {
    for way in WAYS {
        let ends = eager(Ends::with(&Authority::new("a"), way, |builder| kept(builder, way.1)));
        assert_eq!(connect(&ends), (Full, None));
        assert_eq!(connect(&ends), (Resumed, None), "{way:?}");
    }
}

#[test]
fn early_data_of_who_may_no_longer_call_is_not_read() {
    let ends = early();
    connect(&ends);
    ends.denied.store(true, Relaxed);
    assert_eq!(connect(&ends), (Full, None));
    ends.refused(Refusal::Unauthorized, "early data");
}

/// The same session and the same early data once more, as who watches the network can send them.
#[test]
fn early_data_that_is_replayed() {
    let ends = early();
    connect(&ends);
    let name = "localhost".try_into().unwrap();
    let mut client = ClientConnection::new(ends.client.clone(), name).unwrap();
    client.early_data().unwrap().write_all(b"early").unwrap();
    let mut wire = Vec::new();
    client.write_tls(&mut wire).unwrap();
    let received: Vec<bool> = (0..2)
        .map(|_| {
            let mut server = ServerConnection::new(ends.server.config()).unwrap();
            server.read_tls(&mut &wire[..]).unwrap();
            server.process_new_packets().unwrap();
            server.early_data().is_some()
        })
        .collect();
    assert_eq!(received, [true, false]);
    ends.refused(Refusal::Unknown, "a replay");
}

#[test]
fn early_data_of_nothing() {
    let authority = Authority::new("a");
    Ends::with(&authority, STORE, |builder| {
        let refused = builder.store_and_early_data(store(), EarlyData::i_accept_replays(0));
        assert!(matches!(refused, Err(Error::Zero { what: "early data", .. })));
        early().server
    });
}
