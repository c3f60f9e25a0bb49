//! Any choice of backends, however odd, makes a provider that works.

use std::sync::{Arc, LazyLock};

use crate::common::pair::{Kind, Pair, Pki};
use proptest::prelude::*;
use proptest::sample::Index;
use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{
    CipherSuite, HandshakeKind, SignatureAlgorithm, SupportedCipherSuite, SupportedProtocolVersion,
};
use rustls_offload::Offload;
use rustls_offload::cpu::Cpu;
use rustls_offload::plan::Algorithm;

static PKI: LazyLock<Vec<(Kind, Pki)>> =
    LazyLock::new(|| Kind::ALL.map(|kind| (kind, Pki::new(kind))).into());

/// An `Offload` whose every choice is drawn from what is available here.
fn offload(choices: &[Index]) -> Offload {
    let cpu = Cpu::detect().unwrap();
    let mut builder = Offload::builder().cpu(cpu.clone());
    for (&algorithm, choice) in Algorithm::ALL.iter().zip(choices) {
        let candidates = algorithm.candidates(&cpu);
        if !candidates.is_empty() {
            builder = builder.choose(algorithm, *choice.get(&candidates));
        }
    }
    builder.build().unwrap()
}

/// A full and a resumed handshake with data both ways, with `suite` if one is given.
fn works(
    client: &Offload,
    server: &Offload,
    pki: &Pki,
    version: &'static SupportedProtocolVersion,
    suite: Option<CipherSuite>,
) -> Result<(), String> {
    let provider = |offload: &Offload| {
        let mut provider = offload.provider();
        provider.cipher_suites.retain(|s| suite.is_none_or(|wanted| s.suite() == wanted));
        Arc::new(provider)
    };
    let ticketer = server.ticketer().map_err(|error| error.to_string())?;
    let server_config = Arc::new(pki.server(&provider(server), &[version], Some(ticketer)));
    let client_config = Arc::new(pki.client(&provider(client), &[version]));
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut pair = Pair::connect(&client_config, &server_config)?;
        pair.echo(&[0x5a; 20_000])?;
        if pair.server.handshake_kind() != Some(kind) {
            return Err(format!("{:?} instead of {kind:?}", pair.server.handshake_kind()));
        }
        if pair.server.peer_certificates().map(<[_]>::len) != Some(2) {
            return Err("the client's chain is missing".into());
        }
    }
    Ok(())
}

fn choices() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), Algorithm::ALL.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_override_completes_mutual_tls_12_and_13(
        client in choices(),
        server in choices(),
        pki in any::<Index>(),
        suite in any::<Index>(),
    ) {
        let (client, server) = (offload(&client), offload(&server));
        let (kind, pki) = pki.get(&PKI);
        for version in [&TLS12, &TLS13] {
            let usable = usable(&client.provider(), version, *kind);
            if usable.is_empty() {
                continue;
            }
            let suite = *suite.get(&usable);
            if let Err(error) = works(&client, &server, pki, version, Some(suite)) {
                return Err(TestCaseError::fail(format!("{kind:?} {suite:?}: {error}")));
            }
        }
    }
}

/// The suites of `provider` for `version` that a server with a key of `kind` can use. Graviola's
/// TLS 1.2 suites, for one, know nothing of Ed25519.
fn usable(
    provider: &CryptoProvider,
    version: &SupportedProtocolVersion,
    kind: Kind,
) -> Vec<CipherSuite> {
    let algorithm = match kind {
        Kind::P256 | Kind::P384 => SignatureAlgorithm::ECDSA,
        Kind::Ed25519 => SignatureAlgorithm::ED25519,
        Kind::Rsa2048 => SignatureAlgorithm::RSA,
    };
    let suites = provider.cipher_suites.iter().filter(|suite| {
        suite.version() == version && suite.usable_for_signature_algorithm(algorithm)
    });
    suites.map(SupportedCipherSuite::suite).collect()
}

#[test]
fn each_backend_alone_works_with_each_kind_of_key() {
    let cpu = Cpu::detect().unwrap();
    for backend in rustls_offload::plan::Backend::available(&cpu) {
        let mut builder = Offload::builder().cpu(cpu.clone());
        for &algorithm in Algorithm::ALL {
            if algorithm.candidates(&cpu).contains(&backend) {
                builder = builder.choose(algorithm, backend);
            }
        }
        let offload = builder.build().unwrap();
        for (kind, pki) in PKI.iter() {
            for version in [&TLS12, &TLS13] {
                let outcome = works(&offload, &offload, pki, version, None);
                let possible = !usable(&offload.provider(), version, *kind).is_empty();
                assert_eq!(outcome.is_ok(), possible, "{backend} {kind:?} {version:?} {outcome:?}");
            }
        }
    }
}
