//! What has changed between two connections.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rustls::HandshakeKind::{Full, Resumed};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_offload::resume::{Judge, Refusal, ServerResumption, SessionStore};

use super::authority::Authority;
use super::common::pair::Pair;
use super::ends::{Ends, Keep, WAYS, kept, keys, provider};

#[test]
fn what_has_not_changed_resumes_as_often_as_it_likes() {
    for way in WAYS {
        let authority = Authority::new("a");
        let ends = Ends::new(&authority, way);
        ends.begin();
        for _ in 0..5 {
            assert_eq!(ends.connect(), Ok(Resumed), "{way:?}");
        }
        let metrics = ends.server.metrics();
        assert_eq!((metrics.accepted(), metrics.refused_in_all()), (6, 0), "{way:?}");
        assert_eq!(ends.verifier.metrics().misses, 1, "{way:?}: verified once");
    }
}

/// CVE-2025-68121 (Go): what is checked at the full handshake only.
#[test]
fn a_leaf_that_has_expired() {
    for way in WAYS {
        let authority = Authority::new("a");
        let ends = Ends::new(&authority, way);
        ends.begin();
        ends.after(599);
        assert_eq!(ends.connect(), Ok(Resumed), "{way:?}");
        ends.after(601);
        let refused = ends.connect().unwrap_err();
        assert!(refused.contains("expired"), "{way:?}: {refused}");
        ends.refused(Refusal::OutsideValidity, way);
    }
}

#[test]
fn an_authority_that_is_trusted_no_longer() {
    for way in WAYS {
        let authority = Authority::new("a");
        let ends = Ends::new(&authority, way);
        ends.begin();
        ends.verifier.replace(Authority::new("b").client_verifier());
        let refused = ends.connect().unwrap_err();
        assert!(refused.contains("UnknownIssuer"), "{way:?}: {refused}");
        ends.refused(Refusal::Untrusted, way);
    }
}

#[test]
fn a_leaf_that_was_revoked() {
    for way in WAYS {
        let authority = Authority::new("a");
        let ends = Ends::new(&authority, way);
        ends.begin();
        let crl = authority.crl(true, (2026, 1, 1));
        ends.verifier.replace(authority.client_verifier_with(crl));
        let refused = ends.connect().unwrap_err();
        assert!(refused.contains("Revoked"), "{way:?}: {refused}");
        ends.refused(Refusal::Untrusted, way);
    }
}

/// A rotation of the bundle must not bring a storm of full handshakes.
#[test]
fn a_bundle_that_still_has_the_authority_resumes_after_one_verification() {
    for way in WAYS {
        let authority = Authority::new("a");
        let ends = Ends::new(&authority, way);
        ends.begin();
        ends.verifier.replace(authority.client_verifier());
        for _ in 0..3 {
            assert_eq!(ends.connect(), Ok(Resumed), "{way:?}");
        }
        assert_eq!(ends.verifier.metrics().misses, 2, "{way:?}");
    }
}

/// CVE-2025-23048 (Apache): access that depended on the first connection.
#[test]
fn a_policy_that_has_become_narrower() {
    for way in WAYS {
        let authority = Authority::new("a");
        let ends = Ends::new(&authority, way);
        ends.begin();
        ends.denied.store(true, Relaxed);
        assert_eq!(ends.connect(), Ok(Full), "{way:?}");
        ends.refused(Refusal::Unauthorized, way);
        ends.denied.store(false, Relaxed);
        assert_eq!(ends.connect(), Ok(Resumed), "{way:?}");
    }
}

/// CVE-2025-23419 (nginx): a session of one virtual host at another that asks for other certificates.
#[test]
fn another_virtual_host_s_session() {
    for way in WAYS {
        let authority = Authority::new("a");
        let store = SessionStore::new(1 << 20, std::time::Duration::from_secs(7200)).unwrap();
        let build = |builder: rustls_offload::resume::ServerResumptionBuilder| match way.1 {
            Keep::Tickets => builder.tickets(keys(1)).unwrap(),
            Keep::Store => builder.store(Arc::clone(&store)).unwrap(),
        };
        let here = Ends::with(&authority, way, build);
        here.begin();
        let there = other_scope(&here, build);
        assert_eq!(here.connect_to(&there.config()), Ok(Full), "{way:?}");
        let metrics = there.metrics();
        let expected = match way.1 {
            Keep::Tickets => Refusal::Forged,
            Keep::Store => Refusal::Unknown,
        };
        assert_eq!((metrics.refused(expected), metrics.refused_in_all()), (1, 1), "{way:?}");
    }
}

/// A server that differs from the one of `ends` in its scope alone.
fn other_scope(
    ends: &Ends,
    build: impl FnOnce(rustls_offload::resume::ServerResumptionBuilder) -> ServerResumption,
) -> ServerResumption {
    let config = ServerConfig::clone(&ends.server.config());
    let builder = ServerResumption::builder("invoices", config, Arc::new(Lenient));
    build(builder)
}

/// Lets everyone pass, so that it is something else that refuses.
#[derive(Debug)]
struct Lenient;

impl Judge for Lenient {
    fn judge(
        &self,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: rustls::pki_types::UnixTime,
    ) -> Result<(), Refusal> {
        Ok(())
    }
}

#[test]
fn a_ticket_sealed_with_another_server_s_key() {
    let authority = Authority::new("a");
    for way in WAYS.into_iter().filter(|(_, keep)| *keep == Keep::Tickets) {
        let ends = Ends::new(&authority, way);
        ends.begin();
        let config = ServerConfig::clone(&ends.server.config());
        let there = ServerResumption::builder("orders", config, Arc::new(Lenient))
            .tickets(keys(2))
            .unwrap();
        assert_eq!(ends.connect_to(&there.config()), Ok(Full), "{way:?}");
        assert_eq!(there.metrics().refused(Refusal::Unknown), 1, "{way:?}");
    }
}

/// Otherwise whoever came without a certificate could resume where one is required.
#[test]
fn a_client_without_a_certificate_gets_no_session() {
    for way in WAYS {
        let authority = Authority::new("a");
        let ends = Ends::new(&authority, way);
        let optional = WebPkiClientVerifier::builder_with_provider(authority.roots(), provider())
            .allow_unauthenticated()
            .build()
            .unwrap();
        let host = authority.issue("localhost", 2024, 2027);
        let config = ServerConfig::builder_with_details(provider(), ends.clock.clone())
            .with_protocol_versions(&[way.0])
            .unwrap()
            .with_client_cert_verifier(optional)
            .with_single_cert(host.chain, host.key)
            .unwrap();
        let builder = ServerResumption::builder("orders", config, Arc::new(Lenient));
        let lax = kept(builder, way.1);
        let mut client = (*ends.client).clone();
        client.client_auth_cert_resolver = Arc::new(Nobody);
        let client = Arc::new(client);
        for _ in 0..2 {
            let pair = Pair::connect(&client, &lax.config()).unwrap();
            assert_eq!(pair.server.handshake_kind(), Some(Full), "{way:?}");
        }
        assert_eq!(lax.metrics().issued(), 0, "{way:?}");
    }
}

#[derive(Debug)]
struct Nobody;

impl rustls::client::ResolvesClientCert for Nobody {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
