//! A client and a server in one process, mutually authenticated, talking through memory.
//!
//! Shared by tests and benches (included by path), so that both speak of the same handshake:
//! root, intermediate and leaf on each side, client certificate required.

#![allow(dead_code)] // each user needs a part of it

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};

/// The kinds of key a leaf can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    P256,
    P384,
    Ed25519,
    Rsa2048,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::P256, Self::P384, Self::Ed25519, Self::Rsa2048];

    fn key(self) -> KeyPair {
        match self {
            Self::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap(),
            Self::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap(),
            Self::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(),
            Self::Rsa2048 => KeyPair::from_pem(include_str!("rfc9500-rsa2048.pem")).unwrap(),
        }
    }
}

/// A root, and a chain with its key for each side.
pub(crate) struct Pki {
    pub(crate) root: CertificateDer<'static>,
    pub(crate) roots: Arc<RootCertStore>,
    pub(crate) server: (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>),
    pub(crate) client: (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>),
}

impl Pki {
    /// The whole chain has keys of `kind`.
    pub(crate) fn new(kind: Kind) -> Self {
        let root_key = kind.key();
        let root = authority("root").self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(authority("root"), root_key);
        let intermediate_key = kind.key();
        let intermediate =
            authority("intermediate").signed_by(&intermediate_key, &root_issuer).unwrap();
        let issuer = Issuer::new(authority("intermediate"), intermediate_key);
        let leaf = |name: &str| {
            let key = kind.key();
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let id = format!("spiffe://example.org/{name}");
            params.subject_alt_names.push(SanType::URI(id.try_into().unwrap()));
            params.distinguished_name.push(DnType::CommonName, name);
            let leaf = params.signed_by(&key, &issuer).unwrap();
            let chain = vec![leaf.der().clone(), intermediate.der().clone()];
            (chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        };
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        Self {
            root: root.der().clone(),
            roots: Arc::new(roots),
            server: leaf("localhost"),
            client: leaf("client"),
        }
    }

    /// A server that requires a client certificate and issues the tickets of `ticketer`.
    pub(crate) fn server(
        &self,
        provider: &Arc<CryptoProvider>,
        versions: &[&'static SupportedProtocolVersion],
        ticketer: Option<Arc<dyn ProducesTickets>>,
    ) -> ServerConfig {
        let verifier = WebPkiClientVerifier::builder_with_provider(
            Arc::clone(&self.roots),
            Arc::clone(provider),
        );
        let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(self.server.0.clone(), self.server.1.clone_key())
            .unwrap();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if let Some(ticketer) = ticketer {
            config.ticketer = ticketer;
        }
        config
    }

    /// A client that presents its certificate and keeps tickets.
    pub(crate) fn client(
        &self,
        provider: &Arc<CryptoProvider>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots))
            .with_client_auth_cert(self.client.0.clone(), self.client.1.clone_key())
            .unwrap()
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Two ends of a connection, both done with the handshake and with all tickets delivered.
pub(crate) struct Pair {
    pub(crate) client: ClientConnection,
    pub(crate) server: ServerConnection,
}

impl Pair {
    /// Completes a handshake, or says which side refused what.
    pub(crate) fn connect(
        client: &Arc<ClientConfig>,
        server: &Arc<ServerConfig>,
    ) -> Result<Self, String> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut pair = Self {
            client: ClientConnection::new(Arc::clone(client), name).map_err(|e| e.to_string())?,
            server: ServerConnection::new(Arc::clone(server)).map_err(|e| e.to_string())?,
        };
        while pair.client.wants_write() || pair.server.wants_write() {
            pair.transfer()?;
        }
        match pair.client.is_handshaking() || pair.server.is_handshaking() {
            true => Err("the handshake got stuck".into()),
            false => Ok(pair),
        }
    }

    /// Sends `data` to the server and back to the client, and checks that it arrives.
    pub(crate) fn echo(&mut self, data: &[u8]) -> Result<(), String> {
        use std::io::{Read, Write};

        let mut received = vec![0; data.len()];
        self.client.writer().write_all(data).map_err(|e| e.to_string())?;
        self.transfer()?;
        self.server.reader().read_exact(&mut received).map_err(|e| e.to_string())?;
        self.server.writer().write_all(&received).map_err(|e| e.to_string())?;
        self.transfer()?;
        received.fill(0);
        self.client.reader().read_exact(&mut received).map_err(|e| e.to_string())?;
        (received == data).then_some(()).ok_or_else(|| "the data changed on the way".into())
    }

    fn transfer(&mut self) -> Result<(), String> {
        let mut wire = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut wire).map_err(|e| e.to_string())?;
        }
        let mut unread = &wire[..];
        while !unread.is_empty() {
            self.server.read_tls(&mut unread).map_err(|e| e.to_string())?;
            self.server.process_new_packets().map_err(|e| format!("server: {e}"))?;
        }
        wire.clear();
        while self.server.wants_write() {
            self.server.write_tls(&mut wire).map_err(|e| e.to_string())?;
        }
        let mut unread = &wire[..];
        while !unread.is_empty() {
            self.client.read_tls(&mut unread).map_err(|e| e.to_string())?;
            self.client.process_new_packets().map_err(|e| format!("client: {e}"))?;
        }
        Ok(())
    }
}
