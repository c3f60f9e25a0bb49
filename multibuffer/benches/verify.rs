//! Verifying ECDSA P-256 in batches, by keys that are new and by keys that are known, against
//! aws-lc-rs one by one. Time is that of a batch; throughput is in signatures.

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rustls_offload_multibuffer::Engine;
use rustls_offload_multibuffer::ecdsa::{KnownKeys, MAX_BATCH, Verdict, Verification, verify};

const MESSAGE: &[u8] = b"what the peers have said so far";

/// A key and its signature of the message.
struct Signed {
    key: Vec<u8>,
    signature: Vec<u8>,
}

impl Signed {
    fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("key");
        let signature = pair.sign(&SystemRandom::new(), MESSAGE).expect("signature");
        Self { key: pair.public_key().as_ref().to_vec(), signature: signature.as_ref().to_vec() }
    }

    fn job(&self) -> Verification {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, MESSAGE);
        Verification {
            key: self.key[1..].try_into().expect("64 bytes"),
            digest: digest.as_ref().try_into().expect("32 bytes"),
            r: self.signature[..32].try_into().expect("32 bytes"),
            s: self.signature[32..].try_into().expect("32 bytes"),
        }
    }
}

fn verification(c: &mut Criterion) {
    let signed: Vec<_> = (0..MAX_BATCH).map(|_| Signed::new()).collect();
    let jobs: Vec<_> = signed.iter().map(Signed::job).collect();
    let mut group = c.benchmark_group("ecdsa_p256_verify");
    group.throughput(Throughput::Elements(1)).bench_function("aws-lc-rs", |b| {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &signed[0].key);
        b.iter(|| key.verify(black_box(MESSAGE), &signed[0].signature).expect("valid"));
    });
    let lanes = Engine::eight_lanes();
    if lanes.is_none() {
        eprintln!("not run: eight lanes (this CPU has no AVX-512 IFMA)");
    }
    let engines = lanes.map(|engine| ("lanes", engine)).into_iter();
    for (name, engine) in engines.chain([("single", Engine::single())]) {
        let known = KnownKeys::new(engine, KnownKeys::DEFAULT_CAPACITY);
        for _ in 0..2 {
            known.saw(&jobs.iter().map(|job| job.key).collect::<Vec<_>>());
        }
        for size in [1, 2, 4, 8].into_iter().filter(|&size| size <= engine.lanes()) {
            let jobs = &jobs[..size];
            let valid = |verdicts: [Verdict; MAX_BATCH]| {
                assert_eq!(verdicts[..size], [Verdict::Valid; MAX_BATCH][..size]);
            };
            group.throughput(Throughput::Elements(size as u64));
            group.bench_function(format!("{name}/new/{size}"), |b| {
                b.iter(|| valid(verify(engine, black_box(jobs))));
            });
            group.bench_function(format!("{name}/known/{size}"), |b| {
                b.iter(|| valid(known.verify_known(black_box(jobs)).expect("known")));
            });
        }
    }
}

criterion_group!(benches, verification);
criterion_main!(benches);
