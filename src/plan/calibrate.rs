//! Measuring the candidates on this very machine, and choosing by that.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Algorithm, Plan, Reason, measure};
use crate::Error;
use crate::cpu::Cpu;

/// Measuring time for all algorithms together. Loading keys and warming up come on top, and so do
/// slow operations (RSA signing), which get their eight runs whatever their share of the budget.
const BUDGET: Duration = Duration::from_millis(300);

/// Measures every candidate for every algorithm on this machine and chooses the fastest.
///
/// Takes under a second of one thread. The candidates for an algorithm take turns in short batches
/// and each is judged by its best batch, so that a busy neighbour slows all of them or none.
///
/// # Errors
/// [`Error::Measurement`] if a backend fails at an operation.
pub fn calibrate(cpu: &Cpu) -> Result<Plan, Error> {
    let budget = BUDGET / Algorithm::ALL.len() as u32;
    let mut measured = BTreeMap::new();
    for &algorithm in Algorithm::ALL {
        let candidates = algorithm.candidates(cpu);
        if candidates.len() < 2 {
            continue;
        }
        for measurement in measure::compare(algorithm, &candidates, budget)? {
            measured.insert((algorithm, measurement.backend), measurement.ns_per_op);
        }
    }
    Ok(Plan::with_timings(cpu, Reason::Calibrated, |algorithm, backend| {
        measured.get(&(algorithm, backend)).copied()
    }))
}
