//! The server's side: the verifier of client certificates.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::cache::{ChainCache, Question};
use super::hints::Hints;
use super::peer::Chain;
use super::{CacheMetrics, CachingVerifierBuilder, VerifiedPeer, key};

type Inner = dyn ClientCertVerifier;

/// A [`ClientCertVerifier`] that asks another one only about chains that it does not know yet.
///
/// Make one and share it between all connections: it goes into the `ServerConfig`. Everything but
/// the verdict on a chain is the inner verifier's, CertificateVerify included.
#[derive(Debug)]
pub struct CachingClientVerifier {
    cache: ChainCache<Inner>,
    hints: Hints,
}

impl CachingClientVerifier {
    /// Around `inner`, for example what `WebPkiClientVerifier::builder` makes, with the default
    /// capacity and age.
    pub fn new(inner: Arc<dyn ClientCertVerifier>) -> Arc<Self> {
        Self::builder(inner).build()
    }

    /// Around `inner`, to be set up.
    pub fn builder(
        inner: Arc<dyn ClientCertVerifier>,
    ) -> CachingVerifierBuilder<dyn ClientCertVerifier> {
        CachingVerifierBuilder::new(inner)
    }

    pub(super) fn from_cache(cache: ChainCache<Inner>) -> Self {
        let hints = Hints::new(subjects(&cache.current().inner));
        Self { cache, hints }
    }

    /// Puts another inner verifier in force: to be called when roots, CRLs or policy change. Once it
    /// has returned, no verdict of an earlier verifier is used for a verification that begins.
    ///
    /// Connections that are up stay up. Sessions that resume are not verified again: tickets issued
    /// under the old verifier must be made useless by other means.
    pub fn replace(&self, inner: Arc<dyn ClientCertVerifier>) {
        let hints = self.hints.position(subjects(&inner));
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

    /// Verifies a chain as a handshake would, and tells who the peer is: for a decision about an
    /// established connection, from its `peer_certificates()`, without parsing them again.
    ///
    /// # Errors
    /// Those of the inner verifier, when the chain is not, or no longer, acceptable.
    pub fn verify_peer(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<VerifiedPeer, Error> {
        self.judge(end_entity, intermediates, now, VerifiedPeer::clone)
    }

    fn judge<R>(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        answer: impl Fn(&VerifiedPeer) -> R,
    ) -> Result<R, Error> {
        let chain = Chain::new(end_entity, intermediates);
        let question = Question { chain, key: Some(key::of_client(chain)), now };
        let verify = |inner: &Inner| {
            inner.verify_client_cert(end_entity, intermediates, now).map(|_verified| ())
        };
        self.cache.judge(&question, verify, answer)
    }
}

/// A verifier that offers no client authentication may have no hints to ask for.
fn subjects(inner: &Arc<Inner>) -> Option<&[DistinguishedName]> {
    inner.offer_client_auth().then(|| inner.root_hint_subjects())
}

impl ClientCertVerifier for CachingClientVerifier {
    fn offer_client_auth(&self) -> bool {
        self.cache.current().inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.cache.current().inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.hints.at(self.cache.current().hints).unwrap_or_default()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(end_entity, intermediates, now, |_| ClientCertVerified::assertion())
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
}
