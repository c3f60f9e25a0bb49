//! Loading private keys into the backend that is to sign with them.
//!
//! All work is done when a key is loaded: what signs in a handshake is the backend's own key and
//! signer. A key that the chosen backend can't take (P-521, ML-DSA, an unusual RSA size) stays
//! with the most preferred backend that takes it.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::KeyProvider;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use zeroize::Zeroizing;

use super::Sources;
use crate::backend::Backend;
use crate::intern::Interned;
use crate::plan::Algorithm;

/// The schemes whose slots exist, in the order rustls prefers them in.
const SCHEMES: [SignatureScheme; 9] = [
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA256,
];

const SLOTS: [Algorithm; 5] = [
    Algorithm::EcdsaP256Sign,
    Algorithm::EcdsaP384Sign,
    Algorithm::Ed25519Sign,
    Algorithm::RsaPkcs1Sign,
    Algorithm::RsaPssSign,
];

static LOADERS: Interned<(Vec<Backend>, Vec<Option<Backend>>), Loader> = Interned::new();

/// The key provider that the plan describes: the backend's own if there is only one.
pub(super) fn compose(sources: &Sources<'_>) -> &'static dyn KeyProvider {
    if let [(_, only)] = &sources.all[..] {
        return only.key_provider;
    }
    let providers: Vec<_> =
        sources.all.iter().map(|(backend, provider)| (*backend, provider.key_provider)).collect();
    let chosen = SLOTS.map(|slot| sources.plan.backend(slot)).to_vec();
    let available = providers.iter().map(|(backend, _)| *backend).collect();
    LOADERS.get((available, chosen.clone()), || Loader {
        providers,
        chosen: SLOTS.into_iter().zip(chosen).collect(),
    })
}

/// Loads a key into the backend chosen for its kind.
#[derive(Debug)]
struct Loader {
    /// Most preferred first.
    providers: Vec<(Backend, &'static dyn KeyProvider)>,
    chosen: Vec<(Algorithm, Option<Backend>)>,
}

impl KeyProvider for Loader {
    fn load_private_key(
        &self,
        key_der: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, Error> {
        let der = Zeroizing::new(key_der);
        let (backend, key) = self.load_anywhere(&der)?;
        let load = |algorithm| match self.chosen(algorithm) {
            Some(chosen) if chosen.0 != backend => {
                chosen.1.load_private_key(der.clone_key()).unwrap_or_else(|_| Arc::clone(&key))
            }
            _ => Arc::clone(&key),
        };
        Ok(match kind(&*key) {
            Some(Algorithm::RsaPssSign) => {
                let pss = load(Algorithm::RsaPssSign);
                if self.chosen(Algorithm::RsaPssSign).map(|chosen| chosen.0)
                    == self.chosen(Algorithm::RsaPkcs1Sign).map(|chosen| chosen.0)
                {
                    pss
                } else {
                    Arc::new(RsaKey { pss, pkcs1: load(Algorithm::RsaPkcs1Sign) })
                }
            }
            Some(algorithm) => load(algorithm),
            None => key,
        })
    }
}

impl Loader {
    /// The key in the first backend that takes it; the first backend's complaint if none does.
    fn load_anywhere(
        &self,
        der: &PrivateKeyDer<'static>,
    ) -> Result<(Backend, Arc<dyn SigningKey>), Error> {
        let mut complaint = None;
        for (backend, provider) in &self.providers {
            match provider.load_private_key(der.clone_key()) {
                Ok(key) => return Ok((*backend, key)),
                Err(error) => complaint = complaint.or(Some(error)),
            }
        }
        Err(complaint.unwrap_or_else(|| Error::General("no backend to load a key with".into())))
    }

    fn chosen(&self, algorithm: Algorithm) -> Option<&(Backend, &'static dyn KeyProvider)> {
        let chosen = self.chosen.iter().find(|(slot, _)| *slot == algorithm)?.1?;
        self.providers.iter().find(|(backend, _)| *backend == chosen)
    }
}

/// The slot of the key's most preferred scheme; `None` if no slot serves it.
fn kind(key: &dyn SigningKey) -> Option<Algorithm> {
    Algorithm::signing(key.choose_scheme(&SCHEMES)?.scheme())
}

/// An RSA key whose two paddings are served by different backends.
struct RsaKey {
    pss: Arc<dyn SigningKey>,
    pkcs1: Arc<dyn SigningKey>,
}

impl SigningKey for RsaKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        SCHEMES.iter().filter(|scheme| offered.contains(scheme)).find_map(|&scheme| {
            match Algorithm::signing(scheme) {
                Some(Algorithm::RsaPssSign) => self.pss.choose_scheme(&[scheme]),
                Some(Algorithm::RsaPkcs1Sign) => self.pkcs1.choose_scheme(&[scheme]),
                _ => None,
            }
        })
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.pss.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaKey").finish_non_exhaustive()
    }
}
