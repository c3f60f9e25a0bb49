//! rustls configurations with exactly one suite, one group and one protocol version.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite};
use rustls_offload::verify::{CacheMetrics, CachingClientVerifier, CachingServerVerifier};
use serde::{Deserialize, Serialize};

use super::callers::Population;
use super::provider::{self, Built};
use crate::Error;
use crate::pki::Credentials;
use crate::settings::{KeyType, ProviderName, TlsParameters};

/// One end of the measured TLS connection.
#[derive(Clone, Serialize, Deserialize)]
pub struct TlsEnd {
    /// Which provider does the cryptography.
    pub provider: ProviderName,
    /// What may be negotiated.
    pub parameters: TlsParameters,
    /// Own chain and key, the trusted root and the expected peer.
    pub credentials: Credentials,
    /// The client's many identities, if it is a client that has them.
    pub population: Option<Population>,
}

/// Reads what an end's chain cache did so far.
pub(super) type ReadChainCache = Box<dyn Fn() -> CacheMetrics + Send + Sync>;

/// One end's configuration, and its chain cache if it has one.
pub(super) struct Side<C> {
    pub(super) config: C,
    pub(super) chain_cache: Option<ReadChainCache>,
}

impl TlsEnd {
    /// A client that presents its certificate and keeps no sessions.
    pub(super) fn client(&self) -> Result<Side<ClientConfig>, Error> {
        let (built, suite) = self.restricted()?;
        let provider = Arc::new(built.provider);
        let mut verifier: Arc<dyn ServerCertVerifier> =
            WebPkiServerVerifier::builder_with_provider(self.roots()?, provider.clone())
                .build()
                .map_err(|e| Error::Usage(format!("server verifier: {e}")))?;
        let mut chain_cache = None;
        if built.caches_chains {
            let caching = CachingServerVerifier::new(verifier);
            verifier = caching.clone();
            chain_cache = Some(Box::new(move || caching.metrics()) as ReadChainCache);
        }
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[suite.version()])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_auth_cert(self.credentials.chain()?, self.credentials.key()?)?;
        config.resumption = Resumption::disabled();
        Ok(Side { config, chain_cache })
    }

    /// A server that demands a client certificate and sends tickets.
    pub(super) fn server(&self) -> Result<Side<Arc<ServerConfig>>, Error> {
        let (built, suite) = self.restricted()?;
        let provider = Arc::new(built.provider);
        let mut verifier: Arc<dyn ClientCertVerifier> =
            WebPkiClientVerifier::builder_with_provider(self.roots()?, provider.clone())
                .build()
                .map_err(|e| Error::Usage(format!("client verifier: {e}")))?;
        let mut chain_cache = None;
        if built.caches_chains {
            let caching = CachingClientVerifier::new(verifier);
            verifier = caching.clone();
            chain_cache = Some(Box::new(move || caching.metrics()) as ReadChainCache);
        }
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[suite.version()])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.credentials.chain()?, self.credentials.key()?)?;
        config.ticketer = built.ticketer;
        config.send_tls13_tickets = self.parameters.tickets;
        Ok(Side { config: Arc::new(config), chain_cache })
    }

    /// The same end with the one identity that it was given.
    pub fn with_one_identity(&self) -> Self {
        Self { population: None, ..self.clone() }
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(self.credentials.root()?)?;
        Ok(Arc::new(roots))
    }

    fn restricted(&self) -> Result<(Built, SupportedCipherSuite), Error> {
        let mut built = provider::build(self.provider)?;
        let suite = restrict(&mut built.provider, self.provider, &self.parameters)?;
        Ok((built, suite))
    }
}

/// Refuses parameters that `name` can't negotiate, before any process is started.
///
/// # Errors
/// Names the unknown suite or group and lists what the provider has.
pub fn check_parameters(name: ProviderName, parameters: &TlsParameters) -> Result<(), Error> {
    restrict(&mut provider::build(name)?.provider, name, parameters).map(|_| ())
}

fn restrict(
    provider: &mut CryptoProvider,
    name: ProviderName,
    parameters: &TlsParameters,
) -> Result<SupportedCipherSuite, Error> {
    let suites = std::mem::take(&mut provider.cipher_suites);
    let suite =
        *suites.iter().find(|suite| suite_name(suite) == parameters.suite).ok_or_else(|| {
            unknown(name, "cipher suite", &parameters.suite, suites.iter().map(suite_name))
        })?;
    fits_key(suite, parameters)?;
    let groups = std::mem::take(&mut provider.kx_groups);
    let group = *groups
        .iter()
        .find(|group| format!("{:?}", group.name()) == parameters.group)
        .ok_or_else(|| {
            let known = groups.iter().map(|group| format!("{:?}", group.name()));
            unknown(name, "group", &parameters.group, known)
        })?;
    if !group.usable_for_version(suite.version().version) {
        return Err(Error::Usage(format!(
            "group {} cannot be used with suite {}, which is for TLS 1.2; choose another --group or --suite",
            parameters.group, parameters.suite
        )));
    }
    provider.cipher_suites = vec![suite];
    provider.kx_groups = vec![group];
    Ok(suite)
}

fn fits_key(suite: SupportedCipherSuite, parameters: &TlsParameters) -> Result<(), Error> {
    let rsa_key = parameters.key_type == KeyType::Rsa2048;
    let fits = match suite {
        SupportedCipherSuite::Tls13(_) => true,
        SupportedCipherSuite::Tls12(_) => parameters.suite.contains("_RSA_") == rsa_key,
    };
    if fits {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "suite {} cannot be used with {:?} certificates; choose another --suite or --key",
        parameters.suite, parameters.key_type
    )))
}

fn suite_name(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite())
}

fn unknown(
    provider: ProviderName,
    what: &'static str,
    name: &str,
    known: impl Iterator<Item = String>,
) -> Error {
    Error::UnknownName {
        what,
        name: name.to_owned(),
        known: format!("{} (provider {provider})", known.collect::<Vec<_>>().join(", ")),
    }
}
