//! Session resumption that is safe under mutual TLS.
//!
//! A resumed session proves that the client holds a secret of an earlier connection. It does not prove
//! again who the client is: rustls, like every TLS library, takes the certificates out of the session and asks
//! no verifier. So a client whose certificate has expired, whose authority was removed, or who may no
//! longer call, goes on by resuming; proxies of service meshes therefore switch resumption off. Here
//! every offered session is judged before it is resumed:
//!
//! | question | asked of |
//! |---|---|
//! | is it ours, unchanged, and of this server? | the ticket's AEAD, whose key depends on the [scope](ServerResumption::builder) |
//! | is there a client's chain in it? | the session |
//! | is every presented certificate valid now, under the roots and CRLs in force now? | a [`Judge`], by default [the verifier](crate::verify::CachingClientVerifier) of full handshakes and its cache |
//! | may this client call now? | the judge's [authorization](ChainJudge::authorize) |
//! | how long ago did the client last prove that it holds its key? | the lineage, at most [an hour](ServerResumptionBuilder::max_lineage) |
//!
//! Doubt is a full handshake, never an error and never a way around: the client is asked for its certificate, and
//! [`ResumptionMetrics`] counts the reason.
//!
//! ```
//! # use std::{sync::Arc, time::Duration};
//! # use rustls::server::WebPkiClientVerifier;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let provider = Arc::new(rustls_offload::default_provider());
//! # let key = rcgen::KeyPair::generate()?;
//! # let root = rcgen::CertificateParams::default().self_signed(&key)?;
//! # let mut roots = rustls::RootCertStore::empty();
//! # roots.add(root.der().clone())?;
//! # let (chain, key) = (vec![root.der().clone()], rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der())?);
//! # let webpki = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
//! use rustls_offload::resume::{ChainJudge, KeyRing, ServerResumption};
//! use rustls_offload::verify::CachingClientVerifier;
//!
//! let verifier = CachingClientVerifier::new(webpki);
//! let config = rustls::ServerConfig::builder_with_provider(provider.clone())
//!     .with_safe_default_protocol_versions()?
//!     .with_client_cert_verifier(verifier.clone())
//!     .with_single_cert(chain, key)?;
//! let keys = KeyRing::random(&provider, Duration::from_secs(6 * 3600))?;
//! let judge = Arc::new(ChainJudge::new(verifier));
//! let resumption = ServerResumption::builder("orders", config, judge).tickets(keys)?;
//!
//! // for each connection: TlsAcceptor::from(resumption.config()).accept(tcp)
//! let config = resumption.config();
//! # Ok(()) }
//! ```
//!
//! # Why a configuration for each connection
//! Lineage is the time since the client last signed a handshake (CertificateVerify). A session that was itself
//! resumed must pass on the time of the one before, or a stolen session secret would live on for ever, one
//! ticket after the other. rustls opens the offered ticket in one call and makes the new one in
//! another, perhaps on another thread, and tells neither which connection it is for; of the old
//! session only the client's chain reaches the new one, and two connections may have the same. What links
//! the two calls is the object that they are made on. [`ServerResumption::config`] makes one a
//! connection, in a copy of the `ServerConfig`, whose parts are shared.
//!
//! # Tickets or a store
//! [`KeyRing`] seals sessions into tickets that any replica with the same keys can open; they can be replayed
//! until they expire, as RFC 8446 (8.1) says, which without early data gains an attacker nothing.
//! [`SessionStore`] keeps sessions in this process, bounded in bytes, and gives each out once.
//!
//! With TLS 1.2, sessions without extended master secret (RFC 7627) are neither made nor taken, and
//! the store is not used, because rustls would give out its sessions more than once.
//!
//! Early data (0-RTT) is off, unless a [store](ServerResumptionBuilder::store_and_early_data) is used and the caller
//! [accepts replays](EarlyData). Sessions are judged before their early data is read.
//!
//! # What a ticket is sealed with
//! AES-256-GCM under a key and a nonce of its own: HKDF-Expand (RFC 5869) with SHA-256 of the ring's key, the
//! scope and 32 random bytes. One key with random nonces of 96 bits could seal 2^32 tickets (SP 800-38D,
//! section 8.3), which a fleet uses up in hours; so, the bound is about 2^64. Both come from the
//! provider, so that with the feature `fips` it is the validated module that seals. Whoever has a
//! key of the ring can make a session in any client's name: keys are as secret as the server's private
//! key, wiped when dropped, and locked in memory where the system allows.
//!
//! # The client's side
//! [`ClientSessions`] forgets sessions when the trust in servers changes, for a resumed handshake does
//! not ask the client's verifier either.

mod client;
mod error;
mod judge;
mod keys;
mod metrics;
mod seal;
mod server;
mod session;
mod store;

pub use client::ClientSessions;
pub use error::Error;
pub use judge::{ChainJudge, Judge};
pub use keys::{KeyRing, Seed};
pub use metrics::{Refusal, ResumptionMetrics};
pub use server::{EarlyData, ServerResumption, ServerResumptionBuilder};
pub use store::SessionStore;
