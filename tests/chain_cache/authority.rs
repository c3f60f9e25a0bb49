//! A root and an intermediate that issue leaves of any validity, and the verifiers that trust them.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
    date_time_ymd as date,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

/// Midnight, UTC.
pub(crate) fn at(year: i32, month: u8, day: u8) -> UnixTime {
    let seconds = date(year, month, day).unix_timestamp();
    UnixTime::since_unix_epoch(Duration::from_secs(seconds.try_into().unwrap()))
}

pub(crate) fn later(time: UnixTime, seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs() + seconds))
}

/// A chain, leaf first, and the leaf's key.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// The serial number of every leaf.
const SERIAL: u64 = 42;

pub(crate) struct Authority {
    pub(crate) root: CertificateDer<'static>,
    pub(crate) intermediate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// The root is valid from 2000 to 2022 only, which no verifier looks at; the intermediate, from
    /// 2024 to the end of 2025.
    pub(crate) fn new(name: &str) -> Self {
        let root_key = KeyPair::generate().unwrap();
        let root = params(&format!("{name} root"), 2000, 2023).self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(params(&format!("{name} root"), 2000, 2023), root_key);
        let intermediate_params = || params(&format!("{name} intermediate"), 2024, 2026);
        let key = KeyPair::generate().unwrap();
        let intermediate = intermediate_params().signed_by(&key, &root_issuer).unwrap();
        Self {
            root: root.der().clone(),
            intermediate: intermediate.der().clone(),
            issuer: Issuer::new(intermediate_params(), key),
        }
    }

    /// A leaf for `name`, valid from the beginning of one year to the beginning of another.
    pub(crate) fn issue(&self, name: &str, from: i32, to: i32) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let id = format!("spiffe://example.org/{name}");
        params.subject_alt_names.push(SanType::URI(id.try_into().unwrap()));
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(SERIAL));
        params.not_before = date(from, 1, 1);
        params.not_after = date(to, 1, 1);
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: vec![leaf.der().clone(), self.intermediate.clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }

    /// A CRL that revokes every leaf, or none, and expires on `next_update`.
    pub(crate) fn crl(
        &self,
        revokes: bool,
        next_update: (i32, u8, u8),
    ) -> CertificateRevocationListDer<'static> {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(SERIAL),
            revocation_time: date(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date(2025, 1, 1),
            next_update: date(next_update.0, next_update.1, next_update.2),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: if revokes { vec![revoked] } else { Vec::new() },
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().clone()
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        Arc::new(roots)
    }

    /// rustls's verifier of clients, trusting this root.
    pub(crate) fn client_verifier(&self) -> Arc<dyn ClientCertVerifier> {
        let provider = Arc::new(rustls_offload::default_provider());
        WebPkiClientVerifier::builder_with_provider(self.roots(), provider).build().unwrap()
    }

    /// The same, with a CRL for the leaves, which must not have expired.
    pub(crate) fn client_verifier_with(
        &self,
        crl: CertificateRevocationListDer<'static>,
    ) -> Arc<dyn ClientCertVerifier> {
        let provider = Arc::new(rustls_offload::default_provider());
        WebPkiClientVerifier::builder_with_provider(self.roots(), provider)
            .with_crls([crl])
            .only_check_end_entity_revocation()
            .enforce_revocation_expiration()
            .build()
            .unwrap()
    }

    /// rustls's verifier of servers, trusting this root.
    pub(crate) fn server_verifier(&self) -> Arc<dyn ServerCertVerifier> {
        let provider = Arc::new(rustls_offload::default_provider());
        WebPkiServerVerifier::builder_with_provider(self.roots(), provider).build().unwrap()
    }
}

fn params(name: &str, from: i32, to: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date(from, 1, 1);
    params.not_after = date(to, 1, 1);
    params
}
