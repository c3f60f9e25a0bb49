//! Who may call, asked in full handshakes, resumptions and of connections that are up.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use rustls::server::{NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ClientConfig, Error, ServerConfig, SupportedProtocolVersion};
use rustls_offload::verify::policy::{
    AuthorizingClientVerifier, Callers, Policy, PolicyBuilder, Rule,
};
use rustls_offload::verify::spiffe::{
    ExpectedServer, SpiffeClientVerifier, SpiffeId, SpiffeServerVerifier, TrustDomain,
};
use rustls_offload::verify::{CachingClientVerifier, CachingServerVerifier};

use super::common::pair::Pair;
use super::domain::{Domain, bundles, provider};

const WEB: &str = "spiffe://one.test/ns/shop/sa/web";
const DB: &str = "spiffe://one.test/ns/shop/sa/db";

fn id(uri: &str) -> SpiffeId {
    SpiffeId::new(uri).unwrap()
}

fn only(uri: &str) -> Policy {
    Policy::builder().allow(Rule::Id(id(uri))).build()
}

fn nobody() -> Policy {
    Policy::builder().build()
}

/// A server that asks `callers`, and a client that is [`WEB`].
struct Ends {
    chains: Arc<CachingClientVerifier>,
    callers: Arc<Callers>,
    server: ServerConfig,
    servers: Arc<CachingServerVerifier>,
    client: Arc<ClientConfig>,
}

impl Ends {
    fn new(version: &'static SupportedProtocolVersion, policy: Policy) -> Self {
        let one = Domain::new("one.test");
        let (web, db) = (one.svid(WEB), one.svid(DB));
        let trusted = || bundles([one.bundle()]);
        let chains = CachingClientVerifier::new(Arc::new(SpiffeClientVerifier::new(trusted())));
        let callers = Callers::new(policy);
        let verifier = AuthorizingClientVerifier::new(chains.clone(), callers.clone());
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(db.chain, db.key)
            .unwrap();
        // rustls's own would resume without asking anyone
        server.session_storage = Arc::new(NoServerSessionStorage {});
        let servers = SpiffeServerVerifier::new(trusted(), ExpectedServer::Id(id(DB)));
        let servers = CachingServerVerifier::new(Arc::new(servers));
        let client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(servers.clone())
            .with_client_auth_cert(web.chain, web.key)
            .unwrap();
        Self { chains, callers, server, servers, client: Arc::new(client) }
    }

    fn connect(&self) -> Result<(), String> {
        Pair::connect(&self.client, &Arc::new(self.server.clone())).map(drop)
    }
}

fn refused(outcome: Result<(), String>) {
    let error = outcome.unwrap_err();
    assert!(
        error.contains("server: ") && error.contains("ApplicationVerificationFailure"),
        "{error}"
    );
}

#[test]
fn the_policy_of_the_moment_decides_in_every_full_handshake() {
    for version in [&TLS12, &TLS13] {
        let ends = Ends::new(version, nobody());
        refused(ends.connect());
        ends.callers.replace(only(WEB));
        ends.connect().unwrap();
        ends.connect().unwrap();
        assert_eq!(ends.chains.metrics().hits, 2, "the chain was verified once, for the refusal");
        let domain = Rule::TrustDomain(TrustDomain::new("one.test").unwrap());
        ends.callers.replace(Policy::builder().allow(domain).deny(Rule::Id(id(WEB))).build());
        refused(ends.connect());
        assert_eq!(ends.callers.refused(), 2);
    }
}

/// RFC 8446, section 6.2.
#[test]
fn who_may_not_call_is_told_access_denied() {
    let ends = Ends::new(&TLS13, nobody());
    let name = "localhost".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(ends.client.clone(), name).unwrap();
    let mut server = rustls::ServerConnection::new(Arc::new(ends.server)).unwrap();
    let told = loop {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut &wire[..]).unwrap();
        // the alert is what is asked about
        let _refusal = server.process_new_packets();
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut unread = &wire[..];
        while !unread.is_empty() {
            client.read_tls(&mut unread).unwrap();
        }
        if let Err(error) = client.process_new_packets() {
            break error;
        }
    };
    assert_eq!(told, Error::AlertReceived(AlertDescription::AccessDenied));
}

/// Verifiers that do without a certificate, by choice of the client or altogether.
#[test]
fn who_shows_no_certificate_is_nobody_whom_a_rule_allows() {
    let domain = || Rule::TrustDomain(TrustDomain::new("one.test").unwrap());
    for version in [&TLS12, &TLS13] {
        let mut ends = Ends::new(version, Policy::builder().allow(domain()).build());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(Domain::new("any.test").authority().clone()).unwrap();
        let optional = WebPkiClientVerifier::builder_with_provider(roots.into(), provider())
            .allow_unauthenticated()
            .build()
            .unwrap();
        let anonymous = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(ends.servers.clone())
            .with_no_client_auth();
        let named = std::mem::replace(&mut ends.client, Arc::new(anonymous));
        ends.chains.replace(optional);
        let error = ends.connect().unwrap_err();
        assert!(error.contains("server: peer sent no certificates"), "{error}");
        ends.chains.replace(Arc::new(NoClientAuth));
        ends.connect().unwrap_err();
        ends.client = named;
        ends.connect().unwrap_err();
    }
}

#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#[test]
fn a_session_of_who_may_no_longer_call_does_not_resume() {
    use std::time::Duration;

    use rustls::HandshakeKind::{Full, Resumed};

    use rustls_offload::resume::{ChainJudge, KeyRing, Refusal, ServerResumption};

    for version in [&TLS12, &TLS13] {
        let ends = Ends::new(version, only(WEB));
        let callers = ends.callers.clone();
        let judge = ChainJudge::new(ends.chains).authorize(move |peer| callers.may_call(peer));
        let keys = KeyRing::random(&provider(), Duration::from_secs(3600)).unwrap();
        let server = ServerResumption::builder("orders", ends.server, Arc::new(judge));
        let server = server.tickets(keys).unwrap();
        let connect = || Pair::connect(&ends.client, &server.config());
        assert_eq!(connect().unwrap().server.handshake_kind(), Some(Full));
        assert_eq!(connect().unwrap().server.handshake_kind(), Some(Resumed));
        ends.callers.replace(only(DB));
        refused(connect().map(drop));
        assert_eq!(server.metrics().refused(Refusal::Unauthorized), 1);
    }
}

#[test]
fn connections_of_who_may_no_longer_call_are_told_to_go_and_no_others() {
    let callers =
        Callers::new(Policy::builder().allow(Rule::Below(id("spiffe://one.test/ns"))).build());
    let left = Arc::new(Mutex::new(Vec::new()));
    let admit = |uri: &str| {
        let (left, name) = (Arc::clone(&left), uri.to_owned());
        callers.admit(&id(uri), move || left.lock().unwrap().push(name)).unwrap()
    };
    let (web, other_web, db, ended) = (admit(WEB), admit(WEB), admit(DB), admit(WEB));
    drop(ended);
    assert_eq!(callers.connections(), 3);
    assert_eq!(callers.replace(only(DB)), 2);
    assert_eq!(*left.lock().unwrap(), [WEB, WEB]);
    assert_eq!(callers.connections(), 1);
    // told once, whatever comes later, and an ended connection is not told
    drop((web, other_web));
    drop(db);
    assert_eq!(callers.replace(nobody()), 0);
    assert_eq!(left.lock().unwrap().len(), 2);
    let error = callers.admit(&id(WEB), || ()).unwrap_err().to_string();
    assert!(error.contains(WEB) && error.contains("no rule allows it"), "{error}");
}

#[test]
fn a_connection_may_end_while_it_is_told_to_go() {
    let callers = Callers::new(only(WEB));
    let admission = Arc::new(Mutex::new(None));
    let own = Arc::clone(&admission);
    let admitted = callers.admit(&id(WEB), move || drop(own.lock().unwrap().take())).unwrap();
    *admission.lock().unwrap() = Some(admitted);
    assert_eq!(callers.replace(nobody()), 1);
    assert!(admission.lock().unwrap().is_none());
}

#[test]
fn a_connection_that_panics_on_being_told_keeps_no_other_one_in() {
    const IDS: usize = 40;
    let callers =
        Callers::new(Policy::builder().allow(Rule::Below(id("spiffe://one.test/ns"))).build());
    let told = Arc::new(AtomicUsize::new(0));
    let admissions: Vec<_> = (0..2 * IDS)
        .map(|number| {
            let told = Arc::clone(&told);
            let uri = format!("spiffe://one.test/ns/{}", number % IDS);
            let leave = move || {
                told.fetch_add(1, SeqCst);
                assert!(number >= IDS, "on purpose");
            };
            callers.admit(&id(&uri), leave).unwrap()
        })
        .collect();
    let replaced = std::panic::catch_unwind(AssertUnwindSafe(|| callers.replace(nobody())));
    assert!(replaced.is_err());
    assert_eq!((told.load(SeqCst), callers.connections()), (2 * IDS, 0));
    drop(admissions);
    assert_eq!(callers.replace(only(WEB)), 0, "and the next policy can come");
    assert!(callers.allows(&id(WEB)));
}

/// Connections are admitted while policies change: none slips through.
#[test]
fn who_is_admitted_while_the_policy_changes_is_told_or_refused() {
    const THREADS: usize = 4;
    const IDS: usize = 8;
    let all: Vec<_> = (0..IDS).map(|i| id(&format!("spiffe://one.test/{i}"))).collect();
    let allow = |ids: &[SpiffeId]| {
        ids.iter().cloned().map(Rule::Id).fold(Policy::builder(), PolicyBuilder::allow).build()
    };
    for _ in 0..50 {
        let callers = Callers::new(allow(&all));
        let (start, told) = (Barrier::new(THREADS + 1), AtomicUsize::new(0));
        let told = Arc::new(told);
        let admitted: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let mut admitted = Vec::new();
                        for id in all.iter().cycle().take(10 * IDS) {
                            let (gone, told) = (Arc::new(AtomicBool::new(false)), told.clone());
                            let flag = gone.clone();
                            let leave = move || {
                                flag.store(true, SeqCst);
                                told.fetch_add(1, SeqCst);
                            };
                            admitted.extend(callers.admit(id, leave).ok().map(|a| (a, gone)));
                        }
                        admitted
                    })
                })
                .collect();
            start.wait();
            let replaced = callers.replace(allow(&all[..IDS / 2]));
            let replaced = replaced + callers.replace(allow(&all[..IDS / 4]));
            let admitted = workers.into_iter().flat_map(|w| w.join().unwrap()).collect();
            assert_eq!(replaced, told.load(SeqCst));
            admitted
        });
        let may: HashSet<_> = all[..IDS / 4].iter().collect();
        for (admission, gone) in &admitted {
            assert_eq!(gone.load(SeqCst), !may.contains(admission.id()), "{admission:?}");
        }
        let connected = admitted.iter().filter(|(_, gone)| !gone.load(SeqCst)).count();
        assert_eq!(callers.connections(), connected);
    }
}
