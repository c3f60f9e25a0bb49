//! The moment when the kernel takes over: whatever has arrived by then is neither lost nor read twice.

use std::io::{Read, Write};
use std::net::TcpStream as Blocking;
use std::time::Duration;

use rustls::{ClientConnection, ServerConnection};
use rustls_offload::ktls::{Acceptor, Connector};
use tokio::io::AsyncReadExt;
use tokio::task::spawn_blocking;

use crate::in_kernel;
use crate::support::relay::Relay;
use crate::support::{Configs, TLS12, TLS13, exchange, name, ours, pattern, tcp};

/// A record that is full, one that is not, and one of a byte.
const DATA: usize = 16384 + 1000 + 1;

/// Bytes of the last flight that arrive before the rest does.
const CUTS: [usize; 9] = [1, 80, 1000, 2000, 4000, 17_000, 18_000, 18_500, usize::MAX];

fn blocking(tcp: tokio::net::TcpStream) -> Blocking {
    let tcp = tcp.into_std().unwrap();
    tcp.set_nonblocking(false).unwrap();
    tcp
}

/// Sends `bytes` in two parts, with time for the other end to see the first alone.
fn send_cut(tcp: &mut Blocking, bytes: &[u8], cut: usize) {
    let (first, second) = bytes.split_at(cut.min(bytes.len()));
    tcp.set_nodelay(true).unwrap();
    tcp.write_all(first).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    tcp.write_all(second).unwrap();
}

/// A client that sends data, and closes, in the same flight as the end of its handshake.
#[tokio::test]
async fn data_that_comes_with_the_clients_finished() {
    for suite in [TLS13, TLS12] {
        for cut in CUTS {
            let configs = Configs::new(suite);
            let (client, server) = tcp().await;
            let mut connection = ClientConnection::new(configs.client, name()).unwrap();
            let client = spawn_blocking(move || {
                let mut tcp = blocking(client);
                let mut flight = Vec::new();
                loop {
                    flight.clear();
                    while connection.wants_write() {
                        connection.write_tls(&mut flight).unwrap();
                    }
                    if !connection.is_handshaking() {
                        break;
                    }
                    tcp.write_all(&flight).unwrap();
                    connection.read_tls(&mut tcp).unwrap();
                    connection.process_new_packets().unwrap();
                }
                for piece in pattern(DATA, 3).chunks(16384) {
                    connection.writer().write_all(&piece[..piece.len() - 1]).unwrap();
                    connection.writer().write_all(&piece[piece.len() - 1..]).unwrap();
                }
                connection.send_close_notify();
                while connection.wants_write() {
                    connection.write_tls(&mut flight).unwrap();
                }
                send_cut(&mut tcp, &flight, cut);
                tcp
            });
            let server = Acceptor::new(configs.server).accept(server).await.unwrap();
            let mut received = Vec::new();
            in_kernel(server).read_to_end(&mut received).await.unwrap();
            assert!(received == pattern(DATA, 3), "{suite:?}, cut at {cut}");
            client.await.unwrap();
        }
    }
}

/// A server that sends tickets and data in one flight after its handshake.
#[tokio::test]
async fn data_that_comes_with_the_servers_tickets() {
    for suite in [TLS13, TLS12] {
        for cut in CUTS {
            let configs = Configs::new(suite);
            let (client, server) = tcp().await;
            let mut connection = ServerConnection::new(configs.server).unwrap();
            let server = spawn_blocking(move || {
                let mut tcp = blocking(server);
                while connection.is_handshaking() {
                    connection.read_tls(&mut tcp).unwrap();
                    connection.process_new_packets().unwrap();
                    if connection.is_handshaking() {
                        while connection.wants_write() {
                            connection.write_tls(&mut tcp).unwrap();
                        }
                    }
                }
                connection.writer().write_all(&pattern(DATA, 4)).unwrap();
                connection.send_close_notify();
                let mut flight = Vec::new();
                while connection.wants_write() {
                    connection.write_tls(&mut flight).unwrap();
                }
                send_cut(&mut tcp, &flight, cut);
                tcp
            });
            let connected = Connector::new(configs.client).connect(name(), client).await;
            let mut received = Vec::new();
            in_kernel(connected.unwrap()).read_to_end(&mut received).await.unwrap();
            assert!(received == pattern(DATA, 4), "{suite:?}, cut at {cut}");
            server.await.unwrap();
        }
    }
}

/// Bytes come in pieces that no record ends with.
#[tokio::test]
async fn pieces_of_any_size() {
    for (piece, length) in [(1, 2000), (7, 20_000), (100, 100_000), (5000, 1 << 20)] {
        for suite in [TLS13, TLS12] {
            let relay = Relay::faithful(piece).await;
            let (client, server) = ours(&Configs::new(suite), relay.ends).await;
            exchange(in_kernel(client), in_kernel(server), length).await;
        }
    }
}

/// A peer that hangs up in the handshake is an error, at once.
#[tokio::test]
async fn a_peer_that_hangs_up_in_the_handshake() {
    let configs = Configs::new(TLS13);
    let (client, server) = tcp().await;
    let acceptor = Acceptor::new(configs.server);
    let accepting = tokio::spawn(async move { acceptor.accept(server).await.unwrap_err() });
    let mut client = blocking(client);
    let mut hello = Vec::new();
    ClientConnection::new(configs.client, name()).unwrap().write_tls(&mut hello).unwrap();
    client.write_all(&hello[..hello.len() / 2]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let error = accepting.await.unwrap().to_string();
    assert!(error.contains("broke during the handshake"), "{error}");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
}
