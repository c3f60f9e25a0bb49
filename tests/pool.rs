//! The handshake pool as an application uses it: ordinary streams come out of it, and whatever
//! goes wrong inside comes out as an error that says whose fault it is.
#![cfg(feature = "pool")]
#![allow(clippy::unwrap_used, reason = "here a panic is a failed test")]

mod common;

use std::cell::RefCell;
use std::future::{pending, poll_fn, ready};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::pair::{Kind, Pki};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, CertificateError, Error, SupportedProtocolVersion};
use rustls_offload::pool::{Builder, DEFAULT_STACK_SIZE, HandshakePool, LocalPool, PoolError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio::task::{JoinSet, LocalSet};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

const LONG: Duration = Duration::from_secs(60);

fn one_thread() -> Builder {
    HandshakePool::builder().threads(NonZeroUsize::MIN).deadline(LONG)
}

fn places(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// Acceptor and connector of `version`, mutually authenticated.
fn parties(pki: &Pki, version: &'static SupportedProtocolVersion) -> (TlsAcceptor, TlsConnector) {
    let provider = Arc::new(rustls_offload::default_provider());
    let server = pki.server(&provider, &[version], None);
    (Arc::new(server).into(), Arc::new(pki.client(&provider, &[version])).into())
}

/// Checks the peers' certificates, and that bytes arrive in both directions.
async fn converse<IO: AsyncRead + AsyncWrite + Unpin>(
    pki: &Pki,
    mut server: server::TlsStream<IO>,
    mut client: client::TlsStream<IO>,
) {
    assert_eq!(server.get_ref().1.peer_certificates(), Some(&*pki.client.0));
    assert_eq!(client.get_ref().1.peer_certificates(), Some(&*pki.server.0));
    let data: Vec<u8> = (0..100_003_u32).map(|byte| (byte * 7 / 3) as u8).collect();
    let there = async {
        client.write_all(&data).await.unwrap();
        client.flush().await.unwrap();
        let mut back = vec![0; data.len()];
        client.read_exact(&mut back).await.unwrap();
        assert!(back == data);
    };
    let back = async {
        let mut received = vec![0; data.len()];
        server.read_exact(&mut received).await.unwrap();
        assert!(received == data);
        server.write_all(&received).await.unwrap();
        server.flush().await.unwrap();
    };
    tokio::join!(there, back);
}

#[tokio::test]
async fn streams_from_the_pool_are_ordinary_ones() {
    let pki = Pki::new(Kind::P256);
    let pool = one_thread().build().unwrap();
    for version in [&TLS13, &TLS12] {
        let (acceptor, connector) = parties(&pki, version);
        let (near, far) = duplex(4096);
        let (server, client) =
            tokio::join!(pool.accept(&acceptor, far), pool.connect(&connector, name(), near));
        converse(&pki, server.unwrap(), client.unwrap()).await;
    }
    assert_eq!(pool.metrics().ended, 4);
}

#[tokio::test]
async fn streams_from_the_local_pool_are_ordinary_ones() {
    let pki = Pki::new(Kind::P256);
    let (acceptor, connector) = parties(&pki, &TLS13);
    let converse = async move {
        let pool = LocalPool::new();
        let (near, far) = duplex(4096);
        let (server, client) =
            tokio::join!(pool.accept(&acceptor, far), pool.connect(&connector, name(), near));
        converse(&pki, server.unwrap(), client.unwrap()).await;
        assert_eq!(pool.metrics().ended, 2);
    };
    LocalSet::new().run_until(converse).await;
}

#[tokio::test]
async fn a_failed_handshake_is_the_same_as_without_a_pool() {
    let (pki, stranger) = (Pki::new(Kind::P256), Pki::new(Kind::P384));
    let (acceptor, _) = parties(&pki, &TLS13);
    let (_, connector) = parties(&stranger, &TLS13);
    let pool = one_thread().build().unwrap();
    let (near, far) = duplex(4096);
    let (server, client) =
        tokio::join!(pool.accept(&acceptor, far), pool.connect(&connector, name(), near));
    let tls = |error| match error {
        PoolError::Handshake(error) => error.downcast::<Error>().unwrap(),
        other => panic!("{other}"),
    };
    // the one names the other's root, with another key
    let forged = Error::InvalidCertificate(CertificateError::BadSignature);
    assert_eq!(tls(client.unwrap_err()), forged);
    let alert = Error::AlertReceived(AlertDescription::DecryptError);
    assert_eq!(tls(server.unwrap_err()), alert);
}

#[test]
fn the_caller_needs_no_runtime() {
    let pool = one_thread().build().unwrap();
    let answer = pool.run(async {
        tokio::time::sleep(Duration::from_millis(1)).await; // the pool's threads have one
        42
    });
    let mut answer = Box::pin(answer);
    let (wake, woken) = std::sync::mpsc::channel();
    let waker = Waker::from(Arc::new(Notify(wake)));
    let mut cx = Context::from_waker(&waker);
    while answer.as_mut().poll(&mut cx).map(|answer| assert_eq!(answer.unwrap(), 42)).is_pending() {
        woken.recv_timeout(LONG).unwrap();
    }
}

struct Notify(std::sync::mpsc::Sender<()>);

impl std::task::Wake for Notify {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn a_panic_is_the_callers_error_and_the_thread_lives_on() {
    let pool = one_thread().build().unwrap();
    for text in [true, false] {
        let error = pool.run(async move {
            if text {
                panic!("the {} of it", "text");
            }
            std::panic::panic_any(7);
        });
        let error = error.await.unwrap_err();
        assert!(matches!(error, PoolError::Panicked { .. }), "{error}");
        assert_eq!(error.to_string().contains("the text of it"), text, "{error}");
    }
    assert_eq!(pool.run(ready(1)).await.unwrap(), 1);
}

#[tokio::test]
#[should_panic(expected = "in place")]
async fn a_panic_in_the_local_pool_goes_to_the_caller() {
    LocalPool::new().run(async { panic!("in place") }).await;
}

#[tokio::test]
async fn a_full_pool_lets_callers_wait_and_then_refuses() {
    let deadline = Duration::from_millis(50);
    let pool = one_thread().capacity(places(2)).deadline(deadline).build().unwrap();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let started = Arc::new(tokio::sync::Barrier::new(3));
    let mut held = JoinSet::new();
    let holds: [Pin<Box<dyn Future<Output = ()> + Send>>; 2] =
        [Box::pin(pending()), Box::pin(async { drop(released.await) })];
    for hold in holds {
        let started = Arc::clone(&started);
        held.spawn(pool.run(async move {
            started.wait().await;
            hold.await;
        }));
    }
    started.wait().await;
    let error = pool.run(ready(())).await.unwrap_err();
    let PoolError::Full { capacity: 2, waited } = error else { panic!("{error}") };
    assert!(waited >= deadline);
    assert_eq!((pool.metrics().waited, pool.metrics().refused), (1, 1));
    // a place that comes free in time is taken
    let waiting = tokio::spawn(pool.run(ready(5)));
    while pool.metrics().waited == 1 {
        tokio::task::yield_now().await;
    }
    drop(release);
    match waiting.await.unwrap() {
        Ok(answer) => assert_eq!(answer, 5),
        // on a machine that stood still for so long
        Err(error) => assert!(matches!(error, PoolError::Full { .. }), "{error}"),
    }
}

#[tokio::test]
async fn a_silent_peer_is_given_up_at_the_deadline() {
    let (acceptor, _) = parties(&Pki::new(Kind::P256), &TLS13);
    let deadline = Duration::from_millis(20);
    let pool = one_thread().deadline(deadline).build().unwrap();
    let (_silent, far) = duplex(4096);
    let error = pool.accept(&acceptor, far).await.unwrap_err();
    assert!(matches!(error, PoolError::TimedOut { deadline: d } if d == deadline), "{error}");
}

#[tokio::test]
async fn a_dropped_caller_frees_its_place() {
    let pool = one_thread().capacity(places(1)).build().unwrap();
    let (alive, seen) = tokio::sync::oneshot::channel::<()>();
    let abandoned = tokio::spawn(pool.run(async move {
        let _alive = alive;
        pending::<()>().await;
    }));
    while pool.metrics().waited == 0 {
        let probe = pool.run(ready(()));
        let _ = tokio::time::timeout(Duration::from_millis(1), probe).await;
    }
    abandoned.abort();
    seen.await.unwrap_err(); // the future was dropped, on its thread
    pool.run(ready(())).await.unwrap();
}

#[tokio::test]
async fn shutting_down_tells_everybody() {
    let pool = one_thread().capacity(places(3)).build().unwrap();
    let started = Arc::new(tokio::sync::Barrier::new(4));
    let mut callers = JoinSet::new();
    for _ in 0..3 {
        let started = Arc::clone(&started);
        callers.spawn(pool.run(async move {
            started.wait().await;
            pending::<()>().await;
        }));
    }
    started.wait().await;
    callers.spawn(pool.run(pending())); // waits for a place
    while pool.metrics().waited == 0 {
        tokio::task::yield_now().await;
    }
    pool.clone().shut_down();
    let mut told = 0;
    while let Some(answer) = callers.join_next().await {
        assert!(matches!(answer.unwrap(), Err(PoolError::ShutDown)));
        told += 1;
    }
    assert_eq!(told, 4);
    assert!(matches!(pool.run(ready(())).await, Err(PoolError::ShutDown)));
}

#[tokio::test]
async fn a_pool_without_owner_ends_its_threads_when_it_is_empty() {
    let pool = one_thread().build().unwrap();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let last = tokio::spawn(pool.run(receiver));
    let ends = pool.run(poll_fn(|_| Poll::Ready(until_this_thread_ends()))).await.unwrap();
    drop(pool);
    sender.send(3).unwrap();
    assert_eq!(last.await.unwrap().unwrap(), Ok(3)); // what was asked for is still done
    ends.await.unwrap_err();
}

/// Is answered with an error when the thread that calls this ends.
fn until_this_thread_ends() -> tokio::sync::oneshot::Receiver<()> {
    thread_local! {
        static ALIVE: RefCell<Option<tokio::sync::oneshot::Sender<()>>> =
            const { RefCell::new(None) };
    }
    let (alive, seen) = tokio::sync::oneshot::channel();
    ALIVE.replace(Some(alive));
    seen
}

#[cfg(unix)]
#[tokio::test]
async fn handshakes_use_less_than_half_of_a_stack() {
    let pool = one_thread().build().unwrap();
    for kind in Kind::ALL {
        let pki = Pki::new(kind);
        for version in [&TLS13, &TLS12] {
            let (acceptor, connector) = parties(&pki, version);
            let (near, far) = duplex(4096);
            let (server, client) =
                tokio::join!(pool.accept(&acceptor, far), pool.connect(&connector, name(), near));
            converse(&pki, server.unwrap(), client.unwrap()).await;
        }
    }
    // looked at whenever the count of polls is a power of two
    let before = pool.metrics().stack_high_water;
    for _ in 0..1024 {
        pool.run(ready(())).await.unwrap();
    }
    let used = pool.metrics().stack_high_water;
    println!("{used} of {DEFAULT_STACK_SIZE} bytes");
    assert!(before > 0 && (4096..DEFAULT_STACK_SIZE / 2).contains(&used), "{used} bytes");
}
