//! X25519 in batches, against aws-lc-rs one by one: wall-clock time of a batch, and operations a
//! second.
//!
//! `cargo bench -p rustls-offload-multibuffer --bench x25519`
#![allow(clippy::unwrap_used)] // here a panic is a failed bench

use std::hint::black_box;

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rustls_offload_multibuffer::{Engine, x25519};
use zeroize::Zeroizing;

const SIZES: [usize; 4] = [1, 2, 4, 8];

/// Eight lanes where the CPU has them, else the one-lane engine, whose name the bench then bears.
fn engine() -> (&'static str, Engine) {
    let fast = Engine::eight_lanes();
    fast.map_or(("one-lane", Engine::single()), |engine| ("eight-lane", engine))
}

fn secrets(size: usize) -> Vec<x25519::Secret> {
    (0..size).map(|i| Zeroizing::new([i as u8 * 29 + 5; 32])).collect()
}

fn peers(size: usize) -> Vec<[u8; 32]> {
    let mut peers = vec![[0; 32]; size];
    x25519::public_keys(engine().1, &secrets(size), &mut peers);
    peers
}

fn public_keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("x25519-public-keys");
    let (name, engine) = engine();
    for size in SIZES {
        group.throughput(Throughput::Elements(size as u64));
        let (secrets, mut publics) = (secrets(size), vec![[0; 32]; size]);
        group.bench_function(BenchmarkId::new(name, size), |bencher| {
            bencher.iter(|| x25519::public_keys(engine, black_box(&secrets), &mut publics));
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("aws-lc-rs", |bencher| {
        let secret = &secrets(1)[0];
        bencher.iter(|| {
            let private = PrivateKey::from_private_key(&X25519, black_box(&**secret)).unwrap();
            private.compute_public_key().unwrap()
        });
    });
    group.finish();
}

fn agreement(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("x25519-agree");
    let (name, engine) = engine();
    for size in SIZES {
        group.throughput(Throughput::Elements(size as u64));
        let (secrets, peers) = (secrets(size), peers(size));
        let mut shared = vec![None; size];
        group.bench_function(BenchmarkId::new(name, size), |bencher| {
            bencher.iter(|| x25519::agree(engine, black_box(&secrets), &peers, &mut shared));
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("aws-lc-rs", |bencher| {
        let private = PrivateKey::from_private_key(&X25519, &*secrets(1)[0]).unwrap();
        let peer = peers(2)[1];
        bencher.iter(|| {
            let peer = UnparsedPublicKey::new(&X25519, black_box(&peer));
            agree(&private, peer, (), |shared| {
                Ok(Zeroizing::<[u8; 32]>::new(shared.try_into().unwrap()))
            })
        });
    });
    group.finish();
}

fn exchange(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("x25519-exchange");
    let (name, engine) = engine();
    for size in SIZES {
        group.throughput(Throughput::Elements(size as u64));
        let (secrets, peers) = (secrets(size), peers(size));
        let (mut publics, mut shared) = (vec![[0; 32]; size], vec![None; size]);
        group.bench_function(BenchmarkId::new(name, size), |bencher| {
            bencher.iter(|| {
                x25519::exchange(engine, black_box(&secrets), &peers, &mut publics, &mut shared);
            });
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("aws-lc-rs", |bencher| {
        let (secret, peer) = (&secrets(1)[0], peers(2)[1]);
        bencher.iter(|| {
            let private = PrivateKey::from_private_key(&X25519, black_box(&**secret)).unwrap();
            let public = private.compute_public_key().unwrap();
            let peer = UnparsedPublicKey::new(&X25519, black_box(&peer));
            agree(&private, peer, (), |shared| {
                Ok((public, Zeroizing::<[u8; 32]>::new(shared.try_into().unwrap())))
            })
        });
    });
    group.finish();
}

criterion_group!(benches, public_keys, agreement, exchange);
criterion_main!(benches);
