//! Signing and verifying what a TLS 1.3 CertificateVerify signs (RFC 8446, section 4.4.3).

use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::SigningKey;
use rustls::{Error, SignatureScheme};

use super::keys::{self, TestKey};
use super::{Algorithm, Operation, absent};

/// As long as the content of a CertificateVerify over a SHA-256 transcript.
const MESSAGE: [u8; 130] = [0x20; 130];

pub(super) fn sign(
    algorithm: Algorithm,
    provider: &CryptoProvider,
) -> Result<Vec<Operation>, Error> {
    let (test_key, scheme) = key_and_scheme(algorithm);
    let key = load(test_key, provider)?;
    Ok(vec![Operation::new("sign", None, move || {
        let signer = key.choose_scheme(&[scheme]).ok_or_else(absent)?;
        std::hint::black_box(signer.sign(&MESSAGE)?);
        Ok(())
    })])
}

pub(super) fn verify(
    algorithm: Algorithm,
    provider: &CryptoProvider,
) -> Result<Vec<Operation>, Error> {
    let (test_key, scheme) = key_and_scheme(algorithm);
    let key = load(test_key, provider)?;
    let signature = key.choose_scheme(&[scheme]).ok_or_else(absent)?.sign(&MESSAGE)?;
    let spki = key.public_key().ok_or_else(absent)?;
    let start = spki.len().checked_sub(test_key.public_key_length).ok_or_else(absent)?;
    let public_key = spki[start..].to_vec();
    let mapping = provider.signature_verification_algorithms.mapping;
    let (_, verifiers) = mapping.iter().find(|entry| entry.0 == scheme).ok_or_else(absent)?;
    let verifier = *verifiers.first().ok_or_else(absent)?; // TLS 1.3 tries the first alone
    Ok(vec![Operation::new("verify", None, move || {
        verifier
            .verify_signature(&public_key, &MESSAGE, &signature)
            .map_err(|_| Error::General("a good signature was refused".into()))
    })])
}

fn key_and_scheme(algorithm: Algorithm) -> (&'static TestKey, SignatureScheme) {
    use Algorithm::*;
    match algorithm {
        EcdsaP256Sign | EcdsaP256Verify => (&keys::P256, SignatureScheme::ECDSA_NISTP256_SHA256),
        EcdsaP384Sign | EcdsaP384Verify => (&keys::P384, SignatureScheme::ECDSA_NISTP384_SHA384),
        Ed25519Sign | Ed25519Verify => (&keys::ED25519, SignatureScheme::ED25519),
        RsaPkcs1Sign | RsaPkcs1Verify => (&keys::RSA_2048, SignatureScheme::RSA_PKCS1_SHA256),
        _ => (&keys::RSA_2048, SignatureScheme::RSA_PSS_SHA256),
    }
}

fn load(key: &TestKey, provider: &CryptoProvider) -> Result<std::sync::Arc<dyn SigningKey>, Error> {
    let der = PrivateKeyDer::from_pem_slice(key.pem.as_bytes())
        .map_err(|error| Error::General(error.to_string()))?;
    provider.key_provider.load_private_key(der)
}
