//! Messages that are not data, which the kernel hands to user space: tickets, alerts, close_notify.

use std::io::ErrorKind;

use rustls::{AlertDescription, CipherSuite, HandshakeKind};
use rustls_offload::ktls::{Acceptor, Connector, KernelStream, KtlsError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::support::relay::{Change, Relay};
use crate::support::{Configs, TLS12, TLS13, limited, name, ours, tcp};
use crate::{cause, in_kernel};

/// A client in the kernel, and a server of rustls's.
pub(crate) async fn with_rustls_server(
    configs: &Configs,
    tcp: (tokio::net::TcpStream, tokio::net::TcpStream),
) -> (KernelStream, server::TlsStream<tokio::net::TcpStream>) {
    let (connector, acceptor) =
        (Connector::new(configs.client.clone()), TlsAcceptor::from(configs.server.clone()));
    let (client, server) = tokio::join!(connector.connect(name(), tcp.0), acceptor.accept(tcp.1));
    (in_kernel(client.unwrap()), server.unwrap())
}

/// A client of rustls's, and a server in the kernel.
pub(crate) async fn with_rustls_client(
    configs: &Configs,
    tcp: (tokio::net::TcpStream, tokio::net::TcpStream),
) -> (client::TlsStream<tokio::net::TcpStream>, KernelStream) {
    let (connector, acceptor) =
        (TlsConnector::from(configs.client.clone()), Acceptor::new(configs.server.clone()));
    let (client, server) = tokio::join!(connector.connect(name(), tcp.0), acceptor.accept(tcp.1));
    (client.unwrap(), in_kernel(server.unwrap()))
}

#[tokio::test]
async fn tickets_that_come_after_the_switch_are_good_for_resuming() {
    let configs = Configs::new(TLS13);
    for (round, kind) in [HandshakeKind::Full, HandshakeKind::Resumed].into_iter().enumerate() {
        let (client, server) = ours(&configs, tcp().await).await;
        let (mut client, mut server) = (in_kernel(client), in_kernel(server));
        assert_eq!((client.handshake().kind, server.handshake().kind), (kind, kind), "{round}");
        // tickets are taken note of in reading
        server.write_all(b"hello").await.unwrap();
        let mut hello = [0; 5];
        client.read_exact(&mut hello).await.unwrap();
        assert_eq!(&hello, b"hello");
    }
}

/// One end says goodbye, the other still has something to say.
#[tokio::test]
async fn each_direction_closes_on_its_own() {
    for suite in [TLS13, TLS12] {
        let (client, server) = ours(&Configs::new(suite), tcp().await).await;
        let (mut client, mut server) = (in_kernel(client), in_kernel(server));
        client.write_all(b"last words").await.unwrap();
        client.shutdown().await.unwrap();
        let refused = client.write_all(b"and more").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
        let mut read = Vec::new();
        server.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"last words");
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0, "the end stays the end");
        server.write_all(b"the answer").await.unwrap();
        server.shutdown().await.unwrap();
        read.clear();
        client.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"the answer");
    }
}

#[tokio::test]
async fn close_notify_goes_both_ways_with_rustls() {
    for suite in [TLS13, TLS12] {
        let (mut client, mut server) = with_rustls_server(&Configs::new(suite), tcp().await).await;
        client.shutdown().await.unwrap();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
        server.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_peer_that_hangs_up_without_close_notify_is_an_error() {
    let (mut client, server) = with_rustls_server(&Configs::new(TLS13), tcp().await).await;
    drop(server.into_inner().0);
    let error = client.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert!(client.read(&mut [0; 8]).await.is_err(), "and stays one");
}

/// Changes a byte of the first large record.
fn damage() -> Change {
    let mut done = false;
    Box::new(move |bytes| {
        if !done && bytes.len() > 5000 {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            done = true;
        }
    })
}

#[tokio::test]
async fn a_damaged_record_ends_the_connection_and_the_peer_is_told() {
    for suite in [TLS13, TLS12] {
        let relay = Relay::new(usize::MAX, Box::new(|_| {}), damage()).await;
        let (mut client, mut server) = with_rustls_server(&Configs::new(suite), relay.ends).await;
        server.write_all(&[7; 10_000]).await.unwrap();
        server.flush().await.unwrap();
        let error = client.read_exact(&mut [0; 10_000]).await.unwrap_err();
        assert!(matches!(cause(&error), KtlsError::BadRecord(_)), "{error:?}");
        let told = server.read(&mut [0; 8]).await.unwrap_err();
        assert!(told.to_string().contains("BadRecordMac"), "{told}");
        assert!(client.write_all(b"more").await.is_err(), "nothing is sent after a fatal alert");
    }
}

#[tokio::test]
async fn a_fatal_alert_ends_the_connection() {
    for suite in [TLS13, TLS12] {
        let relay = Relay::new(usize::MAX, damage(), Box::new(|_| {})).await;
        let (mut client, mut server) = with_rustls_server(&Configs::new(suite), relay.ends).await;
        client.write_all(&[7; 10_000]).await.unwrap();
        assert!(server.read_exact(&mut [0; 10_000]).await.is_err());
        let error = client.read(&mut [0; 8]).await.unwrap_err();
        match cause(&error) {
            KtlsError::AlertReceived(AlertDescription::BadRecordMac) => {}
            other => panic!("{other}"),
        }
        assert!(client.write_all(b"more").await.is_err());
    }
}

/// TLS 1.2 has no means to change a key that we would use, under any kernel.
#[tokio::test]
async fn a_tls12_key_that_is_used_up_ends_the_connection() {
    a_key_is_used_up(TLS12).await;
}

/// The connection ends before its key is used up, and the peer has everything that was accepted.
pub(crate) async fn a_key_is_used_up(suite: CipherSuite) {
    let limit = 64;
    for write in [100, 16384, 100_000] {
        let relay = Relay::faithful(usize::MAX).await;
        let (mut client, mut server) =
            with_rustls_server(&Configs::with(limited(suite, limit)), relay.ends).await;
        let handshake = relay.to_server.bytes().len();
        let send = async move {
            let mut accepted = 0;
            let error = loop {
                match client.write(&vec![5; write]).await {
                    Ok(written) => accepted += written,
                    Err(error) => break error,
                }
            };
            assert!(matches!(cause(&error), KtlsError::KeyExhausted), "{error}");
            assert!(client.write(b"more").await.is_err());
            client.shutdown().await.unwrap();
            // not dropped yet: with tickets unread, that would reset the connection
            (accepted, client)
        };
        let mut received = Vec::new();
        let ((accepted, _client), read) = tokio::join!(send, server.read_to_end(&mut received));
        read.unwrap(); // close_notify was the last that came
        assert_eq!(received.len(), accepted);
        let records = records(&relay.to_server.bytes()[handshake..]);
        assert!(records <= limit, "{records} records of {write} bytes");
        assert!(records >= limit / 3, "{records} records of {write} bytes: closed too early");
    }
}

fn records(mut bytes: &[u8]) -> u64 {
    let mut records = 0;
    while let [_, _, _, high, low, rest @ ..] = bytes {
        bytes = &rest[usize::from(u16::from_be_bytes([*high, *low]))..];
        records += 1;
    }
    records
}
