//! The test PKI: root, intermediate and SPIFFE leaves, made anew at the start of every run.
//!
//! Nothing here touches a disk: role processes receive their credentials over their standard input.
//! Where there are many client identities, whoever originates TLS receives the intermediate's key
//! instead and issues the leaves itself ([`LeafIssuer`]).

use std::thread;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SigningKey, string::Ia5String,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::settings::{Identities, KeyType};

/// The SPIFFE trust domain of the test identities.
pub const TRUST_DOMAIN: &str = "mtls-bench.test";

/// The name clients ask for; a DNS SAN of the server's leaf.
pub const SERVER_NAME: &str = "server.mtls-bench.test";

/// The path of the server's SPIFFE ID, and the first part of its DNS name.
const SERVER: &str = "server";

/// The same for the client, where there is one.
const CLIENT: &str = "client";

/// What the SPIFFE IDs of clients begin with where there are many.
const CLIENTS: &str = "client/";

/// One party's credentials, and whom it expects to meet.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// The presented chain in PEM: leaf, then intermediate.
    chain_pem: String,
    /// The leaf's private key in PKCS #8 PEM.
    key_pem: String,
    /// The root that the peer's chain must lead to, in PEM.
    root_pem: String,
    /// Who may show up.
    pub peer: ExpectedPeer,
}

/// The peers that one end of TLS may meet.
#[derive(Clone, Serialize, Deserialize)]
pub enum ExpectedPeer {
    /// The one with this leaf.
    Only {
        /// The leaf in PEM.
        leaf_pem: String,
        /// The SPIFFE ID in it.
        spiffe_id: String,
    },
    /// All whose leaf the intermediate has issued, with a SPIFFE ID that begins like this.
    IssuedUnder {
        /// The intermediate in PEM.
        intermediate_pem: String,
        /// With a slash at its end.
        spiffe_prefix: String,
    },
    /// All whose leaf has this SPIFFE ID and no other.
    Named {
        /// The SPIFFE ID.
        spiffe_id: String,
    },
}

impl ExpectedPeer {
    /// What results call the expected peers: the SPIFFE ID, or the prefix and an asterisk.
    pub fn name(&self) -> String {
        match self {
            Self::Only { spiffe_id, .. } | Self::Named { spiffe_id } => spiffe_id.clone(),
            Self::IssuedUnder { spiffe_prefix, .. } => format!("{spiffe_prefix}*"),
        }
    }
}

impl Credentials {
    /// The chain to present, leaf first, in PEM.
    pub(crate) fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// The leaf's private key in PKCS #8 PEM.
    pub(crate) fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The trusted root in PEM.
    pub(crate) fn root_pem(&self) -> &str {
        &self.root_pem
    }

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

/// A certificate in PEM.
///
/// # Errors
/// When it is not one.
pub fn certificate(pem: &str) -> Result<CertificateDer<'static>, Error> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(unreadable)
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
    /// For whichever process originates TLS, where it has many identities.
    pub client_issuer: Option<LeafIssuer>,
    /// For both, where their certificates rotate: what renews the client's, and the server's.
    pub renewal: Option<[Renewal; 2]>,
}

impl Pki {
    /// Makes a root, an intermediate and a leaf for each end, all with keys of `key_type`; and if the leaves
    /// are to be replaced while they are used, what it takes to do so.
    ///
    /// # Errors
    /// When a key or certificate can't be made.
    pub fn generate(
        key_type: KeyType,
        identities: Identities,
        rotates: bool,
    ) -> Result<Self, Error> {
        let root = CertifiedIssuer::self_signed(authority("root"), new_key(key_type)?)?;
        let intermediate_key = new_key(key_type)?;
        let key_pem = intermediate_key.serialize_pem();
        let intermediate =
            CertifiedIssuer::signed_by(authority("intermediate"), intermediate_key, &root)?;
        let intermediate_pem = intermediate.as_ref().pem();
        let client = Leaf::issue(CLIENT, key_type, &intermediate)?;
        let server = Leaf::issue(SERVER, key_type, &intermediate)?;
        let many = !matches!(identities, Identities::Drawn { count: 1, .. });
        let issued_under = |path| ExpectedPeer::IssuedUnder {
            intermediate_pem: intermediate_pem.clone(),
            spiffe_prefix: spiffe_id(path),
        };
        let (clients, servers) = match (many, rotates) {
            (true, false) => (issued_under(CLIENTS), server.expected()),
            (true, true) => (issued_under(CLIENTS), issued_under(SERVER)),
            (false, true) => (issued_under(CLIENT), issued_under(SERVER)),
            (false, false) => (client.expected(), server.expected()),
        };
        let credentials = |own: &Leaf, peer| Credentials {
            chain_pem: format!("{}{intermediate_pem}", own.certificate.pem()),
            key_pem: own.key.serialize_pem(),
            root_pem: root.as_ref().pem(),
            peer,
        };
        let client = credentials(&client, servers);
        let server = credentials(&server, clients);
        let issuer = LeafIssuer { intermediate_pem, key_pem, key_type };
        let renewal = |path: &str| Renewal { issuer: issuer.clone(), path: path.to_owned() };
        let renewal = rotates.then(|| [CLIENT, SERVER].map(renewal));
        Ok(Self { client, server, client_issuer: many.then_some(issuer), renewal })
    }
}

impl Pki {
    /// With both ends expecting a workload of this name, whoever issues its certificates.
    pub fn of_workload(mut self, spiffe_id: &str) -> Self {
        let peer = ExpectedPeer::Named { spiffe_id: spiffe_id.to_owned() };
        self.client.peer = peer.clone();
        self.server.peer = peer;
        self
    }
}

/// The SPIFFE ID of whichever process terminates TLS.
pub fn server_id() -> String {
    spiffe_id(SERVER)
}

/// What it takes to renew one party's leaf, again and again.
#[derive(Clone, Serialize, Deserialize)]
pub struct Renewal {
    issuer: LeafIssuer,
    path: String,
}

impl Renewal {
    /// A new key, and a leaf for it with the same names as the last.
    ///
    /// # Errors
    /// When a key or certificate can't be made.
    pub fn renew(&self) -> Result<Identity, Error> {
        self.issuer.ready()?.issue(&self.path)
    }
}

/// A root that nobody has a certificate of: what a trust bundle has more of while authorities rotate.
///
/// # Errors
/// When a key or certificate can't be made.
pub fn spare_root(key_type: KeyType) -> Result<CertificateDer<'static>, Error> {
    let root = CertifiedIssuer::self_signed(authority("spare root"), new_key(key_type)?)?;
    Ok(root.as_ref().der().clone())
}

/// What it takes to issue leaves to clients.
#[derive(Clone, Serialize, Deserialize)]
pub struct LeafIssuer {
    intermediate_pem: String,
    key_pem: String,
    key_type: KeyType,
}

/// A party's chain, leaf first, and the leaf's key.
pub struct Identity {
    /// Leaf and intermediate.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's private key.
    pub key: PrivateKeyDer<'static>,
}

impl LeafIssuer {
    /// Issues `count` leaves, on all CPUs that this process may use. Their SPIFFE IDs end in numbers
    /// from `first` on.
    ///
    /// # Errors
    /// When a key or certificate can't be made.
    pub fn issue(&self, first: u64, count: usize) -> Result<Vec<Identity>, Error> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = |thread: usize| (thread..count).step_by(threads);
        let ready = self.ready()?;
        let one = &|index| ready.issue(&format!("{CLIENTS}{}", first + index as u64));
        thread::scope(|scope| {
            let parts: Vec<_> = (0..threads)
                .map(|thread| {
                    scope.spawn(move || share(thread).map(one).collect::<Result<Vec<_>, _>>())
                })
                .collect();
            let mut all = Vec::with_capacity(count);
            for part in parts {
                let part = part.join().map_err(|_| {
                    Error::io("issuing client certificates")(std::io::Error::other("panic"))
                })?;
                all.extend(part?);
            }
            Ok(all)
        })
    }

    fn ready(&self) -> Result<ReadyIssuer, Error> {
        Ok(ReadyIssuer {
            issuer: Issuer::new(authority("intermediate"), KeyPair::from_pem(&self.key_pem)?),
            intermediate: certificate(&self.intermediate_pem)?,
            key_type: self.key_type,
        })
    }
}

/// A [`LeafIssuer`] whose parts were read.
struct ReadyIssuer {
    issuer: Issuer<'static, KeyPair>,
    intermediate: CertificateDer<'static>,
    key_type: KeyType,
}

impl ReadyIssuer {
    fn issue(&self, path: &str) -> Result<Identity, Error> {
        let leaf = Leaf::issue(path, self.key_type, &self.issuer)?;
        let key = PrivatePkcs8KeyDer::from(leaf.key.serialize_der());
        let chain = vec![leaf.certificate.der().clone(), self.intermediate.clone()];
        Ok(Identity { chain, key: key.into() })
    }
}

struct Leaf {
    certificate: rcgen::Certificate,
    key: KeyPair,
    spiffe_id: String,
}

impl Leaf {
    /// A leaf whose SPIFFE ID has this path, and whose DNS name is the path's first part.
    fn issue(
        path: &str,
        key_type: KeyType,
        issuer: &Issuer<'_, impl SigningKey>,
    ) -> Result<Self, Error> {
        let role = path.split('/').next().unwrap_or(path);
        let spiffe_id = spiffe_id(path);
        let key = new_key(key_type)?;
        let mut params = CertificateParams::new(vec![format!("{role}.{TRUST_DOMAIN}")])?;
        params.subject_alt_names.push(SanType::URI(Ia5String::try_from(spiffe_id.as_str())?));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        Ok(Self { certificate: params.signed_by(&key, issuer)?, key, spiffe_id })
    }

    fn expected(&self) -> ExpectedPeer {
        let (leaf_pem, spiffe_id) = (self.certificate.pem(), self.spiffe_id.clone());
        ExpectedPeer::Only { leaf_pem, spiffe_id }
    }
}

fn spiffe_id(path: &str) -> String {
    format!("spiffe://{TRUST_DOMAIN}/{path}")
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
