//! What the cache did, counted so that threads which count at once rarely meet.

use std::sync::atomic::{AtomicU64, Ordering};

use super::key::Key;

/// Counters are spread over this many cache lines, picked by the key.
const STRIPES: usize = 16;

/// What a cache did so far, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheMetrics {
    /// Chains whose verdict was reused.
    pub hits: u64,
    /// Chains that the inner verifier was asked about, whether it accepted them or not.
    pub misses: u64,
    /// Verdicts still good that had to make room; many of them mean that the capacity is too small.
    pub evictions: u64,
    /// Verdicts held now.
    pub entries: usize,
}

#[derive(Debug, Default)]
pub(super) struct Counters([Stripe; STRIPES]);

/// On a cache line of its own, even where lines are fetched in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Stripe {
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: AtomicU64,
}

impl Stripe {
    pub(super) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn missed(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn evicted(&self) {
        self.evictions.fetch_add(1, Ordering::Relaxed);
    }
}

impl Counters {
    /// Where whatever concerns `key` is counted; its last byte has no part in the choice of the set.
    pub(super) fn of(&self, key: Option<&Key>) -> &Stripe {
        &self.0[key.map_or(0, |key| usize::from(key[31]) % STRIPES)]
    }

    pub(super) fn sum(&self, entries: usize) -> CacheMetrics {
        let sum = |counter: fn(&Stripe) -> &AtomicU64| {
            self.0.iter().map(|stripe| counter(stripe).load(Ordering::Relaxed)).sum()
        };
        CacheMetrics {
            hits: sum(|stripe| &stripe.hits),
            misses: sum(|stripe| &stripe.misses),
            evictions: sum(|stripe| &stripe.evictions),
            entries,
        }
    }
}
