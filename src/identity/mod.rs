//! This workload's own identity, from where it is issued to the configurations that present it, through
//! every rotation.
//!
//! Short-lived certificates rotate hourly or faster, and so do the authorities that are trusted. Here both change
//! under configurations that stay:
//!
//! | | is | lives |
//! |---|---|---|
//! | [`Credentials`] | an X.509-SVID with its key, and all trust bundles: the whole state at a moment | until the next |
//! | [`WorkloadIdentity`] | the credentials in force: what presents certificates, and the verifiers of both sides | with the process |
//! | [`FileSource`] | files that something else rotates, and their [`Watch`] | with the process |
//! | `TpmAuthority` (cargo feature `tpm`) | an authority in this machine's TPM, for certificates of an hour | until it is watched |
//! | `WorkloadApi` (cargo feature `workload-api`) | the SPIFFE Workload API | with the process |
//! | [`Mtls`] | configurations for servers and clients with policy, safe resumption and cached chains | with the process |
//!
//! ```no_run
//! # use std::{sync::Arc, time::Duration};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use rustls_offload::identity::{FileSource, MtlsConfig};
//! use rustls_offload::verify::policy::{Policy, Rule};
//! use rustls_offload::verify::spiffe::{ExpectedServer, SpiffeId, TrustDomain};
//!
//! let domain = TrustDomain::new("example.org")?;
//! let files = FileSource::new("/run/svid/tls.crt", "/run/svid/tls.key")
//!     .bundle(domain.clone(), "/run/svid/ca.crt");
//! let provider = Arc::new(rustls_offload::default_provider());
//! let (identity, _watch) = files.watch(&provider, Duration::from_secs(1))?;
//! let mtls = MtlsConfig::new(provider, identity)
//!     .policy(Policy::builder().allow(Rule::TrustDomain(domain)).build())
//!     .build("orders")?;
//!
//! // for each connection: TlsAcceptor::from(mtls.server()).accept(tcp)
//! let server = mtls.server();
//! // for each server that is called, once:
//! let client = mtls.client(ExpectedServer::Id(SpiffeId::new("spiffe://example.org/db")?))?;
//! # Ok(()) }
//! ```
//!
//! # What a source owes
//! A source hands over *whole* states ([`WorkloadIdentity::replace`]): a certificate that belongs to its key,
//! and every bundle. What is absent is withdrawn. Whatever is wrong with a state, the one before stays in force
//! and the source keeps the error for whoever asks. An identity that has expired is not presented, even if
//! nothing replaces it: a handshake then fails on this side, where the fault is.
//!
//! # Why resumption survives
//! rustls's clients offer a session only under the verifier and the certificate resolver that it was made
//! under, compared as pointers; [`WorkloadIdentity`] is both, whatever it holds. Servers judge a
//! session's chain by the verifier in force, so that it resumes after a rotation that left its authority in place.

mod config;
mod error;
mod files;
mod status;
mod svid;
#[cfg(all(feature = "tpm", any(feature = "aws-lc-rs", feature = "ring")))]
mod tpm;
mod watch;
mod workload;
#[cfg(feature = "workload-api")]
mod workload_api;

pub use config::{Mtls, MtlsConfig};
pub use error::IdentityError;
pub use files::FileSource;
pub use svid::{Credentials, Svid};
#[cfg(all(feature = "tpm", any(feature = "aws-lc-rs", feature = "ring")))]
pub use tpm::TpmAuthority;
pub use watch::Watch;
pub use workload::WorkloadIdentity;
#[cfg(feature = "workload-api")]
pub use workload_api::WorkloadApi;
