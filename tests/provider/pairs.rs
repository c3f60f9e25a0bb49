//! Every provider with every other, in both roles, with client certificates always required.
//!
//! Both ends of each connection are asked what they negotiated and who the peer is: a handshake
//! that merely completes could be one that resumed, or that settled on another suite.

use std::sync::Arc;

use crate::common::pair::{Kind, Pair, Pki};
use crate::common::{own_provider, whole_backends};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::server::{ProducesTickets, ServerSessionMemoryCache};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CipherSuite, ClientConfig, CommonState, HandshakeKind, NamedGroup, ProtocolVersion,
    ServerConfig, SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion,
};
use rustls_offload::Offload;
use rustls_offload::cpu::Cpu;
use rustls_offload::plan::Backend;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// Two records: a full one and a part of one.
const DATA: usize = 20_000;

/// A provider, with its own kind of ticket.
struct Arm {
    name: String,
    provider: Arc<CryptoProvider>,
    ticketer: Arc<dyn ProducesTickets>,
}

impl Arm {
    fn offload() -> Self {
        let offload = Offload::new().unwrap();
        Self {
            name: "offload".into(),
            provider: Arc::new(offload.provider()),
            ticketer: offload.ticketer().unwrap(),
        }
    }

    fn own(backend: Backend) -> Self {
        let ticketer = match backend {
            #[cfg(feature = "aws-lc-rs")]
            Backend::AwsLcRs => rustls::crypto::aws_lc_rs::Ticketer::new(),
            #[cfg(feature = "ring")]
            Backend::Ring => rustls::crypto::ring::Ticketer::new(),
            #[cfg(feature = "graviola")]
            Backend::Graviola => rustls_graviola::Ticketer::new(),
            other => panic!("{other} is not compiled in"),
        };
        Self {
            name: backend.to_string(),
            provider: Arc::new(own_provider(backend)),
            ticketer: ticketer.unwrap(),
        }
    }

    /// Ours first, then each backend's own.
    fn all() -> Vec<Self> {
        let mut arms = vec![Self::offload()];
        arms.extend(whole_backends(&Cpu::detect().unwrap()).into_iter().map(Self::own));
        assert!(arms.len() >= 2);
        arms
    }

    /// The provider reduced to one suite and one group; `None` if it can't do that with this key.
    fn only(
        &self,
        suite: CipherSuite,
        group: NamedGroup,
        key: Kind,
    ) -> Option<Arc<CryptoProvider>> {
        let mut provider = (*self.provider).clone();
        provider.cipher_suites.retain(|found| found.suite() == suite && usable(found, key));
        provider.kx_groups.retain(|found| found.name() == group);
        let complete = !provider.cipher_suites.is_empty() && !provider.kx_groups.is_empty();
        complete.then(|| Arc::new(provider))
    }
}

/// What both ends must report.
#[derive(Clone, Copy, Debug)]
struct Expected {
    kind: HandshakeKind,
    version: ProtocolVersion,
    suite: Option<CipherSuite>,
    group: Option<NamedGroup>,
}

type Report =
    (Option<HandshakeKind>, Option<ProtocolVersion>, Option<CipherSuite>, Option<NamedGroup>);

/// What an end says it negotiated.
fn report(end: &CommonState) -> Report {
    (
        end.handshake_kind(),
        end.protocol_version(),
        end.negotiated_cipher_suite().map(|suite| suite.suite()),
        end.negotiated_key_exchange_group().map(SupportedKxGroup::name),
    )
}

/// Connects, checks both ends' reports against each other and `expected`, and sends data both ways.
fn connect(
    pki: &Pki,
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    expected: Expected,
) -> Result<(), String> {
    let mut pair = Pair::connect(client, server)?;
    pair.echo(&[0x5a; DATA])?;
    let reports = [report(&pair.client), report(&pair.server)];
    for (kind, version, suite, group) in reports {
        let exchanged =
            expected.version == ProtocolVersion::TLSv1_3 || expected.kind != HandshakeKind::Resumed; // TLS 1.2 resumes without a key exchange
        let right = kind == Some(expected.kind)
            && version == Some(expected.version)
            && suite.is_some()
            && expected.suite.is_none_or(|wanted| suite == Some(wanted))
            && group.is_some() == exchanged
            && (!exchanged || expected.group.is_none_or(|wanted| group == Some(wanted)));
        if !right {
            return Err(format!("{expected:?}, but {reports:?}"));
        }
    }
    if reports[0] != reports[1] {
        return Err(format!("client and server differ: {reports:?}"));
    }
    if pair.client.peer_certificates() != Some(&pki.server.0[..]) {
        return Err("the client does not report the server's chain".into());
    }
    if pair.server.peer_certificates() != Some(&pki.client.0[..]) {
        return Err("the server does not report the client's chain".into());
    }
    Ok(())
}

#[test]
fn every_pair_does_full_and_resumed_handshakes() {
    let pki = Pki::new(Kind::P256);
    let mut connections = 0;
    for client in &Arm::all() {
        for server in &Arm::all() {
            for version in VERSIONS {
                for stateless in [true, false] {
                    let arms = format!("{} to {}, {version:?}", client.name, server.name);
                    connections += full_then_resumed(&pki, client, server, version, stateless)
                        .unwrap_or_else(|error| panic!("{arms}, tickets {stateless}: {error}"));
                }
            }
        }
    }
    let arms = Arm::all().len();
    assert_eq!(connections, arms * arms * 12);
}

/// One full handshake and two that resume, from tickets or from the server's memory.
fn full_then_resumed(
    pki: &Pki,
    client: &Arm,
    server: &Arm,
    version: &'static SupportedProtocolVersion,
    stateless: bool,
) -> Result<usize, String> {
    let ticketer = stateless.then(|| Arc::clone(&server.ticketer));
    let mut config = pki.server(&server.provider, &[version], ticketer);
    if !stateless {
        config.session_storage = ServerSessionMemoryCache::new(64);
    }
    let server = Arc::new(config);
    let client = Arc::new(pki.client(&client.provider, &[version]));
    let kinds = [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed];
    for kind in kinds {
        let expected = Expected { kind, version: version.version, suite: None, group: None };
        connect(pki, &client, &server, expected)?;
    }
    Ok(kinds.len())
}

#[test]
fn p_256_keys() {
    every_suite_and_group(Kind::P256);
}

#[test]
fn p_384_keys() {
    every_suite_and_group(Kind::P384);
}

#[test]
fn ed25519_keys() {
    every_suite_and_group(Kind::Ed25519);
}

#[test]
fn rsa_2048_keys() {
    every_suite_and_group(Kind::Rsa2048);
}

/// Each suite with each group, with every other provider that has them, as client and as server.
fn every_suite_and_group(key: Kind) {
    let pki = Pki::new(key);
    let (ours, others) = (Arm::offload(), &Arm::all()[1..]);
    let suites: Vec<_> =
        ours.provider.cipher_suites.iter().filter(|suite| usable(suite, key)).collect();
    let of_a_version = if cfg!(feature = "fips") { 2 } else { 3 };
    let tls12 = key != Kind::Ed25519 || cfg!(any(feature = "aws-lc-rs", feature = "ring"));
    assert_eq!(suites.len(), of_a_version * (1 + usize::from(tls12)));
    for suite in suites {
        for group in &ours.provider.kx_groups {
            let version = suite.version();
            if !group.usable_for_version(version.version) {
                continue;
            }
            let name = format!("{:?} with {:?}", suite.suite(), group.name());
            let expected = Expected {
                kind: HandshakeKind::Full,
                version: version.version,
                suite: Some(suite.suite()),
                group: Some(group.name()),
            };
            let ours = ours.only(suite.suite(), group.name(), key).unwrap();
            let theirs: Vec<_> = others
                .iter()
                .filter_map(|other| Some((other, other.only(suite.suite(), group.name(), key)?)))
                .collect();
            assert!(!theirs.is_empty(), "no other provider has {name}");
            for (other, theirs) in theirs {
                for (client, server) in [(&ours, &theirs), (&theirs, &ours)] {
                    let client = Arc::new(pki.client(client, &[version]));
                    let server = Arc::new(pki.server(server, &[version], None));
                    connect(&pki, &client, &server, expected)
                        .unwrap_or_else(|error| panic!("{name}, {key:?}, {}: {error}", other.name));
                }
            }
        }
    }
}

/// Whether an end with a key of this kind can use the suite; TLS 1.2 ties the two together.
///
/// Graviola's TLS 1.2 suites do not list Ed25519, though it signs and verifies with it.
fn usable(suite: &SupportedCipherSuite, key: Kind) -> bool {
    let SupportedCipherSuite::Tls12(suite) = suite else {
        return true;
    };
    let scheme = match key {
        Kind::P256 => SignatureScheme::ECDSA_NISTP256_SHA256,
        Kind::P384 => SignatureScheme::ECDSA_NISTP384_SHA384,
        Kind::Ed25519 => SignatureScheme::ED25519,
        Kind::Rsa2048 => SignatureScheme::RSA_PSS_SHA256,
    };
    suite.sign.contains(&scheme)
}

/// Who presents no certificate, or one of another authority, is turned away by every provider.
#[test]
fn every_pair_refuses_a_client_without_the_right_certificate() {
    let (pki, elsewhere) = (Pki::new(Kind::P256), Pki::new(Kind::P256));
    for client in &Arm::all() {
        for server in &Arm::all() {
            for version in VERSIONS {
                let config = Arc::new(pki.server(&server.provider, &[version], None));
                let builder = ClientConfig::builder_with_provider(Arc::clone(&client.provider))
                    .with_protocol_versions(&[version])
                    .unwrap()
                    .with_root_certificates(Arc::clone(&pki.roots));
                let nobody = builder.clone().with_no_client_auth();
                let (chain, key) = (elsewhere.client.0.clone(), elsewhere.client.1.clone_key());
                let stranger = builder.with_client_auth_cert(chain, key).unwrap();
                for (client_config, complaint) in [
                    (nobody, "server: peer sent no certificates"),
                    (stranger, "server: invalid peer certificate"),
                ] {
                    let refusal = Pair::connect(&Arc::new(client_config), &config).err().unwrap();
                    assert!(
                        refusal.contains(complaint),
                        "{} to {}, {version:?}: {refusal}",
                        client.name,
                        server.name
                    );
                }
            }
        }
    }
}
