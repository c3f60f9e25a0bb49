//! ECDSA P-256 verification in batches against aws-lc-rs: signatures by random keys, as they are and
//! with numbers replaced by those at which arithmetic turns over.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use rustls_offload_multibuffer::Engine;
use rustls_offload_multibuffer::ecdsa::{
    KnownKeys, MAX_BATCH, Verdict, Verification, parse_signature, verify,
};

use crate::{fastest, operations};

/// Encodings of signatures to be parsed.
const CASES: usize = 10_000;

/// Keys, all of which become known.
const KEYS: usize = 48;

/// 32 bytes of a number near which something overflows, wraps or is refused, as hexadecimal digits.
const EDGES: [&str; 10] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000001",
    // (n - 1) / 2, n, p - n, p
    "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8",
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    "000000000000000000000000000000004319055358e8617b0c46353d039cdaae",
    "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
    "8000000000000000000000000000000000000000000000000000000000000000",
    "00000000000fffffffffffff0000000000000fffffffffffff00000000000000",
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// Numbers in a reproducible order (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn bytes(&mut self) -> [u8; 32] {
        let words: [_; 4] = std::array::from_fn(|_| self.next().to_be_bytes());
        words.concat().try_into().unwrap()
    }

    /// An edge, or one off by a bit or by a random lower half.
    fn edge(&mut self) -> [u8; 32] {
        let digits = EDGES[self.below(EDGES.len())];
        let byte = |i: usize| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap();
        let mut bytes: [u8; 32] = std::array::from_fn(byte);
        match self.below(4) {
            0 => bytes[31] ^= 1,
            1 => bytes[16..].copy_from_slice(&self.bytes()[16..]),
            2 => bytes[self.below(32)] ^= 1 << self.below(8),
            _ => {}
        }
        bytes
    }
}

fn job(key: &EcdsaKeyPair, digest: [u8; 32]) -> Verification {
    let signature = key.sign_digest(&Digest::import_less_safe(&digest, &SHA256).unwrap()).unwrap();
    let (r, s) = signature.as_ref().split_at(32);
    let key = key.public_key().as_ref()[1..].try_into().unwrap();
    Verification { key, digest, r: r.try_into().unwrap(), s: s.try_into().unwrap() }
}

/// `job` with something wrong, or right after all.
fn mutated(mut job: Verification, other: &Verification, numbers: &mut Numbers) -> Verification {
    let bit = 1 << numbers.below(8);
    match numbers.below(16) {
        0 => job.r = numbers.edge(),
        1 => job.s = numbers.edge(),
        2 => job.digest = numbers.edge(),
        3 => job.r[numbers.below(32)] ^= bit,
        4 => job.s[numbers.below(32)] ^= bit,
        5 => job.digest[numbers.below(32)] ^= bit,
        6 => job.key[numbers.below(64)] ^= bit,
        7 => job.key[..32].copy_from_slice(&numbers.edge()),
        8 => job.key = other.key,
        9 => (job.r, job.s) = (job.s, job.r),
        10 => (job.r, job.s) = (numbers.edge(), numbers.edge()),
        _ => {}
    }
    job
}

/// What aws-lc-rs says.
fn expected(job: &Verification) -> Verdict {
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [&[4], job.key.as_slice()].concat());
    let digest = Digest::import_less_safe(&job.digest, &SHA256).unwrap();
    match key.verify_digest(&digest, &[job.r, job.s].concat()) {
        Ok(()) => Verdict::Valid,
        Err(_) => Verdict::Invalid,
    }
}

/// The engines that are compared with aws-lc-rs, and the number of signatures for each.
fn engines() -> [(Engine, usize); 2] {
    let cases = operations(2_000);
    [(fastest(), cases), (Engine::portable(), cases / 100)]
}

/// Verdicts that were compared, by kind.
#[derive(Default)]
struct Tally {
    valid: AtomicUsize,
    invalid: AtomicUsize,
    known: AtomicUsize,
}

/// Compares the verdicts of `jobs` of `known`'s engine, with and without tables, and of one lane.
fn compare(engine: Engine, [known, single]: [&KnownKeys; 2], jobs: &[Verification], tally: &Tally) {
    let expected: Vec<_> = jobs.iter().map(expected).collect();
    for verdict in &expected {
        let count = if *verdict == Verdict::Valid { &tally.valid } else { &tally.invalid };
        count.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(verify(engine, jobs)[..jobs.len()], expected, "{engine:?} {jobs:x?}");
    let has_tables = |job: &Verification| known.verify_known(&[*job]).is_some();
    let with_tables: Vec<_> = jobs.iter().copied().filter(has_tables).collect();
    if !with_tables.is_empty() {
        let of_job = jobs.iter().zip(&expected).filter(|(job, _)| with_tables.contains(job));
        let expected: Vec<_> = of_job.map(|(_, expected)| *expected).collect();
        let verdicts = known.verify_known(&with_tables).unwrap();
        assert_eq!(verdicts[..with_tables.len()], expected, "{engine:?} {with_tables:x?}");
        assert_eq!(single.verify_known(&with_tables[..1]).unwrap()[0], expected[0]);
        tally.known.fetch_add(with_tables.len(), Ordering::Relaxed);
    }
    assert_eq!(verify(Engine::single(), &jobs[..1])[0], expected[0], "{:x?}", jobs[0]);
}

#[test]
fn verdicts_are_those_of_aws_lc() {
    let keys: Vec<_> = (0..KEYS)
        .map(|_| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
        .collect();
    let publics: Vec<[u8; 64]> =
        keys.iter().map(|key| key.public_key().as_ref()[1..].try_into().unwrap()).collect();
    for (engine, cases) in engines() {
        let caches = [engine, Engine::single()].map(|engine| KnownKeys::new(engine, KEYS));
        for known in &caches {
            for key in &publics {
                known.saw(&[*key]);
                known.saw(&[*key]);
            }
            assert_eq!(known.len(), KEYS);
        }
        let tally = Tally::default();
        let threads = std::thread::available_parallelism().unwrap().get();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let (keys, tally, caches) = (&keys, &tally, caches.each_ref());
                scope.spawn(move || {
                    let mut numbers = Numbers(thread as u64);
                    let mut pool: Vec<_> =
                        keys.iter().map(|key| job(key, numbers.bytes())).collect();
                    let mut left = cases.div_ceil(threads);
                    while left > 0 {
                        let key = numbers.below(KEYS);
                        let digest =
                            if numbers.below(4) == 0 { numbers.edge() } else { numbers.bytes() };
                        pool[key] = job(&keys[key], digest);
                        let size = 1 + numbers.below(MAX_BATCH);
                        let jobs: Vec<_> = (0..size)
                            .map(|_| {
                                let (one, other) = (numbers.below(KEYS), numbers.below(KEYS));
                                mutated(pool[one], &pool[other], &mut numbers)
                            })
                            .collect();
                        compare(engine, caches, &jobs, tally);
                        left = left.saturating_sub(size);
                    }
                });
            }
        });
        println!(
            "{engine:?}: {} valid, {} invalid, {} of them with tables",
            tally.valid.load(Ordering::Relaxed),
            tally.invalid.load(Ordering::Relaxed),
            tally.known.load(Ordering::Relaxed),
        );
        let compared = tally.valid.into_inner() + tally.invalid.into_inner();
        assert!(compared >= cases && tally.known.into_inner() > cases / 2);
    }
}

/// Signatures in DER with random bytes changed: what the parser understands, aws-lc-rs understands the
/// same way.
#[test]
fn encodings_are_read_as_aws_lc_reads_them() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING};

    let random = aws_lc_rs::rand::SystemRandom::new();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let public = key.public_key().as_ref();
    let (asn1, fixed) = (
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public),
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public),
    );
    let mut numbers = Numbers(1);
    let (mut valid, mut refused) = (0, 0);
    for case in 0..CASES {
        let mut der = key.sign(&random, b"message").unwrap().as_ref().to_vec();
        assert!(parse_signature(&der).is_some());
        if case % 4 != 0 {
            // tags, lengths and first bytes are what parsing is about
            let places = [0, 1, 2, 3, 4, 5, 34, 35, 36, 37, 38, 39, der.len() - 1];
            let place = places[numbers.below(places.len())];
            der[place] = der[place].wrapping_add(1 << numbers.below(8));
        }
        match parse_signature(&der) {
            Some((r, s)) => {
                let verdict = fixed.verify(b"message", &[r, s].concat()).is_ok();
                assert_eq!(asn1.verify(b"message", &der).is_ok(), verdict, "{der:x?}");
                valid += usize::from(verdict);
            }
            None => {
                assert!(asn1.verify(b"message", &der).is_err(), "{der:x?}");
                refused += 1;
            }
        }
    }
    println!("{valid} valid, {refused} not understood");
    assert!(valid >= CASES / 4 && refused > 0);
}
