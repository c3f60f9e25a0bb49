//! What a TPM as slow as a discrete one does to a service, and what it does not: handshakes a second by each way to use
//! it, and how late a timer is that has nothing to do with it.
//!
//! A software TPM stands for it, each of whose commands is held up for 35 ms: about what an Infineon SLB9672 takes to
//! sign with ECDSA P-256. Arms are interleaved. `cargo bench -p tpm-tests`

#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed bench")]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use proxy::Proxy;
use rustls::SignatureScheme::ECDSA_NISTP256_SHA256;
use rustls::pki_types::ServerName;
use rustls::sign::SigningKey;
use rustls::{ClientConfig, ServerConfig, version::TLS13};
use rustls_offload::identity::{MtlsConfig, TpmAuthority, WorkloadIdentity};
use rustls_offload::pool::HandshakePool;
use rustls_offload::tpm::{KeyType, Passphrase, Tpm, TpmKey};
use rustls_offload::verify::spiffe::{ExpectedServer, SpiffeId};
use swtpm::Swtpm;
use tokio::io::duplex;
use tokio::runtime::Runtime;
use tokio_rustls::{TlsAcceptor, TlsConnector};

#[path = "../tests/tpm/domain.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod domain;
#[path = "../tests/tpm/pki.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod pki;
#[path = "../tests/tpm/proxy.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod proxy;
#[path = "../tests/tpm/swtpm.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod swtpm;

const PATIENCE: Duration = Duration::from_secs(60);
const DELAY: Duration = Duration::from_millis(35);
const ROUNDS: usize = 7;
const WINDOW: Duration = Duration::from_secs(3);
/// Handshakes that wait together.
const WAITING: usize = 500;
/// A certificate is renewed after half of it: a hundred times as often as it would be.
const LIFETIME: Duration = Duration::from_secs(36);

type Ends = (Arc<ServerConfig>, Arc<ClientConfig>);

fn main() {
    // `cargo test --benches` only wants to know that it compiles
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let swtpm = Swtpm::start();
    let proxy = Proxy::start(&swtpm);
    let tpm = proxy.builder().open().unwrap();
    let key = |tpm: &Tpm| {
        let file = tpm.create(KeyType::P256, &Passphrase::none()).unwrap();
        tpm.key(&file, &Passphrase::none()).unwrap()
    };
    let (of_server, of_authority) = (key(&tpm), key(&tpm));
    proxy.orders.delay.store(DELAY.as_millis().try_into().unwrap(), SeqCst);
    let runtime = Runtime::new().unwrap();
    let builder = HandshakePool::builder().threads(NonZeroUsize::MIN).deadline(PATIENCE);
    let pool = builder.build().unwrap();

    let pki = pki::Pki::new();
    let client = Arc::new(pki.client(&pki::software_key(), &TLS13));
    let resident: Arc<dyn SigningKey> = Arc::clone(&of_server) as _;
    let resident = (Arc::new(pki.server(&resident, &TLS13)), client);
    let (rooted, software, watch) = workloads(&of_authority);

    println!(
        "{:>6} {:>12} {:>12} {:>7} {:>12} {:>12} {:>7}",
        "round", "signatures", "resident", "ratio", "software", "rooted", "ratio"
    );
    let mut ratios = [Vec::new(), Vec::new()];
    for round in 1..=ROUNDS {
        let serial = signatures(&of_server);
        let resident = handshakes(&runtime, &pool, 64, || resident.clone());
        let software = handshakes(&runtime, &pool, 64, &software);
        let rooted = handshakes(&runtime, &pool, 64, &rooted);
        ratios[0].push(resident / serial);
        ratios[1].push(rooted / software);
        println!(
            "{round:>6} {serial:>10.1}/s {resident:>10.1}/s {:>7.3} {software:>10.1}/s {rooted:>10.1}/s {:>7.3}",
            resident / serial,
            rooted / software
        );
    }
    for (name, ratios) in ["resident / signatures", "rooted / software"].iter().zip(&mut ratios) {
        ratios.sort_by(f64::total_cmp);
        let (least, median, most) = (ratios[0], ratios[ROUNDS / 2], ratios[ROUNDS - 1]);
        println!("{name}: median {median:.3} [{least:.3} .. {most:.3}]");
    }
    println!("renewals: {}", watch.rotations());
    lateness(&runtime, &pool, &tpm, &resident);
}

/// Configurations for each connection of a workload whose certificates the TPM issues, and of one that has its own.
fn workloads(
    authority: &Arc<TpmKey>,
) -> (impl Fn() -> Ends, impl Fn() -> Ends, rustls_offload::identity::Watch) {
    let provider = Arc::new(rustls_offload::default_provider());
    let root = domain::Root::new();
    let chain = vec![root.certify(authority, &domain::authority("machine", 0))];
    let id = SpiffeId::new("spiffe://one.test/web").unwrap();
    let machine = TpmAuthority::new(Arc::clone(authority), chain, id.clone());
    let machine = machine.bundle(root.bundle()).lifetime(LIFETIME);
    let fixed = WorkloadIdentity::new(&provider, {
        // the same certificates, but never renewed
        let chain = vec![root.certify(authority, &domain::authority("machine", 0))];
        let once = TpmAuthority::new(Arc::clone(authority), chain, id).bundle(root.bundle());
        once.issue(&provider).unwrap()
    });
    let (identity, watch) = machine.watch(&provider).unwrap();
    let ends = move |identity: Arc<WorkloadIdentity>| {
        let config = MtlsConfig::new(Arc::clone(&provider), identity).policy(domain::everybody());
        let mtls = config.build("web").unwrap();
        let expected = ExpectedServer::MemberOf(domain::domain());
        let mut client = (*mtls.client(expected).unwrap()).clone();
        client.resumption = rustls::client::Resumption::disabled();
        let client = Arc::new(client);
        move || (mtls.server(), Arc::clone(&client))
    };
    (ends(identity), ends(fixed.unwrap()), watch)
}

/// What the TPM does by itself, one after the other.
fn signatures(key: &TpmKey) -> f64 {
    let signer = key.choose_scheme(&[ECDSA_NISTP256_SHA256]).unwrap();
    let (start, mut count) = (Instant::now(), 0.0);
    while start.elapsed() < WINDOW {
        signer.sign(b"message").unwrap();
        count += 1.0;
    }
    count / start.elapsed().as_secs_f64()
}

async fn handshake(pool: &HandshakePool, (server, client): Ends) {
    let (near, far) = duplex(16 * 1024);
    let name = ServerName::try_from("localhost").unwrap();
    let (acceptor, connector) = (TlsAcceptor::from(server), TlsConnector::from(client));
    let client = pool.connect(&connector, name, near);
    let (server, client) = tokio::join!(pool.accept(&acceptor, far), client);
    server.and(client.map(drop)).unwrap_or_else(|error| panic!("{error} {error:?}"));
}

/// Full handshakes a second, so many at a time.
fn handshakes(
    runtime: &Runtime,
    pool: &HandshakePool,
    concurrency: usize,
    ends: impl Fn() -> Ends,
) -> f64 {
    runtime.block_on(async {
        let mut running = tokio::task::JoinSet::new();
        let spawn = |running: &mut tokio::task::JoinSet<()>| {
            let (pool, ends) = (pool.clone(), ends());
            running.spawn(async move { handshake(&pool, ends).await });
        };
        (0..concurrency).for_each(|_| spawn(&mut running));
        // until all that are counted wait in a full queue
        for _ in 0..concurrency {
            running.join_next().await.unwrap().unwrap();
            spawn(&mut running);
        }
        let (start, mut count) = (Instant::now(), 0.0);
        while start.elapsed() < WINDOW {
            running.join_next().await.unwrap().unwrap();
            spawn(&mut running);
            count += 1.0;
        }
        let rate = count / start.elapsed().as_secs_f64();
        while running.join_next().await.is_some() {}
        rate
    })
}

/// How late a timer of a millisecond is on the runtime whose handshakes wait, and on the same when none do. Tokio's timers
/// count in milliseconds, so up to one of them is its own.
fn lateness(runtime: &Runtime, pool: &HandshakePool, tpm: &Tpm, resident: &Ends) {
    for waiting in [0, WAITING].repeat(3) {
        let tasks: Vec<_> = (0..waiting)
            .map(|_| {
                let (pool, ends) = (pool.clone(), resident.clone());
                runtime.spawn(async move { handshake(&pool, ends).await })
            })
            .collect();
        while tpm.metrics().waiting + 10 < waiting {
            std::thread::sleep(Duration::from_millis(1));
        }
        let timer = runtime.spawn(async {
            let (mut late, start) = (Vec::new(), Instant::now());
            while start.elapsed() < WINDOW {
                let due = Instant::now() + Duration::from_millis(1);
                tokio::time::sleep_until(due.into()).await;
                late.push(due.elapsed());
            }
            late
        });
        let mut late = runtime.block_on(timer).unwrap();
        let left = tpm.metrics().waiting;
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
        late.sort();
        let at = |share: usize| late[late.len() * share / 1000];
        println!(
            "{waiting} handshakes waited, {left} of them to the end: a timer was late by p50 {:?}, p99 {:?}",
            at(500),
            at(990)
        );
    }
}
