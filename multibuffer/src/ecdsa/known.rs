//! Tables of the keys of peers that come again, which make verification several times cheaper.
//!
//! A key's tables are built when it is seen for the second time, so that a flood of peers that come
//! once builds nothing. A sighting is what the caller says is one: after a signature by the key was
//! found valid, so that nobody fills the tables with keys that aren't theirs.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::{MAX_BATCH, Verdict, Verification, tables, verify, verify_by_tables};
use crate::Engine;
use crate::curve::p256::Comb;

/// Places for sightings for each key that may be known: few enough keys share one, and of those that
/// do, the one that comes twice in a row becomes known.
const SIGHTINGS: usize = 16;

/// Known keys of a shard, on average, when all that may be known are.
const SHARD: usize = 16;

/// A bounded set of public keys with tables that make verification cheap.
///
/// Known keys cost 16 KiB each, and at most 17 MiB for the default bound of 1,024. When the set is
/// full, a new key takes the place of one that was not used since that was last considered.
///
/// Looking up takes no lock, and writes nothing that other threads read unless the key was just
/// spared. Adding takes a lock that only adding takes; tables are built outside of it.
pub struct KnownKeys {
    engine: Engine,
    capacity: usize,
    hasher: RandomState,
    shards: Box<[ArcSwap<Vec<Arc<Known>>>]>,
    /// Halves of hashes of keys that were seen once, at places that the other halves name.
    seen: Box<[AtomicU32]>,
    /// How many keys are known. Who adds one holds this.
    count: Mutex<usize>,
}

/// A key and its tables.
struct Known {
    hash: u64,
    key: [u8; 64],
    comb: Box<Comb>,
    used: AtomicBool,
}

impl KnownKeys {
    /// The bound that [`new`](Self::new) is meant to be given where nobody knows better.
    pub const DEFAULT_CAPACITY: usize = 1_024;

    /// No known keys yet, and never more than `capacity`; with none allowed, it stays at that.
    pub fn new(engine: Engine, capacity: usize) -> Self {
        let shards = capacity.div_ceil(SHARD).next_power_of_two();
        let seen = (capacity * SIGHTINGS).next_power_of_two();
        Self {
            engine,
            capacity,
            hasher: RandomState::new(),
            shards: (0..shards).map(|_| ArcSwap::default()).collect(),
            seen: (0..seen).map(|_| AtomicU32::new(0)).collect(),
            count: Mutex::new(0),
        }
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Verifies up to [`MAX_BATCH`] signatures, from tables if all keys are known, and otherwise like
    /// [`verify`](super::verify()): new keys cost a batch's whole time, however few they are. With one
    /// lane, each signature is verified for itself. Keys whose signatures are valid were
    /// [seen](Self::saw).
    ///
    /// Verdict i is that of `jobs[i]`; those beyond the last job are `Undecided`.
    ///
    /// # Panics
    /// If there are more than [`MAX_BATCH`] jobs.
    pub fn verify(&self, jobs: &[Verification]) -> [Verdict; MAX_BATCH] {
        assert!(jobs.len() <= MAX_BATCH, "{} jobs, more than {MAX_BATCH}", jobs.len());
        let mut verdicts = [Verdict::Undecided; MAX_BATCH];
        let lanes = self.engine.lanes();
        for (jobs, verdicts) in jobs.chunks(lanes).zip(verdicts.chunks_mut(lanes)) {
            let batch = self.verify_known(jobs).unwrap_or_else(|| {
                let batch = verify(self.engine, jobs);
                let valid = jobs.iter().zip(&batch).filter(|(_, v)| **v == Verdict::Valid);
                self.saw(&valid.map(|(job, _)| job.key).collect::<Vec<_>>());
                batch
            });
            for (verdict, result) in verdicts.iter_mut().zip(batch).take(jobs.len()) {
                *verdict = result;
            }
        }
        verdicts
    }

    /// Whether `key` is known: whether a signature by it can be verified from tables.
    pub fn knows(&self, key: &[u8; 64]) -> bool {
        let hash = self.hasher.hash_one(key);
        self.shard(hash).load().iter().any(|known| known.hash == hash && known.key == *key)
    }

    /// Verifies up to [`MAX_BATCH`] signatures if all their keys are known; otherwise does nothing.
    ///
    /// Verdict i is that of `jobs[i]`; those beyond the last job are `Undecided`.
    ///
    /// # Panics
    /// If there are more than [`MAX_BATCH`] jobs.
    pub fn verify_known(&self, jobs: &[Verification]) -> Option<[Verdict; MAX_BATCH]> {
        assert!(jobs.len() <= MAX_BATCH, "{} jobs, more than {MAX_BATCH}", jobs.len());
        let hashes = jobs.iter().map(|job| self.hasher.hash_one(job.key));
        let shards: Vec<_> = hashes.map(|hash| (hash, self.shard(hash).load())).collect();
        let known = jobs.iter().zip(&shards).map(|(job, (hash, shard))| {
            let known = shard.iter().find(|known| known.hash == *hash && known.key == job.key)?;
            if !known.used.load(Ordering::Relaxed) {
                known.used.store(true, Ordering::Relaxed);
            }
            Some((job, &*known.comb))
        });
        let known = known.collect::<Option<Vec<_>>>()?;
        Some(verify_by_tables(self.engine, &known))
    }

    /// Takes note of `keys` that signed something. Those that were seen before become known, which
    /// takes about as long as two verifications for each eight of them.
    pub fn saw(&self, keys: &[[u8; 64]]) {
        let mut again: Vec<[u8; 64]> = Vec::new();
        for key in keys {
            let hash = self.hasher.hash_one(key);
            let known = || self.shard(hash).load().iter().any(|known| known.key == *key);
            if self.saw_before(hash) && !again.contains(key) && !known() {
                again.push(*key);
            }
        }
        if again.is_empty() || self.capacity == 0 {
            return;
        }
        for (key, comb) in again.iter().zip(tables(self.engine, &again)) {
            if let Some(comb) = comb {
                let hash = self.hasher.hash_one(key);
                self.add(Known { hash, key: *key, comb, used: AtomicBool::new(true) });
            }
        }
    }

    fn shard(&self, hash: u64) -> &ArcSwap<Vec<Arc<Known>>> {
        &self.shards[hash as usize % self.shards.len()]
    }

    /// Whether `hash` is the last one that was seen at its place, as it now is. A wrong yes, which two
    /// keys with 32 bits in common can cause, makes a key known early and harms nobody.
    fn saw_before(&self, hash: u64) -> bool {
        let place = &self.seen[hash as usize % self.seen.len()];
        let tag = (hash >> 32) as u32 | 1;
        place.swap(tag, Ordering::Relaxed) == tag
    }

    /// Adds a key, in the place of another if there are enough.
    fn add(&self, known: Known) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let home = self.shard(known.hash);
        if home.load().iter().any(|other| other.key == known.key) {
            return;
        }
        if *count < self.capacity {
            *count += 1;
        } else {
            self.remove_one(known.hash);
        }
        let mut entries = Vec::clone(&home.load());
        entries.push(Arc::new(known));
        home.store(Arc::new(entries));
    }

    /// Removes one key, from the shard of `hash` or the first one after it that has any: one that was
    /// not used since it was last spared, or else the oldest. Every other key of that shard is spared
    /// for the last time. The caller holds `count`.
    fn remove_one(&self, hash: u64) {
        let first = hash as usize % self.shards.len();
        let (before, after) = self.shards.split_at(first);
        let Some(shard) = after.iter().chain(before).find(|shard| !shard.load().is_empty()) else {
            return;
        };
        let mut entries = Vec::clone(&shard.load());
        let unused = entries.iter().position(|known| !known.used.load(Ordering::Relaxed));
        entries.remove(unused.unwrap_or(0));
        for known in &entries {
            known.used.store(false, Ordering::Relaxed);
        }
        shard.store(Arc::new(entries));
    }
}

impl fmt::Debug for KnownKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, capacity, .. } = self;
        f.debug_struct("KnownKeys")
            .field("engine", engine)
            .field("capacity", capacity)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
