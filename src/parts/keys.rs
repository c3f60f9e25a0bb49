//! Signing with ECDSA P-256 keys.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::{KeyProvider, SecureRandom};
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::operation::{Outcome, Task, company, submit};
use crate::intern::Interned;
use crate::multibuffer::Engine;
use crate::multibuffer::ecdsa::sign;

static LOADERS: Interned<usize, Loader> = Interned::new();

/// A key provider that gives P-256 keys of `behind` their lanes.
pub(super) fn in_front_of(
    behind: &'static dyn KeyProvider,
    engine: Engine,
    random: &'static dyn SecureRandom,
) -> &'static dyn KeyProvider {
    let address = std::ptr::from_ref(behind).cast::<()>().addr();
    LOADERS.get(address, || Loader { behind, engine, random })
}

/// Loads a key behind its front.
#[derive(Debug)]
struct Loader {
    behind: &'static dyn KeyProvider,
    engine: Engine,
    random: &'static dyn SecureRandom,
}

impl KeyProvider for Loader {
    fn load_private_key(
        &self,
        key_der: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, Error> {
        let der = Zeroizing::new(key_der);
        let behind = self.behind.load_private_key(der.clone_key())?;
        if behind.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]).is_none() {
            return Ok(behind);
        }
        Ok(match sign::SigningKey::from_der(&der) {
            Ok(key) => {
                let Self { engine, random, .. } = *self;
                Arc::new(Front { behind, key: Arc::new(key), engine, random })
            }
            // a form that only the part behind reads
            Err(_) => behind,
        })
    }

    fn fips(&self) -> bool {
        false
    }
}

/// A P-256 key: signs in a lane in company, by `behind` alone.
struct Front {
    behind: Arc<dyn SigningKey>,
    key: Arc<sign::SigningKey>,
    engine: Engine,
    random: &'static dyn SecureRandom,
}

impl SigningKey for Front {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let behind = self.behind.choose_scheme(offered)?;
        let Self { engine, random, .. } = *self;
        Some(Box::new(FrontSigner { behind, key: Arc::clone(&self.key), engine, random }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.behind.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.behind.algorithm()
    }
}

/// As what is behind: it is the same key.
impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.behind.fmt(f)
    }
}

struct FrontSigner {
    behind: Box<dyn Signer>,
    key: Arc<sign::SigningKey>,
    engine: Engine,
    random: &'static dyn SecureRandom,
}

impl FrontSigner {
    /// The signature in DER, if it was made in a batch.
    fn in_batch(&self, message: &[u8]) -> Option<Vec<u8>> {
        if !company() {
            return None;
        }
        let mut entropy = [0; 32];
        self.random.fill(&mut entropy).ok()?;
        let digest = Sha256::digest(message).into();
        let signing = sign::Signing { key: Arc::clone(&self.key), digest, entropy };
        match submit(self.engine, Task::Sign(Box::new(signing))) {
            Some(Outcome::Sign(signature)) => signature.map(|signature| signature.to_der()),
            _ => None,
        }
    }
}

impl Signer for FrontSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.in_batch(message).map_or_else(|| self.behind.sign(message), Ok)
    }

    fn scheme(&self) -> SignatureScheme {
        self.behind.scheme()
    }
}

/// As what is behind: it is the same key.
impl fmt::Debug for FrontSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.behind.fmt(f)
    }
}
