//! The verifiers that go into rustls's configurations.
//!
//! Neither sends names of authorities: a workload has one identity to present, and the list would tell
//! every caller with whom one federates.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::{SpiffeError, SpiffeId, TrustBundles, TrustDomain};

/// The server's side: a client must have an X.509-SVID of a trust domain that there is a bundle for.
///
/// It says who calls; who may is the policy's to say. A client without a certificate is refused.
#[derive(Clone, Debug)]
pub struct SpiffeClientVerifier {
    bundles: TrustBundles,
}

impl SpiffeClientVerifier {
    /// Trusting these bundles.
    pub fn new(bundles: TrustBundles) -> Self {
        Self { bundles }
    }
}

/// The client's side: the server must have an X.509-SVID, and be who is to be called.
///
/// The name that is passed to `ClientConnection` is not looked at, beyond being sent as SNI; a `ClientConfig`
/// is therefore for one expectation. Sessions resume by that name, so configurations with different
/// expectations must not share a session store.
#[derive(Clone, Debug)]
pub struct SpiffeServerVerifier {
    bundles: TrustBundles,
    expected: ExpectedServer,
}

impl SpiffeServerVerifier {
    /// Trusting these bundles, and calling only who is `expected`.
    pub fn new(bundles: TrustBundles, expected: ExpectedServer) -> Self {
        Self { bundles, expected }
    }
}

type Accepts = dyn Fn(&SpiffeId) -> bool + Send + Sync;

/// Which servers a client is ready to talk to.
#[derive(Clone)]
pub enum ExpectedServer {
    /// This one.
    Id(SpiffeId),
    /// Any workload of this trust domain.
    MemberOf(TrustDomain),
    /// Those of whom the function says so. A caching verifier around this one asks only once while a
    /// verdict holds: when the answer may change, `replace` the inner verifier.
    Accepted(Arc<Accepts>),
}

impl ExpectedServer {
    fn includes(&self, id: &SpiffeId) -> bool {
        match self {
            Self::Id(only) => id == only,
            Self::MemberOf(domain) => id.domain() == domain.as_str(),
            Self::Accepted(accepts) => accepts(id),
        }
    }
}

impl fmt::Display for ExpectedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::MemberOf(domain) => write!(f, "of the trust domain {domain}"),
            Self::Accepted(_) => f.write_str("one that this client's policy accepts"),
        }
    }
}

impl fmt::Debug for ExpectedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExpectedServer({self})")
    }
}

/// CertificateVerify is the same on both sides.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, cert, dss, self.bundles.algorithms())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, cert, dss, self.bundles.algorithms())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.bundles.algorithms().supported_schemes()
        }
    };
}

impl ClientCertVerifier for SpiffeClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.bundles.verify(end_entity, intermediates, now)?;
        Ok(ClientCertVerified::assertion())
    }

    signatures!();
}

impl ServerCertVerifier for SpiffeServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = self.bundles.verify(end_entity, intermediates, now)?;
        if !self.expected.includes(&found) {
            let expected = self.expected.to_string();
            return Err(SpiffeError::Unexpected { found, expected }.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    signatures!();
}
