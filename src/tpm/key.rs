//! A key that stays in its TPM and signs there, as rustls's `SigningKey`.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use sha2::{Digest, Sha256, Sha384, Sha512};
use tss_esapi::Context;
use tss_esapi::constants::tss::{TPM2_RH_NULL, TPM2_ST_HASHCHECK};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::structures::{
    self as tss, HashScheme, HashcheckTicket, Public, RsaSignature, Signature,
};
use tss_esapi::tss2_esys::TPMT_TK_HASHCHECK;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::device::{Connection, Spec};
use super::fault::Fault;
use super::{Tpm, TpmError, template};

/// What is signed to see whether a scheme works.
const PROBE: &[u8] = b"a signature that is verified once, before TLS relies on this key";

/// A key in a TPM, for servers and clients: put it in a `CertifiedKey`, and that in a resolver.
///
/// Signatures wait for the TPM's owner; [where](super#where-signatures-wait) is in the module's documentation.
pub struct TpmKey {
    tpm: Tpm,
    spec: Arc<Spec>,
    public_key: SubjectPublicKeyInfoDer<'static>,
    schemes: Vec<SignatureScheme>,
}

impl TpmKey {
    /// Makes a signature by each scheme, and keeps those that verify.
    pub(super) fn probe(tpm: Tpm, spec: Spec, public: &Public) -> Result<Self, TpmError> {
        let unsuited = |what: &str| TpmError::Unsuited { what: what.to_owned() };
        let public_key = template::public_key(public);
        let public_key = public_key.ok_or_else(|| {
            unsuited("it is neither RSA nor ECDSA on P-256 or P-384; make one that is")
        })?;
        let attributes = public.object_attributes();
        if !attributes.sign_encrypt() {
            return Err(unsuited("it may not sign; make a signing key"));
        }
        if attributes.restricted() {
            return Err(unsuited(
                "it may sign only what the TPM hashed; make one that is not restricted",
            ));
        }
        let mut key = Self { tpm, spec: Arc::new(spec), public_key, schemes: Vec::new() };
        let (mut refused, mut salted) = (None, false);
        for &scheme in candidates(public) {
            match key.signature(scheme, PROBE) {
                Ok(signature) if verifies(&key.public_key, scheme, &signature) => {
                    key.schemes.push(scheme);
                }
                Ok(_) => salted |= is_pss(scheme),
                // a scheme or hash that it has not; anything else is no matter of the scheme
                Err(error @ TpmError::Refused { .. }) => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        if salted && !key.schemes.iter().copied().any(is_pss) {
            return Err(TpmError::PssSalt);
        }
        match refused {
            Some(refused) if key.schemes.is_empty() => Err(refused),
            None if key.schemes.is_empty() => Err(unsuited("its signatures do not verify")),
            _ => Ok(key),
        }
    }

    fn signature(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, TpmError> {
        sign(&self.tpm, &self.spec, scheme, message)
    }

    /// The schemes that it was seen to sign by, most preferred first.
    pub fn schemes(&self) -> &[SignatureScheme] {
        &self.schemes
    }
}

impl SigningKey for TpmKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = self.schemes.iter().copied().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(TpmSigner { tpm: self.tpm.clone(), spec: Arc::clone(&self.spec), scheme }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.public_key.as_ref()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.schemes.first() {
            Some(
                SignatureScheme::ECDSA_NISTP256_SHA256 | SignatureScheme::ECDSA_NISTP384_SHA384,
            ) => SignatureAlgorithm::ECDSA,
            _ => SignatureAlgorithm::RSA,
        }
    }
}

impl fmt::Debug for TpmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TpmKey").field("schemes", &self.schemes).finish_non_exhaustive()
    }
}

struct TpmSigner {
    tpm: Tpm,
    spec: Arc<Spec>,
    scheme: SignatureScheme,
}

impl Signer for TpmSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(sign(&self.tpm, &self.spec, self.scheme, message)?)
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

impl fmt::Debug for TpmSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TpmSigner").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// What a key of this kind could sign by.
fn candidates(public: &Public) -> &'static [SignatureScheme] {
    use SignatureScheme as S;
    match public {
        Public::Ecc { parameters, .. } => match template::curve(parameters.ecc_curve()) {
            Some((32, _)) => &[S::ECDSA_NISTP256_SHA256],
            Some((48, _)) => &[S::ECDSA_NISTP384_SHA384],
            _ => &[],
        },
        Public::Rsa { .. } => &[
            S::RSA_PSS_SHA256,
            S::RSA_PSS_SHA384,
            S::RSA_PSS_SHA512,
            S::RSA_PKCS1_SHA256,
            S::RSA_PKCS1_SHA384,
            S::RSA_PKCS1_SHA512,
        ],
        _ => &[],
    }
}

fn is_pss(scheme: SignatureScheme) -> bool {
    use SignatureScheme as S;
    matches!(scheme, S::RSA_PSS_SHA256 | S::RSA_PSS_SHA384 | S::RSA_PSS_SHA512)
}

/// Whether a peer would accept a signature of [`PROBE`].
pub(super) fn verifies(
    public_key: &SubjectPublicKeyInfoDer<'_>,
    scheme: SignatureScheme,
    signature: &[u8],
) -> bool {
    let provider = crate::default_provider();
    let known = provider.signature_verification_algorithms.mapping;
    let algorithms = known.iter().find(|(known, _)| *known == scheme).map(|(_, found)| *found);
    let Ok(spki) = SubjectPublicKeyInfoRef::try_from(public_key.as_ref()) else { return false };
    let key = spki.subject_public_key.raw_bytes();
    // of several, the one for the key's own curve accepts
    algorithms.is_some_and(|algorithms| {
        algorithms.iter().any(|one| one.verify_signature(key, PROBE, signature).is_ok())
    })
}

/// The TPM's name of a scheme, and the digest that is to be signed.
fn digest(
    scheme: SignatureScheme,
    message: &[u8],
) -> Result<(tss::SignatureScheme, Vec<u8>), TpmError> {
    use SignatureScheme as S;
    use tss::SignatureScheme as T;
    let (hashing, digest) = match scheme {
        S::ECDSA_NISTP256_SHA256 | S::RSA_PSS_SHA256 | S::RSA_PKCS1_SHA256 => {
            (HashingAlgorithm::Sha256, Sha256::digest(message).to_vec())
        }
        S::ECDSA_NISTP384_SHA384 | S::RSA_PSS_SHA384 | S::RSA_PKCS1_SHA384 => {
            (HashingAlgorithm::Sha384, Sha384::digest(message).to_vec())
        }
        S::RSA_PSS_SHA512 | S::RSA_PKCS1_SHA512 => {
            (HashingAlgorithm::Sha512, Sha512::digest(message).to_vec())
        }
        other => {
            return Err(TpmError::Unsuited { what: format!("{other:?} is no scheme of TPMs") });
        }
    };
    let hash_scheme = HashScheme::new(hashing);
    let scheme = match scheme {
        S::ECDSA_NISTP256_SHA256 | S::ECDSA_NISTP384_SHA384 => T::EcDsa { hash_scheme },
        scheme if is_pss(scheme) => T::RsaPss { hash_scheme },
        _ => T::RsaSsa { hash_scheme },
    };
    Ok((scheme, digest))
}

/// The signature of `message` as TLS has it.
pub(super) fn sign(
    tpm: &Tpm,
    spec: &Arc<Spec>,
    scheme: SignatureScheme,
    message: &[u8],
) -> Result<Vec<u8>, TpmError> {
    let (scheme, digest) = digest(scheme, message)?;
    let spec = Arc::clone(spec);
    tpm.run(move |device, due| {
        device.attempt(due, spec.handle(), Some(spec.id), |connection| {
            let signature = sign_digest(connection, &spec, scheme, &digest)?;
            encode(&signature)
        })
    })
}

fn sign_digest(
    connection: &mut Connection,
    spec: &Spec,
    scheme: tss::SignatureScheme,
    digest: &[u8],
) -> Result<Signature, Fault> {
    const SIGN: &str = "TPM2_Sign";
    let fault = |error| Fault::new(SIGN, error);
    let key = connection.load(spec)?;
    let digest = tss::Digest::try_from(digest).map_err(fault)?;
    // no ticket: the digest was not made by the TPM
    let ticket = TPMT_TK_HASHCHECK {
        tag: TPM2_ST_HASHCHECK,
        hierarchy: TPM2_RH_NULL,
        digest: Default::default(),
    };
    let ticket = HashcheckTicket::try_from(ticket).map_err(fault)?;
    let sign = |context: &mut Context| context.sign(key, digest, scheme, ticket);
    match &spec.policy[..] {
        [] => connection.secured(SIGN, (true, false), sign),
        steps => connection.under_policy(SIGN, steps, (true, false), sign),
    }
}

/// RFC 8446, 4.2.3: ECDSA as a SEQUENCE of two INTEGERs, RSA as it is.
fn encode(signature: &Signature) -> Result<Vec<u8>, Fault> {
    let rsa = |signature: &RsaSignature| Ok(signature.signature().value().to_vec());
    match signature {
        Signature::EcDsa(signature) => {
            let (r, s) = (signature.signature_r().value(), signature.signature_s().value());
            template::pair(r, s).map_err(|error| Fault::local("TPM2_Sign", error.to_string()))
        }
        Signature::RsaPss(signature) | Signature::RsaSsa(signature) => rsa(signature),
        _ => Err(Fault::local("TPM2_Sign", "a signature of another kind")),
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    /// swtpm makes salts as long as the hash, so OpenSSL stands for a TPM that makes the longest that fit: 222 bytes.
    #[test]
    fn signatures_with_salts_that_tls_refuses_are_found_out() {
        let pem = include_bytes!("../../tests/common/rfc9500-rsa2048.pem");
        let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
        let key = crate::default_provider().key_provider.load_private_key(key).unwrap();
        let spki = key.public_key().unwrap();
        let scheme = SignatureScheme::RSA_PSS_SHA256;
        let good = include_bytes!("../../tests/common/rsa-pss-salt-32.sig");
        assert!(verifies(&spki, scheme, good));
        assert!(!verifies(&spki, SignatureScheme::RSA_PSS_SHA384, good));
        assert!(!verifies(
            &spki,
            scheme,
            include_bytes!("../../tests/common/rsa-pss-salt-222.sig")
        ));
    }
}
