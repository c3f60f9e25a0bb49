//! An identity from the SPIFFE Workload API: one connection a process, followed until the process ends.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls_offload::identity::{IdentityError, WorkloadApi, WorkloadIdentity};
use tokio::runtime::Builder;

use super::accounts::Rotations;
use crate::Error;

/// How long the API may take to say who we are.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often its counters are read.
const LOOK: Duration = Duration::from_millis(50);

/// An identity, and how often the API replaced it.
pub(super) type Followed = (Arc<WorkloadIdentity>, Arc<Rotations>);

/// The identity that the API at `endpoint` gives this process. The first call decides the provider that its keys
/// are used with.
///
/// # Errors
/// When the API can't be reached, or has no identity for this process.
pub(super) fn identity(endpoint: &str, provider: &Arc<CryptoProvider>) -> Result<Followed, Error> {
    static FOLLOWED: Mutex<Option<Followed>> = Mutex::new(None);
    let mut followed = FOLLOWED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = &*followed {
        return Ok(known.clone());
    }
    let new = start(endpoint.to_owned(), provider.clone())?;
    Ok(followed.insert(new).clone())
}

/// The name of the workload that the API at `endpoint` takes this process for.
///
/// # Errors
/// As those of connecting to it, and when the identity has expired.
pub fn workload_id(endpoint: &str) -> Result<String, Error> {
    let (identity, _) = identity(endpoint, &Arc::new(rustls_offload::default_provider()))?;
    let svid = identity.svid();
    svid.map(|svid| svid.id().to_string()).ok_or_else(|| {
        Error::Usage(format!("the identity that {endpoint} gives has expired; see to its issuer"))
    })
}

fn start(endpoint: String, provider: Arc<CryptoProvider>) -> Result<Followed, Error> {
    let rotations = Arc::new(Rotations::default());
    let (tell, told) = mpsc::channel();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("starting the runtime of the Workload API"))?;
    let counted = rotations.clone();
    thread::Builder::new()
        .name("workload-api".to_owned())
        .spawn(move || runtime.block_on(follow(&endpoint, &provider, &counted, tell)))
        .map_err(Error::io("starting the thread of the Workload API"))?;
    let ended = |_| Error::io("following the Workload API")(std::io::Error::other("it panicked"));
    Ok((told.recv().map_err(ended)??, rotations))
}

async fn follow(
    endpoint: &str,
    provider: &Arc<CryptoProvider>,
    rotations: &Rotations,
    tell: Sender<Result<Arc<WorkloadIdentity>, IdentityError>>,
) {
    let connected = WorkloadApi::connect(provider, Some(endpoint), PATIENCE).await;
    let (outcome, api) = match connected {
        Ok((identity, api)) => (Ok(identity), Some(api)),
        Err(error) => (Err(error), None),
    };
    // whoever asked is gone only if the process ends
    let _gone = tell.send(outcome);
    let Some(api) = api else { return };
    loop {
        rotations.set(api.rotations(), api.problem().map(|problem| problem.to_string()));
        tokio::time::sleep(LOOK).await;
    }
}
