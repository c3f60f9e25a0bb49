//! The SPIFFE verifiers, bare and inside the caching ones, in real handshakes of TLS 1.2 and 1.3.

use std::sync::Arc;

use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, date_time_ymd};
use rustls::pki_types::UnixTime;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig};
use rustls_offload::verify::spiffe::{
    ExpectedServer, SpiffeClientVerifier, SpiffeId, SpiffeServerVerifier, TrustBundle,
    TrustBundles, TrustDomain,
};
use rustls_offload::verify::{CachingClientVerifier, CachingServerVerifier};

use super::common::pair::Pair;
use super::domain::{Domain, Identity, bundles, provider};

const WEB: &str = "spiffe://one.test/web";
const DB: &str = "spiffe://one.test/db";

fn id(text: &str) -> ExpectedServer {
    ExpectedServer::Id(SpiffeId::new(text).unwrap())
}

/// Handshakes of both versions, twice each so that the caches answer too; what the last one said.
fn connect(
    (client, of_servers): (&Identity, TrustBundles),
    (server, of_clients): (&Identity, TrustBundles),
    expected: ExpectedServer,
) -> Result<(), String> {
    let of_clients = CachingClientVerifier::new(Arc::new(SpiffeClientVerifier::new(of_clients)));
    let of_servers = SpiffeServerVerifier::new(of_servers, expected);
    let of_servers = CachingServerVerifier::new(Arc::new(of_servers));
    let mut outcome = Ok(());
    for version in [&TLS12, &TLS13, &TLS12, &TLS13] {
        let server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(of_clients.clone())
            .with_single_cert(server.chain.clone(), server.key.clone_key())
            .unwrap();
        let client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(of_servers.clone())
            .with_client_auth_cert(client.chain.clone(), client.key.clone_key())
            .unwrap();
        let this = Pair::connect(&Arc::new(client), &Arc::new(server)).map(drop);
        assert!(version == &TLS12 || this.is_ok() == outcome.is_ok(), "versions differ: {this:?}");
        outcome = this;
    }
    outcome
}

/// What is said of a certificate by the verifier of clients and, the same, by that of servers.
fn verdict(trusted: TrustBundles, peer: &Identity) -> Result<SpiffeId, String> {
    trusted.verify(&peer.chain[0], &peer.chain[1..], UnixTime::now()).map_err(|e| e.to_string())
}

fn refused(trusted: TrustBundles, peer: &Identity, rule: &str) {
    let error = verdict(trusted, peer).unwrap_err();
    assert!(error.contains(rule), "expected `{rule}`: {error}");
}

#[test]
fn workloads_of_one_domain_and_of_federated_ones_know_each_other() {
    let (one, two) = (Domain::new("one.test"), Domain::new("two.test"));
    let both = || bundles([one.bundle(), two.bundle()]);
    let (web, db, foreign) = (one.svid(WEB), one.svid(DB), two.svid("spiffe://two.test/web"));
    connect((&web, both()), (&db, both()), id(DB)).unwrap();
    connect((&foreign, both()), (&db, both()), id(DB)).unwrap();
    let anyone = ExpectedServer::MemberOf(TrustDomain::new("two.test").unwrap());
    connect((&web, both()), (&foreign, both()), anyone).unwrap();
    let accepted = ExpectedServer::Accepted(Arc::new(|id: &SpiffeId| id.path() == "/db"));
    connect((&web, both()), (&db, both()), accepted).unwrap();
}

#[test]
fn another_domains_authority_cannot_speak_for_this_one() {
    let (one, two) = (Domain::new("one.test"), Domain::new("two.test"));
    let both = || bundles([one.bundle(), two.bundle()]);
    let (db, forged) = (one.svid(DB), two.svid(WEB));
    verdict(both(), &one.svid(WEB)).unwrap();
    verdict(both(), &forged).unwrap_err();
    connect((&forged, both()), (&db, both()), id(DB)).unwrap_err();
    connect((&db, both()), (&forged, both()), id(WEB)).unwrap_err();
}

#[test]
fn a_server_that_is_someone_else_is_not_called() {
    let one = Domain::new("one.test");
    let (web, db) = (one.svid(WEB), one.svid(DB));
    let one = || bundles([one.bundle()]);
    let other = ExpectedServer::MemberOf(TrustDomain::new("two.test").unwrap());
    let nobody = ExpectedServer::Accepted(Arc::new(|_: &SpiffeId| false));
    for expected in [id(WEB), id("spiffe://one.test/db/x"), other, nobody] {
        let error = connect((&web, one()), (&db, one()), expected).unwrap_err();
        assert!(error.contains("the server is spiffe://one.test/db, which is not"), "{error}");
    }
}

#[test]
fn each_rule_is_enforced_and_named() {
    let one = Domain::new("one.test");
    let trusted = || bundles([one.bundle()]);
    for (uris, rule) in [
        (&[][..], "0 URI names"),
        (&[WEB, DB], "2 URI names"),
        (&[WEB, "https://one.test/web"], "2 URI names"),
        (&["https://one.test/web"], "its scheme"),
        (&["spiffe://one.test"], "a workload's has a path"),
        (&["spiffe://one.test/"], "empty segment"),
        (&["spiffe://one.test/web/../db"], "`.`"),
        (&["spiffe://ONE.test/web"], "trust domain has"),
        (&["spiffe://two.test/web"], "no trust bundle for two.test"),
    ] {
        refused(trusted(), &one.issue(uris, |_| ()), rule);
    }
    let authority =
        one.issue(&[WEB], |leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    refused(trusted(), &authority, "is a CA's");
    for (usage, rule) in
        [(KeyUsagePurpose::KeyCertSign, "keyCertSign"), (KeyUsagePurpose::CrlSign, "cRLSign")]
    {
        refused(trusted(), &one.issue(&[WEB], |leaf| leaf.key_usages.push(usage)), rule);
    }
    for (only, rule) in [
        (ExtendedKeyUsagePurpose::ServerAuth, "clientAuth"),
        (ExtendedKeyUsagePurpose::ClientAuth, "serverAuth"),
    ] {
        refused(trusted(), &one.issue(&[WEB], |leaf| leaf.extended_key_usages = vec![only]), rule);
    }
    let expired = one.issue(&[WEB], |leaf| leaf.not_after = date_time_ymd(2020, 1, 1));
    refused(trusted(), &expired, "expired");
    let bare = one.issue(&[WEB], |leaf| leaf.extended_key_usages.clear());
    assert_eq!(verdict(trusted(), &bare).unwrap().as_str(), WEB);
    let with_name = one.issue(&[WEB], |leaf| {
        leaf.subject_alt_names.push(rcgen::SanType::DnsName("web.test".try_into().unwrap()));
    });
    assert_eq!(verdict(trusted(), &with_name).unwrap().as_str(), WEB);
}

#[test]
fn what_breaks_a_rule_gets_no_connection_on_either_side() {
    let one = Domain::new("one.test");
    let trusted = || bundles([one.bundle()]);
    let (good, bad) = (one.svid(DB), one.issue(&[WEB, DB], |_| ()));
    let error = connect((&bad, trusted()), (&good, trusted()), id(DB)).unwrap_err();
    assert!(error.contains("2 URI names"), "{error}");
    let error = connect((&good, trusted()), (&bad, trusted()), id(DB)).unwrap_err();
    assert!(error.contains("2 URI names"), "{error}");
}

#[test]
fn revoked_and_undeterminable_are_refused() {
    let one = Domain::new("one.test");
    let web = one.svid(WEB);
    let with = |revokes, year| bundles([one.bundle().with_crls([one.crl(revokes, year)])]);
    verdict(with(false, 2099), &web).unwrap();
    refused(with(true, 2099), &web, "Revoked");
    refused(with(false, 2021), &web, "revocation list expired");
    let other = Domain::new("one.test").crl(false, 2099);
    verdict(bundles([one.bundle().with_crls([other])]), &web).unwrap_err();
}

#[test]
fn bundles_that_cannot_be_used_say_why() {
    let domain = || TrustDomain::new("one.test").unwrap();
    let one = Domain::new("one.test");
    for wrong in [
        vec![TrustBundle::new(domain(), [])],
        vec![TrustBundle::new(domain(), [vec![1, 2, 3].into()])],
        vec![one.bundle().with_crls([vec![1, 2, 3].into()])],
        vec![one.bundle(), one.bundle()],
    ] {
        let error = TrustBundles::new(wrong, &provider()).unwrap_err().to_string();
        assert!(error.contains("the trust bundle of one.test can't be used"), "{error}");
    }
}
