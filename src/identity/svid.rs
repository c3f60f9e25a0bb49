//! What a source hands over: a certificate chain with its key, and whom to trust.

use std::fmt;
use std::sync::Arc;

use rustls::InconsistentKeys;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::{CertifiedKey, SigningKey};

use super::IdentityError;
use crate::verify::spiffe::{SpiffeId, TrustBundle, svid};

/// An X.509-SVID and its private key, which are known to belong together.
pub struct Svid {
    id: SpiffeId,
    certified: Arc<CertifiedKey>,
    not_before: UnixTime,
    not_after: UnixTime,
}

/// All that a source has at a moment.
#[derive(Debug)]
pub struct Credentials {
    /// Who this workload is.
    pub svid: Svid,
    /// Whom it trusts: its own trust domain, and those that it federates with.
    pub bundles: Vec<TrustBundle>,
}

impl Svid {
    /// From a chain, the leaf first, and the leaf's private key, to be used by `provider`.
    ///
    /// # Errors
    /// [`IdentityError::Svid`], [`IdentityError::Key`], [`IdentityError::Mismatch`].
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
    ) -> Result<Self, IdentityError> {
        let key = provider.key_provider.load_private_key(key).map_err(IdentityError::Key)?;
        Self::with_key(chain, key)
    }

    /// From a chain, and a key that is somewhere else: in a TPM for example.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_key(
        chain: Vec<CertificateDer<'static>>,
        key: Arc<dyn SigningKey>,
    ) -> Result<Self, IdentityError> {
        let (id, not_before, not_after) = svid::read(&chain).map_err(IdentityError::Svid)?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                IdentityError::Mismatch
            }
            other => IdentityError::Key(other),
        })?;
        Ok(Self { id, certified: Arc::new(certified), not_before, not_after })
    }

    /// Who the workload is.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// What a handshake presents.
    pub fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// The latest `notBefore` of the chain.
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// The earliest `notAfter` of the chain, itself within the validity (RFC 5280, 4.1.2.5).
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// Whether its time is over.
    pub fn has_expired(&self, now: UnixTime) -> bool {
        now > self.not_after
    }
}

impl fmt::Debug for Svid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Svid")
            .field("id", &self.id)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}
