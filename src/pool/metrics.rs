//! What a pool did, to be put on a dashboard or into a benchmark's report.

use crate::batch::{Counters, LANES, Operation};

use super::Crypto;

/// A pool's counts since it was made. Each is exact; together they are no snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Futures that ended: handshakes, and whatever else was run. Failed and dropped ones too.
    pub ended: u64,
    /// Futures that found all places taken and had to wait for one.
    pub waited: u64,
    /// Of those, the ones that were still waiting at the deadline ([`PoolError::Full`](super::PoolError::Full)).
    pub refused: u64,
    /// What was computed, by kind of operation.
    pub operations: Vec<Operations>,
    /// Stacks in existence.
    pub stacks: usize,
    /// Bytes that the deepest coroutine used of its stack. Looked up now and then, not each time.
    pub stack_high_water: usize,
}

/// How one kind of operation was computed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operations {
    /// The kind.
    pub kind: &'static str,
    /// How many batches there were of each size: `batches[7]` were full, and `batches[0]` counts
    /// operations that waited, found no company and were computed alone. What a thread's only
    /// future needs is computed without asking, and not counted.
    pub batches: [u64; LANES],
}

impl Metrics {
    /// The sum over the threads of a pool.
    pub(super) fn of<'a>(threads: impl IntoIterator<Item = &'a Counters>) -> Self {
        let kind = |&kind| Operations { kind, batches: [0; LANES] };
        let mut sum =
            Self { operations: Crypto::KINDS.iter().map(kind).collect(), ..Self::default() };
        for counters in threads {
            sum.ended += counters.ended();
            sum.stacks += counters.stacks();
            sum.stack_high_water = sum.stack_high_water.max(counters.high_water());
            for (kind, operations) in sum.operations.iter_mut().enumerate() {
                for (sum, count) in operations.batches.iter_mut().zip(counters.batches(kind)) {
                    *sum += count;
                }
            }
        }
        sum
    }
}
