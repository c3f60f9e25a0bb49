//! What all example services share: credentials from PEM files, and the two rustls configurations.
//!
//! The provider goes in at exactly one place each, [`Identity::server_config`] and
//! [`Identity::client_config`]; everything else is what any rustls application does.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, CommonState, RootCertStore, ServerConfig};

/// Any failure; examples have nobody to tell them apart for.
pub type AnyError = Box<dyn Error + Send + Sync>;

/// The files that say who a service is and whom it trusts, as command-line arguments.
#[derive(Clone, clap::Args)]
pub struct Identity {
    /// Certificate chain in PEM, leaf first.
    #[arg(long)]
    pub cert: PathBuf,
    /// Private key of the leaf in PEM.
    #[arg(long)]
    pub key: PathBuf,
    /// Trusted root in PEM.
    #[arg(long)]
    pub ca: PathBuf,
}

impl Identity {
    /// A server that demands a client certificate.
    ///
    /// # Errors
    /// When a file can't be read or rustls refuses what is in it.
    pub fn server_config(&self) -> Result<ServerConfig, AnyError> {
        let provider = Arc::new(rustls_offload::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), provider.clone())
                .build()?;
        Ok(ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain()?, PrivateKeyDer::from_pem_file(&self.key)?)?)
    }

    /// A client that presents its certificate.
    ///
    /// # Errors
    /// As [`Self::server_config`].
    pub fn client_config(&self) -> Result<ClientConfig, AnyError> {
        let provider = Arc::new(rustls_offload::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots()?)
            .with_client_auth_cert(self.chain()?, PrivateKeyDer::from_pem_file(&self.key)?)?)
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, AnyError> {
        Ok(CertificateDer::pem_file_iter(&self.cert)?.collect::<Result<_, _>>()?)
    }

    fn roots(&self) -> Result<RootCertStore, AnyError> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.ca)?)?;
        Ok(roots)
    }
}

/// What was negotiated, in one line.
pub fn negotiated(state: &CommonState) -> String {
    let suite = state.negotiated_cipher_suite().map(|suite| suite.suite());
    let group = state.negotiated_key_exchange_group().map(SupportedKxGroup::name);
    let peer = state.peer_certificates().map_or(0, <[_]>::len);
    format!("{:?} {suite:?} {group:?} peer chain of {peer}", state.handshake_kind())
}
