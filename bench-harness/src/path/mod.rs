//! Data paths: what lies between the load generator and the server.
//!
//! A path is one file here and one line in [`all`]. It says whether this machine can run it, which
//! of its ends speaks TLS, and starts the processes between client and server. Sidecars that are
//! proxies of others are a family of their own ([`external`]).

pub mod external;
mod in_process;
mod ktls;
mod plaintext;
mod sidecar;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::pki::{Credentials, Pki, Renewal};
use crate::role::Role;
use crate::settings::{HandshakeMix, ProviderName, Settings, Workload};
use crate::tls::{Population, Records, Rotation, TlsEnd};

/// The name of the role beside the client.
const CLIENT_SIDECAR: &str = "client-sidecar";

/// The name of the role beside the server.
const SERVER_SIDECAR: &str = "server-sidecar";

/// What paths need to be told by the user.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Envoy's program; by default one that `ci/setup` has installed, or on `PATH`.
    pub envoy: Option<PathBuf>,
    /// Files that describe further proxies.
    pub described: Vec<PathBuf>,
}

/// Every path, in the order of the report.
///
/// # Errors
/// When a file of [`Options::described`] can't be read or is wrong, or names a path that there is.
pub fn all(options: &Options) -> Result<Vec<Arc<dyn Path>>, Error> {
    let mut all: Vec<Arc<dyn Path>> = vec![
        Arc::new(plaintext::Plaintext),
        Arc::new(in_process::InProcess),
        Arc::new(ktls::KernelTls),
        Arc::new(sidecar::Sidecar),
    ];
    all.extend(external::known(options));
    for file in &options.described {
        let path = external::described(file)?;
        if all.iter().any(|known| known.name() == path.name()) {
            return Err(Error::Usage(format!(
                "{}: there is a path `{}` already; choose another name",
                file.display(),
                path.name()
            )));
        }
        all.push(path);
    }
    Ok(all)
}

/// A way for requests to get from the client to the server.
pub trait Path: Send + Sync {
    /// The name on the command line and in results.
    fn name(&self) -> &str;

    /// Whether this machine can run it, as `settings` ask and with this workload.
    fn availability(&self, settings: &Settings, workload: Workload) -> Availability;

    /// The program that it starts and its version, if it is not this program.
    fn program(&self) -> Option<String> {
        None
    }

    /// The roles that hold the two ends of the TLS connection, if there is one.
    fn tls_ends(&self) -> Option<TlsEnds>;

    /// Whether the provider under test does its cryptography.
    fn takes_provider(&self) -> bool {
        self.tls_ends().is_some_and(|ends| ends.tells == Tells::OwnEnds)
    }

    /// Who protects the records of client and server.
    fn records(&self) -> Records {
        Records::User
    }

    /// Starts the hops between client and server, and tells where the client connects to.
    fn start<'a>(&'a self, ground: &'a Ground<'a>, server: SocketAddr) -> Starting<'a>;
}

/// The future of [`Path::start`].
pub type Starting<'a> = Pin<Box<dyn Future<Output = Result<Hops, Error>> + 'a>>;

/// Whether a path can run, and if not, why and what would make it run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Availability {
    /// It can.
    Available,
    /// It can't.
    Unavailable {
        /// What is missing.
        reason: String,
        /// What would make it run.
        fix: String,
    },
}

impl Availability {
    /// Whether the path can run.
    pub fn is_available(&self) -> bool {
        *self == Self::Available
    }
}

/// What the ends of TLS tell of their handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// Everything, as each one is made: both are this program.
    OwnEnds,
    /// Both ends of others count each as it is made.
    BothEnds,
    /// The accepting end counts each as it is made.
    ServerEnd,
    /// The accepting end tells of each once its connection has ended.
    ServerEndAtClose,
    /// Nothing.
    Nothing,
}

/// Names of the roles that originate and terminate TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsEnds {
    /// The role that makes the TLS connection.
    pub client: &'static str,
    /// The role that accepts it.
    pub server: &'static str,
    /// How what they negotiate is known.
    pub tells: Tells,
}

impl TlsEnds {
    /// Whether hops between client and server speak TLS, and not client and server themselves.
    pub fn in_hops(self) -> bool {
        self.client != "generator" || self.server != "server"
    }
}

/// The machine that a role stands for; both are this one, on CPUs of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Node {
    /// Where the client runs.
    Client,
    /// Where the server runs.
    Server,
}

/// What a path needs to start its hops.
pub struct Ground<'a> {
    /// How the run is made.
    pub settings: &'a Settings,
    /// Credentials of both ends.
    pub pki: &'a Pki,
    /// Who does the cryptography.
    pub provider: ProviderName,
    /// Which handshakes whoever originates TLS makes.
    pub mix: HandshakeMix,
}

impl Ground<'_> {
    /// The end of TLS that originates.
    pub fn client_end(&self) -> TlsEnd {
        let population = self.pki.client_issuer.as_ref().map(|issuer| Population {
            issuer: issuer.clone(),
            identities: self.settings.identities,
            seed: self.settings.seed,
        });
        let renewal = self.pki.renewal.as_ref().map(|[client, _]| client);
        TlsEnd { population, ..self.end(&self.pki.client, renewal) }
    }

    /// The end of TLS that terminates.
    pub fn server_end(&self) -> TlsEnd {
        self.end(&self.pki.server, self.pki.renewal.as_ref().map(|[_, server]| server))
    }

    fn end(&self, credentials: &Credentials, renewal: Option<&Renewal>) -> TlsEnd {
        let rotation = renewal.zip(self.settings.rotate_s);
        TlsEnd {
            provider: self.provider,
            parameters: self.settings.tls.clone(),
            records: Records::User,
            credentials: credentials.clone(),
            population: None,
            workload_api: self.settings.identity.endpoint().map(str::to_owned),
            rotation: rotation
                .map(|(renewal, period_s)| Rotation { renewal: renewal.clone(), period_s }),
        }
    }
}

impl Node {
    /// The node of a role: the names of roles on the server's node begin with `server`.
    pub fn of(role: &str) -> Self {
        if role.starts_with("server") { Self::Server } else { Self::Client }
    }
}

/// The processes between client and server.
pub struct Hops {
    /// Each under a name that says its [`Node`].
    pub roles: Vec<Role>,
    /// Where the client connects to.
    pub entry: SocketAddr,
}

/// The path of this name among `all`.
///
/// # Errors
/// An unknown name; the message lists the known ones.
pub fn named(all: &[Arc<dyn Path>], name: &str) -> Result<Arc<dyn Path>, Error> {
    all.iter().find(|path| path.name() == name).cloned().ok_or_else(|| Error::UnknownName {
        what: "path",
        name: name.to_owned(),
        known: all.iter().map(|path| path.name()).collect::<Vec<_>>().join(", "),
    })
}
