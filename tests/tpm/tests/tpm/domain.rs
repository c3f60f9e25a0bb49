//! A trust domain whose root, in software, certifies authorities that are in TPMs.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SubjectPublicKeyInfo,
};
use rustls::pki_types::CertificateDer;
use rustls::sign::SigningKey;
use rustls_offload::tpm::TpmKey;
use rustls_offload::verify::policy::{Policy, Rule};
use rustls_offload::verify::spiffe::{TrustBundle, TrustDomain};

/// The root of a trust domain, in software somewhere else.
pub(crate) struct Root {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

pub(crate) fn authority(name: &str, below: u8) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Root {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = authority("root", 1).self_signed(&key).unwrap().der().clone();
        Self { certificate, issuer: Issuer::new(authority("root", 1), key) }
    }

    /// A certificate for the TPM's key.
    pub(crate) fn certify(
        &self,
        key: &TpmKey,
        params: &CertificateParams,
    ) -> CertificateDer<'static> {
        let spki = key.public_key().unwrap();
        let key = SubjectPublicKeyInfo::from_der(spki.as_ref()).unwrap();
        params.signed_by(&key, &self.issuer).unwrap().der().clone()
    }

    pub(crate) fn bundle(&self) -> TrustBundle {
        TrustBundle::new(domain(), [self.certificate.clone()])
    }
}

pub(crate) fn domain() -> TrustDomain {
    TrustDomain::new("one.test").unwrap()
}

/// Everybody in it may call.
pub(crate) fn everybody() -> Policy {
    Policy::builder().allow(Rule::TrustDomain(domain())).build()
}
