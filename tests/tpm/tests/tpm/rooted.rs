//! Certificates of an hour, from an authority in the TPM: handshakes do not ask it, renewals do, and everything that
//! makes mutual TLS cheap goes on.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rcgen::{IsCa, KeyUsagePurpose, date_time_ymd};
use rustls::HandshakeKind::{Full, Resumed};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls_offload::identity::{IdentityError, Mtls, MtlsConfig, TpmAuthority, WorkloadIdentity};
use rustls_offload::tpm::{KeyType, Passphrase, Tpm, TpmKey};
use rustls_offload::verify::spiffe::{ExpectedServer, SpiffeId};

use crate::PATIENCE;
use crate::domain::{Root, authority, domain, everybody};
use crate::pair::Pair;
use crate::swtpm::Swtpm;

const WEB: &str = "spiffe://one.test/web";

/// The workload's identity as a machine with this TPM has it.
fn machine(root: &Root, key: &Arc<TpmKey>) -> TpmAuthority {
    let certificate = root.certify(key, &authority("machine", 0));
    let id = SpiffeId::new(WEB).unwrap();
    TpmAuthority::new(Arc::clone(key), vec![certificate], id).bundle(root.bundle())
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls_offload::default_provider())
}

fn key(tpm: &Tpm, kind: KeyType) -> Arc<TpmKey> {
    let file = tpm.create(kind, &Passphrase::none()).unwrap();
    tpm.key(&file, &Passphrase::none()).unwrap()
}

fn mtls(identity: &Arc<WorkloadIdentity>) -> Mtls {
    MtlsConfig::new(provider(), Arc::clone(identity)).policy(everybody()).build("web").unwrap()
}

fn leaf(identity: &WorkloadIdentity) -> CertificateDer<'static> {
    identity.svid().unwrap().certified().cert[0].clone()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn handshakes_do_not_ask_the_tpm() {
    let (swtpm, root) = (Swtpm::start(), Root::new());
    let tpm = swtpm.open();
    for kind in [KeyType::P256, KeyType::P384, KeyType::Rsa2048] {
        let (identity, _watch) = machine(&root, &key(&tpm, kind)).watch(&provider()).unwrap();
        let svid = identity.svid().unwrap();
        assert_eq!(svid.id().as_str(), WEB);
        let left = svid.not_after().as_secs() - UnixTime::now().as_secs();
        assert!((3500..=3600).contains(&left), "an hour, unless told otherwise: {left} s");
        let (server, asked) = (mtls(&identity), tpm.metrics().operations);
        let client = mtls(&identity).client(ExpectedServer::MemberOf(domain())).unwrap();
        for kind in [Full, Resumed, Resumed] {
            let mut pair = Pair::connect(&client, &server.server()).unwrap();
            pair.echo(b"hello").unwrap();
            assert_eq!(pair.server.handshake_kind(), Some(kind));
        }
        assert_eq!(tpm.metrics().operations, asked);
    }
}

#[test]
fn certificates_are_renewed_under_configurations_that_stay() {
    let (swtpm, root) = (Swtpm::start(), Root::new());
    let tpm = swtpm.open();
    let short = machine(&root, &key(&tpm, KeyType::P256)).lifetime(Duration::from_secs(4));
    let (identity, watch) = short.watch(&provider()).unwrap();
    let server = mtls(&identity);
    let client = mtls(&identity).client(ExpectedServer::MemberOf(domain())).unwrap();
    let mut kinds = Vec::new();
    let mut leaves = vec![leaf(&identity)];
    while watch.rotations() < 3 {
        let mut pair = Pair::connect(&client, &server.server()).unwrap();
        pair.echo(b"hello").unwrap();
        kinds.push(pair.server.handshake_kind().unwrap());
        leaves.push(leaf(&identity));
        sleep(Duration::from_millis(20));
    }
    leaves.dedup();
    assert!(leaves.len() >= 3 && watch.problem().is_none());
    assert_eq!(kinds[0], Full);
    // sessions end with the client's certificate that they were made with, every few seconds here
    let full = kinds.iter().filter(|&&kind| kind == Full).count();
    assert!(full < kinds.len() / 2, "{full} of {} were full", kinds.len());
}

#[test]
fn while_the_tpm_is_gone_the_certificate_stays_and_the_problem_is_told() {
    let (mut swtpm, root) = (Swtpm::start(), Root::new());
    let tpm = swtpm.open();
    let short = machine(&root, &key(&tpm, KeyType::P256)).lifetime(Duration::from_secs(8));
    let (identity, watch) = short.watch(&provider()).unwrap();
    swtpm.kill();
    let before = leaf(&identity);
    until("told", || watch.problem().is_some());
    let problem = watch.problem().unwrap();
    assert!(problem.to_string().contains("can't be reached"), "{problem}");
    assert!(matches!(*problem, IdentityError::Tpm(_)));
    assert!(identity.svid().is_none_or(|svid| svid.certified().cert[0] == before));
    swtpm.restart();
    until("renewed", || watch.rotations() > 0);
    assert!(leaf(&identity) != before && watch.problem().is_none());
}

#[test]
fn an_authority_that_peers_would_not_accept_is_told_at_the_start() {
    let (swtpm, root) = (Swtpm::start(), Root::new());
    let tpm = swtpm.open();
    let (key, other) = (key(&tpm, KeyType::P256), key(&tpm, KeyType::P256));
    let id = SpiffeId::new(WEB).unwrap();
    let with = |certificate| {
        TpmAuthority::new(Arc::clone(&key), vec![certificate], id.clone()).bundle(root.bundle())
    };
    // of another key
    let error =
        with(root.certify(&other, &authority("machine", 0))).watch(&provider()).unwrap_err();
    assert!(matches!(error, IdentityError::Mismatch), "{error}");
    // of no authority
    let mut leaf = authority("machine", 0);
    (leaf.is_ca, leaf.key_usages) = (IsCa::ExplicitNoCa, vec![KeyUsagePurpose::KeyCertSign]);
    let error = with(root.certify(&key, &leaf)).watch(&provider()).unwrap_err();
    assert!(matches!(error, IdentityError::Authority(_)), "{error}");
    // of a root that is not in the bundle
    let stranger = Root::new().certify(&key, &authority("machine", 0));
    let error = with(stranger).watch(&provider()).unwrap_err();
    assert!(matches!(error, IdentityError::Authority(_)), "{error}");
    // that has expired
    let mut old = authority("machine", 0);
    old.not_after = date_time_ymd(2020, 1, 1);
    let error = with(root.certify(&key, &old)).watch(&provider()).unwrap_err();
    assert!(matches!(error, IdentityError::Expired { .. }), "{error}");
    let none = TpmAuthority::new(key, vec![], id).watch(&provider()).unwrap_err();
    assert!(matches!(none, IdentityError::Mismatch), "{none}");
}

/// The request is what an authority above would certify the TPM's key by.
#[test]
fn requests_are_signed_by_the_key_and_carry_the_names() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.open();
    for kind in [KeyType::P256, KeyType::P384, KeyType::Rsa2048] {
        let key = key(&tpm, kind);
        let names = ["localhost", "127.0.0.1", WEB];
        let request = key.certificate_request(Some("machine"), &names).unwrap();
        swtpm.write("request.der", request);
        let args = ["req", "-inform", "DER", "-in", "request.der", "-verify", "-noout", "-text"];
        let text = swtpm.run("openssl", &args);
        for wanted in
            ["CN = machine", "DNS:localhost", "IP Address:127.0.0.1", &format!("URI:{WEB}")]
        {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
    }
}
