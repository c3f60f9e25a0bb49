//! What the handshake pool costs when it has nothing to batch, and what it saves when it has: CPU
//! time of the process, both sides of full mutual TLS 1.3 handshakes through memory.
//!
//! CPU time and not wall-clock time, because the pool's threads run beside the caller's. The
//! arms `one at a time` have their server in the pool and their client outside, so that nothing
//! ever meets; half of what they show is the client's.
//!
//! `cargo bench --features pool --bench pool`
#![allow(clippy::unwrap_used)] // here a panic is a failed bench

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use common::pair::{Kind, Pki};
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement};
use nix::time::{ClockId, clock_gettime};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use rustls::{CipherSuite, NamedGroup};
use rustls_offload::pool::{HandshakePool, LocalPool};
use tokio::io::{DuplexStream, duplex};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Handshakes at once in the busy arms.
const BUSY: usize = 64;

/// Suite, group and key types as in the other benches: AES-128-GCM, X25519, ECDSA P-256.
fn parties() -> (TlsAcceptor, TlsConnector) {
    let mut provider = rustls_offload::default_provider();
    provider.cipher_suites.retain(|s| s.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
    let (provider, pki) = (Arc::new(provider), Pki::new(Kind::P256));
    let mut server = pki.server(&provider, &[&TLS13], None);
    server.send_tls13_tickets = 0;
    let mut client = pki.client(&provider, &[&TLS13]);
    client.resumption = Resumption::disabled();
    (Arc::new(server).into(), Arc::new(client).into())
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

fn process_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap().into()
}

/// Measures `handshakes`, which is given both ends of a connection as often as asked for.
fn arm<M: measurement::Measurement<Value = Duration>>(
    group: &mut BenchmarkGroup<'_, M>,
    name: &str,
    handshakes: impl AsyncFn(usize, fn() -> (DuplexStream, DuplexStream)),
) {
    let runtime: Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|count| {
            let before = process_time();
            let ends = || duplex(16 * 1024);
            LocalSet::new().block_on(&runtime, handshakes(count as usize, ends));
            process_time() - before
        });
    });
}

fn one_at_a_time(criterion: &mut Criterion) {
    let (acceptor, connector) = parties();
    let mut group = criterion.benchmark_group("one at a time");
    arm(&mut group, "without a pool", async |count, ends| {
        for _ in 0..count {
            let (near, far) = ends();
            let both = tokio::join!(acceptor.accept(far), connector.connect(name(), near));
            black_box((both.0.unwrap(), both.1.unwrap()));
        }
    });
    let pool = LocalPool::new();
    arm(&mut group, "LocalPool", async |count, ends| {
        for _ in 0..count {
            let (near, far) = ends();
            let server = pool.accept(&acceptor, far);
            let both = tokio::join!(server, connector.connect(name(), near));
            black_box((both.0.unwrap(), both.1.unwrap()));
        }
    });
    let pool = HandshakePool::builder().threads(NonZeroUsize::MIN).build().unwrap();
    arm(&mut group, "HandshakePool::accept", async |count, ends| {
        for _ in 0..count {
            let (near, far) = ends();
            let server = pool.accept(&acceptor, far);
            let both = tokio::join!(server, connector.connect(name(), near));
            black_box((both.0.unwrap(), both.1.unwrap()));
        }
    });
    arm(&mut group, "HandshakePool::run, with the client", async |count, ends| {
        for _ in 0..count {
            let ((near, far), connector) = (ends(), connector.clone());
            let server = acceptor.accept(far);
            let both = pool.run(async move {
                let both = tokio::join!(server, connector.connect(name(), near));
                (both.0.unwrap(), both.1.unwrap())
            });
            black_box(both.await.unwrap());
        }
    });
    group.finish();
}

fn busy(criterion: &mut Criterion) {
    let (acceptor, connector) = parties();
    let mut group = criterion.benchmark_group(format!("{BUSY} at once, per handshake"));
    arm(&mut group, "without a pool", async |count, ends| {
        let workers = (0..BUSY).map(|worker| {
            let (acceptor, connector) = (acceptor.clone(), connector.clone());
            tokio::task::spawn_local(async move {
                for _ in (worker..count).step_by(BUSY) {
                    let (near, far) = ends();
                    let both = tokio::join!(acceptor.accept(far), connector.connect(name(), near));
                    black_box((both.0.unwrap(), both.1.unwrap()));
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
    });
    let pool = LocalPool::new();
    arm(&mut group, "LocalPool", async |count, ends| {
        let workers = (0..BUSY).map(|worker| {
            let (acceptor, connector) = (acceptor.clone(), connector.clone());
            let pool = pool.clone();
            tokio::task::spawn_local(async move {
                for _ in (worker..count).step_by(BUSY) {
                    let (near, far) = ends();
                    let both = tokio::join!(
                        pool.accept(&acceptor, far),
                        pool.connect(&connector, name(), near)
                    );
                    black_box((both.0.unwrap(), both.1.unwrap()));
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
    });
    println!("{:#?}", pool.metrics());
    group.finish();
}

criterion_group!(benches, one_at_a_time, busy);
criterion_main!(benches);
