//! What keys in a TPM sign besides handshakes: the request for their own certificate, and others' certificates.

use std::cell::RefCell;

#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
use rcgen::Issuer;
use rcgen::{CertificateParams, DnType, SanType};
use rustls::SignatureScheme;
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
use rustls::pki_types::CertificateDer;
use rustls::sign::SigningKey;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::{TpmError, TpmKey};

/// A key as rcgen wants it.
struct Subject<'a> {
    key: &'a TpmKey,
    /// The public key's bits.
    bits: Vec<u8>,
    algorithm: &'static rcgen::SignatureAlgorithm,
    scheme: SignatureScheme,
    /// Why the TPM did not sign, for which rcgen has no words.
    failure: RefCell<Option<rustls::Error>>,
}

impl<'a> Subject<'a> {
    fn new(key: &'a TpmKey) -> Result<Self, TpmError> {
        let (scheme, algorithm) = match key.schemes() {
            [scheme @ SignatureScheme::ECDSA_NISTP256_SHA256, ..] => {
                (*scheme, &rcgen::PKCS_ECDSA_P256_SHA256)
            }
            [scheme @ SignatureScheme::ECDSA_NISTP384_SHA384, ..] => {
                (*scheme, &rcgen::PKCS_ECDSA_P384_SHA384)
            }
            _ => (SignatureScheme::RSA_PKCS1_SHA256, &rcgen::PKCS_RSA_SHA256),
        };
        let spki = key.public_key().ok_or_else(|| fault("the key has no public key"))?;
        let spki = SubjectPublicKeyInfoRef::try_from(spki.as_ref()).map_err(fault)?;
        let bits = spki.subject_public_key.raw_bytes().to_vec();
        Ok(Self { key, bits, algorithm, scheme, failure: RefCell::new(None) })
    }

    /// What the TPM said, or else rcgen.
    fn reason(&self, error: &rcgen::Error) -> TpmError {
        self.failure.take().map_or_else(|| fault(error), fault)
    }
}

impl rcgen::PublicKeyData for Subject<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.algorithm
    }
}

impl rcgen::SigningKey for Subject<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signer = self.key.choose_scheme(&[self.scheme]);
        let signer = signer.ok_or(rcgen::Error::UnsupportedSignatureAlgorithm)?;
        signer.sign(message).map_err(|error| {
            self.failure.replace(Some(error));
            rcgen::Error::RemoteKeyError
        })
    }
}

impl TpmKey {
    /// A request for a certificate (PKCS#10, RFC 2986) in DER, signed by the key. `names` are DNS names, IP addresses
    /// and, with `://` in them, URIs.
    ///
    /// # Errors
    /// [`TpmError::Certificate`].
    pub fn certificate_request(
        &self,
        common_name: Option<&str>,
        names: &[&str],
    ) -> Result<Vec<u8>, TpmError> {
        let (uris, others): (Vec<&str>, Vec<&str>) =
            names.iter().partition(|name| name.contains("://"));
        let others: Vec<String> = others.into_iter().map(ToOwned::to_owned).collect();
        let mut params = CertificateParams::new(others).map_err(fault)?;
        for uri in uris {
            params.subject_alt_names.push(SanType::URI(uri.try_into().map_err(fault)?));
        }
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(name) = common_name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        let subject = Subject::new(self)?;
        let request = params.serialize_request(&subject);
        let request = request.map_err(|error| subject.reason(&error))?;
        Ok(request.der().to_vec())
    }

    /// A certificate for somebody else's key, issued by this one, which `authority` is the certificate of. With Graviola
    /// alone there is nobody else: it makes no keys.
    #[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
    pub(crate) fn issue(
        &self,
        authority: &CertificateDer<'_>,
        params: &CertificateParams,
        key: &impl rcgen::PublicKeyData,
    ) -> Result<CertificateDer<'static>, TpmError> {
        let subject = Subject::new(self)?;
        let issuer = Issuer::from_ca_cert_der(authority, &subject).map_err(fault)?;
        let certificate = params.signed_by(key, &issuer);
        let certificate = certificate.map_err(|error| subject.reason(&error))?;
        Ok(certificate.der().clone())
    }
}

fn fault(why: impl std::fmt::Display) -> TpmError {
    TpmError::Certificate { why: why.to_string() }
}
