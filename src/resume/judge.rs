//! Whether the peer of an earlier session may still be taken at its word.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};

use super::Refusal;
use crate::verify::{CachingClientVerifier, VerifiedPeer};

/// Judges chains of sessions that are offered for resumption.
pub trait Judge: fmt::Debug + Send + Sync {
    /// Whether a client that once presented `chain`, the leaf first, and proved to hold the leaf's key would be let
    /// in with it at `now`.
    ///
    /// # Errors
    /// Why not. The client then makes a full handshake.
    fn judge(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Refusal>;
}

type Authorizer = dyn Fn(&VerifiedPeer) -> bool + Send + Sync;

/// Judges as a full handshake would: by the verifier that is in force, and by who may call.
///
/// As long as the verifier has not been replaced, its cache has the verdict, and judging is a look-up.
/// After a replacement the first look-up verifies the chain under the new verifier, once.
pub struct ChainJudge {
    verifier: Arc<CachingClientVerifier>,
    authorizer: Option<Box<Authorizer>>,
}

impl ChainJudge {
    /// By `verifier`, which is to be the one in the `ServerConfig`.
    pub fn new(verifier: Arc<CachingClientVerifier>) -> Self {
        Self { verifier, authorizer: None }
    }

    /// Resumes for those only of whom `may_call` says so. It is asked at every resumption, so what it looks at
    /// may change at any time.
    pub fn authorize(
        mut self,
        may_call: impl Fn(&VerifiedPeer) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.authorizer = Some(Box::new(may_call));
        self
    }
}

impl Judge for ChainJudge {
    fn judge(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Refusal> {
        let (end_entity, intermediates) =
            chain.split_first().ok_or(Refusal::NoClientCertificate)?;
        let peer = self
            .verifier
            .verify_peer(end_entity, intermediates, now)
            .map_err(|error| reason(&error))?;
        // A verifier looks at the certificates that its path needs. A chain of which nothing could be
        // read is said to be valid from now to now.
        let valid = peer.not_before() <= now && now < peer.not_after();
        if !valid {
            return Err(Refusal::OutsideValidity);
        }
        match &self.authorizer {
            Some(may_call) if !may_call(&peer) => Err(Refusal::Unauthorized),
            _ => Ok(()),
        }
    }
}

fn reason(error: &rustls::Error) -> Refusal {
    use rustls::CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(
            Bad::Expired
            | Bad::ExpiredContext { .. }
            | Bad::NotValidYet
            | Bad::NotValidYetContext { .. },
        ) => Refusal::OutsideValidity,
        _ => Refusal::Untrusted,
    }
}

impl fmt::Debug for ChainJudge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainJudge")
            .field("verifier", &self.verifier)
            .field("authorizes", &self.authorizer.is_some())
            .finish()
    }
}
