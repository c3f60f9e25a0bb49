//! Private keys: parsed, checked, wiped when dropped.

use std::fmt;

use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::Decode;
use pkcs8::der::asn1::ObjectIdentifier;
use rustls_pki_types::PrivateKeyDer;
use sec1::{EcParameters, EcPrivateKey};

use super::nonce::Seed;
use crate::curve::p256_secret::{base_multiple, is_scalar};
use crate::field::Integer;
use crate::lanes::{MAX_LANES, Single};

/// id-ecPublicKey (RFC 5480, section 2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// secp256r1 (RFC 5480, section 2.1.1.1).
const P_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// A P-256 key that signs. Its scalar is wiped when the key is dropped, and never printed.
pub struct SigningKey {
    seed: Seed,
    public: [u8; 65],
}

/// Why a private key was not taken. In each case the key is at fault; other code may take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not PKCS#8 or SEC 1 DER of an elliptic-curve key.
    #[error("the private key is not an elliptic-curve key in PKCS#8 or SEC 1 DER; convert it")]
    Malformed,
    /// A key of another algorithm or curve.
    #[error("the private key is not a P-256 key; use another implementation for it")]
    NotP256,
    /// The scalar is not 32 bytes, is 0, or not below the group's order.
    #[error("the private key's number is out of range; make a new key")]
    OutOfRange,
    /// The file has a public key as well, and it is another's.
    #[error("the private key file contains a public key that is not its own; make a new key")]
    Mismatch,
}

impl SigningKey {
    /// Takes a key out of PKCS#8 (RFC 5958) or SEC 1 (RFC 5915) DER.
    ///
    /// # Errors
    /// If it is malformed, of another curve, out of range, or belied by the public key beside it.
    pub fn from_der(key: &PrivateKeyDer<'_>) -> Result<Self, KeyError> {
        match key {
            PrivateKeyDer::Pkcs8(der) => Self::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Sec1(der) => Self::from_sec1(der.secret_sec1_der(), None),
            _ => Err(KeyError::Malformed),
        }
    }

    /// Takes a big-endian scalar.
    ///
    /// # Errors
    /// [`KeyError::OutOfRange`] if it is not in 1..n.
    pub fn from_scalar(scalar: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_scalar(scalar) {
            return Err(KeyError::OutOfRange);
        }
        let multiple = base_multiple(Single, Integer::from_bytes(Single, &[*scalar; MAX_LANES]));
        let public = multiple.to_affine_secret(Single).to_uncompressed(Single)[0];
        Ok(Self { seed: Seed::new(scalar), public })
    }

    /// The public key: an uncompressed point (SEC 1, section 2.3.3).
    pub fn public_key(&self) -> &[u8; 65] {
        &self.public
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed)?;
        info.algorithm.assert_oids(EC_PUBLIC_KEY, P_256).map_err(|_| KeyError::NotP256)?;
        Self::from_sec1(info.private_key.as_bytes(), Some(EcParameters::NamedCurve(P_256)))
    }

    /// The curve must be named by the key or around it (RFC 5915, section 3).
    fn from_sec1(der: &[u8], around: Option<EcParameters>) -> Result<Self, KeyError> {
        let key = EcPrivateKey::from_der(der).map_err(|_| KeyError::Malformed)?;
        if key.parameters.or(around) != Some(EcParameters::NamedCurve(P_256)) {
            return Err(KeyError::NotP256);
        }
        let scalar = key.private_key.try_into().map_err(|_| KeyError::OutOfRange)?;
        let signing = Self::from_scalar(scalar)?;
        // a compressed public key is allowed, and not compared: nobody writes one
        let own =
            key.public_key.is_none_or(|public| public.len() != 65 || public == signing.public);
        own.then_some(signing).ok_or(KeyError::Mismatch)
    }

    /// The scalar, big-endian, in 1..n.
    pub(super) fn scalar(&self) -> &[u8; 32] {
        self.seed.scalar()
    }

    /// What its nonces start from.
    pub(super) fn seed(&self) -> &Seed {
        &self.seed
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}
