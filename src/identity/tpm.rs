//! Short-lived certificates from an authority whose key is in this machine's TPM: hardware trust at the speed of
//! software, and what we recommend for keys in a TPM.
//!
//! The TPM signs once for each certificate, not once for each handshake. Handshakes use keys that live in memory, with
//! everything that makes them cheap. Who steals such a key has it for what is left of the hour; the authority's
//! never leaves the TPM. What that costs: an authority can name anybody in its trust domain, so who has taken the machine
//! can, for as long. An authority for each machine under a common root, constrained to no further authorities below
//! it (pathLen 0), keeps one machine's apart from another's in what can be revoked, though not in what can be said.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    SanType, SerialNumber, date_time_ymd,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::sign::SigningKey;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use zeroize::Zeroizing;

use super::{Credentials, IdentityError, Svid, Watch, WorkloadIdentity};
use crate::tpm::{TpmError, TpmKey};
use crate::verify::spiffe::{SpiffeId, TrustBundle};

/// How long a certificate is valid, unless told otherwise.
const LIFETIME: Duration = Duration::from_secs(3600);

/// Others' clocks may be late by as much.
const SKEW: Duration = Duration::from_secs(60);

/// The longest time without a look at the clock: a machine that slept is found to be late.
const LOOK: Duration = Duration::from_secs(30);

/// Issues certificates to this workload.
pub struct TpmAuthority {
    key: Arc<TpmKey>,
    chain: Vec<CertificateDer<'static>>,
    id: SpiffeId,
    lifetime: Duration,
    bundles: Vec<TrustBundle>,
}

impl TpmAuthority {
    /// For the workload `id`, by `key`. `chain` certifies that key as an authority, its own certificate first, those of
    /// authorities above it after that.
    pub fn new(key: Arc<TpmKey>, chain: Vec<CertificateDer<'static>>, id: SpiffeId) -> Self {
        Self { key, chain, id, lifetime: LIFETIME, bundles: Vec::new() }
    }

    /// How long a certificate is valid. Default: an hour. Renewed after half of that.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The authorities of a trust domain: of the own, those above the TPM's.
    #[must_use]
    pub fn bundle(mut self, bundle: TrustBundle) -> Self {
        self.bundles.push(bundle);
        self
    }

    /// A new key with a certificate, and the bundles.
    ///
    /// # Errors
    /// [`IdentityError::Tpm`]; [`IdentityError::Mismatch`] if the chain is not the key's; [`IdentityError::Svid`].
    pub fn issue(&self, provider: &CryptoProvider) -> Result<Credentials, IdentityError> {
        let certificate = |why: String| IdentityError::Tpm(TpmError::Certificate { why });
        let authority = self.chain.first().ok_or(IdentityError::Mismatch)?;
        let parsed = Certificate::from_der(authority).map_err(|e| certificate(e.to_string()))?;
        let tbs = parsed.tbs_certificate();
        let spki = tbs.subject_public_key_info().to_der();
        let own = self.key.public_key();
        if spki.ok().as_deref() != own.as_ref().map(AsRef::as_ref) {
            return Err(IdentityError::Mismatch);
        }
        let key = KeyPair::generate().map_err(|error| certificate(error.to_string()))?;
        let key = Zeroizing::new(key);
        let params = self.params(provider).map_err(|error| certificate(error.to_string()))?;
        let leaf = self.key.issue(authority, &params, &*key).map_err(IdentityError::Tpm)?;
        // a root is what others have already
        let is_root = tbs.subject() == tbs.issuer();
        let above = self.chain.iter().skip(usize::from(is_root)).cloned();
        let chain = std::iter::once(leaf).chain(above).collect();
        let der = Zeroizing::new(key.serialize_der());
        let svid = Svid::new(chain, PrivatePkcs8KeyDer::from(der.to_vec()).into(), provider)?;
        Ok(Credentials { svid, bundles: self.bundles.clone() })
    }

    /// X.509-SVID, 4 and 5.
    fn params(&self, provider: &CryptoProvider) -> Result<CertificateParams, rcgen::Error> {
        let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(UnixTime::now().as_secs());
        let mut serial = [0; 16];
        let filled = provider.secure_random.fill(&mut serial);
        filled.map_err(|_| rcgen::Error::RingUnspecified)?;
        serial[0] = serial[0] & 0x7F | 0x40; // positive, and always of the same length
        let mut params = CertificateParams::default();
        params.not_before = now - SKEW;
        params.not_after = now + self.lifetime;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(self.id.as_str().try_into()?)];
        params.is_ca = rcgen::IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }

    /// An identity whose certificate is renewed at half of its lifetime, a little earlier or later by chance, so that
    /// machines that were started together do not stay together. If the TPM fails meanwhile, it is asked again soon.
    ///
    /// # Errors
    /// As [`Self::issue`] and [`WorkloadIdentity::new`]; [`IdentityError::Authority`] if peers with the same bundle would
    /// not accept the certificate.
    pub fn watch(
        self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<(Arc<WorkloadIdentity>, Watch), IdentityError> {
        let identity = WorkloadIdentity::new(provider, self.issue(provider)?)?;
        self.check(&identity)?;
        let (renewed, provider) = (Arc::clone(&identity), Arc::clone(provider));
        let mut due = self.due(&provider);
        let period = (self.lifetime / 20).clamp(Duration::from_millis(1), LOOK);
        let watch = Watch::start("identity-tpm", period, move || {
            if now() < due {
                return Ok(false);
            }
            renewed.replace(self.issue(&provider)?)?;
            due = self.due(&provider);
            Ok(true)
        });
        Ok((identity, watch?))
    }

    /// What a peer would say, if there is a bundle for it to say so by.
    fn check(&self, identity: &WorkloadIdentity) -> Result<(), IdentityError> {
        let domain = self.id.trust_domain();
        let (true, Some(svid)) =
            (self.bundles.iter().any(|bundle| *bundle.domain() == domain), identity.svid())
        else {
            return Ok(());
        };
        let certified = svid.certified();
        let leaf = certified.end_entity_cert().map_err(IdentityError::Authority)?;
        let above = certified.cert.get(1..).unwrap_or_default();
        let verifier = identity.client_verifier();
        verifier.verify_peer(leaf, above, UnixTime::now()).map_err(IdentityError::Authority)?;
        Ok(())
    }

    /// Half of the lifetime from now, a tenth of that more or less.
    fn due(&self, provider: &CryptoProvider) -> Duration {
        let mut random = [0; 2];
        // without randomness there is no spread, and no harm
        let _ = provider.secure_random.fill(&mut random);
        let spread = self.lifetime.mul_f64(0.1 * f64::from(u16::from_le_bytes(random)) / 65536.0);
        now() + self.lifetime.mul_f64(0.45) + spread
    }
}

/// Since 1970.
fn now() -> Duration {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed();
    now.unwrap_or_default()
}

impl fmt::Debug for TpmAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TpmAuthority")
            .field("key", &self.key)
            .field("id", &self.id)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
