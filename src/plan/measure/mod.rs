//! Timing an algorithm on a backend, through the rustls traits that a connection goes through.
//!
//! The same operations serve calibration, the committed table, the benches and `mtls-bench`, so
//! their figures can be compared. Time is wall-clock time; each figure is the best of several
//! batches, because everything that disturbs a measurement on a shared machine makes it longer.

mod exchange;
mod hash;
mod keys;
mod record;
mod record_key;
mod sign;

use std::time::{Duration, Instant};

use super::{Algorithm, Backend, check};
use crate::Error;
use crate::cpu::Cpu;

/// How long a batch may take: short enough to fit between two interruptions on a busy machine.
const BATCH: Duration = Duration::from_millis(1);
/// How many batches an operation gets at least; the best one counts.
const BATCHES: u32 = 8;

/// One thing a connection does with an algorithm, ready to be repeated.
pub struct Operation {
    name: &'static str,
    bytes: Option<u64>,
    run: Box<dyn FnMut() -> Result<(), rustls::Error>>,
}

impl Operation {
    fn new(
        name: &'static str,
        bytes: Option<u64>,
        run: impl FnMut() -> Result<(), rustls::Error> + 'static,
    ) -> Self {
        Self { name, bytes, run: Box::new(run) }
    }

    /// What it does, in a few words.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How many bytes of data one run goes over; `None` for public-key operations.
    pub fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// Does it once.
    ///
    /// # Errors
    /// What the backend says; none is expected.
    pub fn run(&mut self) -> Result<(), rustls::Error> {
        (self.run)()
    }
}

/// What was measured of one backend at one algorithm.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Measurement {
    /// What was measured.
    pub algorithm: Algorithm,
    /// Whose implementation.
    pub backend: Backend,
    /// Nanoseconds per operation. Where there are several operations (record protection at three
    /// sizes), their geometric mean: a gain of 10 % counts the same at each size.
    pub ns_per_op: f64,
    /// Bytes of data per operation, the geometric mean likewise, so that
    /// `bytes_per_op / ns_per_op` is a rate in GB/s; `None` for public-key operations.
    pub bytes_per_op: Option<u64>,
    /// Each operation by itself.
    pub operations: Vec<OperationTime>,
}

/// What was measured of one operation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OperationTime {
    /// [`Operation::name`].
    pub name: &'static str,
    /// Nanoseconds per run, in the best batch.
    pub ns_per_op: f64,
    /// [`Operation::bytes`].
    pub bytes_per_op: Option<u64>,
}

/// The operations that stand for `algorithm`, set up on `backend`.
///
/// # Errors
/// Those of [`Cpu::detect`]; [`Error::NotCompiled`], [`Error::NotRunnable`] or
/// [`Error::NotImplemented`] if `backend` can't serve `algorithm` here; [`Error::Measurement`] if
/// setting up fails.
pub fn operations(algorithm: Algorithm, backend: Backend) -> Result<Vec<Operation>, Error> {
    use Algorithm::*;
    let cpu = Cpu::detect()?;
    check(algorithm, backend, &cpu)?;
    let provider = (backend.usable(&cpu)?.provider)();
    let operations = match algorithm {
        Aes128Gcm | Aes256Gcm | ChaCha20Poly1305 => record::operations(algorithm, &provider),
        Sha256 | Sha384 => hash::transcript(algorithm, &provider),
        HkdfSha256 | HkdfSha384 => hash::key_schedule(algorithm, &provider),
        X25519 | P256 | P384 | X25519MlKem768 => exchange::operations(algorithm, &provider),
        EcdsaP256Sign | EcdsaP384Sign | Ed25519Sign | RsaPkcs1Sign | RsaPssSign => {
            sign::sign(algorithm, &provider)
        }
        EcdsaP256Verify | EcdsaP384Verify | Ed25519Verify | RsaPkcs1Verify | RsaPssVerify => {
            sign::verify(algorithm, &provider)
        }
    };
    operations.map_err(|source| Error::Measurement { backend, algorithm, source })
}

/// Measures `algorithm` on `backend`, for about `budget`.
///
/// # Errors
/// Those of [`operations`], and [`Error::Measurement`] if an operation fails.
pub fn measure(
    algorithm: Algorithm,
    backend: Backend,
    budget: Duration,
) -> Result<Measurement, Error> {
    let mut arms = [Arm::new(algorithm, backend)?];
    take_turns(&mut arms, budget)?;
    Ok(arms[0].verdict())
}

/// Measures `algorithm` on each of `backends`, for about `budget` together.
///
/// The backends take turns, a batch each, so that a disturbance hits all of them.
///
/// # Errors
/// Those of [`measure`].
pub fn compare(
    algorithm: Algorithm,
    backends: &[Backend],
    budget: Duration,
) -> Result<Vec<Measurement>, Error> {
    let arms = backends.iter().map(|&backend| Arm::new(algorithm, backend));
    let mut arms = arms.collect::<Result<Vec<_>, _>>()?;
    take_turns(&mut arms, budget)?;
    Ok(arms.iter().map(Arm::verdict).collect())
}

/// Gives each operation of each arm a batch in turn, until `budget` is used up.
fn take_turns(arms: &mut [Arm], budget: Duration) -> Result<(), Error> {
    let operations = arms.iter().map(|arm| arm.timers.len()).sum::<usize>().max(1);
    let each = budget / operations as u32;
    let batch = (each / BATCHES).min(BATCH);
    for arm in arms.iter_mut() {
        arm.for_each(|timer| timer.size_batch(batch))?;
    }
    let turns = each.as_nanos() / batch.as_nanos().max(1);
    let end = Instant::now() + budget;
    for turn in 0..turns {
        if turn >= u128::from(BATCHES) && Instant::now() >= end {
            break; // operations longer than a batch: one run each was all they got
        }
        for arm in arms.iter_mut() {
            arm.for_each(Timer::batch)?;
        }
    }
    Ok(())
}

/// One backend being measured at one algorithm.
struct Arm {
    algorithm: Algorithm,
    backend: Backend,
    timers: Vec<Timer>,
}

impl Arm {
    fn new(algorithm: Algorithm, backend: Backend) -> Result<Self, Error> {
        let timers = operations(algorithm, backend)?.into_iter().map(Timer::new).collect();
        Ok(Self { algorithm, backend, timers })
    }

    fn for_each(
        &mut self,
        step: impl Fn(&mut Timer) -> Result<(), rustls::Error>,
    ) -> Result<(), Error> {
        let (backend, algorithm) = (self.backend, self.algorithm);
        let mut timers = self.timers.iter_mut();
        timers.try_for_each(step).map_err(|source| Error::Measurement {
            backend,
            algorithm,
            source,
        })
    }

    fn verdict(&self) -> Measurement {
        let operations: Vec<_> = self.timers.iter().map(Timer::verdict).collect();
        let times = operations.iter().map(|operation| operation.ns_per_op);
        let sizes: Option<Vec<_>> =
            operations.iter().map(|operation| operation.bytes_per_op.map(|b| b as f64)).collect();
        Measurement {
            algorithm: self.algorithm,
            backend: self.backend,
            ns_per_op: geometric_mean(times),
            bytes_per_op: sizes.map(|sizes| geometric_mean(sizes.into_iter()).round() as u64),
            operations,
        }
    }
}

/// One operation being timed.
struct Timer {
    operation: Operation,
    runs: u32,
    best: f64,
}

impl Timer {
    fn new(operation: Operation) -> Self {
        Self { operation, runs: 1, best: f64::INFINITY }
    }

    /// Runs until the time of one run is known to a few percent, then divides `budget` by it.
    fn size_batch(&mut self, budget: Duration) -> Result<(), rustls::Error> {
        self.operation.run()?;
        while self.best * f64::from(self.runs) < budget.as_nanos() as f64 / 4.0
            || self.best.is_infinite()
        {
            let before = self.runs;
            self.batch()?;
            let fitting = budget.as_nanos() as f64 / self.best.max(1.0);
            self.runs = (fitting as u32).clamp(1, before.saturating_mul(8));
            if self.runs <= before {
                break;
            }
        }
        Ok(())
    }

    fn batch(&mut self) -> Result<(), rustls::Error> {
        let start = Instant::now();
        for _ in 0..self.runs {
            self.operation.run()?;
        }
        let mean = start.elapsed().as_nanos() as f64 / f64::from(self.runs);
        self.best = self.best.min(mean);
        Ok(())
    }

    fn verdict(&self) -> OperationTime {
        OperationTime {
            name: self.operation.name,
            ns_per_op: self.best,
            bytes_per_op: self.operation.bytes,
        }
    }
}

fn geometric_mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    (values.map(f64::ln).sum::<f64>() / count).exp()
}

/// The part looked for is there whenever `operations` has checked the backend.
fn absent() -> rustls::Error {
    rustls::Error::General("the backend lacks an algorithm it was listed for".into())
}
