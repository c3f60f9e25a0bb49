//! Statics for combinations that no backend has.
//!
//! A combination is leaked the first time it is asked for and found again afterwards. There are at
//! most 9 suites with 3 choices for each of 3 slots, 3^5 sets of verification algorithms and 3^5
//! key providers, a few hundred bytes each; a program that composes one provider leaks under 4 KiB.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The combinations made so far. The lock is taken only while a provider is put together.
pub(crate) struct Interned<K, V: 'static>(Mutex<BTreeMap<K, &'static V>>);

impl<K: Ord, V> Interned<K, V> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// The static for `key`, made by `make` if this is the first time.
    pub(crate) fn get(&self, key: K, make: impl FnOnce() -> V) -> &'static V {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(key).or_insert_with(|| Box::leak(Box::new(make())))
    }
}
