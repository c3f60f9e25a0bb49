//! `offload` as a service sets it up: a SPIFFE identity that may rotate, a policy of who may call, chains that are
//! verified once, and sessions that are judged before they resume.
//!
//! What [`MtlsConfig`](rustls_offload::identity::MtlsConfig) puts together, from its parts: a measurement also fixes
//! the protocol version and the number of tickets, and reads the counters of the caches.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};
use rustls_offload::identity::{Credentials, Svid, WorkloadIdentity};
use rustls_offload::resume::{ChainJudge, KeyRing, ServerResumption};
use rustls_offload::verify::policy::{AuthorizingClientVerifier, Callers, Policy, Rule};
use rustls_offload::verify::spiffe::{ExpectedServer, SpiffeId, TrustBundle, TrustDomain};
use serde::{Deserialize, Serialize};

use super::accounts::{Accounts, Rotations};
use super::agent;
use super::config::{Configs, Side, TlsEnd};
use super::provider;
use crate::Error;
use crate::pki::{self, ExpectedPeer, Renewal, TRUST_DOMAIN};
use crate::rhythm::Rhythm;
use crate::settings::KeyType;

/// How long a ticket key seals: longer than any measurement.
const KEY_PERIOD: Duration = Duration::from_secs(6 * 3600);

/// How one end's certificate and trust bundle are replaced while it is used.
#[derive(Clone, Serialize, Deserialize)]
pub struct Rotation {
    /// Makes the next certificate.
    pub renewal: Renewal,
    /// From one to the next, in seconds; both ends rotate at the same moments.
    pub period_s: f64,
}

type Version = &'static SupportedProtocolVersion;

/// A client that presents its identity, expects the server's, and keeps no sessions.
pub(super) fn client(
    end: &TlsEnd,
    provider: Arc<CryptoProvider>,
    version: Version,
) -> Result<Side<ClientConfig>, Error> {
    let (identity, rotations) = identity(end, &provider)?;
    let expected = named(end).unwrap_or_else(|| Ok(SpiffeId::new(&pki::server_id())?))?;
    let verifier = identity.server_verifier(ExpectedServer::Id(expected));
    let chains = verifier.clone();
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(identity);
    config.resumption = Resumption::disabled();
    let chain_cache = Some(Box::new(move || chains.metrics()) as _);
    Ok(Side { config, accounts: Accounts { chain_cache, resumption: None, rotations } })
}

/// A server that lets in whom it expects, or else who is of the trust domain, by full handshakes and by judged sessions.
pub(super) fn server(
    end: &TlsEnd,
    provider: Arc<CryptoProvider>,
    version: Version,
) -> Result<Side<Configs>, Error> {
    let (identity, rotations) = identity(end, &provider)?;
    let callers = match named(end) {
        Some(id) => Rule::Id(id?),
        None => Rule::TrustDomain(domain()?),
    };
    let policy = Policy::builder().allow(callers).build();
    let (chains, callers) = (identity.client_verifier().clone(), Callers::new(policy));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])?
        .with_client_cert_verifier(AuthorizingClientVerifier::new(chains.clone(), callers.clone()))
        .with_cert_resolver(identity);
    config.send_tls13_tickets = end.parameters.tickets;
    let judge = ChainJudge::new(chains.clone()).authorize(move |peer| callers.may_call(peer));
    // tickets are sealed by the whole provider: the measured suite need not be fit for it
    let keys = KeyRing::random(&provider::build(end.provider)?.provider, KEY_PERIOD)?;
    let resumption = ServerResumption::builder("mtls-bench", config, Arc::new(judge));
    let resumption = Arc::new(resumption.tickets(keys)?);
    let judged = resumption.clone();
    let accounts = Accounts {
        chain_cache: Some(Box::new(move || chains.metrics())),
        resumption: Some(Box::new(move || judged.metrics())),
        rotations,
    };
    Ok(Side { config: Configs::Own(resumption), accounts })
}

/// The only peer that an end knows by name, if there is one.
fn named(end: &TlsEnd) -> Option<Result<SpiffeId, Error>> {
    match &end.credentials.peer {
        ExpectedPeer::Named { spiffe_id } => Some(SpiffeId::new(spiffe_id).map_err(Error::from)),
        ExpectedPeer::Only { .. } | ExpectedPeer::IssuedUnder { .. } => None,
    }
}

/// The identity of this end, which rotates by itself if it is to, or as the Workload API says.
fn identity(
    end: &TlsEnd,
    provider: &Arc<CryptoProvider>,
) -> Result<(Arc<WorkloadIdentity>, Option<Arc<Rotations>>), Error> {
    if let Some(endpoint) = &end.workload_api {
        let (identity, rotations) = agent::identity(endpoint, provider)?;
        return Ok((identity, Some(rotations)));
    }
    let root = end.credentials.root()?;
    let first = Svid::new(end.credentials.chain()?, end.credentials.key()?, provider)?;
    let identity = WorkloadIdentity::new(provider, credentials(first, [root.clone()])?)?;
    let Some(rotation) = end.rotation.clone() else { return Ok((identity, None)) };
    let rotations = Arc::new(Rotations::default());
    let rotating = Rotating {
        identity: Arc::downgrade(&identity),
        provider: provider.clone(),
        root,
        key_type: end.parameters.key_type,
        renewal: rotation.renewal,
        rotations: rotations.clone(),
    };
    let rhythm = Rhythm::new(Duration::from_secs_f64(rotation.period_s))?;
    thread::Builder::new()
        .name("rotation".to_owned())
        .spawn(move || rotating.go_on(rhythm))
        .map_err(Error::io("starting a rotation thread"))?;
    Ok((identity, Some(rotations)))
}

/// What a thread needs to replace an identity's credentials for as long as there is an identity.
struct Rotating {
    identity: Weak<WorkloadIdentity>,
    provider: Arc<CryptoProvider>,
    root: CertificateDer<'static>,
    key_type: KeyType,
    renewal: Renewal,
    rotations: Arc<Rotations>,
}

impl Rotating {
    fn go_on(&self, rhythm: Rhythm) {
        loop {
            // made beforehand: what is measured is the replacement
            let next = self.next();
            thread::sleep(rhythm.until_beat(Instant::now()));
            let Some(identity) = self.identity.upgrade() else { return };
            let replaced = next.and_then(|next| Ok(identity.replace(next)?));
            self.rotations.record(replaced.map_err(|error| error.to_string()));
        }
    }

    /// A new key and certificate, and a bundle with a root that was not in it before.
    fn next(&self) -> Result<Credentials, Error> {
        let renewed = self.renewal.renew()?;
        let svid = Svid::new(renewed.chain, renewed.key, &self.provider)?;
        credentials(svid, [self.root.clone(), pki::spare_root(self.key_type)?])
    }
}

fn credentials<const N: usize>(
    svid: Svid,
    roots: [CertificateDer<'static>; N],
) -> Result<Credentials, Error> {
    Ok(Credentials { svid, bundles: vec![TrustBundle::new(domain()?, roots)] })
}

fn domain() -> Result<TrustDomain, Error> {
    Ok(TrustDomain::new(TRUST_DOMAIN)?)
}
