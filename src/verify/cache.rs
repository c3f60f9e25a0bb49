//! The cache itself, whatever kind of verifier is inside.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use rustls::Error;
use rustls::pki_types::UnixTime;

use super::key::Key;
use super::metrics::{CacheMetrics, Counters};
use super::peer::{Chain, VerifiedPeer};
use super::table::Table;

/// The verdicts of the inner verifier `V` that is in force.
pub(super) struct ChainCache<V: ?Sized> {
    current: ArcSwap<Generation<V>>,
    capacity: usize,
    max_age: Duration,
    counters: Counters,
}

/// An inner verifier and what it said. A verdict can't outlive the verifier that it comes from: one
/// that is still being found while the verifier is replaced goes into the old table, unseen.
pub(super) struct Generation<V: ?Sized> {
    number: u64,
    pub(super) inner: Arc<V>,
    /// Which of the [`Hints`](super::hints::Hints) are this verifier's.
    pub(super) hints: usize,
    verdicts: Table,
}

/// A chain to be judged, and what its verdict is filed under if it may be reused.
pub(super) struct Question<'a> {
    pub(super) chain: Chain<'a>,
    pub(super) key: Option<Key>,
    pub(super) now: UnixTime,
}

impl<V: ?Sized> ChainCache<V> {
    pub(super) fn new(inner: Arc<V>, capacity: usize, max_age: Duration) -> Self {
        let first = Generation { number: 1, inner, hints: 0, verdicts: Table::new(capacity) };
        Self {
            current: ArcSwap::from_pointee(first),
            capacity,
            max_age,
            counters: Counters::default(),
        }
    }

    /// The generation in force.
    pub(super) fn current(&self) -> Guard<Arc<Generation<V>>> {
        self.current.load()
    }

    /// Puts another inner verifier in force, with no verdicts.
    pub(super) fn replace(&self, inner: &Arc<V>, hints: usize) {
        self.current.rcu(|old| Generation {
            number: old.number + 1,
            inner: Arc::clone(inner),
            hints,
            verdicts: Table::new(self.capacity),
        });
    }

    pub(super) fn generation(&self) -> u64 {
        self.current().number
    }

    pub(super) fn metrics(&self) -> CacheMetrics {
        self.counters.sum(self.current().verdicts.len())
    }

    /// Gives the peer to `answer` if its chain has been accepted before, or if `verify` accepts it.
    pub(super) fn judge<R>(
        &self,
        question: &Question<'_>,
        verify: impl FnOnce(&V) -> Result<(), Error>,
        answer: impl Fn(&VerifiedPeer) -> R,
    ) -> Result<R, Error> {
        let counters = self.counters.of(question.key.as_ref());
        let generation = self.current();
        let found =
            question.key.and_then(|key| generation.verdicts.find(&key, question.now, &answer));
        if let Some(answer) = found {
            counters.hit();
            return Ok(answer);
        }
        counters.missed();
        verify(&generation.inner)?;
        let Some(peer) = VerifiedPeer::read(question.chain, generation.number) else {
            return Ok(answer(&VerifiedPeer::unread(generation.number, question.now)));
        };
        let answer = answer(&peer);
        if let Some(key) = question.key
            && let Some(until) = self.reusable_until(&peer, question.now)
            && generation.verdicts.insert(key, peer, until, question.now)
        {
            counters.evicted();
        }
        Ok(answer)
    }

    /// The last moment at which a verdict found `now` may be used; none if that is not even now,
    /// because a certificate that the path did not need is out of its time.
    fn reusable_until(&self, peer: &VerifiedPeer, now: UnixTime) -> Option<UnixTime> {
        let oldest = Duration::from_secs(now.as_secs()).saturating_add(self.max_age);
        let until = peer.not_after().min(UnixTime::since_unix_epoch(oldest));
        (peer.not_before() <= now && now <= until && !self.max_age.is_zero()).then_some(until)
    }
}

impl<V: fmt::Debug + ?Sized> fmt::Debug for ChainCache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.current();
        f.debug_struct("ChainCache")
            .field("inner", &current.inner)
            .field("generation", &current.number)
            .field("metrics", &self.metrics())
            .field("capacity", &self.capacity)
            .field("max_age", &self.max_age)
            .finish()
    }
}
