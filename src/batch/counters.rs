//! What a thread's scheduler did, written by that thread alone and read by any.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::{LANES, Operation};

/// Counts since the scheduler was made. Each is exact; together they are no snapshot.
#[derive(Debug)]
pub(crate) struct Counters {
    /// By kind, then by the size of the batch less one; the first are those computed alone.
    sizes: Box<[[AtomicU64; LANES]]>,
    /// Stacks in existence.
    pub(super) stacks: AtomicUsize,
    /// The deepest that any stack was found used, in bytes.
    pub(super) high_water: AtomicUsize,
    /// Futures that ended, by themselves or dropped.
    pub(super) ended: AtomicU64,
}

impl Counters {
    pub(crate) fn new<O: Operation>() -> Self {
        Self {
            sizes: O::KINDS.iter().map(|_| Default::default()).collect(),
            stacks: AtomicUsize::new(0),
            high_water: AtomicUsize::new(0),
            ended: AtomicU64::new(0),
        }
    }

    /// A batch of `size` operations of `kind` ran. 1 is an operation that was handed back.
    pub(super) fn ran(&self, kind: usize, size: usize) {
        add(&self.sizes[kind][size - 1], 1);
    }

    /// How many batches of each size, 1 to [`LANES`], ran of `kind`.
    pub(crate) fn batches(&self, kind: usize) -> [u64; LANES] {
        std::array::from_fn(|size| self.sizes[kind][size].load(Relaxed))
    }

    /// Futures that ended.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Relaxed)
    }

    /// Stacks in existence.
    pub(crate) fn stacks(&self) -> usize {
        self.stacks.load(Relaxed)
    }

    /// Bytes of the most used stack, as far as was looked.
    pub(crate) fn high_water(&self) -> usize {
        self.high_water.load(Relaxed)
    }
}

/// Adds without a locked instruction: one thread writes.
pub(super) fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Relaxed) + amount, Relaxed);
}
