//! What can go wrong when a provider is put together, grouped by whose fault it is.
//!
//! Every message says what happened and what to do about it. Nothing here is raised while a
//! connection is running: those errors are rustls's own.

use std::path::PathBuf;

use crate::plan::{Algorithm, Backend};

/// Why an [`Offload`](crate::Offload), a [`Plan`](crate::plan::Plan) or a measurement could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name given by the user is none of the known ones.
    #[error("unknown {what} `{name}`; known: {known}")]
    UnknownName {
        /// What kind of thing was named: "CPU feature", "algorithm", "backend".
        what: &'static str,
        /// The name as given.
        name: String,
        /// Every accepted name, separated by ", ".
        known: String,
    },

    /// An entry of a CPU mask is not of the form `-feature`.
    #[error(
        "malformed entry `{entry}` in the CPU mask (environment variable RUSTLS_OFFLOAD_CPU): \
         write `-feature`, separated by commas, for example `-vaes,-avx512ifma`"
    )]
    MalformedMask {
        /// The entry as given.
        entry: String,
    },

    /// A backend was asked for that this program was built without.
    #[error("{backend} is not compiled in: {fix}")]
    NotCompiled {
        /// The backend asked for.
        backend: Backend,
        /// How to get it.
        fix: &'static str,
    },

    /// A backend was asked for that this CPU can't run.
    #[error("{backend} can't run on this CPU: it lacks {missing}; choose another backend")]
    NotRunnable {
        /// The backend asked for.
        backend: Backend,
        /// The CPU features it needs and did not find, separated by ", ".
        missing: String,
    },

    /// A backend was asked for an algorithm it does not implement.
    #[error("{backend} has no {algorithm}; choose one of: {candidates}")]
    NotImplemented {
        /// The backend asked for.
        backend: Backend,
        /// The algorithm it lacks.
        algorithm: Algorithm,
        /// The backends that have it here, separated by ", ".
        candidates: String,
    },

    /// None of the compiled-in backends runs on this CPU.
    #[error(
        "none of the backends compiled in ({compiled}) runs on this CPU; \
         enable the cargo feature `aws-lc-rs` of rustls-offload, which runs everywhere"
    )]
    NoBackend {
        /// The backends that are compiled in, separated by ", ".
        compiled: String,
    },

    /// A plan was made on another CPU, or under another CPU mask.
    #[error(
        "this plan was made for another CPU ({planned}), not for this one ({found}): {difference}; \
         run calibrate() here, or start from Plan::for_cpu()"
    )]
    OtherCpu {
        /// Class and model the plan was made for.
        planned: String,
        /// Class and model of the CPU at hand.
        found: String,
        /// What differs.
        difference: String,
    },

    /// A plan file is of a format that this version does not read.
    #[error(
        "plan format {found} is not supported, this version reads format {supported}; run calibrate() again"
    )]
    PlanFormat {
        /// The format number in the file.
        found: u32,
        /// The format number this version reads and writes.
        supported: u32,
    },

    /// A plan's text is not a plan.
    #[error("the plan is not valid JSON of a plan: {0}; delete it and run calibrate() again")]
    PlanSyntax(#[from] serde_json::Error),

    /// A plan names no backend for an algorithm that this build can serve.
    #[error("the plan says nothing about {algorithm}; run calibrate() again")]
    PlanIncomplete {
        /// The algorithm left out.
        algorithm: Algorithm,
    },

    /// A plan file could not be read or written.
    #[error("can't {action} the plan at {}: {source}", path.display())]
    PlanFile {
        /// "read" or "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// An operation failed while it was measured: a fault of the backend, or of the machine.
    #[error("{backend} failed at {algorithm} while being measured: {source}")]
    Measurement {
        /// The backend that failed.
        backend: Backend,
        /// What it was doing.
        algorithm: Algorithm,
        /// The error it gave.
        source: rustls::Error,
    },
}
