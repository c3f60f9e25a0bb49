//! Credentials from a Workload API that rotates, stalls, restarts, talks nonsense and withdraws.

#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]

#[path = "../../../identity/domain.rs"]
#[allow(dead_code)] // other tests need more of it
mod domain;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use domain::{Domain, provider};
use rustls_offload::identity::{IdentityError, WorkloadApi, WorkloadIdentity};
use tempfile::TempDir;
use tokio::sync::watch;
use tonic::Status;
use workload_api_tests::{Answer, Api, Calls, X509Svid, X509SvidResponse};

const WEB: &str = "spiffe://one.test/web";
const DB: &str = "spiffe://one.test/db";

/// `id`, and the bundles of both domains.
fn answer(id: &str, own: &Domain, foreign: &Domain) -> Answer {
    // the crate wants to be told that a leaf is no authority, as SPIRE's leaves do
    let identity = own.issue(&[id], |leaf| leaf.is_ca = rcgen::IsCa::ExplicitNoCa);
    let svid = X509Svid {
        spiffe_id: id.to_owned(),
        x509_svid: identity.chain.iter().flat_map(|der| der.to_vec()).collect(),
        x509_svid_key: identity.key.secret_der().to_vec(),
        bundle: own.authority().to_vec(),
    };
    let federated = ("spiffe://two.test".to_owned(), foreign.authority().to_vec());
    Ok(X509SvidResponse { svids: vec![svid], crl: vec![], federated_bundles: [federated].into() })
}

struct Agent {
    own: Domain,
    foreign: Domain,
    socket: PathBuf,
    answers: watch::Sender<Answer>,
    api: Option<Api>,
    calls: Calls,
    _folder: TempDir,
}

impl Agent {
    fn new() -> Self {
        let (own, foreign) = (Domain::new("one.test"), Domain::new("two.test"));
        let folder = TempDir::new().unwrap();
        let answers = watch::Sender::new(answer(WEB, &own, &foreign));
        let socket = folder.path().join("agent.sock");
        let calls = Calls::default();
        let api = Some(Api::serve(&socket, answers.subscribe(), calls.clone()));
        Self { own, foreign, socket, answers, api, calls, _folder: folder }
    }

    fn say(&self, id: &str) {
        let _old = self.answers.send_replace(answer(id, &self.own, &self.foreign));
    }

    fn restart(&mut self) {
        self.api = None;
        self.api = Some(Api::serve(&self.socket, self.answers.subscribe(), self.calls.clone()));
    }

    async fn connect(&self) -> Result<(Arc<WorkloadIdentity>, WorkloadApi), IdentityError> {
        let endpoint = format!("unix://{}", self.socket.display());
        WorkloadApi::connect(&provider(), Some(&endpoint), Duration::from_secs(30)).await
    }
}

/// Waits for what the API's message is to lead to.
#[track_caller]
fn until(what: &'static str, holds: impl Fn() -> bool) -> impl Future<Output = ()> {
    let wait = async move {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let caller = std::panic::Location::caller();
    async move {
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        waited.unwrap_or_else(|_| panic!("{caller}: {what}: not within a minute"));
    }
}

fn is(identity: &WorkloadIdentity, id: &str) -> bool {
    identity.svid().is_some_and(|svid| svid.id().as_str() == id)
}

#[tokio::test]
async fn what_the_api_has_is_in_force_and_what_it_comes_to_have() {
    let agent = Agent::new();
    let (identity, api) = agent.connect().await.unwrap();
    assert!(is(&identity, WEB));
    let trust = identity.client_verifier().generation();
    let foreign = agent.foreign.svid("spiffe://two.test/web");
    let now = rustls::pki_types::UnixTime::now();
    identity.client_verifier().verify_peer(&foreign.chain[0], &[], now).unwrap();
    for id in [DB, WEB, DB] {
        agent.say(id);
        until("rotated", || is(&identity, id)).await;
    }
    assert_eq!(identity.client_verifier().generation(), trust, "the same bundles");
    // a message is all there is: the foreign bundle is no longer among it
    agent.answers.send_modify(|answer| {
        answer.as_mut().unwrap().federated_bundles.clear();
    });
    until("withdrawn", || identity.client_verifier().generation() > trust).await;
    identity.client_verifier().verify_peer(&foreign.chain[0], &[], now).unwrap_err();
    assert!(api.rotations() >= 4 && api.problem().is_none());
}

#[tokio::test]
async fn an_api_that_restarts_is_found_again_and_nothing_is_lost_meanwhile() {
    let mut agent = Agent::new();
    let (identity, _api) = agent.connect().await.unwrap();
    agent.api = None;
    agent.say(DB);
    tokio::task::yield_now().await;
    assert!(is(&identity, WEB));
    agent.restart();
    until("found again", || is(&identity, DB)).await;
}

#[tokio::test]
async fn what_makes_no_sense_changes_nothing() {
    let agent = Agent::new();
    let (identity, _api) = agent.connect().await.unwrap();
    let spoil: [fn(&mut X509SvidResponse); 4] = [
        |answer| answer.svids[0].x509_svid = vec![1, 2, 3],
        |answer| answer.svids[0].x509_svid_key.truncate(20),
        |answer| answer.svids[0].bundle = vec![0x30, 0],
        |answer| answer.svids[0].spiffe_id.clear(),
    ];
    for spoil in spoil {
        let mut nonsense = answer(DB, &agent.own, &agent.foreign).unwrap();
        spoil(&mut nonsense);
        let asked = agent.calls.load(SeqCst);
        let _old = agent.answers.send_replace(Ok(nonsense));
        // it was read, and given up for another try, which reads it again
        until("asked again", || agent.calls.load(SeqCst) > asked).await;
        assert!(is(&identity, WEB));
    }
    agent.say(DB);
    until("mended", || is(&identity, DB)).await;
}

/// What the message calls it is not looked at: peers see the certificate.
#[tokio::test]
async fn an_identity_is_the_one_in_its_certificate() {
    let agent = Agent::new();
    let (identity, _api) = agent.connect().await.unwrap();
    let mut misnamed = answer(DB, &agent.own, &agent.foreign).unwrap();
    misnamed.svids[0].spiffe_id = "spiffe://one.test/admin".to_owned();
    let _old = agent.answers.send_replace(Ok(misnamed));
    until("rotated", || is(&identity, DB)).await;
}

/// The crate does not compare key and certificate; a pair that does not belong together must not get in.
#[tokio::test]
async fn the_key_of_another_certificate_is_a_problem_that_is_told() {
    let agent = Agent::new();
    let (identity, api) = agent.connect().await.unwrap();
    let mut mixed = answer(DB, &agent.own, &agent.foreign).unwrap();
    mixed.svids[0].x509_svid_key = agent.own.svid(DB).key.secret_der().to_vec();
    let _old = agent.answers.send_replace(Ok(mixed));
    until("told", || api.problem().is_some()).await;
    assert!(matches!(*api.problem().unwrap(), IdentityError::Mismatch));
    assert!(is(&identity, WEB));
    agent.say(DB);
    until("mended", || is(&identity, DB) && api.problem().is_none()).await;
}

/// SPIFFE Workload API, 5: `PermissionDenied` says that there is no identity for this workload.
#[tokio::test]
async fn an_identity_that_is_denied_is_withdrawn_and_can_come_back() {
    let agent = Agent::new();
    let (identity, _api) = agent.connect().await.unwrap();
    let _old = agent.answers.send_replace(Err(Status::permission_denied("no identity issued")));
    until("withdrawn", || identity.svid().is_none()).await;
    let web = agent.own.svid(WEB);
    let now = rustls::pki_types::UnixTime::now();
    identity.client_verifier().verify_peer(&web.chain[0], &[], now).unwrap_err();
    agent.say(DB);
    until("back", || is(&identity, DB)).await;
}

#[tokio::test]
async fn an_api_that_says_nothing_is_not_waited_for_for_ever() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("silent.sock");
    let _silent = tokio::net::UnixListener::bind(&socket).unwrap();
    let endpoint = format!("unix://{}", socket.display());
    let patience = Duration::from_millis(200);
    let error = WorkloadApi::connect(&provider(), Some(&endpoint), patience).await.unwrap_err();
    assert!(error.to_string().contains("initial synchronization timed out"), "{error}");
    let error = WorkloadApi::connect(&provider(), Some("tcp:nowhere"), patience).await.unwrap_err();
    assert!(error.to_string().contains("SPIFFE_ENDPOINT_SOCKET"), "{error}");
}
