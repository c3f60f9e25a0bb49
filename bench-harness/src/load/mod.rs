//! The load generator's engine.
//!
//! A worker thread a CPU, each with its own single-threaded runtime, holds *slots*; a slot does one
//! operation at a time (`slot`). The closed loop (`closed`) keeps every slot busy and finds the
//! saturation rate. The open loop (`open`) starts operations at times drawn beforehand, whatever
//! the server does, and times each from its intended start: an operation that had to wait for a
//! free slot is charged for the wait. The coordinator (`window`) cuts the measured window out of
//! the load and reads every role's CPU clock at both of its edges.

mod closed;
mod open;
mod pacer;
pub(crate) mod sink;
mod slot;
mod tally;
pub(crate) mod transport;
mod window;
pub(crate) mod worker;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use slot::{Client, STREAM_OPERATION};
pub use tally::AFTER_ROTATION;
pub(crate) use window::measure;
pub use window::{Rotations, Window};

/// Slots of the open loop for operations that make their own connection. Independent callers do not
/// wait for each other's connections, so this is far above what a server that keeps up needs.
pub(crate) const OPEN_HANDSHAKE_SLOTS: usize = 1024;

/// How operations are started.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Load {
    /// Each slot starts its next operation when the last one ends: finds the saturation rate, and
    /// says nothing about latency.
    Closed,
    /// Poisson arrivals at this rate, in operations a second.
    Open {
        /// Mean arrivals a second.
        rate: f64,
    },
}

/// One window of load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadOrder {
    /// How operations are started.
    pub load: Load,
    /// Operations, or connections, in flight at most.
    pub slots: usize,
    /// Load before the window, in seconds.
    pub warmup_s: f64,
    /// The window, in seconds.
    pub window_s: f64,
    /// Seeds the arrival times.
    pub seed: u64,
    /// From one rotation of credentials to the next, in seconds: what starts just after one is told apart.
    pub rotate_s: Option<f64>,
}

impl LoadOrder {
    /// Warm-up and window together.
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.warmup_s + self.window_s)
    }
}
