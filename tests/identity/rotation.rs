//! Rotation of certificates and authorities under load: no handshake fails, nothing that has expired is used, and
//! sessions go on resuming.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rcgen::date_time_ymd;
use rustls::ClientConfig;
use rustls::HandshakeKind::{self, Full, Resumed};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls_offload::identity::{Credentials, Mtls, MtlsConfig, Svid, WorkloadIdentity};
use rustls_offload::verify::policy::{Policy, Rule};
use rustls_offload::verify::spiffe::{ExpectedServer, SpiffeId, TrustBundle, TrustDomain};

use super::common::pair::Pair;
use super::domain::{Domain, provider};

const WEB: &str = "spiffe://one.test/web";
const DB: &str = "spiffe://one.test/db";

/// Seconds for which a certificate is valid: less than the test takes, more than a rotation does.
const VALID: u64 = 5;

/// Connections between two rotations.
const CONNECTIONS: usize = 20;

fn domain() -> TrustDomain {
    TrustDomain::new("one.test").unwrap()
}

fn policy() -> Policy {
    Policy::builder().allow(Rule::TrustDomain(domain())).build()
}

/// `id`, issued by `issuer` for so many seconds, trusting all of `authorities`.
fn credentials(id: &str, issuer: &Domain, authorities: &[&Domain], seconds: u64) -> Credentials {
    let end = Duration::from_secs(UnixTime::now().as_secs() + seconds);
    let identity = issuer.issue(&[id], |leaf| leaf.not_after = date_time_ymd(1970, 1, 1) + end);
    let svid = Svid::new(identity.chain, identity.key, &provider()).unwrap();
    let roots = authorities.iter().map(|domain| domain.authority().clone());
    Credentials { svid, bundles: vec![TrustBundle::new(domain(), roots)] }
}

/// A server, and a client that calls it.
struct Service {
    web: Arc<WorkloadIdentity>,
    db: Arc<WorkloadIdentity>,
    server: Mtls,
    client: Arc<ClientConfig>,
    /// Whose each leaf is, and until when it is valid.
    issued: Mutex<HashMap<CertificateDer<'static>, (String, UnixTime)>>,
}

impl Service {
    fn new(authority: &Domain) -> Self {
        let (web, db) =
            (WorkloadIdentity::absent(&provider()), WorkloadIdentity::absent(&provider()));
        let mtls = |identity: &Arc<WorkloadIdentity>| {
            MtlsConfig::new(provider(), identity.clone()).policy(policy()).alpn(["h2"]).build("s")
        };
        let expected = ExpectedServer::Id(SpiffeId::new(DB).unwrap());
        let client = mtls(&web).unwrap().client(expected).unwrap();
        let server = mtls(&db).unwrap();
        let service = Self { server, client, web, db, issued: Mutex::default() };
        service.rotate(authority, &[authority]);
        service
    }

    fn rotate(&self, issuer: &Domain, authorities: &[&Domain]) {
        for (identity, id) in [(&self.db, DB), (&self.web, WEB)] {
            let credentials = credentials(id, issuer, authorities, VALID);
            let leaf = credentials.svid.certified().cert[0].clone();
            let whose = (id.to_owned(), credentials.svid.not_after());
            self.issued.lock().unwrap().insert(leaf, whose);
            identity.replace(credentials).unwrap();
        }
    }

    /// A connection, both ends of which know who the other is, by a certificate that was valid when it began.
    fn connect(&self) -> Result<HandshakeKind, String> {
        let start = UnixTime::now();
        let mut pair = Pair::connect(&self.client, &self.server.server())?;
        pair.echo(b"hello")?;
        for (chain, id) in
            [(pair.client.peer_certificates(), DB), (pair.server.peer_certificates(), WEB)]
        {
            let leaf = chain.and_then(|chain| chain.first()).ok_or("no certificate")?;
            let issued = self.issued.lock().unwrap().get(leaf).cloned();
            if !issued.as_ref().is_some_and(|(whose, end)| whose == id && start <= *end) {
                return Err(format!("{id}, at {start:?}: {issued:?}"));
            }
        }
        assert_eq!(pair.server.alpn_protocol(), Some(&b"h2"[..]));
        Ok(pair.server.handshake_kind().unwrap())
    }
}

/// Ends the load, even if the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// A thousand rotations; at every tenth, the authorities change as well: first a new one is trusted, then it
/// issues, then the old one is trusted no longer.
#[test]
fn a_thousand_rotations_under_load() {
    let mut authority = Domain::new("one.test");
    let service = Service::new(&authority);
    let (stop, failures) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let (load, resumed, connected) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                load.fetch_add(1, Relaxed);
                if let Err(error) = service.connect() {
                    failures.lock().unwrap().push(error);
                }
            }
        });
        let stop = Stop(&stop);
        let mut rotations = 0;
        let mut rotate = |issuer: &Domain, authorities: &[&Domain]| {
            service.rotate(issuer, authorities);
            rotations += 1;
            // every hundredth is looked at closely, the others follow each other as fast as they can
            if rotations % 100 == 0 {
                let kinds = (0..CONNECTIONS).map(|_| service.connect());
                let kinds: Vec<_> = kinds.collect::<Result<_, _>>().unwrap();
                let count = kinds.iter().filter(|&&kind| kind == Resumed).count();
                assert!(count * 10 >= CONNECTIONS * 9, "rotation {rotations}: {kinds:?}");
                resumed.fetch_add(count as u64, Relaxed);
                connected.fetch_add(CONNECTIONS as u64, Relaxed);
            }
        };
        for _ in 0..1000 / 10 {
            (0..7).for_each(|_| rotate(&authority, &[&authority]));
            let next = Domain::new("one.test");
            rotate(&authority, &[&authority, &next]);
            rotate(&next, &[&authority, &next]);
            // who is in the middle of a handshake holds a certificate of the old authority
            let begun = load.load(Relaxed);
            while load.load(Relaxed) < begun + 2 {
                thread::yield_now();
            }
            rotate(&next, &[&next]);
            authority = next;
        }
        drop(stop);
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} failed, the first: {}", failures.len(), failures[0]);
    println!(
        "{} connections under 1000 rotations; of {} after one, {} resumed",
        load.into_inner(),
        connected.into_inner(),
        resumed.into_inner()
    );
}

#[test]
fn a_new_certificate_is_presented_and_the_session_still_resumes() {
    let authority = Domain::new("one.test");
    let service = Service::new(&authority);
    assert_eq!(service.connect(), Ok(Full));
    assert_eq!(service.connect(), Ok(Resumed));
    service.rotate(&authority, &[&authority]);
    assert_eq!(service.connect(), Ok(Resumed));
    let next = Domain::new("one.test");
    service.rotate(&next, &[&authority, &next]);
    // the client forgets sessions when its trust changes
    assert_eq!(service.connect(), Ok(Full));
    assert_eq!(service.connect(), Ok(Resumed));
}

/// RFC 9149: two for what may follow a full handshake, then one for each that is used up.
#[test]
fn a_client_asks_for_as_many_tickets_as_it_has_a_use_for() {
    let service = Service::new(&Domain::new("one.test"));
    let issued = || service.server.resumptions().issued();
    assert_eq!((service.connect(), issued()), (Ok(Full), 2));
    for tickets in 3..10 {
        assert_eq!((service.connect(), issued()), (Ok(Resumed), tickets));
    }
}

#[test]
fn what_is_withdrawn_is_neither_presented_nor_trusted() {
    let authority = Domain::new("one.test");
    let service = Service::new(&authority);
    service.connect().unwrap();
    service.web.withdraw();
    let error = service.connect().unwrap_err();
    assert!(error.contains("trust domain") || error.contains("certificate"), "{error}");
    service.rotate(&authority, &[&authority]);
    service.connect().unwrap();
    service.db.withdraw();
    service.connect().unwrap_err();
    assert!(service.db.svid().is_none());
}

/// It is one's own fault, so it fails on one's own side.
#[test]
fn an_identity_that_expires_is_no_longer_presented() {
    let authority = Domain::new("one.test");
    let service = Service::new(&authority);
    service.db.replace(credentials(DB, &authority, &[&authority], 1)).unwrap();
    while service.db.svid().is_some() {
        thread::sleep(Duration::from_millis(50));
    }
    let error = service.connect().unwrap_err();
    assert!(error.contains("server: ") && error.contains("no server certificate"), "{error}");
}
