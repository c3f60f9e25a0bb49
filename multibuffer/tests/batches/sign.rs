//! P-256 with secrets in batches: signatures, each verified by aws-lc-rs, on every engine, in every lane
//! and every size of batch.

use std::sync::Arc;

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use rustls_offload_multibuffer::Engine;
use rustls_offload_multibuffer::ecdsa::sign::{KeyError, Signature, Signing, SigningKey, sign};
use rustls_pki_types::PrivateKeyDer;

use crate::{engines, fastest, operations};

const THREADS: usize = 4;

/// n, the order of the group.
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

fn hex(digits: &str) -> Vec<u8> {
    let byte = |i: usize| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap();
    (0..digits.len() / 2).map(byte).collect()
}

fn scalar(digits: &str) -> [u8; 32] {
    hex(digits).try_into().unwrap()
}

/// n + `offset`.
fn near_order(offset: i8) -> [u8; 32] {
    let mut bytes = scalar(ORDER);
    // the last byte is 0x51
    bytes[31] = bytes[31].wrapping_add_signed(offset);
    bytes
}

/// A random number, the same in every run.
struct Random(TestRng);

impl Random {
    fn new(seed: u8) -> Self {
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
    }

    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// One in four at an edge: small, near n, or with long runs of equal bits.
    fn scalar(&mut self) -> [u8; 32] {
        let kind = self.0.next_u32() % 16;
        let mut bytes = self.bytes();
        match kind {
            0 => bytes = std::array::from_fn(|i| if i == 31 { bytes[31].max(1) } else { 0 }),
            1 => bytes = near_order(-1 - (bytes[0] % 64) as i8),
            2 => {
                let (from, value) =
                    (usize::from(bytes[0] % 32), [0, 0xff][usize::from(bytes[1] & 1)]);
                bytes[from..].fill(value);
                bytes[0] >>= 1;
                bytes[31] |= 1;
            }
            3 => {
                let bit = usize::from(bytes[0]) % 255;
                bytes = [0; 32];
                bytes[31 - bit / 8] = 1 << (bit % 8);
            }
            _ => {}
        }
        // a random number is above n with a chance of 2^-32
        if SigningKey::from_scalar(&bytes).is_ok() { bytes } else { self.scalar() }
    }

    fn digest(&mut self) -> [u8; 32] {
        match self.0.next_u32() % 16 {
            0 => [0; 32],
            1 => [0xff; 32],
            2 => near_order((self.bytes()[0] % 8) as i8 - 4),
            _ => self.bytes(),
        }
    }

    fn signing(&mut self) -> Signing {
        let key = Arc::new(SigningKey::from_scalar(&self.scalar()).unwrap());
        Signing { key, digest: self.digest(), entropy: self.bytes() }
    }
}

#[track_caller]
fn verify(job: &Signing, signature: &Signature) {
    let digest = Digest::import_less_safe(&job.digest, &SHA256).unwrap();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, job.key.public_key());
    let verdict = key.verify_digest(&digest, &signature.to_der());
    assert!(verdict.is_ok(), "{job:x?} {signature:x?}");
}

/// The signatures of `jobs`, verified; none comes out where there is no job.
#[track_caller]
fn signed(engine: Engine, jobs: &[Signing]) -> Vec<Signature> {
    let signatures = sign(engine, jobs);
    assert!(signatures[jobs.len()..].iter().all(Option::is_none));
    let signatures: Vec<_> = signatures[..jobs.len()].iter().map(|one| one.unwrap()).collect();
    jobs.iter().zip(&signatures).for_each(|(job, signature)| verify(job, signature));
    signatures
}

#[test]
fn every_engine_and_size_of_batch_signs_the_same() {
    let mut random = Random::new(1);
    let jobs: Vec<_> = (0..8).map(|_| random.signing()).collect();
    let alone: Vec<_> =
        jobs.iter().flat_map(|job| signed(Engine::single(), std::slice::from_ref(job))).collect();
    for engine in engines() {
        for size in 0..=8 {
            for first in 0..=8 - size {
                let range = first..first + size;
                assert_eq!(signed(engine, &jobs[range.clone()]), alone[range], "{engine:?}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "9 jobs in a batch of up to 8")]
fn more_than_a_batch() {
    let job = Random::new(2).signing();
    sign(Engine::single(), &vec![job; 9]);
}

#[test]
fn nonces_depend_on_key_digest_and_entropy() {
    let job = Random::new(3).signing();
    let mut other_digest = job.clone();
    other_digest.digest[0] ^= 1;
    let mut other_entropy = job.clone();
    other_entropy.entropy[31] ^= 1;
    let other_key = Signing { key: Random::new(4).signing().key, ..job.clone() };
    let jobs = [job.clone(), other_digest, other_entropy, other_key, job];
    let r: Vec<_> = signed(fastest(), &jobs).iter().map(|signature| signature.r).collect();
    assert_eq!(r[0], r[4], "the same is signed the same");
    for (i, j) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
        assert_ne!(r[i], r[j], "{i} and {j}");
    }
}

#[test]
fn random_signatures_verify() {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let mut random = Random::new(10 + thread as u8);
                let engine = fastest();
                // making a key costs more than a signature
                let mut jobs: Vec<_> = (0..8).map(|_| random.signing()).collect();
                for round in 0..operations(800) / THREADS / 8 {
                    for job in &mut jobs {
                        (job.digest, job.entropy) = (random.digest(), random.bytes());
                    }
                    jobs[round % 8] = random.signing();
                    signed(engine, &jobs);
                }
            });
        }
    });
}

#[test]
fn scalars_out_of_range_are_refused() {
    for bad in [[0; 32], near_order(0), near_order(1), [0xff; 32]] {
        assert_eq!(SigningKey::from_scalar(&bad).unwrap_err(), KeyError::OutOfRange);
    }
    let mut one = [0; 32];
    one[31] = 1;
    for good in [one, near_order(-1)] {
        let key = Arc::new(SigningKey::from_scalar(&good).unwrap());
        signed(fastest(), &[Signing { key, digest: [5; 32], entropy: [6; 32] }]);
    }
}

/// The key of RFC 6979, appendix A.2.5, in every form, and spoilt.
#[test]
fn keys_in_der() {
    let d = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
    let public = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                  7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    let (d, public) = (hex(d), [vec![4], hex(public)].concat());
    let p_256 = hex("a00a06082a8648ce3d030107");
    let sec1 = |d: &[u8], parameters: &[u8], public: &[u8]| {
        let mut body = [&[2, 1, 1, 4, d.len() as u8], d, parameters].concat();
        if !public.is_empty() {
            let length = public.len() as u8;
            body.extend([0xa1, length + 3, 3, length + 1, 0]);
            body.extend(public);
        }
        [&[0x30, body.len() as u8], &body[..]].concat()
    };
    let pkcs8 = |algorithm: &str, key: &[u8]| {
        let body = [&hex("020100"), &hex(algorithm), &[4, key.len() as u8][..], key].concat();
        // lengths from 128 up need a byte that says so
        let long = (body.len() > 127).then_some(0x81);
        [&[0x30][..], long.as_slice(), &[body.len() as u8], &body].concat()
    };
    let p_256_algorithm = "301306072a8648ce3d020106082a8648ce3d030107";
    let p_384_algorithm = "301006072a8648ce3d020106052b81040022";
    let parse =
        |der: PrivateKeyDer<'_>| SigningKey::from_der(&der).map(|key| key.public_key().to_vec());
    let of_sec1 = |der: Vec<u8>| parse(PrivateKeyDer::Sec1(der.into()));
    let of_pkcs8 = |der: Vec<u8>| parse(PrivateKeyDer::Pkcs8(der.into()));

    assert_eq!(of_sec1(sec1(&d, &p_256, &public)), Ok(public.clone()));
    assert_eq!(of_sec1(sec1(&d, &p_256, &[])), Ok(public.clone()));
    assert_eq!(of_pkcs8(pkcs8(p_256_algorithm, &sec1(&d, &[], &public))), Ok(public.clone()));
    assert_eq!(of_pkcs8(pkcs8(p_256_algorithm, &sec1(&d, &p_256, &[]))), Ok(public.clone()));

    assert_eq!(of_sec1(sec1(&d, &[], &[])), Err(KeyError::NotP256));
    assert_eq!(of_sec1(sec1(&d, &hex("a00706052b81040022"), &[])), Err(KeyError::NotP256));
    assert_eq!(of_pkcs8(pkcs8(p_384_algorithm, &sec1(&d, &[], &[]))), Err(KeyError::NotP256));
    assert_eq!(of_sec1(sec1(&d[..31], &p_256, &[])), Err(KeyError::OutOfRange));
    assert_eq!(of_sec1(sec1(&hex(ORDER), &p_256, &[])), Err(KeyError::OutOfRange));
    assert_eq!(of_sec1(sec1(&[0; 32], &p_256, &[])), Err(KeyError::OutOfRange));
    let mut other = public.clone();
    other[64] ^= 1;
    assert_eq!(of_sec1(sec1(&d, &p_256, &other)), Err(KeyError::Mismatch));
    assert_eq!(of_pkcs8(sec1(&d, &p_256, &public)), Err(KeyError::Malformed));
    assert_eq!(of_sec1(sec1(&d, &p_256, &public)[1..].to_vec()), Err(KeyError::Malformed));
    assert_eq!(of_sec1([sec1(&d, &p_256, &public), vec![0]].concat()), Err(KeyError::Malformed));
    assert_eq!(parse(PrivateKeyDer::Pkcs1(d.clone().into())), Err(KeyError::Malformed));
}

#[test]
fn keys_are_not_printed() {
    let scalar = [0x5a; 32];
    let key = SigningKey::from_scalar(&scalar).unwrap();
    let job = Signing { key: Arc::new(key), digest: [0; 32], entropy: [0; 32] };
    let printed = format!("{job:?}{job:x?}");
    assert!(!printed.contains("5a") && !printed.contains("90"), "{printed}");
}
