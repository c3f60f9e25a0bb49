//! Full handshakes: the policy is asked after the chain was verified, and each time.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::Callers;
use crate::verify::CachingClientVerifier;

/// A [`ClientCertVerifier`] that lets in only whom the policy allows, of those whose chain the verifier inside
/// accepts.
///
/// Who may not call gets the alert `access_denied` (RFC 8446, section 6.2: a valid certificate, but access
/// control says no); on this side it is [`CertificateError::ApplicationVerificationFailure`].
///
/// A certificate is demanded of every client, even if the verifier inside would do without one: nobody is not
/// somebody whom a rule allows.
#[derive(Debug)]
pub struct AuthorizingClientVerifier {
    inner: Arc<CachingClientVerifier>,
    callers: Arc<Callers>,
}

impl AuthorizingClientVerifier {
    /// Asks `inner` who the client is and `callers` whether it may call.
    pub fn new(inner: Arc<CachingClientVerifier>, callers: Arc<Callers>) -> Arc<Self> {
        Arc::new(Self { inner, callers })
    }
}

fn refusal() -> Error {
    CertificateError::ApplicationVerificationFailure.into()
}

impl ClientCertVerifier for AuthorizingClientVerifier {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if !self.inner.offer_client_auth() {
            return Err(refusal());
        }
        let peer = self.inner.verify_peer(end_entity, intermediates, now)?;
        match self.callers.may_call(&peer) {
            true => Ok(ClientCertVerified::assertion()),
            false => Err(refusal()),
        }
    }

    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    /// None, if the verifier inside asks for no certificates: it can't be asked about any then, and clients
    /// fail.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match self.inner.offer_client_auth() {
            true => self.inner.supported_verify_schemes(),
            false => Vec::new(),
        }
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.inner.requires_raw_public_keys()
    }
}
