//! Verdicts, question by question, at times that the test chooses.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, Error};
use rustls_offload::verify::{CachingClientVerifier, CachingServerVerifier};

use super::authority::{Authority, at, later};

/// Asks as rustls does.
fn ask(
    verifier: &CachingClientVerifier,
    chain: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<(), Error> {
    verifier.verify_client_cert(&chain[0], &chain[1..], now).map(|_| ())
}

/// Hits and misses so far.
fn counts(verifier: &CachingClientVerifier) -> (u64, u64) {
    (verifier.metrics().hits, verifier.metrics().misses)
}

fn is(result: &Result<(), Error>, expected: fn(&CertificateError) -> bool) -> bool {
    matches!(result, Err(Error::InvalidCertificate(error)) if expected(error))
}

fn expired(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Expired | CertificateError::ExpiredContext { .. })
}

fn not_yet_valid(error: &CertificateError) -> bool {
    matches!(error, CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. })
}

#[test]
fn a_chain_is_verified_once_and_found_from_then_on() {
    let authority = Authority::new("a");
    let identity = authority.issue("web", 2025, 2027);
    let verifier = CachingClientVerifier::new(authority.client_verifier());
    for _ in 0..5 {
        ask(&verifier, &identity.chain, at(2025, 6, 1)).unwrap();
    }
    assert_eq!(counts(&verifier), (4, 1));
    assert_eq!(verifier.metrics().entries, 1);
    let peer =
        verifier.verify_peer(&identity.chain[0], &identity.chain[1..], at(2025, 6, 1)).unwrap();
    assert_eq!(counts(&verifier), (5, 1));
    assert_eq!(peer.spiffe_id(), Some("spiffe://example.org/web"));
    assert_eq!((peer.not_before(), peer.not_after()), (at(2025, 1, 1), at(2026, 1, 1)));
    assert_eq!((peer.generation(), verifier.generation()), (1, 1));
}

#[test]
fn a_changed_byte_anywhere_in_any_certificate_misses_and_fails() {
    let authority = Authority::new("a");
    let identity = authority.issue("web", 2025, 2027);
    let verifier = CachingClientVerifier::new(authority.client_verifier());
    let now = at(2025, 6, 1);
    ask(&verifier, &identity.chain, now).unwrap();
    let mut tried = 0;
    for (position, certificate) in identity.chain.iter().enumerate() {
        for byte in 0..certificate.len() {
            let mut changed = certificate.to_vec();
            changed[byte] ^= 1 << (byte % 8);
            let mut chain = identity.chain.clone();
            chain[position] = changed.into();
            ask(&verifier, &chain, now).unwrap_err();
            tried += 1;
        }
    }
    assert!(tried > 600);
    assert_eq!(counts(&verifier), (0, 1 + tried));
    assert_eq!(verifier.metrics().entries, 1, "rejections are not kept");
    ask(&verifier, &identity.chain, now).unwrap();
    assert_eq!(counts(&verifier), (1, 1 + tried));
}

#[test]
fn a_rejected_chain_is_asked_about_each_time() {
    let (authority, other) = (Authority::new("a"), Authority::new("b"));
    let identity = other.issue("web", 2025, 2027);
    let verifier = CachingClientVerifier::new(authority.client_verifier());
    for _ in 0..3 {
        ask(&verifier, &identity.chain, at(2025, 6, 1)).unwrap_err();
    }
    assert_eq!(counts(&verifier), (0, 3));
    assert_eq!(verifier.metrics().entries, 0);
}

/// The leaf would be valid for longer: it is the intermediate that ends at the end of 2025.
#[test]
fn a_cached_chain_expires_with_the_first_of_its_certificates() {
    let authority = Authority::new("a");
    let identity = authority.issue("web", 2025, 2027);
    let verifier =
        CachingClientVerifier::builder(authority.client_verifier()).max_age(Duration::MAX).build();
    ask(&verifier, &identity.chain, at(2025, 6, 1)).unwrap();
    ask(&verifier, &identity.chain, at(2026, 1, 1)).unwrap();
    assert_eq!(counts(&verifier), (1, 1), "notAfter is within the validity");
    for now in [later(at(2026, 1, 1), 1), at(2026, 6, 1), at(2030, 1, 1)] {
        let late = ask(&verifier, &identity.chain, now);
        assert!(is(&late, expired), "{late:?}");
    }
    assert_eq!(counts(&verifier), (1, 4));
}

#[test]
fn a_chain_that_is_not_valid_yet_fails_also_when_the_clock_has_gone_back() {
    let authority = Authority::new("a");
    let identity = authority.issue("web", 2025, 2027);
    let verifier = CachingClientVerifier::new(authority.client_verifier());
    let early = later(at(2025, 1, 1), 0).as_secs() - 1;
    let early = UnixTime::since_unix_epoch(Duration::from_secs(early));
    let result = ask(&verifier, &identity.chain, early);
    assert!(is(&result, not_yet_valid), "{result:?}");
    ask(&verifier, &identity.chain, at(2025, 6, 1)).unwrap();
    ask(&verifier, &identity.chain, at(2025, 1, 1)).unwrap();
    assert_eq!(counts(&verifier), (1, 2), "back, but within the validity");
    for now in [early, at(2020, 1, 1), UnixTime::since_unix_epoch(Duration::ZERO)] {
        let result = ask(&verifier, &identity.chain, now);
        assert!(is(&result, not_yet_valid), "{result:?}");
    }
    assert_eq!(counts(&verifier), (1, 5));
}

#[test]
fn a_verdict_is_asked_for_again_when_it_is_old() {
    let authority = Authority::new("a");
    let identity = authority.issue("web", 2025, 2027);
    let verifier = CachingClientVerifier::new(authority.client_verifier());
    let now = at(2025, 6, 1);
    ask(&verifier, &identity.chain, now).unwrap();
    ask(&verifier, &identity.chain, later(now, 300)).unwrap();
    assert_eq!(counts(&verifier), (1, 1));
    ask(&verifier, &identity.chain, later(now, 301)).unwrap();
    ask(&verifier, &identity.chain, later(now, 601)).unwrap();
    assert_eq!(counts(&verifier), (2, 2), "the new verdict has an age of its own");
    assert_eq!(verifier.metrics().entries, 1);
}

#[test]
fn nothing_is_cached_with_a_capacity_or_an_age_of_zero() {
    let authority = Authority::new("a");
    let identity = authority.issue("web", 2025, 2027);
    let builder = || CachingClientVerifier::builder(authority.client_verifier());
    for verifier in [builder().capacity(0).build(), builder().max_age(Duration::ZERO).build()] {
        for _ in 0..3 {
            ask(&verifier, &identity.chain, at(2025, 6, 1)).unwrap();
        }
        assert_eq!(counts(&verifier), (0, 3));
        assert_eq!(verifier.metrics().entries, 0);
    }
}

/// The CRL expires with 30 June. A cached verdict outlives that by no more than its age.
#[test]
fn an_expired_crl_counts_as_soon_as_the_verdict_is_old() {
    let authority = Authority::new("a");
    let identity = authority.issue("web", 2025, 2027);
    let crl = authority.crl(false, (2025, 7, 1));
    let verifier = CachingClientVerifier::builder(authority.client_verifier_with(crl))
        .max_age(Duration::from_secs(60))
        .build();
    let last_second = later(at(2025, 6, 30), 24 * 60 * 60 - 1);
    ask(&verifier, &identity.chain, last_second).unwrap();
    ask(&verifier, &identity.chain, later(last_second, 60)).unwrap();
    let late = ask(&verifier, &identity.chain, later(last_second, 61));
    assert!(
        is(&late, |error| matches!(error, CertificateError::ExpiredRevocationListContext { .. })),
        "{late:?}"
    );
    assert_eq!(counts(&verifier), (1, 2));
}

#[test]
fn a_new_crl_counts_at_once() {
    let authority = Authority::new("a");
    let identity = authority.issue("web", 2025, 2027);
    let now = at(2025, 6, 1);
    let with = |revokes| authority.client_verifier_with(authority.crl(revokes, (2025, 12, 1)));
    let verifier = CachingClientVerifier::new(with(false));
    ask(&verifier, &identity.chain, now).unwrap();
    ask(&verifier, &identity.chain, now).unwrap();
    verifier.replace(with(true));
    let revoked = ask(&verifier, &identity.chain, now);
    assert!(is(&revoked, |error| *error == CertificateError::Revoked), "{revoked:?}");
    verifier.replace(with(false));
    ask(&verifier, &identity.chain, now).unwrap();
    assert_eq!(counts(&verifier), (1, 3), "an earlier generation's verdict is not found again");
    assert_eq!(verifier.generation(), 3);
}

/// The path may not need what was presented; what the cache does must not depend on that.
#[test]
fn other_orders_copies_and_omissions_are_other_chains() {
    let (authority, other) = (Authority::new("a"), Authority::new("b"));
    let identity = authority.issue("web", 2025, 2027);
    let verifier = CachingClientVerifier::new(authority.client_verifier());
    let now = at(2025, 6, 1);
    let leaf = &identity.chain[0];
    let (own, foreign) = (&authority.intermediate, &other.intermediate);
    let accepted: [&[&CertificateDer<'_>]; 4] =
        [&[leaf, own], &[leaf, own, own], &[leaf, own, foreign], &[leaf, foreign, own]];
    for (index, chain) in accepted.iter().enumerate() {
        let chain: Vec<_> = chain.iter().copied().cloned().collect();
        ask(&verifier, &chain, now).unwrap();
        ask(&verifier, &chain, now).unwrap();
        let asked = index as u64 + 1;
        assert_eq!(counts(&verifier), (asked, asked));
    }
    ask(&verifier, std::slice::from_ref(leaf), now).unwrap_err();
    ask(&verifier, &[own.clone(), leaf.clone()], now).unwrap_err();
    assert_eq!(counts(&verifier), (4, 6));
}

/// Accepted, because the path does not need them; not cached, because they don't hold now.
#[test]
fn a_chain_with_something_unreadable_or_out_of_its_time_is_not_cached() {
    let authority = Authority::new("a");
    let identity = authority.issue("web", 2025, 2027);
    let stale = authority.issue("old", 2020, 2021).chain.remove(0);
    for extra in [CertificateDer::from(vec![0x30, 0]), stale, authority.root.clone()] {
        let verifier = CachingClientVerifier::new(authority.client_verifier());
        let mut chain = identity.chain.clone();
        chain.push(extra);
        for _ in 0..2 {
            ask(&verifier, &chain, at(2025, 6, 1)).unwrap();
        }
        assert_eq!(counts(&verifier), (0, 2));
        let peer = verifier.verify_peer(&chain[0], &chain[1..], at(2025, 6, 1)).unwrap();
        assert_eq!(peer.generation(), 1);
    }
}

#[test]
fn a_leaf_issued_by_the_root_itself_needs_no_intermediates() {
    let authority = Authority::new("a");
    let identity = authority.issue("web", 2025, 2027);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.intermediate.clone()).unwrap();
    let provider = Arc::new(rustls_offload::default_provider());
    let inner =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = CachingClientVerifier::new(inner.build().unwrap());
    for _ in 0..2 {
        ask(&verifier, &identity.chain[..1], at(2025, 6, 1)).unwrap();
    }
    assert_eq!(counts(&verifier), (1, 1));
}

#[test]
fn a_server_is_verified_once_a_name() {
    let authority = Authority::new("a");
    let identity = authority.issue("localhost", 2025, 2027);
    let verifier = CachingServerVerifier::new(authority.server_verifier());
    let now = at(2025, 6, 1);
    let ask = |name: &str, ocsp: &[u8]| {
        let name = ServerName::try_from(name).unwrap();
        verifier.verify_server_cert(&identity.chain[0], &identity.chain[1..], &name, ocsp, now)
    };
    ask("localhost", &[]).unwrap();
    ask("localhost", &[]).unwrap();
    assert_eq!((verifier.metrics().hits, verifier.metrics().misses), (1, 1));
    for name in ["other.test", "127.0.0.1", "::1"] {
        let wrong = ask(name, &[]);
        assert!(
            matches!(
                wrong,
                Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }))
            ),
            "{wrong:?}"
        );
    }
    assert_eq!((verifier.metrics().hits, verifier.metrics().misses), (1, 4));
    ask("localhost", b"stapled").unwrap();
    ask("localhost", b"stapled").unwrap();
    let metrics = verifier.metrics();
    assert_eq!((metrics.hits, metrics.misses, metrics.entries), (1, 6, 1), "stapled: not cached");
    let name = ServerName::try_from("localhost").unwrap();
    let peer = verifier.verify_peer(&identity.chain[0], &identity.chain[1..], &name, now).unwrap();
    assert_eq!(peer.spiffe_id(), Some("spiffe://example.org/localhost"));
    assert_eq!(verifier.metrics().hits, 2);
    verifier.replace(Authority::new("b").server_verifier());
    ask("localhost", &[]).unwrap_err();
    assert_eq!(verifier.generation(), 2);
}
