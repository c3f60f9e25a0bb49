//! What a composed provider is made of: the backends' own parts, complete, and in the right order.

use std::fmt::Debug;
use std::mem::size_of_val;
use std::sync::Arc;

use crate::common::pair::{Kind, Pair, Pki};
use crate::common::{own_provider, whole_backends};
use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, SupportedCipherSuite};
use rustls_offload::Offload;
use rustls_offload::cpu::Cpu;
use rustls_offload::plan::{Algorithm, Backend};

/// Each backend for everything it has; then each pair of backends taking turns by algorithm.
fn compositions() -> Vec<Offload> {
    let cpu = Cpu::detect().unwrap();
    let backends = Backend::available(&cpu);
    let mut offloads = Vec::new();
    for &first in &backends {
        for &second in &backends {
            let mut builder = Offload::builder().cpu(cpu.clone());
            for (turn, &algorithm) in Algorithm::ALL.iter().enumerate() {
                let wanted = if turn % 2 == 0 { first } else { second };
                if algorithm.candidates(&cpu).contains(&wanted) {
                    builder = builder.choose(algorithm, wanted);
                }
            }
            offloads.push(builder.build().unwrap());
        }
    }
    offloads
}

/// Where a part is, and how big: enough to tell a backend's static from a wrapper around it.
fn identity<T: ?Sized>(part: &T) -> Identity {
    (std::ptr::from_ref(part).cast(), size_of_val(part))
}

fn slots(suite: CipherSuite) -> [Algorithm; 3] {
    let name = suite.as_str().unwrap();
    let aead = match name {
        _ if name.contains("AES_128_GCM") => Algorithm::Aes128Gcm,
        _ if name.contains("AES_256_GCM") => Algorithm::Aes256Gcm,
        _ => Algorithm::ChaCha20Poly1305,
    };
    match name.ends_with("SHA384") {
        true => [aead, Algorithm::Sha384, Algorithm::HkdfSha384],
        false => [aead, Algorithm::Sha256, Algorithm::HkdfSha256],
    }
}

fn find(provider: &CryptoProvider, id: CipherSuite) -> SupportedCipherSuite {
    *provider.cipher_suites.iter().find(|suite| suite.suite() == id).unwrap()
}

#[test]
fn suites_are_made_of_the_chosen_backends_own_statics() {
    let cpu = Cpu::detect().unwrap();
    for offload in compositions() {
        for suite in offload.provider().cipher_suites {
            let id = suite.suite();
            let [aead, hash, hkdf] = slots(id).map(|slot| offload.plan().backend(slot).unwrap());
            assert_eq!(parts(&suite).aead, parts(&find(&own_provider(aead), id)).aead);
            if hash == Backend::RustCrypto {
                assert!(whole_backends(&cpu).iter().all(|&whole| {
                    parts(&find(&own_provider(whole), id)).hash != parts(&suite).hash
                }));
            } else {
                assert_eq!(parts(&suite).hash, parts(&find(&own_provider(hash), id)).hash);
            }
            if hkdf == Backend::RustCrypto {
                assert!(whole_backends(&cpu).iter().all(|&whole| {
                    parts(&find(&own_provider(whole), id)).schedule != parts(&suite).schedule
                }));
            } else {
                assert_eq!(parts(&suite).schedule, parts(&find(&own_provider(hkdf), id)).schedule);
            }
        }
    }
}

type Identity = (*const (), usize);

/// Where a suite's parts are.
struct Parts {
    /// Record protection, and the limit that belongs to it.
    aead: (Identity, u64),
    hash: Identity,
    /// HKDF or PRF.
    schedule: Identity,
}

fn parts(suite: &SupportedCipherSuite) -> Parts {
    match suite {
        SupportedCipherSuite::Tls13(suite) => Parts {
            aead: (identity(suite.aead_alg), suite.common.confidentiality_limit),
            hash: identity(suite.common.hash_provider),
            schedule: identity(suite.hkdf_provider),
        },
        SupportedCipherSuite::Tls12(suite) => Parts {
            aead: (identity(suite.aead_alg), suite.common.confidentiality_limit),
            hash: identity(suite.common.hash_provider),
            schedule: identity(suite.prf_provider),
        },
    }
}

#[test]
fn a_suite_of_one_backend_is_that_backends_own() {
    let cpu = Cpu::detect().unwrap();
    let preferred = Backend::available(&cpu)[0];
    let mut builder = Offload::builder();
    for &algorithm in Algorithm::ALL {
        if algorithm.candidates(&cpu).contains(&preferred) {
            builder = builder.choose(algorithm, preferred);
        }
    }
    let own = own_provider(preferred);
    for suite in builder.build().unwrap().provider().cipher_suites {
        match (suite, find(&own, suite.suite())) {
            (SupportedCipherSuite::Tls13(a), SupportedCipherSuite::Tls13(b)) => {
                let quic_elsewhere = a.quic.is_some() != b.quic.is_some();
                assert!(std::ptr::eq(a, b) || quic_elsewhere, "{a:?}");
            }
            (SupportedCipherSuite::Tls12(a), SupportedCipherSuite::Tls12(b)) => {
                assert!(std::ptr::eq(a, b), "{a:?}");
            }
            _ => panic!("{suite:?} changed its protocol version"),
        }
    }
}

#[test]
fn the_same_choices_give_the_same_statics() {
    for (once, again) in compositions().into_iter().zip(compositions()) {
        let (once, again) = (once.provider(), again.provider());
        for (a, b) in once.cipher_suites.iter().zip(&again.cipher_suites) {
            match (a, b) {
                (SupportedCipherSuite::Tls13(a), SupportedCipherSuite::Tls13(b)) => {
                    assert!(std::ptr::eq(*a, *b));
                }
                (SupportedCipherSuite::Tls12(a), SupportedCipherSuite::Tls12(b)) => {
                    assert!(std::ptr::eq(*a, *b));
                }
                _ => panic!("{a:?} against {b:?}"),
            }
        }
        let verifiers = |p: &CryptoProvider| p.signature_verification_algorithms.all.as_ptr();
        assert_eq!(verifiers(&once), verifiers(&again));
        assert_eq!(identity(once.key_provider), identity(again.key_provider));
    }
}

#[test]
fn groups_and_verifiers_are_the_chosen_backends_own() {
    // with IFMA, groups that run in lanes have a front, which says that it is what is behind
    let front = |part: &dyn Debug| format!("{part:?}");
    for offload in compositions() {
        let provider = offload.provider();
        for group in &provider.kx_groups {
            let slot: Algorithm = match group.name() {
                rustls::NamedGroup::X25519 => Algorithm::X25519,
                rustls::NamedGroup::secp256r1 => Algorithm::P256,
                rustls::NamedGroup::secp384r1 => Algorithm::P384,
                rustls::NamedGroup::X25519MLKEM768 => Algorithm::X25519MlKem768,
                other => panic!("no slot for {other:?}"),
            };
            let own = own_provider(offload.plan().backend(slot).unwrap());
            let same = own.kx_groups.iter().find(|own| own.name() == group.name()).unwrap();
            let has_lanes = !matches!(slot, Algorithm::P384);
            if has_lanes {
                assert_eq!(front(group), front(same));
            } else {
                assert_eq!(identity(*group), identity(*same), "{group:?}");
            }
        }
        let first_of = |provider: &CryptoProvider, scheme| {
            let mapping = provider.signature_verification_algorithms.mapping;
            identity(mapping.iter().find(|entry| entry.0 == scheme).unwrap().1[0])
        };
        for (slot, scheme) in [
            (Algorithm::EcdsaP384Verify, rustls::SignatureScheme::ECDSA_NISTP384_SHA384),
            (Algorithm::Ed25519Verify, rustls::SignatureScheme::ED25519),
            (Algorithm::RsaPkcs1Verify, rustls::SignatureScheme::RSA_PKCS1_SHA256),
            (Algorithm::RsaPssVerify, rustls::SignatureScheme::RSA_PSS_SHA384),
        ] {
            let own = own_provider(offload.plan().backend(slot).unwrap());
            assert_eq!(first_of(&provider, scheme), first_of(&own, scheme), "{slot}");
        }
        let p256 = |provider: &CryptoProvider| {
            let mapping = provider.signature_verification_algorithms.mapping;
            let scheme = rustls::SignatureScheme::ECDSA_NISTP256_SHA256;
            front(&mapping.iter().find(|entry| entry.0 == scheme).unwrap().1[0])
        };
        let own = own_provider(offload.plan().backend(Algorithm::EcdsaP256Verify).unwrap());
        assert_eq!(p256(&provider), p256(&own));
    }
}

#[test]
fn nothing_that_any_backend_offers_is_missing() {
    let ids = |provider: &CryptoProvider| {
        let verify = provider.signature_verification_algorithms;
        let verifiers = verify.all.iter().map(|v| {
            (v.public_key_alg_id().as_ref().to_vec(), v.signature_alg_id().as_ref().to_vec())
        });
        (
            provider
                .cipher_suites
                .iter()
                .map(rustls::SupportedCipherSuite::suite)
                .collect::<Vec<_>>(),
            provider.kx_groups.iter().map(|g| g.name()).collect::<Vec<_>>(),
            verify.supported_schemes(),
            verifiers.collect::<Vec<_>>(),
        )
    };
    for offload in compositions() {
        let (suites, groups, schemes, verifiers) = ids(&offload.provider());
        for backend in whole_backends(offload.plan().cpu()) {
            let own = ids(&own_provider(backend));
            assert!(own.0.iter().all(|suite| suites.contains(suite)));
            assert!(own.1.iter().all(|group| groups.contains(group)));
            assert!(own.2.iter().all(|scheme| schemes.contains(scheme)));
            assert!(own.3.iter().all(|verifier| verifiers.contains(verifier)));
        }
        for (position, verifier) in verifiers.iter().enumerate() {
            assert!(!verifiers[..position].contains(verifier), "{verifier:?} twice");
        }
    }
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn the_order_is_that_of_rustls_with_aes() {
    use rustls_offload::cpu::Feature::{Aes, Pclmulqdq, Pmull};

    let cpu = Cpu::detect().unwrap();
    if !(cpu.has(Aes) && (cpu.has(Pclmulqdq) || cpu.has(Pmull))) {
        return without_aes_chacha20_comes_first();
    }
    let own = own_provider(Backend::AwsLcRs);
    for offload in compositions() {
        let provider = offload.provider();
        let ids = |p: &CryptoProvider| {
            p.cipher_suites.iter().map(rustls::SupportedCipherSuite::suite).collect::<Vec<_>>()
        };
        assert_eq!(ids(&provider), ids(&own));
        let names = |p: &CryptoProvider| p.kx_groups.iter().map(|g| g.name()).collect::<Vec<_>>();
        assert_eq!(names(&provider), names(&own));
        let schemes = |p: &CryptoProvider| p.signature_verification_algorithms.supported_schemes();
        assert_eq!(schemes(&provider), schemes(&own));
    }
}

#[test]
fn without_aes_chacha20_comes_first() {
    for mask in ["-aes", "-pclmulqdq,-pmull", "-aes,-pclmulqdq,-pmull"] {
        let cpu = Cpu::detect().unwrap().with_mask(mask).unwrap();
        if Backend::available(&cpu).is_empty() {
            assert!(Offload::builder().cpu(cpu).build().is_err());
            continue;
        }
        let provider = Offload::builder().cpu(cpu).build().unwrap().provider();
        for group in ["TLS13_", "TLS_ECDHE_ECDSA_", "TLS_ECDHE_RSA_"] {
            let names = provider.cipher_suites.iter().map(|s| s.suite().as_str().unwrap());
            let group: Vec<_> = names.filter(|name| name.starts_with(group)).collect();
            assert_eq!(group.len(), 3);
            assert!(group[0].contains("CHACHA20"), "{mask}: {group:?}");
        }
        let versions: Vec<_> = provider.cipher_suites.iter().map(|s| s.tls13().is_some()).collect();
        assert!(versions.is_sorted_by(|a, b| a >= b), "TLS 1.3 no longer first");
    }
}

#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#[test]
fn every_tls13_suite_has_quic_keys() {
    for offload in compositions() {
        for suite in
            offload.provider().cipher_suites.iter().filter_map(rustls::SupportedCipherSuite::tls13)
        {
            let quic = suite.quic.unwrap();
            assert_eq!(quic.aead_key_len(), suite.aead_alg.key_len(), "{suite:?}");
        }
    }
}

#[test]
fn secrets_can_be_extracted_from_every_suite() {
    let pkis = [Kind::P256, Kind::Rsa2048].map(Pki::new);
    for offload in compositions() {
        for suite in offload.provider().cipher_suites {
            let id = suite.suite();
            let [ecdsa, rsa] = &pkis;
            let pki = if id.as_str().unwrap().contains("_RSA_") { rsa } else { ecdsa };
            let mut provider = offload.provider();
            provider.cipher_suites.retain(|other| other.suite() == id);
            let provider = Arc::new(provider);
            let versions = if suite.tls13().is_some() { [&TLS13] } else { [&TLS12] };
            let mut server = pki.server(&provider, &versions, None);
            let mut client = pki.client(&provider, &versions);
            server.enable_secret_extraction = true;
            client.enable_secret_extraction = true;
            let pair = Pair::connect(&Arc::new(client), &Arc::new(server)).unwrap();
            let client = pair.client.dangerous_extract_secrets().unwrap();
            let server = pair.server.dangerous_extract_secrets().unwrap();
            assert_eq!(key_bytes(&client.tx.1), key_bytes(&server.rx.1), "{id:?}");
            assert_eq!(key_bytes(&client.rx.1), key_bytes(&server.tx.1), "{id:?}");
            let expected = if id.as_str().unwrap().contains("AES_128") { 16 } else { 32 };
            assert_eq!(key_bytes(&client.tx.1).len(), expected);
        }
    }
}

fn key_bytes(secrets: &rustls::ConnectionTrafficSecrets) -> Vec<u8> {
    use rustls::ConnectionTrafficSecrets as Secrets;
    match secrets {
        Secrets::Aes128Gcm { key, .. }
        | Secrets::Aes256Gcm { key, .. }
        | Secrets::Chacha20Poly1305 { key, .. } => key.as_ref().to_vec(),
        _ => panic!("an unknown kind of secrets"),
    }
}
