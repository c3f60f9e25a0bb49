//! A trust domain that issues X.509-SVIDs, and certificates that are nearly ones.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd as date,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls_offload::verify::spiffe::{TrustBundle, TrustBundles, TrustDomain};

/// The serial number of every leaf.
const SERIAL: u64 = 42;

/// A chain, and the leaf's key.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

pub(crate) struct Domain {
    name: &'static str,
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Domain {
    /// Authorities have no subject to be told apart by, only their keys: the worst case.
    pub(crate) fn new(name: &'static str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = || {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::OrganizationName, "SPIFFE");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let uri = format!("spiffe://{name}");
            params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
            params
        };
        let root = params().self_signed(&key).unwrap().der().clone();
        Self { name, root, issuer: Issuer::new(params(), key) }
    }

    pub(crate) fn bundle(&self) -> TrustBundle {
        TrustBundle::new(TrustDomain::new(self.name).unwrap(), [self.root.clone()])
    }

    /// The authority's certificate.
    pub(crate) fn authority(&self) -> &CertificateDer<'static> {
        &self.root
    }

    pub(crate) fn svid(&self, id: &str) -> Identity {
        self.issue(&[id], |_| ())
    }

    /// A leaf with these URIs and whatever else `change` makes of it.
    pub(crate) fn issue(
        &self,
        uris: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from(SERIAL));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        for uri in uris {
            params.subject_alt_names.push(SanType::URI((*uri).try_into().unwrap()));
        }
        change(&mut params);
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: vec![leaf.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }

    /// A CRL that revokes every leaf, or none, and expires with the year.
    pub(crate) fn crl(&self, revokes: bool, year: i32) -> CertificateRevocationListDer<'static> {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(SERIAL),
            revocation_time: date(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date(2020, 1, 1),
            next_update: date(year, 12, 31),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: if revokes { vec![revoked] } else { Vec::new() },
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().clone()
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls_offload::default_provider())
}

pub(crate) fn bundles(bundles: impl IntoIterator<Item = TrustBundle>) -> TrustBundles {
    TrustBundles::new(bundles, &provider()).unwrap()
}
