//! Key updates, under a kernel that can't follow them (before Linux 6.14): said clearly, and no record too many.

use rustls_offload::ktls::{Kernel, KtlsError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::cause;
use crate::control::{a_key_is_used_up, with_rustls_server};
use crate::support::{Configs, TLS13, exchange, tcp};

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

#[tokio::test]
async fn a_key_that_is_used_up_ends_the_connection() {
    a_key_is_used_up(TLS13).await;
}
