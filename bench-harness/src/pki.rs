//! The test PKI: root, intermediate and two SPIFFE leaves, made anew at the start of every run.
//!
//! Nothing here touches a disk: role processes receive their credentials over their standard input.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, string::Ia5String,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::settings::KeyType;

/// The SPIFFE trust domain of the test identities.
pub const TRUST_DOMAIN: &str = "mtls-bench.test";

/// The name clients ask for; a DNS SAN of the server's leaf.
pub const SERVER_NAME: &str = "server.mtls-bench.test";

/// One party's credentials, and whom it expects to meet.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// The presented chain in PEM: leaf, then intermediate.
    chain_pem: String,
    /// The leaf's private key in PKCS #8 PEM.
    key_pem: String,
    /// The root that the peer's chain must lead to, in PEM.
    root_pem: String,
    /// The only peer that may show up.
    pub peer: PeerIdentity,
}

/// A peer by its leaf certificate and the SPIFFE ID in it.
#[derive(Clone, Serialize, Deserialize)]
pub struct PeerIdentity {
    leaf_pem: String,
    /// The peer's SPIFFE ID.
    pub spiffe_id: String,
}

impl Credentials {
    /// The chain to present, leaf first.
    pub fn chain(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        CertificateDer::pem_slice_iter(self.chain_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(unreadable)
    }

    /// The private key that belongs to the leaf.
    pub fn key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(unreadable)
    }

    /// The trusted root.
    pub fn root(&self) -> Result<CertificateDer<'static>, Error> {
        CertificateDer::from_pem_slice(self.root_pem.as_bytes()).map_err(unreadable)
    }
}

impl PeerIdentity {
    /// The leaf certificate by which the peer is recognised.
    pub fn leaf(&self) -> Result<CertificateDer<'static>, Error> {
        CertificateDer::from_pem_slice(self.leaf_pem.as_bytes()).map_err(unreadable)
    }
}

fn unreadable(error: rustls::pki_types::pem::Error) -> Error {
    Error::Usage(format!("test credentials do not parse as PEM: {error}"))
}

/// The credentials of both ends of the measured connection.
#[derive(Clone)]
pub struct Pki {
    /// For whichever process originates TLS.
    pub client: Credentials,
    /// For whichever process terminates TLS.
    pub server: Credentials,
}

impl Pki {
    /// Makes a root, an intermediate and the two leaves, all with keys of `key_type`.
    ///
    /// # Errors
    /// When a key or certificate can't be made.
    pub fn generate(key_type: KeyType) -> Result<Self, Error> {
        let root = CertifiedIssuer::self_signed(authority("root"), new_key(key_type)?)?;
        let intermediate =
            CertifiedIssuer::signed_by(authority("intermediate"), new_key(key_type)?, &root)?;
        let client = Leaf::issue("client", key_type, &intermediate)?;
        let server = Leaf::issue("server", key_type, &intermediate)?;
        let credentials = |own: &Leaf, peer: &Leaf| Credentials {
            chain_pem: format!("{}{}", own.certificate_pem, intermediate.as_ref().pem()),
            key_pem: own.key_pem.clone(),
            root_pem: root.as_ref().pem(),
            peer: PeerIdentity {
                leaf_pem: peer.certificate_pem.clone(),
                spiffe_id: peer.spiffe_id.clone(),
            },
        };
        Ok(Self { client: credentials(&client, &server), server: credentials(&server, &client) })
    }
}

struct Leaf {
    certificate_pem: String,
    key_pem: String,
    spiffe_id: String,
}

impl Leaf {
    fn issue(
        role: &str,
        key_type: KeyType,
        issuer: &CertifiedIssuer<'_, KeyPair>,
    ) -> Result<Self, Error> {
        let spiffe_id = format!("spiffe://{TRUST_DOMAIN}/{role}");
        let key = new_key(key_type)?;
        let mut params = CertificateParams::new(vec![format!("{role}.{TRUST_DOMAIN}")])?;
        params.subject_alt_names.push(SanType::URI(Ia5String::try_from(spiffe_id.as_str())?));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, issuer)?;
        Ok(Self { certificate_pem: certificate.pem(), key_pem: key.serialize_pem(), spiffe_id })
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, format!("mtls-bench {name}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn new_key(key_type: KeyType) -> Result<KeyPair, Error> {
    Ok(match key_type {
        KeyType::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        KeyType::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        KeyType::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
        KeyType::Rsa2048 => {
            KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)
        }
    }?)
}
