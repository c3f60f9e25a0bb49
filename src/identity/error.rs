//! Why an identity can't be used, and who is to mend it.

use std::path::PathBuf;

use crate::resume;
use crate::verify::spiffe::{SpiffeError, SpiffeId};

/// What is wrong with credentials or where they come from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file can't be read.
    #[error("{}: {source}; whatever rotates the credentials must make it readable", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },

    /// A file does not hold what it should.
    #[error("{} holds no {what} in PEM or DER: half written, or another file", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },

    /// The private key is of another certificate.
    #[error(
        "the private key is not the certificate's: one of them is still the old one; write both anew"
    )]
    Mismatch,

    /// The provider can't use the private key.
    #[error("the private key can't be used: {0}; issue one of a kind that the provider has")]
    Key(rustls::Error),

    /// The certificate is not an X.509-SVID.
    #[error("peers would refuse the own certificate: {0}")]
    Svid(#[source] SpiffeError),

    /// The certificate has expired.
    #[error("the own certificate, of {id}, has expired; whatever issues it must issue another")]
    Expired {
        /// Whose it was.
        id: SpiffeId,
    },

    /// A trust bundle can't be used.
    #[error(transparent)]
    Bundle(SpiffeError),

    /// Resumption can't be set up.
    #[error(transparent)]
    Resumption(#[from] resume::Error),

    /// rustls refuses the configuration.
    #[error("rustls refuses the configuration: {0}")]
    Configuration(rustls::Error),

    /// The SPIFFE Workload API gives no identity.
    #[error(
        "the SPIFFE Workload API gives no identity: {why}; see that SPIFFE_ENDPOINT_SOCKET names the agent's socket \
         (unix:///...), and that the workload is registered"
    )]
    WorkloadApi {
        /// What went wrong.
        why: String,
    },

    /// The TPM did not issue a certificate.
    #[cfg(feature = "tpm")]
    #[error("the TPM's authority did not issue a certificate: {0}")]
    Tpm(#[source] crate::tpm::TpmError),

    /// What the TPM's authority issues would not be accepted.
    #[cfg(feature = "tpm")]
    #[error(
        "peers would refuse what the TPM's authority issues: {0}; its certificate must be one of an authority, and come          with those between it and a root in the bundle"
    )]
    Authority(rustls::Error),

    /// The system gave no thread to watch files with.
    #[error("no thread to look after the credentials: {0}; raise the limit of threads")]
    Thread(std::io::Error),
}
