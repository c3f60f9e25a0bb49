//! What all example services share: credentials from PEM files, the two rustls configurations, and
//! a server's side of the handshake.
//!
//! There are two ways to use the crate. *As a provider*, in the plain and the hyper examples: it goes in at exactly one
//! place each, [`Identity::server_config`] and [`Identity::client_config`]; everything else is what any rustls
//! application does. *All of it*, in those of axum, tonic and reqwest: [`Identity::mtls`] follows the files as they
//! rotate, says who may call, and resumes safely.

mod incoming;

use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, CommonState, RootCertStore, ServerConfig};
use rustls_offload::identity::{FileSource, Mtls, MtlsConfig, Watch};
use rustls_offload::verify::policy::{Policy, PolicyBuilder, Rule};
use rustls_offload::verify::spiffe::{SpiffeId, TrustDomain};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use webpki::EndEntityCert;

pub use incoming::Incoming;

/// Any failure; examples have nobody to tell them apart for.
pub type AnyError = Box<dyn Error + Send + Sync>;

/// How long a client may take over its handshake. Without a limit, clients that connect and then
/// say nothing pile up until the server has no file descriptor left.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The files that say who a service is and whom it trusts, as command-line arguments.
#[derive(Clone, clap::Args)]
pub struct Identity {
    /// Certificate chain in PEM, leaf first.
    #[arg(long)]
    pub cert: PathBuf,
    /// Private key of the leaf in PEM.
    #[arg(long)]
    pub key: PathBuf,
    /// Trusted roots in PEM.
    #[arg(long)]
    pub ca: PathBuf,
}

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

impl Identity {
    /// A server that demands a client certificate.
    ///
    /// # Errors
    /// When a file can't be read or rustls refuses what is in it.
    pub fn server_config(&self) -> Result<ServerConfig, AnyError> {
        let provider = Arc::new(rustls_offload::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), provider.clone())
                .build()?;
        Ok(ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates(&self.cert)?, self.private_key()?)?)
    }

    /// A client that presents its certificate.
    ///
    /// # Errors
    /// As [`Self::server_config`].
    pub fn client_config(&self) -> Result<ClientConfig, AnyError> {
        let provider = Arc::new(rustls_offload::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots()?)
            .with_client_auth_cert(certificates(&self.cert)?, self.private_key()?)?)
    }

    /// Mutual TLS for a workload whose files rotate, as a server for `service` and as a client: those of
    /// `callers` may call, or everyone of its own trust domain if none is named. Follows the files until the watch is
    /// dropped.
    ///
    /// # Errors
    /// When a file can't be read or holds something else.
    pub fn mtls(&self, service: &str, callers: &[SpiffeId]) -> Result<(Mtls, Watch), AnyError> {
        let domain = self.trust_domain()?;
        let policy = if callers.is_empty() {
            Policy::builder().allow(Rule::TrustDomain(domain.clone()))
        } else {
            let callers = callers.iter().cloned().map(Rule::Id);
            callers.fold(Policy::builder(), PolicyBuilder::allow)
        };
        let provider = Arc::new(rustls_offload::default_provider());
        let files = FileSource::new(&self.cert, &self.key).bundle(domain, &self.ca);
        let (identity, watch) = files.watch(&provider, LOOK)?;
        let mtls = MtlsConfig::new(provider, identity).policy(policy.build());
        Ok((mtls.alpn(["h2", "http/1.1"]).build(service)?, watch))
    }

    fn trust_domain(&self) -> Result<TrustDomain, AnyError> {
        let leaf = &certificates(&self.cert)?[0];
        let id =
            spiffe_id(leaf).ok_or_else(|| in_file(&self.cert, "there is no SPIFFE ID in it"))?;
        Ok(TrustDomain::new(SpiffeId::new(&id)?.domain())?)
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, AnyError> {
        PrivateKeyDer::from_pem_file(&self.key).map_err(|error| in_file(&self.key, error))
    }

    fn roots(&self) -> Result<RootCertStore, AnyError> {
        let mut roots = RootCertStore::empty();
        for root in certificates(&self.ca)? {
            roots.add(root).map_err(|error| in_file(&self.ca, error))?;
        }
        Ok(roots)
    }
}

/// All certificates in a PEM file; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, AnyError> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| in_file(path, error))?;
    if found.is_empty() { Err(in_file(path, "there is no certificate in it")) } else { Ok(found) }
}

fn in_file(path: &Path, error: impl Display) -> AnyError {
    format!("{}: {error}", path.display()).into()
}

/// The next connection. What fails here is one connection, or the system is short of something; a
/// server outlives both.
pub async fn next_connection(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => return tcp,
            Err(error) => {
                eprintln!("accepting a connection: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Completes the handshake on a connection that was accepted, in [`HANDSHAKE_TIMEOUT`], and prints
/// what was negotiated. Call it in the connection's own task: others must not wait for it.
///
/// # Errors
/// When the client is too slow, not to be trusted, or gone.
pub async fn handshake(
    acceptor: &TlsAcceptor,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, AnyError> {
    let accepted = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(tcp)).await;
    let tls = accepted.map_err(|_| "handshake: the client took too long")??;
    println!("{}", negotiated(tls.get_ref().1));
    Ok(tls)
}

/// What was negotiated, and with whom, in one line.
pub fn negotiated(state: &CommonState) -> String {
    let unknown = || "?".to_owned();
    let kind = state.handshake_kind().map_or_else(unknown, |kind| format!("{kind:?}"));
    let suite = state.negotiated_cipher_suite();
    let suite = suite.map_or_else(unknown, |suite| format!("{:?}", suite.suite()));
    let group = state.negotiated_key_exchange_group().map(SupportedKxGroup::name);
    let group = group.map_or_else(unknown, |group| format!("{group:?}"));
    let peer = state.peer_certificates().and_then(<[_]>::first);
    let peer = peer.and_then(spiffe_id).unwrap_or_else(|| "a peer without SPIFFE ID".to_owned());
    format!("{kind} {suite} {group} with {peer}")
}

/// The SPIFFE ID of a verified leaf: its URI SAN, of which an X.509-SVID has exactly one.
pub fn spiffe_id(leaf: &CertificateDer<'_>) -> Option<String> {
    let certificate = EndEntityCert::try_from(leaf).ok()?;
    let mut names = certificate.valid_uri_names();
    let id = names.next().filter(|name| name.starts_with("spiffe://"))?;
    names.next().is_none().then(|| id.to_owned())
}
