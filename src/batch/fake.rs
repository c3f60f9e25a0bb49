//! Operations for tests: they compute nothing that matters and tell what happened to them.

use std::cell::Cell;
use std::thread::LocalKey;

use super::{Operation, Slot};

/// Doubles a number, in one of two kinds.
#[derive(Debug, PartialEq)]
pub(crate) struct Double {
    pub(crate) kind: usize,
    /// Doubling this panics.
    pub(crate) number: u64,
}

/// A batch with this number in it panics.
pub(crate) const POISON: u64 = u64::MAX;

thread_local! {
    /// The sizes of this thread's batches, in order.
    static BATCHES: Cell<Vec<(usize, Vec<u64>)>> = const { Cell::new(Vec::new()) };
}

/// Kind and numbers of the batches that this thread ran since the last call.
pub(crate) fn batches() -> Vec<(usize, Vec<u64>)> {
    BATCHES.take()
}

impl Operation for Double {
    type Outcome = u64;

    const KINDS: &'static [&'static str] = &["even", "odd"];

    fn kind(&self) -> usize {
        self.kind
    }

    fn run_batch(batch: Vec<Self>) -> Vec<u64> {
        assert!((2..=super::LANES).contains(&batch.len()));
        assert!(batch.iter().all(|operation| operation.kind == batch[0].kind));
        let numbers: Vec<_> = batch.iter().map(|operation| operation.number).collect();
        let mut batches = BATCHES.take();
        batches.push((batch[0].kind, numbers.clone()));
        BATCHES.set(batches);
        assert!(!numbers.contains(&POISON), "poisoned");
        numbers.into_iter().map(|number| number * 2).collect()
    }

    fn slot() -> &'static LocalKey<Slot<Self>> {
        thread_local!(static SLOT: Slot<Double> = const { Slot::new() });
        &SLOT
    }
}
