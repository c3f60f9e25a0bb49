//! Batches of public-key operations beside aws-lc-rs, one operation after the other.
//!
//! The arms of a group share their inputs. criterion runs arms one after the other; where the clock
//! drifts, compare minima, or run the groups again.

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rustls_offload::cpu::Cpu;
use rustls_offload::multibuffer::Engine;
use rustls_offload::multibuffer::ecdsa::{MAX_BATCH, Verdict, Verification, verify};

const MESSAGE: &[u8] = b"what the peers have said so far";

/// Eight signatures by eight keys, for us and for aws-lc-rs.
fn signatures() -> (Vec<Verification>, Vec<(Vec<u8>, Vec<u8>)>) {
    let random = SystemRandom::new();
    let pairs = (0..MAX_BATCH).map(|_| {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("key");
        let signature = key.sign(&random, MESSAGE).expect("signature").as_ref().to_vec();
        (key.public_key().as_ref().to_vec(), signature)
    });
    let pairs: Vec<_> = pairs.collect();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, MESSAGE);
    let jobs = pairs.iter().map(|(key, signature)| Verification {
        key: key[1..].try_into().expect("64 bytes"),
        digest: digest.as_ref().try_into().expect("32 bytes"),
        r: signature[..32].try_into().expect("32 bytes"),
        s: signature[32..].try_into().expect("32 bytes"),
    });
    (jobs.collect(), pairs)
}

fn verification(c: &mut Criterion) {
    let (jobs, pairs) = signatures();
    let mut group = c.benchmark_group("ecdsa_p256_verify");
    group.throughput(Throughput::Elements(1)).bench_function("aws-lc-rs", |b| {
        let (key, signature) = &pairs[0];
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key);
        b.iter(|| key.verify(black_box(MESSAGE), signature).expect("valid"));
    });
    let engines = [
        ("batch", Engine::for_cpu(&Cpu::detect().expect("CPU"))),
        ("single", Some(Engine::single())),
    ];
    for (name, engine) in engines {
        let Some(engine) = engine else {
            eprintln!("{name}: this CPU has no AVX-512 IFMA");
            continue;
        };
        for size in [1, 2, 4, 8].into_iter().filter(|&size| size <= engine.lanes()) {
            group.throughput(Throughput::Elements(size as u64));
            group.bench_function(format!("{name}/new/{size}"), |b| {
                b.iter(|| {
                    let verdicts = verify(engine, black_box(&jobs[..size]));
                    assert!(verdicts[..size].iter().all(|&verdict| verdict == Verdict::Valid));
                });
            });
        }
    }
}

criterion_group!(benches, verification);
criterion_main!(benches);
