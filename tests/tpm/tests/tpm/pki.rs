//! An authority in software, which certifies keys that are in TPMs.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SubjectPublicKeyInfo,
};
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

pub(crate) struct Pki {
    pub(crate) root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = || {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, "root");
            params
        };
        let root = params().self_signed(&key).unwrap().der().clone();
        Self { root, issuer: Issuer::new(params(), key) }
    }

    /// A certificate for `localhost`.
    pub(crate) fn certify(&self, key: &dyn SigningKey) -> CertificateDer<'static> {
        self.certify_spki(key.public_key().unwrap().as_ref())
    }

    pub(crate) fn certify_spki(&self, spki: &[u8]) -> CertificateDer<'static> {
        let key = SubjectPublicKeyInfo::from_der(spki).unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.signed_by(&key, &self.issuer).unwrap().der().clone()
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        Arc::new(roots)
    }

    fn resolver(&self, key: &Arc<dyn SigningKey>) -> Arc<SingleCertAndKey> {
        let certified = CertifiedKey::new(vec![self.certify(&**key)], Arc::clone(key));
        certified.keys_match().unwrap();
        Arc::new(certified.into())
    }

    /// A server with `key` that requires a client's certificate.
    pub(crate) fn server(
        &self,
        key: &Arc<dyn SigningKey>,
        version: &'static SupportedProtocolVersion,
    ) -> ServerConfig {
        let provider = Arc::new(rustls_offload::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(self.roots(), Arc::clone(&provider));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_cert_resolver(self.resolver(key));
        config.send_tls13_tickets = 0;
        config
    }

    /// A client with `key`.
    pub(crate) fn client(
        &self,
        key: &Arc<dyn SigningKey>,
        version: &'static SupportedProtocolVersion,
    ) -> ClientConfig {
        let provider = Arc::new(rustls_offload::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(self.roots())
            .with_client_cert_resolver(self.resolver(key));
        config.resumption = rustls::client::Resumption::disabled();
        config
    }
}

/// A key in software.
pub(crate) fn software_key() -> Arc<dyn SigningKey> {
    let key = KeyPair::generate().unwrap();
    let der = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    rustls_offload::default_provider().key_provider.load_private_key(der).unwrap()
}

pub(crate) fn certificate_pem(certificate: &CertificateDer<'_>) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", certificate.to_vec()))
}
