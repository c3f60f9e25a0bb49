//! Keys from a seed and the number of a period.

use rustls::crypto::tls13::HkdfExpander;
use zeroize::Zeroizing;

use super::{Name, SECRET, check};
use crate::resume::Error;

/// What replicas derive their ticket keys from: 32 random bytes, as secret as a private key. Keep it where
/// private keys are kept; sealed by a TPM, it is unsealed once, at the start.
pub struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    /// From 32 bytes that were chosen at random.
    ///
    /// # Errors
    /// [`Error::NotRandom`] if all bytes are the same.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Result<Self, Error> {
        check("the seed of ticket keys", &*bytes)?;
        Ok(Self(bytes))
    }

    pub(in crate::resume) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seed").finish_non_exhaustive()
    }
}

/// A seed, ready to derive keys.
pub(in crate::resume) struct Expanded(pub(in crate::resume) Box<dyn HkdfExpander>);

impl Expanded {
    /// The key of the period of that number: HKDF-Expand (RFC 5869) of what it is for and the number.
    pub(super) fn key(&self, number: u64, name: &mut Name, secret: &mut [u8; SECRET]) {
        let number = number.to_be_bytes();
        let expand = |what: &[u8], output: &mut [u8]| {
            // shorter than a hash, of which 255 can be had
            let fits = self.0.expand_slice(&[what, &number], output);
            debug_assert!(fits.is_ok());
        };
        expand(b"ticket key name", name);
        expand(b"ticket key", secret);
    }
}
