//! One measured window: load on, edges read, load off.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tally::{Run, Tally};
use super::worker::{Order, Worker};
use super::{Load, LoadOrder};
use crate::Error;
use crate::measure::{CpuWatch, Latency};
use crate::rhythm::Rhythm;

/// Time that workers get to receive the order before the load starts.
const LEAD: Duration = Duration::from_millis(5);

/// What was measured in one window.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// How operations were started.
    pub load: Load,
    /// Length of the window as measured, in seconds.
    pub seconds: f64,
    /// Operations completed in the window.
    pub operations: u64,
    /// Operations completed under the whole load: warm-up, window, and what ended after it.
    pub load_operations: u64,
    /// Failed operations by reason, those of the warm-up included.
    pub failures: BTreeMap<String, u64>,
    /// CPU time of each role process in the window, all its threads, in nanoseconds.
    pub cpu_ns: BTreeMap<String, u64>,
    /// Busy time of the CPUs of both nodes in the window, in nanoseconds (counted in ticks).
    pub machine_busy_ns: u64,
    /// Time that the hypervisor took from these CPUs in the window, in nanoseconds.
    pub machine_steal_ns: u64,
    /// Connections that found the accept queue of a listener full (`TcpExt: ListenOverflows`).
    pub listen_overflows: u64,
    /// Periods in which a CPU quota of a control group stopped the roles (`cpu.stat: nr_throttled`).
    #[serde(default)]
    pub throttled_periods: u64,
    /// Addresses that the generator had to connect from for want of ports, counted over the whole
    /// load: one, unless new connections came very fast.
    #[serde(default)]
    pub source_addresses: Option<u32>,
    /// From the start of an operation (in the open loop: the intended start) to its end.
    pub latency: Latency,
    /// What rotations of credentials did, where there were to be any.
    #[serde(default)]
    pub rotations: Option<Rotations>,
    /// Open loop: by how much the generator was late in starting operations.
    pub lateness: Latency,
}

/// Rotations of both ends' credentials in a window.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Rotations {
    /// How many.
    pub count: u64,
    /// Of the window's latencies, those of operations that started within 100 ms after one.
    pub latency: Latency,
}

impl Window {
    /// Operations a second.
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.seconds
    }
}

/// Applies one order of load with all workers and measures its window.
///
/// # Errors
/// When a worker or a watched process has ended.
pub(crate) fn measure(
    workers: &[Worker],
    order: &LoadOrder,
    watch: &CpuWatch,
) -> Result<Window, Error> {
    // Never more connections than asked for, even if that leaves workers without any.
    let workers = &workers[..workers.len().min(order.slots)];
    let mut tally = prepare(workers, order.slots)?;
    let rhythm = order.rotate_s.map(Duration::from_secs_f64).map(Rhythm::new).transpose()?;
    let run = Arc::new(Run::new(
        Instant::now() + LEAD,
        Duration::from_secs_f64(order.warmup_s),
        Duration::from_secs_f64(order.window_s),
        rhythm,
    ));
    for (index, worker) in workers.iter().enumerate() {
        worker.tell(share(order, &run, workers.len(), index))?;
    }
    sleep_until(run.open);
    let opened = Edge::read(&run, watch)?;
    run.set_measuring(true);
    sleep_until(run.close);
    run.set_measuring(false);
    let closed = Edge::read(&run, watch)?;
    for worker in workers {
        tally.add(&worker.result()?);
    }
    let rotations = rhythm.map(|rhythm| Rotations {
        count: rhythm.beats(run.open, run.close),
        latency: std::mem::take(&mut tally.after_rotation),
    });
    let window = opened.to(&closed, order.load, run.completed(), tally);
    Ok(Window { rotations, ..window })
}

/// Has every worker make its connections, before the clock starts.
fn prepare(workers: &[Worker], slots: usize) -> Result<Tally, Error> {
    for (index, worker) in workers.iter().enumerate() {
        worker.tell(Order::Prepare(slots_of(slots, workers.len(), index)))?;
    }
    let mut tally = Tally::default();
    for worker in workers {
        tally.add(&worker.result()?);
    }
    Ok(tally)
}

/// A worker's part of the slots.
fn slots_of(slots: usize, workers: usize, index: usize) -> usize {
    slots / workers + usize::from(index < slots % workers)
}

/// A worker's part of the order.
fn share(order: &LoadOrder, run: &Arc<Run>, workers: usize, index: usize) -> Order {
    let load = match order.load {
        Load::Closed => Load::Closed,
        Load::Open { rate } => Load::Open { rate: rate / workers as f64 },
    };
    let slots = slots_of(order.slots, workers, index);
    Order::Load { run: run.clone(), load, slots, seed: order.seed.wrapping_add(index as u64) }
}

fn sleep_until(deadline: Instant) {
    thread::sleep(deadline.saturating_duration_since(Instant::now()));
}

/// All counters at one edge of the window, read within microseconds of each other.
struct Edge {
    at: Instant,
    completed: u64,
    clocks: crate::measure::Clocks,
}

impl Edge {
    fn read(run: &Run, watch: &CpuWatch) -> Result<Self, Error> {
        Ok(Self { at: Instant::now(), completed: run.completed(), clocks: watch.read()? })
    }

    fn to(&self, end: &Self, load: Load, load_operations: u64, tally: Tally) -> Window {
        let used = end.clocks.since(&self.clocks);
        Window {
            load,
            seconds: (end.at - self.at).as_secs_f64(),
            operations: end.completed - self.completed,
            load_operations,
            failures: tally.failures,
            cpu_ns: used.role_ns,
            machine_busy_ns: used.machine_busy_ns,
            machine_steal_ns: used.machine_steal_ns,
            listen_overflows: used.listen_overflows,
            throttled_periods: used.throttled_periods,
            source_addresses: None,
            latency: tally.latency,
            rotations: None,
            lateness: tally.lateness,
        }
    }
}
