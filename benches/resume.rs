//! What judging costs a resumed handshake, and how many sessions a second the store takes and gives out.
//!
//! `cargo bench --bench resume`
//!
//! The handshakes are in memory, both sides on one thread: with rustls's own ticketer, which asks nobody;
//! with ours and a judge that lets everyone pass; and with the judge that asks verifier and
//! policy. The last two differ in the judging alone.
#![allow(clippy::unwrap_used)] // here a panic is a failed bench

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::pair::{Kind, Pair, Pki};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{HandshakeKind, ServerConfig};
use rustls_offload::Offload;
use rustls_offload::resume::{ChainJudge, Judge, KeyRing, Refusal, ServerResumption, SessionStore};
use rustls_offload::verify::CachingClientVerifier;

#[derive(Debug)]
struct Everyone;

impl Judge for Everyone {
    fn judge(&self, _: &[CertificateDer<'_>], _: UnixTime) -> Result<(), Refusal> {
        Ok(())
    }
}

/// One server's way to a configuration for each connection.
type Configure = Box<dyn Fn() -> Arc<ServerConfig>>;

fn servers(pki: &Pki) -> [(&'static str, Configure); 3] {
    let offload = Offload::new().unwrap();
    let provider = Arc::new(offload.provider());
    let inner = WebPkiClientVerifier::builder_with_provider(pki.roots.clone(), provider.clone());
    let verifier = CachingClientVerifier::new(inner.build().unwrap());
    let config = || {
        ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_client_cert_verifier(verifier.clone())
            .with_single_cert(pki.server.0.clone(), pki.server.1.clone_key())
            .unwrap()
    };
    let mut unjudged = config();
    unjudged.ticketer = offload.ticketer().unwrap();
    let unjudged = Arc::new(unjudged);
    let judged = |judge: Arc<dyn Judge>| -> Configure {
        let keys = KeyRing::random(&provider, Duration::from_secs(3600)).unwrap();
        let builder = ServerResumption::builder("bench", config(), judge);
        let resumption = builder.tickets(keys).unwrap();
        Box::new(move || resumption.config())
    };
    let judge = ChainJudge::new(verifier.clone())
        .authorize(|peer| peer.spiffe_id() == Some("spiffe://example.org/client"));
    [
        ("rustls's ticketer", Box::new(move || Arc::clone(&unjudged))),
        ("sealed, everyone passes", judged(Arc::new(Everyone))),
        ("sealed and judged", judged(Arc::new(judge))),
    ]
}

fn handshakes(criterion: &mut Criterion) {
    let pki = Pki::new(Kind::P256);
    let mut group = criterion.benchmark_group("mutual TLS 1.3, resumed");
    for (name, configure) in servers(&pki) {
        let mut client = pki.client(&Arc::new(rustls_offload::default_provider()), &[&TLS13]);
        client.resumption = Resumption::in_memory_sessions(8);
        let client = Arc::new(client);
        Pair::connect(&client, &configure()).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let pair = Pair::connect(&client, &configure()).unwrap();
                assert_eq!(pair.server.handshake_kind(), Some(HandshakeKind::Resumed));
            });
        });
    }
    group.finish();
}

fn store(criterion: &mut Criterion) {
    const ENTRIES: u64 = 100_000;
    const THREADS: u64 = 2;
    let room = 256 << 20;
    let store = SessionStore::new(room, Duration::from_secs(3600)).unwrap();
    let now = UnixTime::now();
    let id = |number: u64| {
        // spread like the random identifiers that rustls makes
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        [mixed, number.to_be_bytes(), mixed, mixed].concat()
    };
    let session = vec![7; 1200];
    let put = |number| store.put(&id(number), "bench", session.clone().into(), now, now).unwrap();
    let (put, store) = (&put, &*store);
    (0..ENTRIES).for_each(put);
    let mut group = criterion.benchmark_group("session store, 100,000 entries, two threads");
    group.throughput(Throughput::Elements(1));
    group.bench_function("put and take", |bencher| {
        bencher.iter_custom(|pairs| {
            let each = pairs.div_ceil(THREADS);
            let start = Instant::now();
            thread::scope(|scope| {
                for thread in 1..=THREADS {
                    scope.spawn(move || {
                        for number in (thread << 40)..(thread << 40) + each {
                            put(number);
                            assert!(store.take(&id(number), "bench", now).is_some());
                        }
                    });
                }
            });
            start.elapsed()
        });
    });
    group.finish();
    assert_eq!(store.len() as u64, ENTRIES);
    assert!(store.bytes() <= room);
}

criterion_group!(benches, handshakes, store);
criterion_main!(benches);
