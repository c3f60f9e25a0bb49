//! What can go wrong in the harness, whose fault it is, and the exit code it ends with.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Every failure of `mtls-bench`, worded as: what happened; what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for something that does not exist or does not fit together.
    #[error("{0}")]
    Usage(String),
    /// The machine could not be described or named.
    #[error(transparent)]
    Machine(#[from] crate::machine::Error),
    /// A name given on the command line is not known.
    #[error("unknown {what} `{name}`; known are: {known}")]
    UnknownName {
        /// What kind of thing was named.
        what: &'static str,
        /// The name as given.
        name: String,
        /// All names that would have been accepted.
        known: String,
    },
    /// The results folder can't be written.
    #[error("cannot write results to {path}: {source}; choose another folder with --results")]
    Results {
        /// Where the file should have gone.
        path: PathBuf,
        /// Why it did not.
        source: io::Error,
    },
    /// A report can't be written.
    #[error("cannot write {path}: {source}; choose another file with --output")]
    Output {
        /// Where it should have gone.
        path: PathBuf,
        /// Why it did not.
        source: io::Error,
    },
    /// A role could not listen on the address it was given.
    #[error("{role} cannot listen on {address}: {source}; choose another with --listen")]
    Listen {
        /// Which role.
        role: String,
        /// The address asked for.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// A role process ended while it was still needed.
    #[error("the {role} process ended in mid-run ({status}); its last words: {stderr}")]
    RoleDied {
        /// Which role.
        role: String,
        /// Its exit status, as the system tells it.
        status: String,
        /// The end of what it printed on standard error.
        stderr: String,
    },
    /// A role reported that it could not do what it was told.
    #[error("the {role} process failed: {message}")]
    RoleFailed {
        /// Which role.
        role: String,
        /// Its own words.
        message: String,
    },
    /// A proxy that is not ours did not start.
    #[error("{0}")]
    Proxy(String),
    /// No arm could run.
    #[error("nothing was measured: every path asked for is unavailable, for the reasons above")]
    NothingAvailable,
    /// A role did not answer in time.
    #[error(
        "the {role} process did not answer within {seconds} s; the machine may be overloaded, try a lower --concurrency"
    )]
    RoleSilent {
        /// Which role.
        role: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A process could not be started or talked to.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// rustls refused a configuration.
    #[error("TLS configuration: {0}")]
    Tls(#[from] rustls::Error),
    /// The provider under test could not be built.
    #[error("provider offload: {0}")]
    Provider(#[from] rustls_offload::Error),
    /// The identity that `offload` presents could not be put in force.
    #[error("identity: {0}")]
    Identity(#[from] rustls_offload::identity::IdentityError),
    /// The SPIFFE IDs of the test certificates are none.
    #[error("SPIFFE: {0}")]
    Spiffe(#[from] rustls_offload::verify::spiffe::SpiffeError),
    /// Sessions can't be resumed safely with this provider.
    #[error("resumption: {0}")]
    Resumption(#[from] rustls_offload::resume::Error),
    /// The test certificates could not be made.
    #[error("test certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    /// A message between the command and a role, or a stored document, is not what it should be.
    #[error("malformed message between processes: {0}")]
    Message(#[from] serde_json::Error),
    /// A file that was to be read is not what it should be.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Results were to be ranked that did not measure the same, or can't be believed.
    #[error("these results can't be ranked against each other:\n  {reasons}")]
    Incomparable {
        /// Each reason, a line each.
        reasons: String,
    },
    /// Something was measured that must not be believed.
    #[error("the run is invalid for {count} reasons, listed above; do not use its figures")]
    Invalid {
        /// How many.
        count: usize,
    },
    /// The person at the terminal stopped the run.
    #[error("interrupted; what was measured so far is kept")]
    Interrupted,
}

impl Error {
    /// Wraps a system error with what was being done.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }

    /// The exit code: 2 for a mistake in the call, 5 for results that can't be compared, 130 for an
    /// interrupt, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::UnknownName { .. } | Self::Unreadable { .. } => 2,
            Self::Incomparable { .. } => 5,
            Self::Interrupted => 130,
            _ => 1,
        }
    }
}
