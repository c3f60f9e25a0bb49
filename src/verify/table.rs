//! A bounded map from keys to verdicts that readers share without a lock.
//!
//! The table is divided into sets of up to sixteen entries, picked by bits of the key. A set is an
//! immutable list behind an [`ArcSwap`]: a reader takes the list and scans it, which writes to no
//! memory that other readers read; a writer puts a changed copy in its place. Misses pay for the
//! copy, and a miss is a verification, hundreds of times as long.
//!
//! General caches were weighed against it. Those that are small (`quick_cache`) read under a sharded
//! lock; those that read without one (`moka`) bring a dozen crates and a maintenance queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use rustls::pki_types::UnixTime;

use super::key::Key;
use super::peer::VerifiedPeer;

/// Entries of a set. Sets fill unevenly, the less so the larger they are; a scan costs some 20 ns.
const WAYS: usize = 16;

/// Verdicts of one generation of the inner verifier.
#[derive(Debug)]
pub(super) struct Table {
    sets: Box<[ArcSwap<Set>]>,
    ways: usize,
}

type Set = Vec<(Key, Arc<Entry>)>;

#[derive(Debug)]
struct Entry {
    peer: VerifiedPeer,
    /// The last moment at which the verdict may be used.
    until: UnixTime,
    /// Whether it was found since it was put here, or since the whole set last was.
    used: AtomicBool,
}

impl Entry {
    fn holds_at(&self, now: UnixTime) -> bool {
        self.peer.not_before() <= now && now <= self.until
    }

    /// Marks it as in use. The mark is mostly there already: reading it lets readers share the line.
    fn mark_used(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }
}

impl Table {
    /// A table for at most `capacity` entries.
    pub(super) fn new(capacity: usize) -> Self {
        let ways = capacity.min(WAYS);
        let sets = (capacity / WAYS).max(1);
        Self { sets: (0..sets).map(|_| ArcSwap::default()).collect(), ways }
    }

    /// Gives the verdict filed under `key` to `answer`, if there is one that holds at `now`.
    pub(super) fn find<R>(
        &self,
        key: &Key,
        now: UnixTime,
        answer: impl FnOnce(&VerifiedPeer) -> R,
    ) -> Option<R> {
        let set = self.set(key).load();
        let (_, entry) = set.iter().find(|(found, _)| found == key)?;
        if !entry.holds_at(now) {
            return None;
        }
        entry.mark_used();
        Some(answer(&entry.peer))
    }

    /// Files a verdict that may be used until `until`, and tells whether one that still held had to
    /// make room for it.
    pub(super) fn insert(
        &self,
        key: Key,
        peer: VerifiedPeer,
        until: UnixTime,
        now: UnixTime,
    ) -> bool {
        if self.ways == 0 {
            return false;
        }
        let entry = Arc::new(Entry { peer, until, used: AtomicBool::new(false) });
        let mut evicted = false;
        self.set(&key).rcu(|set| {
            let mut set = Set::clone(set);
            evicted = make_room(&mut set, &key, self.ways, now);
            set.push((key, entry.clone()));
            set
        });
        evicted
    }

    /// The entries it holds, those that no longer hold included.
    pub(super) fn len(&self) -> usize {
        self.sets.iter().map(|set| set.load().len()).sum()
    }

    fn set(&self, key: &Key) -> &ArcSwap<Set> {
        let [a, b, c, d, ..] = *key;
        let bits = u64::from(u32::from_be_bytes([a, b, c, d]));
        // A number below 2^32, scaled to the number of sets.
        let index = (bits * self.sets.len() as u64) >> 32;
        &self.sets[index as usize]
    }
}

/// Takes one entry out of a set unless there is room, and tells whether that one still held.
///
/// The first choice is the entry to be replaced, then one that has run out, then the oldest that was
/// never found again. So chains that are seen once only push out each other. If all were found
/// again, all marks are taken back, and the oldest goes.
fn make_room(set: &mut Set, key: &Key, ways: usize, now: UnixTime) -> bool {
    if let Some(own) = set.iter().position(|(found, _)| found == key) {
        set.remove(own);
        return false;
    }
    if set.len() < ways {
        return false;
    }
    if let Some(over) = set.iter().position(|(_, entry)| entry.until < now) {
        set.remove(over);
        return false;
    }
    let unused = set.iter().position(|(_, entry)| !entry.used.load(Ordering::Relaxed));
    if unused.is_none() {
        set.iter().for_each(|(_, entry)| entry.used.store(false, Ordering::Relaxed));
    }
    set.remove(unused.unwrap_or(0));
    true
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    /// Well spread, different for different numbers.
    fn key(number: u64) -> Key {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut key = [0; 32];
        key[..8].copy_from_slice(&mixed.to_be_bytes());
        key
    }

    /// Files a verdict that holds from 10 to 20.
    fn insert(table: &Table, number: u64) -> bool {
        table.insert(key(number), VerifiedPeer::unread(1, at(10)), at(20), at(15))
    }

    fn finds(table: &Table, number: u64) -> bool {
        table.find(&key(number), at(15), |_| ()).is_some()
    }

    #[test]
    fn a_verdict_is_found_in_its_time_only_both_ends_included() {
        let table = Table::new(64);
        insert(&table, 1);
        let found = |now| table.find(&key(1), at(now), VerifiedPeer::generation);
        assert_eq!([found(9), found(10), found(20), found(21)], [None, Some(1), Some(1), None]);
        assert!(!finds(&table, 2));
    }

    #[test]
    fn a_verdict_replaces_the_one_before_it() {
        let table = Table::new(64);
        insert(&table, 1);
        assert!(!table.insert(key(1), VerifiedPeer::unread(2, at(10)), at(30), at(25)));
        assert_eq!(table.len(), 1);
        assert_eq!(table.find(&key(1), at(25), VerifiedPeer::generation), Some(2));
    }

    #[test]
    fn never_more_entries_than_its_capacity_and_all_of_a_small_one() {
        for capacity in [0, 1, 5, 16, 17, 100, 4096] {
            let table = Table::new(capacity);
            for number in 0..10 * capacity as u64 + 10 {
                insert(&table, number);
            }
            let least = if capacity < 2 * WAYS { capacity.min(WAYS) } else { capacity * 9 / 10 };
            assert!((least..=capacity).contains(&table.len()), "{} of {capacity}", table.len());
        }
    }

    #[test]
    fn entries_in_use_survive_a_flood_of_entries_seen_once() {
        let table = Table::new(1024);
        let hot = 0..200;
        for number in hot.clone() {
            insert(&table, number);
            assert!(finds(&table, number));
        }
        for number in 1000..100_000 {
            insert(&table, number);
        }
        assert!(hot.into_iter().all(|number| finds(&table, number)));
    }

    #[test]
    fn entries_no_longer_in_use_give_way_to_those_that_are() {
        let table = Table::new(16);
        for number in 0..16 {
            insert(&table, number);
            finds(&table, number);
        }
        for number in 100..132 {
            assert!(insert(&table, number));
            assert!(finds(&table, number));
        }
        let left = (0..16).filter(|&number| finds(&table, number)).count();
        assert_eq!(left, 0);
    }

    #[test]
    fn what_has_run_out_goes_before_anything_that_holds() {
        let table = Table::new(16);
        table.insert(key(0), VerifiedPeer::unread(1, at(10)), at(12), at(11));
        assert!(table.find(&key(0), at(11), |_| ()).is_some());
        assert!((1..16).all(|number| !insert(&table, number)));
        assert!(!insert(&table, 16), "nothing that holds was evicted");
        assert!((1..=16).all(|number| finds(&table, number)));
    }

    #[test]
    fn concurrent_insertions_are_all_there_in_the_end() {
        let table = Table::new(1 << 14);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let table = &table;
                scope.spawn(move || {
                    for number in 0..500 {
                        insert(table, thread * 500 + number);
                    }
                });
            }
        });
        assert_eq!(table.len(), 2000);
    }
}
