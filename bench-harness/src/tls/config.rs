//! rustls configurations with exactly one suite, one group and one protocol version.

use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite};
use rustls_offload::resume::ServerResumption;
use serde::{Deserialize, Serialize};

use super::accounts::Accounts;
use super::callers::Population;
use super::provider::{self, Built};
use super::workload::{self, Rotation};
use crate::Error;
use crate::pki::Credentials;
use crate::settings::{KeyType, ProviderName, TlsParameters};

/// Who protects the records of a connection, once it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Records {
    /// rustls.
    #[default]
    User,
    /// The kernel; a connection that it does not take is a failed handshake.
    Kernel,
}

/// One end of the measured TLS connection.
#[derive(Clone, Serialize, Deserialize)]
pub struct TlsEnd {
    /// Which provider does the cryptography.
    pub provider: ProviderName,
    /// What may be negotiated.
    pub parameters: TlsParameters,
    /// Who protects the records.
    pub records: Records,
    /// Own chain and key, the trusted root and the expected peer.
    pub credentials: Credentials,
    /// The client's many identities, if it is a client that has them.
    pub population: Option<Population>,
    /// Where the Workload API is that it gets its own credentials from, in place of those above.
    pub workload_api: Option<String>,
    /// How its certificate and its trust bundle are replaced, if they are.
    pub rotation: Option<Rotation>,
}

/// One end's configuration, and what it keeps account of.
pub(super) struct Side<C> {
    pub(super) config: C,
    pub(super) accounts: Accounts,
}

/// Where a server gets the configuration of a connection.
#[derive(Clone)]
pub(super) enum Configs {
    /// All have the same one.
    Shared(Arc<ServerConfig>),
    /// Each has its own, by which sessions are told apart.
    Own(Arc<ServerResumption>),
}

impl Configs {
    pub(super) fn next(&self) -> Arc<ServerConfig> {
        match self {
            Self::Shared(config) => config.clone(),
            Self::Own(resumption) => resumption.config(),
        }
    }
}

impl TlsEnd {
    /// A client that presents its certificate and keeps no sessions.
    pub(super) fn client(&self) -> Result<Side<ClientConfig>, Error> {
        let (built, suite) = self.restricted()?;
        let provider = Arc::new(built.provider);
        if built.is_set_up {
            return workload::client(self, provider, suite.version());
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(self.roots()?, provider.clone())
            .build()
            .map_err(|e| Error::Usage(format!("server verifier: {e}")))?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[suite.version()])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_auth_cert(self.credentials.chain()?, self.credentials.key()?)?;
        config.resumption = Resumption::disabled();
        Ok(Side { config, accounts: Accounts::default() })
    }

    /// A server that demands a client certificate and sends tickets.
    pub(super) fn server(&self) -> Result<Side<Configs>, Error> {
        let (built, suite) = self.restricted()?;
        let provider = Arc::new(built.provider);
        if built.is_set_up {
            return workload::server(self, provider, suite.version());
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots()?, provider.clone())
            .build()
            .map_err(|e| Error::Usage(format!("client verifier: {e}")))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[suite.version()])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.credentials.chain()?, self.credentials.key()?)?;
        config.ticketer = built.ticketer;
        config.send_tls13_tickets = self.parameters.tickets;
        Ok(Side { config: Configs::Shared(Arc::new(config)), accounts: Accounts::default() })
    }

    /// The same end with the one identity that it was given, for as long as it lives.
    pub fn with_one_identity(&self) -> Self {
        Self { population: None, rotation: None, ..self.clone() }
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
