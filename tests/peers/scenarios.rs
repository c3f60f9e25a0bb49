//! What is tried with each tool.

use std::sync::Arc;
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
use std::time::Duration;

use rustls::pki_types::CertificateDer;
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use rustls_offload::Offload;
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
use rustls_offload::resume::{ChainJudge, KeyRing, ServerResumption};
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
use rustls_offload::verify::CachingClientVerifier;

use crate::common::pair::{Kind, Pki};
use crate::ends::{Report, Server, connect, objection, offloads};
use crate::files::Files;
use crate::tool::Tool;

pub(crate) type Version = &'static SupportedProtocolVersion;

const VERSIONS: [Version; 2] = [&TLS13, &TLS12];

/// A TLS implementation's command-line tools.
pub(crate) trait Peer {
    /// A server that requires a client certificate, on a port of its choice.
    fn server(&self, files: &Files, version: Version) -> Tool;

    /// What its server answers to the greeting.
    fn reply(&self) -> String;

    /// A client that verifies the server and presents the certificate of `holder`, if any.
    fn client(&self, files: &Files, port: u16, version: Version, holder: Option<&str>) -> Tool;

    /// Has its client connect twice: in full, then resuming with the greeting sent and received.
    fn resume(&self, files: &Files, port: u16, version: Version);
}

pub(crate) fn as_a_client_full_and_resumed(peer: &dyn Peer) {
    let (pki, files) = pki(Kind::P256);
    for version in VERSIONS {
        let mut server = peer.server(&files, version);
        let port = server.listening_port();
        for (name, offload) in offloads() {
            let config = Arc::new(pki.client(&Arc::new(offload.provider()), &[version]));
            for resumed in [false, true] {
                let reported = connect(&config, port, &peer.reply());
                let expected = report(resumed, version, &pki.server.0);
                assert_eq!(reported, Ok(expected), "{name}, {version:?}");
            }
        }
    }
}

pub(crate) fn as_a_server_full_and_resumed(peer: &dyn Peer) {
    let (pki, files) = pki(Kind::P256);
    for version in VERSIONS {
        for (name, offload) in offloads() {
            let ticketer = Some(offload.ticketer().unwrap());
            let config = pki.server(&Arc::new(offload.provider()), &[version], ticketer);
            let server = Server::start(config, 2);
            peer.resume(&files, server.port, version);
            let expected = [false, true].map(|resumed| Ok(report(resumed, version, &pki.client.0)));
            assert_eq!(server.reports(), expected, "{name}, {version:?}");
        }
    }
}

/// Its client resumes where every session is judged first.
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
pub(crate) fn as_a_server_that_judges_sessions(peer: &dyn Peer) {
    let (pki, files) = pki(Kind::P256);
    let provider = Arc::new(Offload::new().unwrap().provider());
    for version in VERSIONS {
        let inner = WebPkiClientVerifier::builder_with_provider(
            Arc::clone(&pki.roots),
            Arc::clone(&provider),
        );
        let verifier = CachingClientVerifier::new(inner.build().unwrap());
        let keys = KeyRing::random(&provider, Duration::from_secs(3600)).unwrap();
        let config = pki.server(&provider, &[version], None);
        let judge = Arc::new(ChainJudge::new(verifier));
        let resumption = ServerResumption::builder("peers", config, judge).tickets(keys).unwrap();
        let resumption = Arc::new(resumption);
        let configure = Arc::clone(&resumption);
        let server = Server::start_with(move || configure.config(), 2);
        peer.resume(&files, server.port, version);
        let expected = [false, true].map(|resumed| Ok(report(resumed, version, &pki.client.0)));
        assert_eq!(server.reports(), expected, "{version:?}");
        let metrics = resumption.metrics();
        assert_eq!((metrics.accepted(), metrics.refused_in_all()), (1, 0), "{version:?}");
    }
}

/// Chains of every kind of key, each verified by the other side.
pub(crate) fn keys_of_every_kind(peer: &dyn Peer) {
    let provider = Arc::new(Offload::new().unwrap().provider());
    for kind in Kind::ALL {
        let (pki, files) = pki(kind);
        for version in VERSIONS {
            if graviola_alone() && kind == Kind::Ed25519 && version == &TLS12 {
                continue; // its TLS 1.2 suites do not list Ed25519
            }
            let mut server = peer.server(&files, version);
            let config = Arc::new(pki.client(&provider, &[version]));
            let reported = connect(&config, server.listening_port(), &peer.reply());
            let expected = report(false, version, &pki.server.0);
            assert_eq!(reported, Ok(expected), "{kind:?}, {version:?}");

            let server = Server::start(pki.server(&provider, &[version], None), 1);
            let mut client = peer.client(&files, server.port, version, Some("client"));
            client.exchange();
            let expected = report(false, version, &pki.client.0);
            assert_eq!(server.reports(), [Ok(expected)], "{kind:?}, {version:?}");
        }
    }
}

/// The peer's server turns away our client without the right certificate, and we see its alert.
pub(crate) fn the_peer_refuses_strangers(peer: &dyn Peer) {
    let (pki, files) = pki(Kind::P256);
    let elsewhere = Pki::new(Kind::P256);
    let provider = Arc::new(Offload::new().unwrap().provider());
    for version in VERSIONS {
        let mut server = peer.server(&files, version);
        let port = server.listening_port();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(Arc::clone(&pki.roots));
        let (chain, key) = (elsewhere.client.0.clone(), elsewhere.client.1.clone_key());
        let stranger = builder.clone().with_client_auth_cert(chain, key).unwrap();
        for config in [builder.with_no_client_auth(), stranger] {
            let objection = objection(&Arc::new(config), port);
            assert!(objection.contains("received fatal alert"), "{version:?}: {objection}");
        }
        // and goes on serving who has it
        let config = Arc::new(pki.client(&provider, &[version]));
        connect(&config, port, &peer.reply()).unwrap();
    }
}

/// Our server turns away the peer's client without the right certificate, and it sees our alert.
pub(crate) fn we_refuse_strangers(peer: &dyn Peer) {
    let (pki, files) = pki(Kind::P256);
    for version in VERSIONS {
        for (name, offload) in offloads() {
            let config = pki.server(&Arc::new(offload.provider()), &[version], None);
            let server = Server::start(config, 2);
            for holder in [None, Some("stranger")] {
                let mut client = peer.client(&files, server.port, version, holder);
                client.wait_for("alert");
                client.finish();
            }
            let reports = server.reports();
            let complaints = ["peer sent no certificates", "invalid peer certificate"];
            for (report, complaint) in reports.iter().zip(complaints) {
                let refused = report.as_ref().is_err_and(|error| error.contains(complaint));
                assert!(refused, "{name}, {version:?}: {report:?} instead of `{complaint}`");
            }
        }
    }
}

fn pki(kind: Kind) -> (Pki, Files) {
    let pki = Pki::new(kind);
    let files = Files::new(&pki, &Pki::new(kind));
    (pki, files)
}

fn report(resumed: bool, version: Version, peer: &[CertificateDer<'static>]) -> Report {
    Report { resumed, version: version.version, peer: peer.to_vec() }
}

fn graviola_alone() -> bool {
    cfg!(not(any(feature = "aws-lc-rs", feature = "ring")))
}
