//! Whom to trust for which trust domain.
//!
//! A bundle's authorities speak for their own domain alone: each has an inner verifier of its own, and roots are
//! never put together. Were they, an authority that one federates with could issue identities of one's own domain.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::{SpiffeError, SpiffeId, TrustDomain, svid};

/// The authorities of one trust domain, and what they revoked.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustBundle {
    domain: TrustDomain,
    authorities: Vec<CertificateDer<'static>>,
    crls: Vec<CertificateRevocationListDer<'static>>,
}

impl TrustBundle {
    /// These authorities speak for `domain`.
    pub fn new(
        domain: TrustDomain,
        authorities: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Self {
        Self { domain, authorities: authorities.into_iter().collect(), crls: Vec::new() }
    }

    /// With CRLs. If there is one, there must be one for every certificate of a path, and none that
    /// the path needs may have expired: what can't be determined is refused.
    pub fn with_crls(
        mut self,
        crls: impl IntoIterator<Item = CertificateRevocationListDer<'static>>,
    ) -> Self {
        self.crls.extend(crls);
        self
    }

    /// Whose authorities these are.
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// Path building, signatures, validity and revocation are rustls's. Its verifier of clients is
    /// the one for servers too: it asks for no name. That a leaf may serve, [`svid`] looks after.
    fn verifier(
        self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<(TrustDomain, Arc<dyn ClientCertVerifier>), SpiffeError> {
        let domain = self.domain;
        let unusable = |why: String| SpiffeError::Bundle { domain: domain.clone(), why };
        let mut roots = RootCertStore::empty();
        for authority in self.authorities {
            roots.add(authority).map_err(|error| unusable(error.to_string()))?;
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider))
                .with_crls(self.crls)
                .enforce_revocation_expiration()
                .build()
                .map_err(|error| unusable(error.to_string()))?;
        Ok((domain, verifier))
    }
}

/// The bundles of one's own trust domain and of those that it federates with.
#[derive(Clone)]
pub struct TrustBundles {
    domains: Arc<HashMap<TrustDomain, Arc<dyn ClientCertVerifier>>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl TrustBundles {
    /// Signatures are verified by `provider`.
    ///
    /// # Errors
    /// If a bundle has no authority, one that is not a certificate, a CRL that can't be parsed; or if there are two
    /// for one domain.
    pub fn new(
        bundles: impl IntoIterator<Item = TrustBundle>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, SpiffeError> {
        let mut domains = HashMap::new();
        for bundle in bundles {
            let (domain, verifier) = bundle.verifier(provider)?;
            if domains.insert(domain.clone(), verifier).is_some() {
                let why = "there are two; put its authorities into one".to_owned();
                return Err(SpiffeError::Bundle { domain, why });
            }
        }
        let algorithms = provider.signature_verification_algorithms;
        Ok(Self { domains: Arc::new(domains), algorithms })
    }

    /// Trusting nobody.
    pub(crate) fn none(provider: &CryptoProvider) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        Self { domains: Arc::default(), algorithms }
    }

    /// The trust domains that there is a bundle for, in no order.
    pub fn domains(&self) -> impl Iterator<Item = &TrustDomain> {
        self.domains.keys()
    }

    /// Whose chain this is, once it is verified against the bundle of that identity's trust domain.
    ///
    /// # Errors
    /// [`SpiffeError`] inside `rustls::Error` if a rule of SPIFFE is broken; otherwise what rustls
    /// says of the path.
    pub fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<SpiffeId, rustls::Error> {
        let id = svid::identity(end_entity)?;
        let domain = id.trust_domain();
        let Some(verifier) = self.domains.get(&domain) else {
            return Err(SpiffeError::UnknownTrustDomain(domain).into());
        };
        verifier.verify_client_cert(end_entity, intermediates, now)?;
        Ok(id)
    }

    pub(super) fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.algorithms
    }
}

impl fmt::Debug for TrustBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustBundle")
            .field("domain", &self.domain)
            .field("authorities", &self.authorities.len())
            .field("crls", &self.crls.len())
            .finish()
    }
}

impl fmt::Debug for TrustBundles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrustBundles").field(&self.domains.keys()).finish()
    }
}
