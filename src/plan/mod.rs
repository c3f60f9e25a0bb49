//! Which implementation serves each algorithm on this CPU, and why.
//!
//! A [`Plan`] is data: made from the committed measurements ([`Plan::for_cpu`]) or from measuring
//! this machine ([`calibrate`]), changed by overrides, printed, saved and loaded. Nothing consults
//! it once a provider has been put together from it.

mod algorithm;
mod calibrate;
mod choice;
mod document;
pub mod measure;
mod table;

use std::collections::BTreeMap;
use std::fmt;

pub use algorithm::Algorithm;
pub use calibrate::calibrate;
pub use choice::{Choice, Reason, Timing};

pub use crate::backend::Backend;
use crate::cpu::Cpu;
use crate::{Error, named};

/// For each algorithm, the backend that serves it and the reason, on one CPU.
///
/// `Display` prints it as a table. An algorithm that no available backend implements
/// (X25519MLKEM768 with *ring* alone) is not in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    cpu: Cpu,
    choices: BTreeMap<Algorithm, Choice>,
}

impl Plan {
    /// The plan for `cpu` from the measurements committed for its class, without measuring.
    ///
    /// For a class nobody has measured yet it takes the default backend, and the reason says so.
    pub fn for_cpu(cpu: &Cpu) -> Self {
        Self::with_timings(cpu, Reason::Table, |algorithm, backend| {
            table::nanoseconds(cpu.class(), algorithm, backend)
        })
    }

    /// The CPU this plan is for.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// What was chosen for `algorithm`; `None` if no available backend implements it.
    pub fn choice(&self, algorithm: Algorithm) -> Option<&Choice> {
        self.choices.get(&algorithm)
    }

    /// The backend chosen for `algorithm`; `None` if no available backend implements it.
    pub fn backend(&self, algorithm: Algorithm) -> Option<Backend> {
        self.choice(algorithm).map(|choice| choice.backend)
    }

    /// Every algorithm with what was chosen for it, in the order of [`Algorithm::ALL`].
    pub fn choices(&self) -> impl Iterator<Item = (Algorithm, &Choice)> {
        self.choices.iter().map(|(&algorithm, choice)| (algorithm, choice))
    }

    /// Overrides the choice for `algorithm`.
    ///
    /// # Errors
    /// [`Error::NotCompiled`], [`Error::NotRunnable`] or [`Error::NotImplemented`] if `backend`
    /// can't serve `algorithm` in this process.
    pub fn choose(&mut self, algorithm: Algorithm, backend: Backend) -> Result<(), Error> {
        check(algorithm, backend, &self.cpu)?;
        let timings =
            self.choices.remove(&algorithm).map(|choice| choice.timings).unwrap_or_default();
        self.choices.insert(algorithm, Choice { backend, reason: Reason::Override, timings });
        Ok(())
    }

    /// Chooses for every algorithm from the nanoseconds per operation that `lookup` knows.
    fn with_timings(
        cpu: &Cpu,
        source: Reason,
        lookup: impl Fn(Algorithm, Backend) -> Option<f64>,
    ) -> Self {
        let mut choices = BTreeMap::new();
        for &algorithm in Algorithm::ALL {
            let candidates = algorithm.candidates(cpu);
            let timings = candidates
                .iter()
                .filter_map(|&backend| Some(Timing::new(backend, lookup(algorithm, backend)?)));
            if let Some(choice) = Choice::fastest(&candidates, source, timings.collect()) {
                choices.insert(algorithm, choice);
            }
        }
        Self { cpu: cpu.clone(), choices }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "plan for {} ({})", self.cpu.class(), self.cpu.model())?;
        if self.choices().any(|(_, choice)| choice.reason == Reason::Table) {
            writeln!(f, "table: {}", table::machine(self.cpu.class()).unwrap_or("none"))?;
        }
        write!(f, "{:<18} {:<10} reason", "algorithm", "backend")?;
        for (algorithm, choice) in self.choices() {
            let reason = choice.explain(self.cpu.class());
            write!(f, "\n{algorithm:<18} {:<10} {reason}", choice.backend)?;
        }
        Ok(())
    }
}

/// Whether `backend` can serve `algorithm` on `cpu` in this process.
fn check(algorithm: Algorithm, backend: Backend, cpu: &Cpu) -> Result<(), Error> {
    backend.usable(cpu)?;
    let candidates = algorithm.candidates(cpu);
    if candidates.contains(&backend) {
        Ok(())
    } else {
        Err(Error::NotImplemented { backend, algorithm, candidates: named::list(&candidates) })
    }
}
