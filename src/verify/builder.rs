//! Setting up a caching verifier of either side.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::cache::ChainCache;
use super::{CachingClientVerifier, CachingServerVerifier};

/// Sets up a caching verifier; `V` is the kind of verifier inside it.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `build`"]
pub struct CachingVerifierBuilder<V: ?Sized> {
    inner: Arc<V>,
    capacity: usize,
    max_age: Duration,
}

impl<V: ?Sized> CachingVerifierBuilder<V> {
    pub(super) fn new(inner: Arc<V>) -> Self {
        Self { inner, capacity: 4096, max_age: Duration::from_secs(300) }
    }

    /// Keeps at most this many verdicts, 4,096 unless told otherwise. An entry takes some 200 bytes
    /// and the peer's SPIFFE ID. With zero nothing is cached.
    pub fn capacity(mut self, entries: usize) -> Self {
        self.capacity = entries;
        self
    }

    /// Asks the inner verifier again about a chain that it accepted so long ago; five minutes unless
    /// told otherwise, to the second. With zero nothing is cached.
    ///
    /// This bounds what the cache can't see, such as CRLs that expire: with
    /// `enforce_revocation_expiration`, a chain is accepted for so long beyond the CRL's `nextUpdate`.
    /// A new CRL, on the other hand, comes by `replace` and counts at once.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Duration::from_secs(age.as_secs());
        self
    }

    pub(super) fn cache(self) -> ChainCache<V> {
        ChainCache::new(self.inner, self.capacity, self.max_age)
    }
}

impl CachingVerifierBuilder<dyn ClientCertVerifier> {
    /// The verifier, for `ConfigBuilder::with_client_cert_verifier`.
    pub fn build(self) -> Arc<CachingClientVerifier> {
        Arc::new(CachingClientVerifier::from_cache(self.cache()))
    }
}

impl CachingVerifierBuilder<dyn ServerCertVerifier> {
    /// The verifier, for `ConfigBuilder::dangerous().with_custom_certificate_verifier`.
    pub fn build(self) -> Arc<CachingServerVerifier> {
        Arc::new(CachingServerVerifier::from_cache(self.cache()))
    }
}
