//! What was really negotiated: every connection of every role is looked at and counted.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, CommonState, HandshakeKind, NamedGroup, ProtocolVersion};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::pki::PeerIdentity;

/// The outcome of one handshake, in the terms of RFC 8446.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Negotiated {
    /// `Full`, `FullWithHelloRetryRequest` or `Resumed`.
    pub kind: String,
    /// Protocol version.
    pub protocol: String,
    /// Cipher suite.
    pub suite: String,
    /// Key exchange group; none in a resumed TLS 1.2 handshake.
    pub group: Option<String>,
    /// The peer's SPIFFE ID, or `unexpected certificate`, or `none`.
    pub peer: String,
}

/// How often one outcome was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HandshakeCount {
    /// The outcome.
    pub negotiated: Negotiated,
    /// Handshakes that ended so.
    pub count: u64,
}

/// What one TLS end saw since it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observations {
    /// Completed handshakes by outcome.
    pub handshakes: Vec<HandshakeCount>,
    /// Failed handshakes by reason.
    pub failures: BTreeMap<String, u64>,
    /// Handshakes for which a client offered, or meant to offer, a session; zero at a server.
    pub meant_to_resume: u64,
}

impl Observations {
    /// Completed handshakes of all outcomes.
    pub fn total(&self) -> u64 {
        self.handshakes.iter().map(|seen| seen.count).sum()
    }

    /// Completed handshakes of one kind.
    pub fn of_kind(&self, kind: &str) -> u64 {
        let of_kind = self.handshakes.iter().filter(|seen| seen.negotiated.kind == kind);
        of_kind.map(|seen| seen.count).sum()
    }
}

/// Counts the handshakes of one TLS end.
///
/// One short lock and a few comparisons a handshake; nothing on the record path. What was
/// negotiated is put into words only when the counts are handed out.
pub struct Observer {
    expected_leaf: CertificateDer<'static>,
    expected_id: String,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// One entry in almost every run, so a list is the fastest map.
    handshakes: Vec<(Outcome, u64)>,
    failures: BTreeMap<String, u64>,
    meant_to_resume: u64,
}

impl Observer {
    /// An observer that recognises `peer` and reports everyone else as unexpected.
    ///
    /// # Errors
    /// When the peer's certificate is not valid PEM.
    pub fn new(peer: &PeerIdentity) -> Result<Self, Error> {
        Ok(Self {
            expected_leaf: peer.leaf()?,
            expected_id: peer.spiffe_id.clone(),
            seen: Mutex::default(),
        })
    }

    /// Counts a completed handshake.
    pub fn completed(&self, state: &CommonState, meant_to_resume: bool) {
        let outcome = Outcome {
            kind: state.handshake_kind(),
            protocol: state.protocol_version(),
            suite: state.negotiated_cipher_suite().map(|suite| suite.suite()),
            group: state.negotiated_key_exchange_group().map(SupportedKxGroup::name),
            peer: self.recognise(state.peer_certificates()),
        };
        self.with_seen(|seen| {
            seen.meant_to_resume += u64::from(meant_to_resume);
            match seen.handshakes.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, count)) => *count += 1,
                None => seen.handshakes.push((outcome, 1)),
            }
        });
    }

    /// Counts a handshake that did not complete.
    pub fn failed(&self, reason: &str) {
        self.with_seen(|seen| *seen.failures.entry(reason.to_owned()).or_default() += 1);
    }

    /// Hands out the counts since the last call and starts again from zero.
    pub fn take(&self) -> Observations {
        let seen = self.with_seen(std::mem::take);
        let handshakes = seen.handshakes.into_iter();
        Observations {
            handshakes: handshakes
                .map(|(outcome, count)| HandshakeCount { negotiated: self.words(&outcome), count })
                .collect(),
            failures: seen.failures,
            meant_to_resume: seen.meant_to_resume,
        }
    }

    fn with_seen<T>(&self, act: impl FnOnce(&mut Seen) -> T) -> T {
        act(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn recognise(&self, chain: Option<&[CertificateDer<'_>]>) -> Peer {
        match chain.and_then(<[_]>::first) {
            Some(leaf) if *leaf == self.expected_leaf => Peer::Expected,
            Some(_) => Peer::Unexpected,
            None => Peer::None,
        }
    }

    fn words(&self, outcome: &Outcome) -> Negotiated {
        Negotiated {
            kind: debug_or_none(outcome.kind),
            protocol: debug_or_none(outcome.protocol),
            suite: debug_or_none(outcome.suite),
            group: outcome.group.map(|group| format!("{group:?}")),
            peer: match outcome.peer {
                Peer::Expected => self.expected_id.clone(),
                Peer::Unexpected => "unexpected certificate".to_owned(),
                Peer::None => "none".to_owned(),
            },
        }
    }
}

/// [`Negotiated`] before it is put into words.
#[derive(PartialEq)]
struct Outcome {
    kind: Option<HandshakeKind>,
    protocol: Option<ProtocolVersion>,
    suite: Option<CipherSuite>,
    group: Option<NamedGroup>,
    peer: Peer,
}

#[derive(PartialEq)]
enum Peer {
    Expected,
    Unexpected,
    None,
}

fn debug_or_none(value: Option<impl std::fmt::Debug>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{value:?}"))
}
