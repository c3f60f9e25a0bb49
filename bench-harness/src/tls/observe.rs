//! What was really negotiated: every connection of every role is looked at and counted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, CommonState, HandshakeKind, NamedGroup, ProtocolVersion};
use rustls_offload::ktls;
use rustls_offload::verify::CacheMetrics;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accounts::{Accounts, Before};
use super::peers::{Expected, Peers};
use crate::Error;
use crate::pki::ExpectedPeer;

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
    /// The peer's SPIFFE ID, or what all expected ones begin with and an asterisk; or
    /// `unexpected certificate`, or `none`.
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
    /// Distinct certificates that peers had.
    #[serde(default)]
    pub distinct_peers: u64,
    /// Those of them that this end had not seen before.
    #[serde(default)]
    pub new_peers: u64,
    /// What this end's chain cache did; none if it has no such cache and verified every chain.
    #[serde(default)]
    pub chain_cache: Option<ChainCacheUse>,
    /// Sessions that a server was offered and did not resume, by reason (`rustls_offload::resume::Refusal`).
    #[serde(default)]
    pub refused_sessions: BTreeMap<String, u64>,
    /// How often this end's certificate and trust bundle were replaced.
    #[serde(default)]
    pub rotations: u64,
    /// What of the outcomes was not looked at but follows from the configuration of a proxy, which
    /// admits nothing else: `protocol`, `suite`, `group`, `peer`; or `other end`, if this end tells
    /// nothing and all is what the other end of the same connections saw.
    #[serde(default)]
    pub implied: Vec<String>,
}

/// What a chain cache did, counted in chains: one a full handshake, and one a resumed one where a server asks again
/// whether the chain still holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainCacheUse {
    /// Found to have been verified before.
    pub hits: u64,
    /// Verified.
    pub misses: u64,
    /// Verdicts still good that had to make room.
    pub evictions: u64,
}

impl ChainCacheUse {
    pub(super) fn since(before: CacheMetrics, now: CacheMetrics) -> Self {
        Self {
            hits: now.hits - before.hits,
            misses: now.misses - before.misses,
            evictions: now.evictions - before.evictions,
        }
    }
}

impl Observations {
    /// Adds what was seen later.
    pub fn add(&mut self, later: Self) {
        for seen in later.handshakes {
            match self.handshakes.iter_mut().find(|known| known.negotiated == seen.negotiated) {
                Some(known) => known.count += seen.count,
                None => self.handshakes.push(seen),
            }
        }
        for (why, count) in later.failures {
            *self.failures.entry(why).or_default() += count;
        }
        self.meant_to_resume += later.meant_to_resume;
        self.distinct_peers = self.distinct_peers.max(later.distinct_peers);
        self.new_peers += later.new_peers;
        self.chain_cache = self.chain_cache.or(later.chain_cache);
        for (why, count) in later.refused_sessions {
            *self.refused_sessions.entry(why).or_default() += count;
        }
        self.rotations += later.rotations;
        self.implied = later.implied;
    }

    /// What the connecting end must have seen of the handshakes that this accepting end saw: both ends
    /// of a connection negotiate the same. `peer` is whom it accepts, `resumes` what it means to do.
    pub fn from_the_other_end(&self, peer: &str, resumes: bool) -> Self {
        let mirrored = self.handshakes.iter().map(|seen| HandshakeCount {
            negotiated: Negotiated { peer: peer.to_owned(), ..seen.negotiated.clone() },
            count: seen.count,
        });
        Self {
            handshakes: mirrored.collect(),
            meant_to_resume: if resumes { self.total() } else { 0 },
            distinct_peers: u64::from(self.total() > 0),
            implied: vec!["other end".to_owned()],
            ..Self::default()
        }
    }

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
/// One short lock, a few comparisons and a look-up a handshake; nothing on the record path. What was
/// negotiated is put into words only when the counts are handed out.
pub struct Observer {
    expected: Expected,
    expected_name: String,
    accounts: Accounts,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: Seen,
    peers: Peers,
    before: Before,
}

/// What is counted from zero after the counts are handed out.
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
    pub(super) fn new(peer: &ExpectedPeer, accounts: Accounts) -> Result<Self, Error> {
        Ok(Self {
            expected: Expected::new(peer)?,
            expected_name: peer.name(),
            accounts,
            state: Mutex::default(),
        })
    }

    /// Counts a completed handshake.
    pub fn completed(&self, connection: &CommonState, meant_to_resume: bool) {
        let chain = connection.peer_certificates();
        let outcome = Outcome {
            kind: connection.handshake_kind(),
            protocol: connection.protocol_version(),
            suite: connection.negotiated_cipher_suite().map(|suite| suite.suite()),
            group: connection.negotiated_key_exchange_group().map(SupportedKxGroup::name),
            peer: self.peer(chain),
        };
        self.count(outcome, chain, meant_to_resume);
    }

    /// Counts a completed handshake whose connection is the kernel's now.
    pub fn completed_in_kernel(&self, handshake: &ktls::Handshake, meant_to_resume: bool) {
        let chain = Some(handshake.peer_certificates.as_slice()).filter(|chain| !chain.is_empty());
        let outcome = Outcome {
            kind: Some(handshake.kind),
            protocol: Some(handshake.version),
            suite: Some(handshake.suite),
            group: handshake.group,
            peer: self.peer(chain),
        };
        self.count(outcome, chain, meant_to_resume);
    }

    fn peer(&self, chain: Option<&[CertificateDer<'_>]>) -> Peer {
        match chain {
            Some(chain) if self.expected.fits(chain) => Peer::Expected,
            Some(_) => Peer::Unexpected,
            None => Peer::None,
        }
    }

    fn count(&self, outcome: Outcome, chain: Option<&[CertificateDer<'_>]>, meant_to_resume: bool) {
        let mut state = self.state();
        if let (Peer::Expected, Some([leaf, ..])) = (outcome.peer, chain) {
            state.peers.see(leaf);
        }
        let seen = &mut state.seen;
        seen.meant_to_resume += u64::from(meant_to_resume);
        match seen.handshakes.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count += 1,
            None => seen.handshakes.push((outcome, 1)),
        }
    }

    /// Counts a handshake that did not complete.
    pub fn failed(&self, reason: &str) {
        *self.state().seen.failures.entry(reason.to_owned()).or_default() += 1;
    }

    /// Hands out the counts since the last call and starts again from zero.
    pub fn take(&self) -> Observations {
        let mut state = self.state();
        let seen = std::mem::take(&mut state.seen);
        let census = state.peers.take(&self.expected);
        let news = self.accounts.since(&mut state.before);
        let mut failures = seen.failures;
        if let Some(why) = news.problem {
            failures.insert(format!("credentials were not replaced: {why}"), 1);
        }
        if census.misnamed > 0 {
            let reason = format!("peers whose certificate does not name {}", self.expected_name);
            failures.insert(reason, census.misnamed);
        }
        let handshakes = seen.handshakes.into_iter();
        Observations {
            handshakes: handshakes
                .map(|(outcome, count)| HandshakeCount { negotiated: self.words(&outcome), count })
                .collect(),
            failures,
            meant_to_resume: seen.meant_to_resume,
            distinct_peers: census.distinct,
            new_peers: census.new,
            chain_cache: news.chain_cache,
            refused_sessions: news.refused,
            rotations: news.rotations,
            implied: Vec::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn words(&self, outcome: &Outcome) -> Negotiated {
        Negotiated {
            kind: debug_or_none(outcome.kind),
            protocol: debug_or_none(outcome.protocol),
            suite: debug_or_none(outcome.suite),
            group: outcome.group.map(|group| format!("{group:?}")),
            peer: match outcome.peer {
                Peer::Expected => self.expected_name.clone(),
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

#[derive(Clone, Copy, PartialEq)]
enum Peer {
    Expected,
    Unexpected,
    None,
}

fn debug_or_none(value: Option<impl std::fmt::Debug>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{value:?}"))
}
