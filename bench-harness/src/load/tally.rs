//! What a worker measured in one window, and the state it shares with the coordinator.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::measure::Latency;
use crate::rhythm::Rhythm;

use super::slot::OperationError;

/// For how long after a rotation of credentials operations that start are told apart.
pub const AFTER_ROTATION: Duration = Duration::from_millis(100);

/// One window, as workers and coordinator see it.
pub(super) struct Run {
    /// Load starts here.
    pub(super) start: Instant,
    /// The window opens here.
    pub(super) open: Instant,
    /// The window closes here, and with it the load.
    pub(super) close: Instant,
    completed: AtomicU64,
    measuring: AtomicBool,
    rotations: Option<Rhythm>,
}

impl Run {
    pub(super) fn new(
        start: Instant,
        warmup: Duration,
        window: Duration,
        rotations: Option<Rhythm>,
    ) -> Self {
        let open = start + warmup;
        Self {
            start,
            open,
            close: open + window,
            completed: AtomicU64::new(0),
            measuring: AtomicBool::new(false),
            rotations,
        }
    }

    /// Whether credentials were replaced shortly before `start`.
    fn is_after_rotation(&self, start: Instant) -> bool {
        self.rotations.is_some_and(|rotations| rotations.since_beat(start) < AFTER_ROTATION)
    }

    /// Operations completed so far, the warm-up's included.
    pub(super) fn completed(&self) -> u64 {
        self.completed.load(Ordering::Relaxed)
    }

    /// Opens or closes the window for closed-loop recording.
    pub(super) fn set_measuring(&self, on: bool) {
        self.measuring.store(on, Ordering::Relaxed);
    }

    pub(super) fn measuring(&self) -> bool {
        self.measuring.load(Ordering::Relaxed)
    }

    pub(super) fn count_completed(&self) {
        self.completed.fetch_add(1, Ordering::Relaxed);
    }
}

/// A worker's results of one window.
#[derive(Default)]
pub(super) struct Tally {
    /// From the (intended) start of an operation to its end.
    pub(super) latency: Latency,
    /// That part of it which started shortly after a rotation of credentials.
    pub(super) after_rotation: Latency,
    /// By how much the generator itself was late in starting operations.
    pub(super) lateness: Latency,
    /// Failed operations by reason, the warm-up's included.
    pub(super) failures: BTreeMap<String, u64>,
}

impl Tally {
    /// An operation of `run` that was (to be) started at `start` and has ended now.
    pub(super) fn completed(&mut self, run: &Run, start: Instant) {
        let latency = start.elapsed();
        self.latency.record(latency);
        if run.is_after_rotation(start) {
            self.after_rotation.record(latency);
        }
    }

    pub(super) fn failed(&mut self, error: &OperationError) {
        *self.failures.entry(error.to_string()).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency);
        self.after_rotation.add(&other.after_rotation);
        self.lateness.add(&other.lateness);
        for (reason, count) in &other.failures {
            *self.failures.entry(reason.clone()).or_default() += count;
        }
    }
}
