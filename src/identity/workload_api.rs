//! Credentials from the SPIFFE Workload API, as SPIRE's agent and service meshes serve it on a Unix socket.
//!
//! The protocol is the crate `spiffe`'s: the stream of `FetchX509SVID`, connected again with exponential back-off
//! when it breaks. Each message is the whole state (SPIFFE Workload API, 5.2.1): what it leaves out is
//! withdrawn, and so is everything when the API denies this workload. A socket that can't be reached, or a message
//! that makes no sense, changes nothing, and is not told by [`WorkloadApi::problem`]: the credentials in force
//! stay until they expire.
//!
//! **The API's CRLs are not used**, for the crate drops them: whom only they revoke stays trusted until the
//! certificate expires. Where that matters, deny the identity by [policy](crate::verify::policy).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use spiffe::x509_source::X509SourceState;
use spiffe::{X509Bundle, X509Source, X509SourceBuilder, X509Svid, workload_api::endpoint};
use tokio::task::JoinHandle;

use super::status::Status;
use super::{Credentials, IdentityError, Svid, WorkloadIdentity};
use crate::verify::spiffe::{TrustBundle, TrustDomain};

/// Follows the Workload API until it is dropped.
#[must_use = "the API is no longer followed once this is dropped"]
pub struct WorkloadApi {
    status: Status,
    following: JoinHandle<()>,
}

impl WorkloadApi {
    /// Connects to the API at `endpoint` (`unix:///run/spire/agent.sock`), or where `SPIFFE_ENDPOINT_SOCKET` says, and
    /// puts in force what it has for this workload: of several identities the first, which is the default
    /// (SPIFFE Workload API, 5.3). Runs on the Tokio runtime that it is called on.
    ///
    /// # Errors
    /// [`IdentityError::WorkloadApi`] if there is no endpoint, or no identity within `patience`; those of
    /// [`WorkloadIdentity::new`].
    pub async fn connect(
        provider: &Arc<CryptoProvider>,
        endpoint: Option<&str>,
        patience: Duration,
    ) -> Result<(Arc<WorkloadIdentity>, Self), IdentityError> {
        let builder = X509SourceBuilder::new().initial_sync_timeout(patience);
        let builder = match endpoint {
            Some(endpoint) => builder.endpoint(endpoint),
            None => {
                // otherwise that the variable is missing would come out as a lack of patience
                endpoint::from_env().map_err(unreachable)?;
                builder
            }
        };
        let source = builder.build().await.map_err(unreachable)?;
        let mut updates = source.updated();
        let identity = WorkloadIdentity::new(provider, credentials(&source.state(), provider)?)?;
        let status = Status::default();
        let (followed, told, provider) =
            (Arc::clone(&identity), status.clone(), Arc::clone(provider));
        let following = tokio::spawn(async move {
            while updates.changed().await.is_ok() {
                told.record(follow(&source, &followed, &provider).map(|()| true));
            }
        });
        Ok((identity, Self { status, following }))
    }

    /// How often new credentials came into force since the first, or were withdrawn.
    pub fn rotations(&self) -> u64 {
        self.status.rotations()
    }

    /// Why the API's last state could not be put in force, if so. The credentials from before are in force.
    pub fn problem(&self) -> Option<Arc<IdentityError>> {
        self.status.problem()
    }
}

fn unreachable(error: impl fmt::Display) -> IdentityError {
    IdentityError::WorkloadApi { why: error.to_string() }
}

fn follow(
    source: &X509Source,
    identity: &WorkloadIdentity,
    provider: &CryptoProvider,
) -> Result<(), IdentityError> {
    let state = source.state();
    if state.context().is_err() || state.svid().is_err() {
        identity.withdraw();
        return Ok(());
    }
    identity.replace(credentials(&state, provider)?)
}

fn credentials(
    state: &X509SourceState,
    provider: &CryptoProvider,
) -> Result<Credentials, IdentityError> {
    let context = state.context().map_err(unreachable)?;
    let svid = svid(&*state.svid().map_err(unreachable)?, provider)?;
    let bundles = context.bundle_set().iter().map(|(_, found)| bundle(found));
    let mut bundles = bundles.collect::<Result<Vec<_>, _>>()?;
    // so that the same bundles are seen to be the same
    bundles.sort_by(|a, b| a.domain().cmp(b.domain()));
    Ok(Credentials { svid, bundles })
}

fn svid(svid: &X509Svid, provider: &CryptoProvider) -> Result<Svid, IdentityError> {
    let chain = svid.cert_chain().iter().map(|der| CertificateDer::from(der.as_bytes().to_vec()));
    let key = PrivatePkcs8KeyDer::from(svid.private_key().as_bytes().to_vec());
    Svid::new(chain.collect(), key.into(), provider)
}

fn bundle(bundle: &X509Bundle) -> Result<TrustBundle, IdentityError> {
    let domain = TrustDomain::new(bundle.trust_domain().as_str()).map_err(IdentityError::Bundle)?;
    let authorities = bundle.authorities().iter();
    Ok(TrustBundle::new(domain, authorities.map(|der| der.as_bytes().to_vec().into())))
}

impl Drop for WorkloadApi {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl fmt::Debug for WorkloadApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WorkloadApi").field(&self.status).finish()
    }
}
