//! Key updates, under a kernel that can follow them (Linux 6.14 and later).

use rustls_offload::ktls::Kernel;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::control::{with_rustls_client, with_rustls_server};
use crate::support::{Configs, TLS12, TLS13, counter, exchange, limited, ours, tcp};
use crate::{cause, in_kernel};

#[test]
fn the_kernel_says_that_it_can() {
    assert!(Kernel::here().unwrap().changes_keys());
}

/// A message there and back.
async fn ping(
    one: &mut (impl AsyncRead + AsyncWrite + Unpin),
    other: &mut (impl AsyncRead + AsyncWrite + Unpin),
) {
    let mut got = [0; 4];
    one.write_all(b"ping").await.unwrap();
    one.flush().await.unwrap();
    other.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"ping");
    other.write_all(b"pong").await.unwrap();
    other.flush().await.unwrap();
    one.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"pong");
}

#[tokio::test]
async fn both_ends_in_the_kernel_change_their_keys_again_and_again() {
    let (client, server) = ours(&Configs::new(TLS13), tcp().await).await;
    let (mut client, mut server) = (in_kernel(client), in_kernel(server));
    let before = (counter("TlsTxRekeyOk"), counter("TlsRxRekeyOk"));
    for round in 0..40 {
        client.update_keys().await.unwrap();
        if round % 3 == 0 {
            server.update_keys().await.unwrap();
        }
        ping(&mut client, &mut server).await;
        ping(&mut server, &mut client).await;
    }
    // each of ours, and an answer to each
    let changed = counter("TlsTxRekeyOk") - before.0;
    assert!(changed >= 40 + 14 + 14, "{changed} keys changed");
    assert!(counter("TlsRxRekeyOk") - before.1 >= 40 + 14);
    assert_eq!(counter("TlsRxRekeyError") + counter("TlsTxRekeyError"), 0);
    exchange(client, server, 1 << 20).await;
}

#[tokio::test]
async fn rustls_follows_our_key_updates_and_answers() {
    let (mut client, mut server) = with_rustls_server(&Configs::new(TLS13), tcp().await).await;
    for _ in 0..5 {
        client.update_keys().await.unwrap();
        ping(&mut client, &mut server).await;
    }
    exchange(client, server, 1 << 20).await;
    let (mut client, mut server) = with_rustls_client(&Configs::new(TLS13), tcp().await).await;
    for _ in 0..5 {
        server.update_keys().await.unwrap();
        ping(&mut server, &mut client).await;
    }
    exchange(client, server, 1 << 20).await;
}

#[tokio::test]
async fn we_follow_the_key_updates_of_rustls_and_answer() {
    let (mut client, mut server) = with_rustls_server(&Configs::new(TLS13), tcp().await).await;
    let before = counter("TlsTxRekeyOk");
    for round in 1..=5 {
        server.get_mut().1.refresh_traffic_keys().unwrap();
        ping(&mut server, &mut client).await;
        assert_eq!(counter("TlsTxRekeyOk"), before + round, "the answer is a key of ours");
    }
    exchange(client, server, 1 << 20).await;
}

/// More data than one key may protect: it is changed in time, and nobody notices.
#[tokio::test]
async fn keys_are_changed_before_they_are_used_up() {
    let limit = 64;
    let (client, server) =
        with_rustls_server(&Configs::with(limited(TLS13, limit)), tcp().await).await;
    let before = counter("TlsTxRekeyOk");
    let length = 4 << 20;
    exchange(client, server, length).await;
    let changed = counter("TlsTxRekeyOk") - before;
    let needed = length as u64 / 16384 / limit;
    assert!(changed >= needed, "{changed} changes for {needed} times the limit");
}

/// The same for files, and with the kernel at both ends.
#[tokio::test]
async fn keys_are_changed_in_the_middle_of_a_file() {
    let content = crate::support::pattern(3 << 20, 9);
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, &content).unwrap();
    let (client, server) = ours(&Configs::with(limited(TLS13, 64)), tcp().await).await;
    let (mut client, mut server) = (in_kernel(client), in_kernel(server));
    let send = async {
        server.send_file(&file, 0, u64::MAX).await.unwrap();
        server.shutdown().await.unwrap();
    };
    let mut received = Vec::new();
    let ((), read) = tokio::join!(send, client.read_to_end(&mut received));
    read.unwrap();
    assert!(received == content);
}

#[tokio::test]
async fn a_tls12_connection_has_one_key_for_good() {
    let (client, server) = ours(&Configs::new(TLS12), tcp().await).await;
    let mut client = in_kernel(client);
    let error = client.update_keys().await.unwrap_err();
    assert!(cause(&error).to_string().contains("can't be changed"), "{error}");
    exchange(client, in_kernel(server), 100_000).await;
}
