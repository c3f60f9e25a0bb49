//! Verifying a peer's certificate chain once, instead of in every handshake.
//!
//! In a full mutual TLS handshake with P-256 chains of two, verifying the peer's chain is the
//! largest part of a side's CPU time, and services meet the same few peers again and again. The two
//! verifiers here wrap any other and remember its favourable verdicts:
//!
//! ```
//! # use std::sync::Arc;
//! # use rustls::server::WebPkiClientVerifier;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let provider = Arc::new(rustls_offload::default_provider());
//! # let key = rcgen::KeyPair::generate()?;
//! # let root = rcgen::CertificateParams::default().self_signed(&key)?;
//! # let mut roots = rustls::RootCertStore::empty();
//! # roots.add(root.der().clone())?;
//! use rustls_offload::verify::CachingClientVerifier;
//!
//! let inner = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
//! let verifier = CachingClientVerifier::new(inner);
//! let config = rustls::ServerConfig::builder_with_provider(provider)
//!     .with_safe_default_protocol_versions()?
//!     .with_client_cert_verifier(verifier.clone()); // one verifier for all connections
//! // When roots, CRLs or policy change: verifier.replace(new_inner);
//! # Ok(()) }
//! ```
//!
//! # What is cached
//! That the inner verifier accepted a chain. The key is the SHA-256 of the chain as presented, every
//! certificate with its length before it, and at a client of the server's name. The value is who the
//! peer is ([`VerifiedPeer`]) and until when the verdict holds. A rejection is never cached, nor is
//! the proof that the peer holds the leaf's key (CertificateVerify): each handshake checks that.
//!
//! A verdict is reused while
//! - the inner verifier is the same: [`replace`](CachingClientVerifier::replace) begins a new
//!   *generation*, which starts with an empty cache;
//! - the time that rustls gives is within the validity of *every* presented certificate, whether or
//!   not the path needed it;
//! - it is not older than [`max_age`](CachingVerifierBuilder::max_age), for verdicts can depend on
//!   the time in ways that only the inner verifier knows: the `nextUpdate` of a CRL, for one.
//!
//! Whatever does not fit goes to the inner verifier: a chain with a certificate that can't be parsed,
//! a server that staples an OCSP response, a kind of server name that is not known here.
//!
//! Sessions that resume never come here: rustls asks no verifier about them.
//!
//! # Cost
//! A hit costs the hash of the chain, about a microsecond with the CPU's SHA extensions, and takes no
//! lock. `cargo bench --bench chain_cache` measures it beside the verification that it saves.
//!
//! The cache holds a fixed number of entries of bounded size. When it is full, what was never asked
//! for again goes first, so that a flood of chains seen once does not push out those in use.
//!
//! # FIPS
//! With the feature `fips` the hash is computed by the validated module. Reusing a verdict is no
//! cryptographic service; both the verdict and the handshake's own signatures come from the inner
//! verifier's provider, as without the cache.

mod builder;
mod cache;
mod client;
mod hints;
mod key;
mod metrics;
mod peer;
mod server;
mod table;

pub mod policy;
pub mod spiffe;

pub use builder::CachingVerifierBuilder;
pub use client::CachingClientVerifier;
pub use metrics::CacheMetrics;
pub use peer::VerifiedPeer;
pub use server::CachingServerVerifier;
