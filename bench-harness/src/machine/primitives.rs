//! Every algorithm on every implementation that runs here, side by side.
//!
//! The operations and their timing are the provider's own ([`rustls_offload::plan::measure`]), so
//! the figures can be compared with the plan's. Implementations take turns in short batches, and
//! the whole list is gone through several times: what a busy neighbour spoils at one time shows up
//! as spread instead of as a loser.

use std::time::Duration;

use rustls_offload::Offload;
use rustls_offload::cpu::Cpu;
use rustls_offload::plan::measure::{self, Measurement};
use rustls_offload::plan::{Algorithm, Backend, Plan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Error;

/// How many times the whole list is gone through.
pub const ROUNDS: u32 = 5;

/// The comparison of all algorithms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Primitives {
    /// Class of the CPU, by the provider's name for it.
    pub cpu_class: String,
    /// Measuring time for each operation on each implementation, in seconds.
    pub duration_s: f64,
    /// How many rounds that time was divided into.
    pub rounds: u32,
    /// One entry for each operation, in the order of the plan.
    pub operations: Vec<Operation>,
}

/// One operation on all implementations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// Name of the algorithm.
    pub algorithm: String,
    /// What is done with it.
    pub operation: String,
    /// The implementation that is fastest at it here.
    pub fastest: String,
    /// The implementation that the plan chose for the algorithm.
    pub chosen: String,
    /// Speed of the plan's choice relative to the fastest: 1 is the fastest itself.
    pub ratio: f64,
    /// The figures of each implementation, most preferred first.
    pub implementations: Vec<Implementation>,
}

/// One implementation of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Implementation {
    /// Name of the implementation.
    pub name: String,
    /// Nanoseconds per operation, wall clock, in the best batch of the best round.
    pub ns_per_op: f64,
    /// Bytes worked on per nanosecond, which is GB/s; `null` where no data is worked on.
    pub gb_per_s: Option<f64>,
    /// How much slower the slowest round was than the fastest, as a fraction: 0.1 is 10 %.
    pub spread: f64,
}

/// Measures everything with the plan in force, for `duration` per operation and implementation,
/// and calls `progress` after each of `ROUNDS` times the number of algorithms steps.
///
/// # Errors
/// [`Error::Cpu`] if the CPU mask is malformed, if there is no implementation at all, or if one
/// fails at an operation.
pub fn compare(duration: Duration, progress: impl Fn()) -> Result<Primitives, Error> {
    let offload = Offload::new()?;
    let cpu = offload.plan().cpu();
    let mut rounds: Vec<Vec<Vec<Measurement>>> = Vec::new();
    for _ in 0..ROUNDS {
        let mut round = Vec::new();
        for &algorithm in Algorithm::ALL {
            round.push(measure_once(algorithm, cpu, duration / ROUNDS)?);
            progress();
        }
        rounds.push(round);
    }
    let of_algorithm = |index: usize| rounds.iter().map(|round| &round[index]).collect::<Vec<_>>();
    let operations = (0..Algorithm::ALL.len())
        .flat_map(|index| operations(&of_algorithm(index), offload.plan()))
        .collect();
    Ok(Primitives {
        cpu_class: cpu.class().to_owned(),
        duration_s: duration.as_secs_f64(),
        rounds: ROUNDS,
        operations,
    })
}

/// Number of steps that [`compare`] reports.
pub fn steps() -> u64 {
    u64::from(ROUNDS) * Algorithm::ALL.len() as u64
}

/// One round of one algorithm on all that implement it; none if nothing does.
fn measure_once(
    algorithm: Algorithm,
    cpu: &Cpu,
    each: Duration,
) -> Result<Vec<Measurement>, Error> {
    let candidates = algorithm.candidates(cpu);
    let cells = match candidates.first() {
        Some(&first) => measure::operations(algorithm, first)?.len() * candidates.len(),
        None => return Ok(Vec::new()),
    };
    let cells = u32::try_from(cells).unwrap_or(u32::MAX);
    Ok(measure::compare(algorithm, &candidates, each * cells)?)
}

/// The operations of one algorithm from its rounds, and all of them together if they are several:
/// that is what a plan decides by.
fn operations(rounds: &[&Vec<Measurement>], plan: &Plan) -> Vec<Operation> {
    let Some(first) = rounds.first().and_then(|round| round.first()) else { return Vec::new() };
    let algorithm = first.algorithm;
    let Some(chosen) = plan.backend(algorithm) else { return Vec::new() };
    let mut rows = Vec::new();
    for (index, operation) in first.operations.iter().enumerate() {
        let samples = samples(rounds, |measured| measured.operations[index].ns_per_op);
        rows.extend(row(algorithm, operation.name, operation.bytes_per_op, chosen, samples));
    }
    if rows.len() > 1 {
        let samples = samples(rounds, |measured| measured.ns_per_op);
        rows.extend(row(algorithm, "geometric mean", first.bytes_per_op, chosen, samples));
    }
    rows
}

/// For each implementation, one time per round.
type Samples = Vec<(Backend, Vec<f64>)>;

fn samples(rounds: &[&Vec<Measurement>], time: impl Fn(&Measurement) -> f64) -> Samples {
    let backends = rounds.first().map_or(0, |round| round.len());
    (0..backends)
        .map(|arm| (rounds[0][arm].backend, rounds.iter().map(|round| time(&round[arm])).collect()))
        .collect()
}

/// `None` if the plan's choice was not measured, which the plan's own checks rule out.
fn row(
    algorithm: Algorithm,
    operation: &str,
    bytes: Option<u64>,
    chosen: Backend,
    samples: Samples,
) -> Option<Operation> {
    let implementations: Vec<_> =
        samples.iter().map(|(backend, times)| implementation(*backend, times, bytes)).collect();
    let choice = implementations.iter().find(|one| one.name == chosen.name())?;
    let fastest = implementations.iter().min_by(|a, b| a.ns_per_op.total_cmp(&b.ns_per_op))?;
    Some(Operation {
        algorithm: algorithm.to_string(),
        operation: operation.to_owned(),
        fastest: fastest.name.clone(),
        chosen: choice.name.clone(),
        ratio: fastest.ns_per_op / choice.ns_per_op,
        implementations,
    })
}

fn implementation(backend: Backend, times: &[f64], bytes: Option<u64>) -> Implementation {
    let best = times.iter().copied().fold(f64::INFINITY, f64::min);
    let worst = times.iter().copied().fold(0.0, f64::max);
    Implementation {
        name: backend.to_string(),
        ns_per_op: best,
        gb_per_s: bytes.map(|bytes| bytes as f64 / best),
        spread: worst / best - 1.0,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn every_algorithm_is_measured_on_all_that_implement_it_and_judged_by_the_fastest() {
        let steps_taken = Cell::new(0);
        let measured = compare(Duration::from_millis(1), || {
            steps_taken.set(steps_taken.get() + 1);
        })
        .unwrap();
        assert_eq!(steps_taken.get(), steps());
        let cpu = Cpu::detect().unwrap();
        for &algorithm in Algorithm::ALL {
            let names: Vec<_> =
                algorithm.candidates(&cpu).iter().map(ToString::to_string).collect();
            let rows = measured.operations.iter().filter(|row| row.algorithm == algorithm.name());
            let rows: Vec<_> = rows.collect();
            assert!(!rows.is_empty(), "{algorithm}");
            for row in rows {
                let measured: Vec<_> = row.implementations.iter().map(|one| &one.name).collect();
                assert_eq!(measured, names.iter().collect::<Vec<_>>(), "{algorithm}");
                judge(row);
            }
        }
    }

    fn judge(row: &Operation) {
        let time = |name: &String| {
            row.implementations.iter().find(|one| one.name == *name).unwrap().ns_per_op
        };
        let fastest = time(&row.fastest);
        assert!(row.implementations.iter().all(|one| one.ns_per_op >= fastest && fastest > 0.0));
        assert!((row.ratio - fastest / time(&row.chosen)).abs() < 1e-12);
    }

    #[test]
    fn only_record_protection_has_several_operations_and_so_a_mean() {
        let measured = compare(Duration::from_millis(1), || {}).unwrap();
        let means = measured.operations.iter().filter(|row| row.operation == "geometric mean");
        let algorithms: Vec<_> = means.map(|row| row.algorithm.as_str()).collect();
        assert_eq!(algorithms, ["aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"]);
    }

    #[test]
    fn the_best_round_counts_and_the_worst_is_the_spread() {
        let figures = implementation(Backend::Ring, &[120.0, 100.0, 150.0], Some(250));
        assert_eq!(figures.name, "ring");
        assert!((figures.ns_per_op - 100.0).abs() < 1e-9);
        assert!((figures.spread - 0.5).abs() < 1e-9);
        assert!((figures.gb_per_s.unwrap() - 2.5).abs() < 1e-9);
        assert_eq!(implementation(Backend::Ring, &[100.0], None).gb_per_s, None);
    }
}
