//! Credentials in files, while something else rotates them in every way that there is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pem::Pem;
use rcgen::date_time_ymd;
use rustls::pki_types::UnixTime;
use rustls_offload::identity::{FileSource, IdentityError, Watch, WorkloadIdentity};
use rustls_offload::verify::spiffe::TrustDomain;
use tempfile::TempDir;

use super::domain::{Domain, Identity, provider};

const WEB: &str = "spiffe://one.test/web";
const DB: &str = "spiffe://one.test/db";

fn pem_of(identity: &Identity) -> (String, String) {
    let chain = identity.chain.iter().map(|der| Pem::new("CERTIFICATE", der.to_vec()));
    let key = Pem::new("PRIVATE KEY", identity.key.secret_der().to_vec());
    (pem::encode_many(&chain.collect::<Vec<_>>()), pem::encode(&key))
}

fn write(folder: &Path, domain: &Domain, identity: &Identity) {
    let (chain, key) = pem_of(identity);
    let authority = Pem::new("CERTIFICATE", domain.authority().to_vec());
    fs::write(folder.join("tls.crt"), chain).unwrap();
    fs::write(folder.join("tls.key"), key).unwrap();
    fs::write(folder.join("ca.crt"), pem::encode(&authority)).unwrap();
}

fn source(folder: &Path) -> FileSource {
    FileSource::new(folder.join("tls.crt"), folder.join("tls.key"))
        .bundle(TrustDomain::new("one.test").unwrap(), folder.join("ca.crt"))
}

fn watch(folder: &Path) -> (Arc<WorkloadIdentity>, Watch) {
    source(folder).watch(&provider(), Duration::from_millis(5)).unwrap()
}

/// Waits for what the watch is to come to.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn id(identity: &WorkloadIdentity) -> String {
    identity.svid().unwrap().id().to_string()
}

#[test]
fn what_the_files_hold_is_in_force_and_what_they_come_to_hold() {
    let (folder, domain) = (TempDir::new().unwrap(), Domain::new("one.test"));
    write(folder.path(), &domain, &domain.svid(WEB));
    let (identity, watch) = watch(folder.path());
    assert_eq!(id(&identity), WEB);
    let trust = identity.client_verifier().generation();
    write(folder.path(), &domain, &domain.svid(DB));
    until("rotated", || id(&identity) == DB);
    assert_eq!(identity.client_verifier().generation(), trust, "the same bundle");
    until("counted", || watch.rotations() > 0 && watch.problem().is_none());
    write(folder.path(), &Domain::new("one.test"), &domain.svid(DB));
    until("other trust", || identity.client_verifier().generation() > trust);
}

/// As the kubelet does: `..data` is a symlink to a folder, and replaced by renaming.
#[test]
fn a_symlink_that_is_swapped() {
    let (folder, domain) = (TempDir::new().unwrap(), Domain::new("one.test"));
    let data = folder.path().join("..data");
    let swap = |version: &str, uri: &str| {
        let real = folder.path().join(version);
        fs::create_dir(&real).unwrap();
        write(&real, &domain, &domain.svid(uri));
        symlink(version, folder.path().join("..tmp")).unwrap();
        fs::rename(folder.path().join("..tmp"), &data).unwrap();
    };
    swap("..1", WEB);
    let (identity, _watch) = watch(&data);
    swap("..2", DB);
    fs::remove_dir_all(folder.path().join("..1")).unwrap();
    until("rotated", || id(&identity) == DB);
}

#[test]
fn a_chain_that_arrives_before_its_key_is_not_used() {
    let (folder, domain) = (TempDir::new().unwrap(), Domain::new("one.test"));
    write(folder.path(), &domain, &domain.svid(WEB));
    let (identity, watch) = watch(folder.path());
    let (chain, key) = pem_of(&domain.svid(DB));
    fs::write(folder.path().join("tls.crt"), chain).unwrap();
    until("noticed", || watch.problem().is_some());
    assert!(matches!(*watch.problem().unwrap(), IdentityError::Mismatch));
    assert_eq!(id(&identity), WEB);
    assert!(identity.svid().unwrap().certified().keys_match().is_ok());
    fs::write(folder.path().join("tls.key"), key).unwrap();
    until("rotated", || id(&identity) == DB && watch.problem().is_none());
}

#[test]
fn files_that_are_half_written_or_gone_change_nothing() {
    let (folder, domain) = (TempDir::new().unwrap(), Domain::new("one.test"));
    write(folder.path(), &domain, &domain.svid(WEB));
    let (identity, watch) = watch(folder.path());
    let problem = |expected: &str| {
        let told = || watch.problem().is_some_and(|problem| problem.to_string().contains(expected));
        until(expected, told);
        assert_eq!(id(&identity), WEB);
    };
    let (chain, key) = pem_of(&domain.svid(DB));
    let (crt, tls_key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    fs::write(&crt, &chain[..chain.len() / 2]).unwrap();
    problem("tls.crt holds no certificate");
    fs::write(&crt, "").unwrap();
    problem("tls.crt holds no certificate");
    fs::write(&crt, &chain).unwrap();
    fs::write(&tls_key, &key[..key.len() / 2]).unwrap();
    problem("tls.key holds no private key");
    fs::remove_file(&tls_key).unwrap();
    problem("must make it readable");
    fs::write(&tls_key, &key).unwrap();
    fs::write(folder.path().join("ca.crt"), [0x30, 3, 1, 1, 0]).unwrap();
    problem("the trust bundle of one.test can't be used");
    write(folder.path(), &domain, &domain.svid(DB));
    until("mended", || id(&identity) == DB && watch.problem().is_none());
}

#[test]
fn der_and_one_file_for_chain_and_key() {
    let (folder, domain) = (TempDir::new().unwrap(), Domain::new("one.test"));
    let web = domain.svid(WEB);
    let place = |name: &str| folder.path().join(name);
    fs::write(place("leaf.der"), &web.chain[0]).unwrap();
    fs::write(place("key.der"), web.key.secret_der()).unwrap();
    fs::write(place("ca.der"), domain.authority()).unwrap();
    let (chain, key) = pem_of(&web);
    fs::write(place("both.pem"), key + &chain).unwrap();
    for (chain, key) in [("leaf.der", "key.der"), ("both.pem", "both.pem")] {
        let source = FileSource::new(place(chain), place(key))
            .bundle(TrustDomain::new("one.test").unwrap(), place("ca.der"));
        assert_eq!(source.read(&provider()).unwrap().svid.id().as_str(), WEB);
    }
}

#[test]
fn who_is_revoked_is_refused_once_the_crl_says_so() {
    let (folder, domain) = (TempDir::new().unwrap(), Domain::new("one.test"));
    let own = domain.svid(WEB);
    write(folder.path(), &domain, &own);
    let crl = folder.path().join("crl.pem");
    let say = |revokes| {
        let crl_pem = pem::encode(&Pem::new("X509 CRL", domain.crl(revokes, 2099).to_vec()));
        fs::write(&crl, crl_pem).unwrap();
    };
    say(false);
    let path = |file| folder.path().join(file);
    let source = FileSource::new(path("tls.crt"), path("tls.key")).bundle_with_crls(
        TrustDomain::new("one.test").unwrap(),
        path("ca.crt"),
        &crl,
    );
    let (identity, watch) = source.watch(&provider(), Duration::from_millis(5)).unwrap();
    let admits = || {
        let verifier = identity.client_verifier();
        verifier.verify_peer(&own.chain[0], &[], UnixTime::now()).is_ok()
    };
    assert!(admits());
    fs::write(&crl, "no CRL").unwrap();
    until("noticed", || watch.problem().is_some());
    assert!(admits(), "the CRL from before is in force");
    say(true);
    until("revoked", || !admits());
    say(false);
    until("mended", admits);
    fs::write(&crl, "-----BEGIN X509 CRL-----\n").unwrap();
    until("noticed", || {
        watch.problem().is_some_and(|why| why.to_string().contains("crl.pem holds no CRL"))
    });
}

#[test]
fn what_cannot_be_used_at_the_start_is_an_error() {
    let (folder, domain) = (TempDir::new().unwrap(), Domain::new("one.test"));
    let expired = domain.issue(&[WEB], |leaf| leaf.not_after = date_time_ymd(2020, 1, 1));
    let nobody = domain.issue(&[], |_| ());
    for (identity, expected) in
        [(&expired, "has expired"), (&nobody, "peers would refuse the own certificate")]
    {
        write(folder.path(), &domain, identity);
        let error = source(folder.path()).watch(&provider(), Duration::from_secs(1)).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let error = source(Path::new("/nowhere")).watch(&provider(), Duration::from_secs(1));
    assert!(error.unwrap_err().to_string().contains("/nowhere/tls.crt"));
}
