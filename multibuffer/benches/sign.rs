//! Batches of P-256 operations with secrets beside aws-lc-rs, one operation after the other.
//!
//! The arms of a group share their inputs. criterion runs arms one after the other; where the clock
//! drifts, compare minima, or run the groups again.
#![allow(clippy::unwrap_used, reason = "a panic is a failed bench")]

use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use rustls_offload_multibuffer::ecdsa::MAX_BATCH;
use rustls_offload_multibuffer::ecdsa::sign::{Signing, SigningKey, sign};
use rustls_offload_multibuffer::{Engine, ecdh};

/// Scalars of eight keys.
fn scalars() -> [[u8; 32]; MAX_BATCH] {
    std::array::from_fn(|i| std::array::from_fn(|j| (i * 31 + j * 7 + 1) as u8))
}

/// Runs `operation` on every size of batch that an engine has.
fn batches(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut operation: impl FnMut(Engine, usize),
) {
    let engines = [("batch", Engine::eight_lanes()), ("single", Some(Engine::single()))];
    for (engine_name, engine) in engines {
        let Some(engine) = engine else {
            eprintln!("{engine_name}: this CPU has no AVX-512 IFMA");
            continue;
        };
        for size in [1, 2, 4, 8].into_iter().filter(|&size| size <= engine.lanes()) {
            group.throughput(Throughput::Elements(size as u64));
            group.bench_function(format!("{engine_name}/{name}/{size}"), |b| {
                b.iter(|| operation(engine, size));
            });
        }
    }
}

fn signatures(c: &mut Criterion) {
    let mut group = c.benchmark_group("ecdsa_p256_sign");
    let keys = scalars().map(|scalar| Arc::new(SigningKey::from_scalar(&scalar).unwrap()));
    group.throughput(Throughput::Elements(1)).bench_function("aws-lc-rs", |b| {
        let (random, scalar, public) = (SystemRandom::new(), scalars()[0], keys[0].public_key());
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &scalar, public);
        let key = key.unwrap();
        // of a message of 32 bytes, so that its hash is of one block
        b.iter(|| key.sign(&random, black_box(&[7; 32])).unwrap());
    });
    let jobs = keys.map(|key| Signing { key, digest: [7; 32], entropy: [9; 32] });
    batches(&mut group, "sign", |engine, size| {
        assert!(sign(engine, black_box(&jobs[..size]))[size - 1].is_some());
    });
}

fn key_generation(c: &mut Criterion) {
    let mut group = c.benchmark_group("p256_key_generation");
    group.throughput(Throughput::Elements(1)).bench_function("aws-lc-rs", |b| {
        b.iter(|| {
            let key = PrivateKey::from_private_key(&ECDH_P256, &scalars()[0]).unwrap();
            key.compute_public_key().unwrap()
        });
    });
    let privates = scalars().map(|scalar| ecdh::PrivateKey::from_bytes(&scalar).unwrap());
    let mut publics = [[0; 65]; MAX_BATCH];
    batches(&mut group, "generate", |engine, size| {
        ecdh::public_keys(engine, black_box(&privates[..size]), &mut publics[..size]);
    });
}

fn agreements(c: &mut Criterion) {
    let mut group = c.benchmark_group("p256_agreement");
    let privates = scalars().map(|scalar| ecdh::PrivateKey::from_bytes(&scalar).unwrap());
    let mut peers = [[0; 65]; MAX_BATCH];
    ecdh::public_keys(Engine::portable(), &privates, &mut peers);
    peers.rotate_left(1);
    group.throughput(Throughput::Elements(1)).bench_function("aws-lc-rs", |b| {
        let private = PrivateKey::from_private_key(&ECDH_P256, &scalars()[0]).unwrap();
        b.iter(|| {
            let peer = UnparsedPublicKey::new(&ECDH_P256, black_box(&peers[0]));
            agree(&private, peer, (), |shared| Ok(shared[0])).unwrap()
        });
    });
    let mut shared = [const { None }; MAX_BATCH];
    batches(&mut group, "agree", |engine, size| {
        let peers = black_box(&peers[..size]);
        ecdh::agree(engine, &privates[..size], peers, &mut shared[..size]);
    });
}

criterion_group!(benches, signatures, key_generation, agreements);
criterion_main!(benches);
