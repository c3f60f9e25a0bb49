//! Peers that are known by their SPIFFE ID, not by a DNS name: X.509-SVIDs, on both sides.
//!
//! What rustls's verifiers don't look at is looked at here: that the leaf has exactly one URI, a SPIFFE ID
//! with a path; that it is not an authority's and signs nothing; and that it was issued by an authority of *its own*
//! trust domain. Path, signatures, validity and revocation remain rustls's. The verifiers go
//! into a configuration as they are, or inside a [caching](super) one:
//!
//! ```
//! # use std::sync::Arc;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let provider = Arc::new(rustls_offload::default_provider());
//! # let key = rcgen::KeyPair::generate()?;
//! # let root = rcgen::CertificateParams::default().self_signed(&key)?.der().clone();
//! use rustls_offload::verify::spiffe::{SpiffeClientVerifier, TrustBundle, TrustBundles, TrustDomain};
//! use rustls_offload::verify::CachingClientVerifier;
//!
//! let bundle = TrustBundle::new(TrustDomain::new("example.org")?, [root]);
//! let bundles = TrustBundles::new([bundle], &provider)?;
//! let verifier = CachingClientVerifier::new(Arc::new(SpiffeClientVerifier::new(bundles)));
//! # Ok(()) }
//! ```
//!
//! Sources: SPIFFE-ID and X509-SVID, <https://github.com/spiffe/spiffe/tree/main/standards>.

mod bundles;
mod error;
mod id;
pub(crate) mod svid;
mod verifier;

pub use bundles::{TrustBundle, TrustBundles};
pub use error::SpiffeError;
pub use id::{SpiffeId, TrustDomain};
pub use verifier::{ExpectedServer, SpiffeClientVerifier, SpiffeServerVerifier};
