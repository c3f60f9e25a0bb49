//! The pool's threads under real TLS connections, with operations that tests can look into.

mod tls;

use std::sync::Arc;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, Error};
use tls::{echo, localhost, mutual, pki, send, submitting_provider};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::DEFAULT_STACK_SIZE;
use super::threads::{Settings, Threads};
use crate::batch::fake::Double;
use crate::batch::{Counters, LANES, Operation};

const SECOND: Duration = Duration::from_secs(1);

fn threads(count: usize) -> Arc<Threads<Double>> {
    let settings = Settings {
        threads: count,
        capacity: 10_000,
        deadline: 60 * SECOND,
        stack_size: DEFAULT_STACK_SIZE,
    };
    Threads::start(settings).unwrap()
}

/// The batches of a pool by size, all kinds together.
fn batches(threads: &Threads<Double>) -> [u64; LANES] {
    let mut sum = [0; LANES];
    for counters in threads.counters() {
        for kind in 0..Double::KINDS.len() {
            let counts = counters.batches(kind);
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
    }
    sum
}

/// The operations that were computed, alone and together.
fn operations(batches: [u64; LANES]) -> u64 {
    batches.iter().zip(1..).map(|(count, size)| count * size).sum()
}

/// What an end of a connection found wrong.
fn tls_error(error: &std::io::Error) -> &Error {
    error.get_ref().and_then(|error| error.downcast_ref()).unwrap()
}

/// Distinct for each connection, longer than a record and not a multiple of anything.
fn message(number: usize) -> Vec<u8> {
    (0..20_011).map(|byte| (byte * 31 + number * 7919) as u8).collect()
}

/// Both configurations, and a connector whose certificate the acceptor does not trust: it names the
/// acceptor's root as its issuer, but another key has signed it.
fn parties() -> (TlsAcceptor, TlsConnector, TlsConnector) {
    let provider = Arc::new(submitting_provider());
    let (pki, mut stranger) = (pki(), pki());
    let (acceptor, connector) = mutual(&pki, &provider);
    stranger.roots = Arc::clone(&pki.roots); // trusts the server and is not trusted by it
    (acceptor, connector, mutual(&stranger, &provider).1)
}

#[test]
fn thousands_of_handshakes_at_once_and_every_byte_arrives() {
    let (acceptor, connector, stranger) = parties();
    let (servers, clients) = (threads(2), threads(2));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut ends = JoinSet::new();
        // they begin together: how fast a busy machine hands them over is not what is tested
        let (begin, begun) = watch::channel(());
        for number in 0..2000 {
            let (near, far) = tokio::io::duplex(64 * 1024);
            let trusted = number % 10 != 3;
            let (mut client_begun, mut server_begun) = (begun.clone(), begun.clone());
            let connector = if trusted { connector.clone() } else { stranger.clone() };
            ends.spawn(Arc::clone(&clients).run(async move {
                client_begun.changed().await.unwrap();
                let mut stream = connector.connect(localhost(), near).await.unwrap();
                if trusted {
                    return send(stream, &message(number)).await.unwrap();
                }
                // in TLS 1.3 the client is done before the server has looked at its certificate
                let error = stream.read_u8().await.unwrap_err();
                let alert = Error::AlertReceived(AlertDescription::DecryptError);
                assert_eq!(tls_error(&error), &alert);
            }));
            let acceptor = acceptor.clone();
            ends.spawn(Arc::clone(&servers).run(async move {
                server_begun.changed().await.unwrap();
                match acceptor.accept(far).await {
                    Ok(stream) => {
                        assert!(trusted);
                        echo(stream).await.unwrap();
                    }
                    Err(error) => {
                        let forged = Error::InvalidCertificate(CertificateError::BadSignature);
                        assert_eq!((trusted, tls_error(&error)), (false, &forged));
                    }
                }
            }));
        }
        begin.send(()).unwrap();
        while let Some(end) = ends.join_next().await {
            end.unwrap().unwrap();
        }
    });
    let (servers, clients) = (batches(&servers), batches(&clients));
    // key generation and agreement, signature, two certificates, the peer's signature
    assert_eq!(operations(clients), 2000 * 6);
    // a stranger's chain ends in one verification that fails, its signature is not looked at
    assert!((1800 * 6..=2000 * 6).contains(&operations(servers)), "{servers:?}");
    // a busy machine delivers some handshakes late, and what comes alone makes a batch alone: so counted in operations
    for batches in [servers, clients] {
        let in_full_ones = batches[LANES - 1] * LANES as u64;
        assert!(in_full_ones * 2 > operations(batches), "few full batches: {batches:?}");
    }
}

#[test]
fn connections_over_loopback_return_to_the_application() {
    let (acceptor, connector, _) = parties();
    let pool = threads(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut ends = JoinSet::new();
        for number in 0..200 {
            let (pool, connector) = (Arc::clone(&pool), connector.clone());
            ends.spawn(async move {
                let tcp = TcpStream::connect(address).await.unwrap();
                let handshake = async move { connector.connect(localhost(), tcp).await };
                let stream = pool.run(handshake).await.unwrap().unwrap();
                send(stream, &message(number)).await.unwrap();
            });
        }
        for _ in 0..200 {
            let (tcp, _) = listener.accept().await.unwrap();
            let handshake = Arc::clone(&pool).run(acceptor.accept(tcp));
            ends.spawn(async move { echo(handshake.await.unwrap().unwrap()).await.unwrap() });
        }
        while let Some(end) = ends.join_next().await {
            end.unwrap();
        }
    });
    let batches = batches(&pool);
    assert_eq!(operations(batches), 200 * 12);
    assert!(batches[1..].iter().sum::<u64>() > 0, "{batches:?}");
}

#[test]
fn handshakes_given_up_anywhere_disturb_no_other() {
    let (acceptor, connector, _) = parties();
    let (servers, clients) = (threads(1), threads(1));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut ends = JoinSet::new();
        for number in 0..400_u64 {
            let (near, far) = tokio::io::duplex(64 * 1024);
            let connector = connector.clone();
            let connect = async move { connector.connect(localhost(), near).await };
            let client = Arc::clone(&clients).run(connect);
            let server = Arc::clone(&servers).run(acceptor.accept(far));
            if number % 2 == 0 {
                ends.spawn(async move {
                    let data = message(number as usize);
                    let server = async { echo(server.await.unwrap().unwrap()).await.unwrap() };
                    let client = async {
                        send(client.await.unwrap().unwrap(), &data).await.unwrap();
                    };
                    tokio::join!(server, client);
                });
            } else {
                // dropped at some point of its way, another for each
                ends.spawn(async move {
                    let patience = Duration::from_micros(number * 100);
                    let _ = tokio::time::timeout(patience, async { tokio::join!(server, client) })
                        .await;
                });
            }
        }
        while let Some(end) = ends.join_next().await {
            end.unwrap();
        }
        // what was dropped has left its thread, too
        for pool in [&servers, &clients] {
            while pool.counters().map(Counters::ended).sum::<u64>() < 200 {
                tokio::task::yield_now().await;
            }
            let free = async {
                while pool.places() < 10_000 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(60 * SECOND, free).await.expect("all places are free again");
        }
    });
}
