//! Mutual TLS with keys in TPMs on both sides.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::sign::SigningKey;
use rustls::version::{TLS12, TLS13};
use rustls_offload::pool::{HandshakePool, PoolError};
use rustls_offload::tpm::{KeyType, Passphrase, TpmError};
use tokio::io::duplex;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::PATIENCE;
use crate::ends::{GREETING, Server, connect};
use crate::pki::{Pki, software_key};
use crate::proxy::Proxy;
use crate::swtpm::Swtpm;

#[test]
fn both_sides_in_both_versions_with_every_kind_of_key() {
    let (of_server, of_client) = (Swtpm::start(), Swtpm::start());
    let (server_tpm, client_tpm) = (of_server.open(), of_client.open());
    let pki = Pki::new();
    for kind in [KeyType::P256, KeyType::P384, KeyType::Rsa2048] {
        let key = |tpm: &rustls_offload::tpm::Tpm| -> Arc<dyn SigningKey> {
            let file = tpm.create(kind, &Passphrase::new("secret")).unwrap();
            tpm.key(&file, &Passphrase::new("secret")).unwrap()
        };
        let (server_key, client_key) = (key(&server_tpm), key(&client_tpm));
        for version in [&TLS13, &TLS12] {
            let server = Server::start(pki.server(&server_key, version), 1);
            let client = Arc::new(pki.client(&client_key, version));
            let report = connect(&client, server.port, GREETING).unwrap();
            assert!(!report.resumed && report.version == version.version);
            server.reports().remove(0).unwrap();
        }
    }
    server_tpm.close();
    client_tpm.close();
    assert_eq!((of_server.leftovers(), of_client.leftovers()), (String::new(), String::new()));
}

fn pool() -> HandshakePool {
    HandshakePool::builder().threads(NonZeroUsize::MIN).deadline(PATIENCE).build().unwrap()
}

fn parties(pki: &Pki, server: &Arc<dyn SigningKey>) -> (TlsAcceptor, TlsConnector) {
    let client = pki.client(&software_key(), &TLS13);
    (Arc::new(pki.server(server, &TLS13)).into(), Arc::new(client).into())
}

async fn handshake(
    pool: HandshakePool,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
) -> Result<(), PoolError> {
    let (near, far) = duplex(4096);
    let name = ServerName::try_from("localhost").unwrap();
    let client = pool.connect(&connector, name, near);
    let (server, _client) = tokio::join!(pool.accept(&acceptor, far), client);
    server.map(drop)
}

/// On a runtime with one thread, whose pool has one thread, before a slow TPM.
#[tokio::test]
async fn waiting_handshakes_hold_nobody_up() {
    let swtpm = Swtpm::start();
    let proxy = Proxy::start(&swtpm);
    let opening = proxy.builder();
    let made = tokio::task::spawn_blocking(|| {
        std::thread::spawn(move || {
            let tpm = opening.open().unwrap();
            let file = tpm.create(KeyType::P256, &Passphrase::none()).unwrap();
            let key: Arc<dyn SigningKey> = tpm.key(&file, &Passphrase::none()).unwrap();
            (tpm, key)
        })
        .join()
        .unwrap()
    });
    let (tpm, key) = made.await.unwrap();
    let (pool, pki) = (pool(), Pki::new());
    let (acceptor, connector) = parties(&pki, &key);
    proxy.orders.delay.store(20, SeqCst);
    let handshakes: Vec<_> = (0..40)
        .map(|_| tokio::spawn(handshake(pool.clone(), acceptor.clone(), connector.clone())))
        .collect();
    while tpm.metrics().waiting < 30 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // meanwhile the pool's thread and this one have time for others
    for _ in 0..100 {
        assert_eq!(pool.run(async { 7 }).await.unwrap(), 7);
    }
    assert!(tpm.metrics().waiting > 0, "the handshakes were still waiting");
    for handshake in handshakes {
        handshake.await.unwrap().unwrap();
    }
    assert_eq!(tpm.metrics().timed_out + tpm.metrics().refused, 0);
}

fn reason(error: &PoolError) -> String {
    format!("{error} {error:?}")
}

/// Signing where nothing could be waited for, too many waiting, and a TPM that hangs: each is that handshake's error.
#[test]
fn handshakes_fail_with_the_reason() {
    let swtpm = Swtpm::start();
    let proxy = Proxy::start(&swtpm);
    let tpm = proxy.builder().deadline(Duration::from_secs(2)).capacity(1).open().unwrap();
    let file = tpm.create(KeyType::P256, &Passphrase::none()).unwrap();
    let key: Arc<dyn SigningKey> = tpm.key(&file, &Passphrase::none()).unwrap();
    let (pool, pki) = (pool(), Pki::new());
    let (acceptor, connector) = parties(&pki, &key);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (near, far) = duplex(4096);
        let name = ServerName::try_from("localhost").unwrap();
        let (server, _client) = tokio::join!(acceptor.accept(far), connector.connect(name, near));
        let error = server.err().unwrap().to_string();
        assert!(error.contains("HandshakePool"), "{error}");

        proxy.orders.swallow.store(true, SeqCst);
        let mut handshakes = Vec::new();
        for number in 0..3 {
            let (acceptor, connector) = (acceptor.clone(), connector.clone());
            handshakes.push(tokio::spawn(handshake(pool.clone(), acceptor, connector)));
            while tpm.metrics().waiting < usize::min(number + 1, 2) {
                tokio::time::sleep(Duration::from_millis(1)).await;
                if tpm.metrics().timed_out > 0 {
                    break;
                }
            }
        }
        let mut reasons = String::new();
        for handshake in handshakes {
            reasons += &reason(&handshake.await.unwrap().unwrap_err());
        }
        let hangs = TpmError::TimedOut { deadline: Duration::from_secs(2) }.to_string();
        assert!(reasons.contains(&hangs), "{reasons}");
        proxy.orders.swallow.store(false, SeqCst);
        // and goes on when the TPM does
        let mut last = Ok(());
        for _ in 0..100 {
            last = handshake(pool.clone(), acceptor.clone(), connector.clone()).await;
            if last.is_ok() {
                break;
            }
        }
        last.unwrap();
    });
}
