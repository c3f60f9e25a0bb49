//! The entry point: from a CPU and a plan to a provider.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::ProducesTickets;

use crate::backend::Adapter;
use crate::cpu::Cpu;
use crate::plan::{Algorithm, Backend, Plan};
use crate::{Error, named};

/// A provider together with the plan it was put together from.
#[derive(Clone, Debug)]
pub struct Offload {
    provider: CryptoProvider,
    plan: Plan,
}

impl Offload {
    /// The provider for the CPU at hand, by the committed measurements.
    ///
    /// # Errors
    /// Those of [`Cpu::detect`], and [`Error::NoBackend`].
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Starts from the CPU at hand and the committed measurements, to be changed.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The provider, for `ClientConfig::builder_with_provider` and its server counterpart, or for
    /// `install_default`. Nothing is installed by itself.
    pub fn provider(&self) -> CryptoProvider {
        self.provider.clone()
    }

    /// Which backend serves each algorithm, and why.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A session ticketer with fresh random keys, rotated every six hours, for
    /// `ServerConfig::ticketer`. It comes from the most preferred backend available.
    ///
    /// # Errors
    /// [`rustls::Error::FailedToGetRandomBytes`] if the system gives no randomness.
    pub fn ticketer(&self) -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
        let adapter = preferred(self.plan.cpu())
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        (adapter.ticketer)()
    }
}

/// Sets up an [`Offload`].
#[derive(Clone, Debug, Default)]
#[must_use = "nothing happens before `build`"]
pub struct Builder {
    cpu: Option<Cpu>,
    plan: Option<Plan>,
    overrides: Vec<(Algorithm, Backend)>,
}

impl Builder {
    /// Uses `cpu`, for example one with a mask, instead of detecting it.
    pub fn cpu(mut self, cpu: Cpu) -> Self {
        self.cpu = Some(cpu);
        self
    }

    /// Uses `plan`, for example a calibrated one, instead of the committed measurements.
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = Some(plan);
        self
    }

    /// Serves `algorithm` with `backend`, whatever the plan says. The last choice counts.
    pub fn choose(mut self, algorithm: Algorithm, backend: Backend) -> Self {
        self.overrides.push((algorithm, backend));
        self
    }

    /// Puts the provider together.
    ///
    /// # Errors
    /// Those of [`Cpu::detect`] unless a CPU was given; [`Error::NoBackend`]; [`Error::OtherCpu`]
    /// if the plan is for another CPU; those of [`Plan::choose`] for each override.
    pub fn build(self) -> Result<Offload, Error> {
        let cpu = match self.cpu {
            Some(cpu) => cpu,
            None => Cpu::detect()?,
        };
        preferred(&cpu)?;
        let mut plan = match self.plan {
            Some(plan) => plan.made_for(&cpu)?,
            None => Plan::for_cpu(&cpu),
        };
        for (algorithm, backend) in self.overrides {
            plan.choose(algorithm, backend)?;
        }
        Ok(Offload { provider: compose(&plan), plan })
    }
}

/// The most preferred backend that runs on `cpu`.
fn preferred(cpu: &Cpu) -> Result<&'static Adapter, Error> {
    let whole = Backend::whole(cpu).map(|(_, adapter)| adapter).next();
    whole.ok_or_else(|| Error::NoBackend {
        compiled: named::list(&Backend::compiled().collect::<Vec<_>>()),
    })
}

#[cfg(not(feature = "fips"))]
fn compose(plan: &Plan) -> CryptoProvider {
    crate::parts::in_front_of(crate::compose::provider(plan), plan)
}

/// rustls's own provider, untouched: what was validated is what runs.
#[cfg(feature = "fips")]
fn compose(_plan: &Plan) -> CryptoProvider {
    rustls::crypto::default_fips_provider()
}
