//! What it costs to find a chain's verdict in the cache, beside the verification that it saves: P-256
//! chains of two, verified by rustls's own verifier with our provider.
//!
//! `cargo bench --bench chain_cache`
#![allow(clippy::unwrap_used)] // here a panic is a failed bench

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;
use std::time::Duration;

use common::pair::{Kind, Pki};
use criterion::{Criterion, criterion_group, criterion_main};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_offload::verify::{CachingClientVerifier, CachingServerVerifier};

fn clients(criterion: &mut Criterion) {
    let (pki, provider) = (Pki::new(Kind::P256), Arc::new(rustls_offload::default_provider()));
    let (leaf, intermediates) = pki.client.0.split_first().unwrap();
    let inner = WebPkiClientVerifier::builder_with_provider(pki.roots.clone(), provider);
    let inner = inner.build().unwrap();
    let caching = CachingClientVerifier::new(inner.clone());
    let forgetful = CachingClientVerifier::builder(inner.clone()).max_age(Duration::ZERO).build();
    let bytes: usize = pki.client.0.iter().map(|certificate| certificate.len()).sum();
    let mut group = criterion.benchmark_group(format!("a client's chain of {bytes} bytes"));
    let now = UnixTime::now();
    for (name, verifier) in [
        ("verified", inner as Arc<dyn ClientCertVerifier>),
        ("missed", forgetful),
        ("found", caching.clone()),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| verifier.verify_client_cert(leaf, intermediates, now).unwrap());
        });
    }
    group.bench_function("found, with the identity", |bencher| {
        bencher.iter(|| caching.verify_peer(leaf, intermediates, now).unwrap());
    });
    group.finish();
}

fn servers(criterion: &mut Criterion) {
    let (pki, provider) = (Pki::new(Kind::P256), Arc::new(rustls_offload::default_provider()));
    let (leaf, intermediates): (_, &[CertificateDer<'_>]) = pki.server.0.split_first().unwrap();
    let inner = WebPkiServerVerifier::builder_with_provider(pki.roots.clone(), provider);
    let inner = inner.build().unwrap();
    let caching = CachingServerVerifier::new(inner.clone());
    let (name, now) = (ServerName::try_from("localhost").unwrap(), UnixTime::now());
    let mut group = criterion.benchmark_group("a server's chain");
    for (label, verifier) in
        [("verified", inner as Arc<dyn ServerCertVerifier>), ("found", caching)]
    {
        group.bench_function(label, |bencher| {
            bencher.iter(|| {
                verifier.verify_server_cert(leaf, intermediates, &name, &[], now).unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, clients, servers);
criterion_main!(benches);
