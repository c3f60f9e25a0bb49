//! The client's side: the verifier of server certificates.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::cache::{ChainCache, Question};
use super::hints::Hints;
use super::peer::Chain;
use super::{CacheMetrics, CachingVerifierBuilder, VerifiedPeer, key};

type Inner = dyn ServerCertVerifier;

/// A [`ServerCertVerifier`] that asks another one only about chains that it does not know yet under
/// the server's name.
///
/// Make one and share it between all connections: it goes into the `ClientConfig`. Everything but
/// the verdict on a chain is the inner verifier's, CertificateVerify included.
#[derive(Debug)]
pub struct CachingServerVerifier {
    cache: ChainCache<Inner>,
    hints: Hints,
}

/// What rustls asks a verifier of servers about.
#[derive(Clone, Copy)]
struct Presented<'a> {
    end_entity: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    server_name: &'a ServerName<'a>,
    ocsp_response: &'a [u8],
    now: UnixTime,
}

impl CachingServerVerifier {
    /// Around `inner`, for example what `WebPkiServerVerifier::builder` makes, with the default
    /// capacity and age.
    pub fn new(inner: Arc<dyn ServerCertVerifier>) -> Arc<Self> {
        Self::builder(inner).build()
    }

    /// Around `inner`, to be set up.
    pub fn builder(
        inner: Arc<dyn ServerCertVerifier>,
    ) -> CachingVerifierBuilder<dyn ServerCertVerifier> {
        CachingVerifierBuilder::new(inner)
    }

    pub(super) fn from_cache(cache: ChainCache<Inner>) -> Self {
        let hints = Hints::new(cache.current().inner.root_hint_subjects());
        Self { cache, hints }
    }

    /// Puts another inner verifier in force: to be called when roots, CRLs or policy change. Once it
    /// has returned, no verdict of an earlier verifier is used for a verification that begins.
    ///
    /// Connections that are up stay up, and sessions that resume are not verified again.
    pub fn replace(&self, inner: Arc<dyn ServerCertVerifier>) {
        let hints = self.hints.position(inner.root_hint_subjects());
        self.cache.replace(&inner, hints);
    }

    /// How many inner verifiers there have been, the one in force included.
    pub fn generation(&self) -> u64 {
        self.cache.generation()
    }

    /// What the cache did so far, over all generations, and what it holds now.
    pub fn metrics(&self) -> CacheMetrics {
        self.cache.metrics()
    }

    /// Verifies a chain as a handshake with `server_name` would, without an OCSP response, and tells
    /// who the peer is: for a decision about an established connection, from its
    /// `peer_certificates()`, without parsing them again.
    ///
    /// # Errors
    /// Those of the inner verifier, when the chain is not, or no longer, acceptable.
    pub fn verify_peer(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<VerifiedPeer, Error> {
        let presented =
            Presented { end_entity, intermediates, server_name, ocsp_response: &[], now };
        self.judge(presented, VerifiedPeer::clone)
    }

    /// With an OCSP response the inner verifier is always asked: what it makes of it, and for how
    /// long that holds, is not known here.
    fn judge<R>(
        &self,
        presented: Presented<'_>,
        answer: impl Fn(&VerifiedPeer) -> R,
    ) -> Result<R, Error> {
        let Presented { end_entity, intermediates, server_name, ocsp_response, now } = presented;
        let chain = Chain::new(end_entity, intermediates);
        let key = if ocsp_response.is_empty() { key::of_server(chain, server_name) } else { None };
        let verify = |inner: &Inner| {
            inner
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map(|_verified| ())
        };
        self.cache.judge(&Question { chain, key, now }, verify, answer)
    }
}

impl ServerCertVerifier for CachingServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = Presented { end_entity, intermediates, server_name, ocsp_response, now };
        self.judge(presented, |_| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.cache.current().inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.cache.current().inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.cache.current().inner.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.cache.current().inner.requires_raw_public_keys()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.hints.at(self.cache.current().hints)
    }
}
