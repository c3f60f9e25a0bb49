//! The time since the client last signed a handshake, over any number of resumptions.

use std::sync::Arc;
use std::time::Duration;

use rustls::HandshakeKind::{Full, Resumed};
use rustls_offload::resume::{ChainJudge, KeyRing, Refusal, ServerResumption};

use super::authority::Authority;
use super::ends::{Ends, Keep, WAYS, kept, keys, provider, seed};

#[test]
fn a_chain_of_resumptions_ends_where_a_single_one_would() {
    for way in WAYS {
        let authority = Authority::new("a");
        let ends = Ends::with(&authority, way, |builder| {
            kept(builder.max_lineage(Duration::from_secs(300)), way.1)
        });
        ends.begin();
        for seconds in [100, 200, 299] {
            ends.after(seconds);
            assert_eq!(ends.connect(), Ok(Resumed), "{way:?}, {seconds} s");
        }
        // the session offered was made a second ago
        ends.after(300);
        assert_eq!(ends.connect(), Ok(Full), "{way:?}");
        ends.refused(Refusal::LineageTooOld, way);
        // the signature of that handshake starts it anew
        ends.after(599);
        assert_eq!(ends.connect(), Ok(Resumed), "{way:?}");
    }
}

#[test]
fn a_session_from_the_future() {
    for way in WAYS {
        let authority = Authority::new("a");
        let ends = Ends::new(&authority, way);
        ends.after(100);
        ends.begin();
        ends.after(99);
        assert_eq!(ends.connect(), Ok(Full), "{way:?}");
        ends.refused(Refusal::FromTheFuture, way);
    }
}

#[test]
fn a_ticket_whose_key_has_left_the_ring() {
    for way in WAYS.into_iter().filter(|(_, keep)| *keep == Keep::Tickets) {
        let authority = Authority::new("a");
        let ends = Ends::with(&authority, way, |builder| {
            let keys = KeyRing::derived(&provider(), &seed(1), Duration::from_secs(60)).unwrap();
            builder.tickets(keys).unwrap()
        });
        ends.begin();
        ends.after(60);
        assert_eq!(ends.connect(), Ok(Resumed), "{way:?}");
        ends.after(180);
        assert_eq!(ends.connect(), Ok(Full), "{way:?}");
        ends.refused(Refusal::Unknown, way);
    }
}

#[test]
fn a_limit_of_nothing_is_an_error() {
    let authority = Authority::new("a");
    let way = WAYS[0];
    let ends = Ends::new(&authority, way);
    let config = rustls::ServerConfig::clone(&ends.server.config());
    let judge = ChainJudge::new(ends.verifier.clone());
    let builder = ServerResumption::builder("s", config, Arc::new(judge));
    let error = builder.max_lineage(Duration::ZERO).tickets(keys(1)).unwrap_err();
    assert!(error.to_string().contains("at least a second"), "{error}");
}
