//! Data gets through, encrypted, by the kernel.

use std::io::{Seek, Write};

use rustls_offload::ktls::{Acceptor, Connector, Kernel};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::in_kernel;
use crate::support::relay::Relay;
use crate::support::{Configs, SUITES, TLS12, TLS13, counter, exchange, name, ours, pattern, tcp};

const LENGTH: usize = 1 << 20;

#[test]
fn the_kernel_can_do_every_suite() {
    let all = rustls_offload::default_provider();
    let kernel = Kernel::here().unwrap();
    assert_eq!(kernel.retain(all.clone()).cipher_suites.len(), all.cipher_suites.len());
}

#[tokio::test]
async fn both_ends_in_the_kernel_with_every_suite() {
    for suite in SUITES {
        let before = (counter("TlsTxSw"), counter("TlsRxSw"), counter("TlsDecryptError"));
        let (client, server) = ours(&Configs::new(suite), tcp().await).await;
        let (client, server) = (in_kernel(client), in_kernel(server));
        assert_eq!(counter("TlsTxSw"), before.0 + 2, "{suite:?}");
        assert_eq!(counter("TlsRxSw"), before.1 + 2, "{suite:?}");
        assert_eq!(client.handshake().suite, suite);
        exchange(client, server, LENGTH).await;
        assert_eq!(counter("TlsDecryptError"), before.2, "{suite:?}");
    }
}

#[tokio::test]
async fn a_server_in_the_kernel_understands_rustls_with_every_suite() {
    for suite in SUITES {
        let configs = Configs::new(suite);
        let (client, server) = tcp().await;
        let (connector, acceptor) =
            (TlsConnector::from(configs.client.clone()), Acceptor::new(configs.server.clone()));
        let (client, server) =
            tokio::join!(connector.connect(name(), client), acceptor.accept(server));
        exchange(client.unwrap(), in_kernel(server.unwrap()), LENGTH).await;
    }
}

#[tokio::test]
async fn a_client_in_the_kernel_understands_rustls_with_every_suite() {
    for suite in SUITES {
        let configs = Configs::new(suite);
        let (client, server) = tcp().await;
        let (connector, acceptor) =
            (Connector::new(configs.client.clone()), TlsAcceptor::from(configs.server.clone()));
        let (client, server) =
            tokio::join!(connector.connect(name(), client), acceptor.accept(server));
        exchange(in_kernel(client.unwrap()), server.unwrap(), LENGTH).await;
    }
}

/// Everything that went by is records, and nothing of what was sent is legible in them.
#[tokio::test]
async fn what_is_on_the_wire_is_ciphertext() {
    const SECRET: &[u8] = b"attack at dawn, or a little later";
    for suite in [TLS13, TLS12] {
        let relay = Relay::faithful(usize::MAX).await;
        let (client, server) = ours(&Configs::new(suite), relay.ends).await;
        let (mut client, mut server) = (in_kernel(client), in_kernel(server));
        let text = SECRET.repeat(1000);
        let mut received = vec![0; text.len()];
        for _ in 0..3 {
            let (sent, read) =
                tokio::join!(client.write_all(&text), server.read_exact(&mut received));
            sent.and(read.map(drop)).unwrap();
            assert!(received == text);
            let (sent, read) =
                tokio::join!(server.write_all(&text), client.read_exact(&mut received));
            sent.and(read.map(drop)).unwrap();
        }
        for seen in [relay.to_server.bytes(), relay.to_client.bytes()] {
            let mut rest = seen.as_slice();
            let mut data = 0;
            while let [kind, 3, _, high, low, after @ ..] = rest {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                assert!((20..=23).contains(kind), "a record of kind {kind}");
                if *kind == 23 {
                    data += length;
                }
                rest = &after[length..];
            }
            assert!(rest.is_empty(), "{} bytes are no record", rest.len());
            assert!(data > 3 * text.len(), "{data} bytes of data");
            let legible = seen.windows(8).any(|window| window == &SECRET[..8]);
            assert!(!legible, "plaintext on the wire with {suite:?}");
        }
    }
}

#[tokio::test]
async fn a_file_is_sent_without_passing_through_user_space() {
    let content = pattern(3 * LENGTH + 123, 7);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&content).unwrap();
    file.rewind().unwrap();
    for suite in [TLS13, TLS12] {
        let (client, server) = ours(&Configs::new(suite), tcp().await).await;
        let (mut client, mut server) = (in_kernel(client), in_kernel(server));
        let send = async {
            // more than there is: it ends with the file
            let sent = server.send_file(&file, 1000, u64::MAX).await.unwrap();
            server.write_all(b"the end").await.unwrap();
            server.shutdown().await.unwrap();
            sent
        };
        let mut received = Vec::new();
        let (sent, read) = tokio::join!(send, client.read_to_end(&mut received));
        read.unwrap();
        assert_eq!(sent, content.len() as u64 - 1000);
        assert!(received == [&content[1000..], b"the end"].concat());
    }
}

/// Neither end may starve while both write more than the sockets hold.
#[tokio::test]
async fn many_connections_at_once() {
    let configs = Configs::new(TLS13);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (client, server) = ours(&configs, tcp().await).await;
        tasks.spawn(exchange(in_kernel(client), in_kernel(server), LENGTH / 4));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}
