//! Key updates, under a kernel that can't follow them (before Linux 6.14): said clearly, and no record too many.

use rustls_offload::ktls::{Kernel, KtlsError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::cause;
use crate::control::with_rustls_server;
use crate::support::relay::Relay;
use crate::support::{Configs, TLS13, exchange, limited, tcp};

#[test]
fn the_kernel_says_that_it_cannot() {
    assert!(!Kernel::here().unwrap().changes_keys());
}

#[tokio::test]
async fn our_own_key_update_is_refused_and_the_connection_goes_on() {
    let (mut client, server) = with_rustls_server(&Configs::new(TLS13), tcp().await).await;
    let error = client.update_keys().await.unwrap_err();
    assert!(matches!(cause(&error), KtlsError::CannotChangeKeys), "{error}");
    exchange(client, server, 1 << 20).await;
}

#[tokio::test]
async fn a_peer_that_changes_its_key_gets_an_alert() {
    let (mut client, mut server) = with_rustls_server(&Configs::new(TLS13), tcp().await).await;
    server.write_all(b"before").await.unwrap();
    server.get_mut().1.refresh_traffic_keys().unwrap();
    server.write_all(b"after").await.unwrap();
    server.flush().await.unwrap();
    let mut before = [0; 6];
    client.read_exact(&mut before).await.unwrap();
    assert_eq!(&before, b"before");
    let error = client.read(&mut before).await.unwrap_err();
    assert!(matches!(cause(&error), KtlsError::CannotFollow), "{error}");
    let told = server.read(&mut before).await.unwrap_err();
    assert!(told.to_string().contains("InternalError"), "{told}");
}

/// The connection ends before its key is used up, and the peer has everything that was accepted.
#[tokio::test]
async fn a_key_that_is_used_up_ends_the_connection() {
    let limit = 64;
    for write in [100, 16384, 100_000] {
        let relay = Relay::faithful(usize::MAX).await;
        let (mut client, mut server) =
            with_rustls_server(&Configs::with(limited(limit)), relay.ends).await;
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
