//! Sidecars that are proxies of others, as they are deployed: one beside the client and one beside
//! the server, each as many workers as its node has CPUs, and mutual TLS 1.3 between them.
//!
//! A proxy is one small file here that implements `Proxy`, and one line in `proxies`: where its
//! program is, what it can't do, and its command and configuration for either side ([`Recipe`]).
//! What any other proxy needs can be given in a file instead ([`described`]). How they are run and
//! their handshakes counted is the supervisor's business ([`crate::role::external`]).
//!
//! What is equal to the other paths: protocol version, suite, group, the chains of two, tickets, client
//! certificate required, and whether handshakes resume. What a proxy can't be told is a reason not to
//! run it. Each accepts one peer only. Envoy compares the SPIFFE ID; HAProxy and nginx can't read a
//! URI from a certificate: their client side compares the DNS name and their server side the
//! fingerprint of the client's leaf, which there is only one of.

pub mod described;
mod envoy;
mod fit;
mod haproxy;
mod nginx;
mod programs;
pub mod values;

use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, OnceLock};

use super::{
    Availability, CLIENT_SIDECAR, Ground, Hops, Options, Path, SERVER_SIDECAR, Starting, Tells,
    TlsEnds,
};
use crate::Error;
use crate::role::Role;
use crate::role::external::recipe::Recipe;
use crate::role::external::{ExpectedOutcome, ExternalSpec};
use crate::role::protocol::RoleSpec;
use crate::settings::{HandshakeMix, Settings, Workload};

/// A kind of proxy.
pub(crate) trait Proxy: Send + Sync {
    /// The path's name.
    fn name(&self) -> &str;

    /// What it tells of its handshakes.
    fn tells(&self) -> Tells;

    /// Looks for its program, and whatever that needs.
    ///
    /// # Errors
    /// What is missing.
    fn find(&self) -> Result<Found, Lack>;

    /// What it can't do of what is asked, apart from what no proxy here can.
    ///
    /// # Errors
    /// Why, and what to ask for instead.
    fn fits(&self, settings: &Settings, workload: Workload) -> Result<(), Lack>;

    /// How `program` is run on one side.
    fn recipe(&self, program: &Found, side: Side, resumes: bool) -> Recipe;
}

/// A program that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it is.
    pub(crate) program: PathBuf,
    /// What it says of its version.
    pub(crate) version: String,
    /// A module that it must load.
    pub(crate) module: Option<PathBuf>,
}

/// Why a path can't run, and what would make it run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lack {
    reason: String,
    fix: String,
}

impl Lack {
    pub(crate) fn new(reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { reason: reason.into(), fix: fix.into() }
    }
}

/// On which side of the network a sidecar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Beside the client: plaintext in, mutual TLS out.
    Client,
    /// Beside the server: mutual TLS in, plaintext out.
    Server,
}

/// Every proxy that needs no description, in the order of the report.
fn proxies(options: &Options) -> Vec<Box<dyn Proxy>> {
    let envoy = |layer| Box::new(envoy::Envoy { layer, program: options.envoy.clone() });
    vec![
        envoy(envoy::Layer::Four),
        envoy(envoy::Layer::Seven),
        Box::new(haproxy::Haproxy),
        Box::new(nginx::Nginx),
    ]
}

/// The paths of [`proxies`].
pub(super) fn known(options: &Options) -> Vec<Arc<dyn Path>> {
    let path = |proxy| Arc::new(External::new(proxy)) as Arc<dyn Path>;
    proxies(options).into_iter().map(path).collect()
}

/// The proxy that `file` describes.
///
/// # Errors
/// When it can't be read or is wrong.
pub(super) fn described(file: &FilePath) -> Result<Arc<dyn Path>, Error> {
    Ok(Arc::new(External::new(Box::new(described::Described::read(file)?))))
}

/// One sidecar of the path called `name`, for tests that hold it against an end of TLS of our own.
///
/// # Errors
/// When there is no such proxy, or it can't run here.
pub fn sidecar(
    options: &Options,
    name: &str,
    ground: &Ground<'_>,
    side: Side,
    upstream: SocketAddr,
) -> Result<RoleSpec, Error> {
    let mut all = proxies(options);
    for file in &options.described {
        all.push(Box::new(described::Described::read(file)?));
    }
    let known = all.iter().map(|proxy| proxy.name()).collect::<Vec<_>>().join(", ");
    let proxy = all
        .into_iter()
        .find(|proxy| proxy.name() == name)
        .ok_or_else(|| Error::UnknownName { what: "proxy", name: name.to_owned(), known })?;
    External::new(proxy).spec(ground, side, upstream)
}

/// A path through a proxy on either side.
struct External {
    proxy: Box<dyn Proxy>,
    found: OnceLock<Result<Found, Lack>>,
}

impl External {
    fn new(proxy: Box<dyn Proxy>) -> Self {
        Self { proxy, found: OnceLock::new() }
    }

    /// Looks for the program the first time it is asked.
    fn found(&self) -> Result<&Found, &Lack> {
        self.found.get_or_init(|| self.proxy.find()).as_ref()
    }

    fn spec(
        &self,
        ground: &Ground<'_>,
        side: Side,
        upstream: SocketAddr,
    ) -> Result<RoleSpec, Error> {
        let found =
            self.found().map_err(|lack| Error::Proxy(format!("{}; {}", lack.reason, lack.fix)))?;
        let settings = ground.settings;
        let resumes = ground.mix == HandshakeMix::Resumed;
        let (credentials, cpus) = match side {
            Side::Client => (&ground.pki.client, &settings.client_cpus),
            Side::Server => (&ground.pki.server, &settings.server_cpus),
        };
        Ok(RoleSpec::External(Box::new(ExternalSpec {
            name: self.proxy.name().to_owned(),
            cpus: cpus.clone(),
            ip: upstream.ip(),
            recipe: self.proxy.recipe(found, side, resumes),
            values: values::of(settings, credentials, cpus.len(), upstream)?,
            credentials: credentials.clone(),
            expected: ExpectedOutcome {
                protocol: "TLSv1_3".to_owned(),
                suite: settings.tls.suite.clone(),
                group: settings.tls.group.clone(),
                peer: credentials.peer.name(),
                means_to_resume: resumes && side == Side::Client,
            },
        })))
    }
}

impl Path for External {
    fn name(&self) -> &str {
        self.proxy.name()
    }

    fn availability(&self, settings: &Settings, workload: Workload) -> Availability {
        let fits = self
            .found()
            .cloned()
            .map_err(Lack::clone)
            .and_then(|_| fit::fits(settings, workload))
            .and_then(|()| self.proxy.fits(settings, workload));
        match fits {
            Ok(()) => Availability::Available,
            Err(Lack { reason, fix }) => Availability::Unavailable { reason, fix },
        }
    }

    fn program(&self) -> Option<String> {
        self.found().ok().map(|found| format!("{}: {}", found.program.display(), found.version))
    }

    fn tls_ends(&self) -> Option<TlsEnds> {
        let tells = self.proxy.tells();
        Some(TlsEnds { client: CLIENT_SIDECAR, server: SERVER_SIDECAR, tells })
    }

    fn start<'a>(&'a self, ground: &'a Ground<'a>, server: SocketAddr) -> Starting<'a> {
        Box::pin(async move {
            let terminating = self.spec(ground, Side::Server, server)?;
            let terminating = Role::start(SERVER_SIDECAR, &terminating).await?;
            let originating = self.spec(ground, Side::Client, terminating.address()?)?;
            let originating = Role::start(CLIENT_SIDECAR, &originating).await?;
            let entry = originating.address()?;
            Ok(Hops { roles: vec![originating, terminating], entry })
        })
    }
}
