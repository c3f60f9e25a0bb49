//! Something between two ends: sees every byte, and may keep it back or change it.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::tcp;

/// What is done to a direction's bytes before they go on.
pub(crate) type Change = Box<dyn FnMut(&mut Vec<u8>) + Send>;

/// What went by.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<u8>>>);

impl Seen {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

/// A client's and a server's socket, and what goes by between them towards the server and towards the client.
pub(crate) struct Relay {
    pub(crate) ends: (TcpStream, TcpStream),
    pub(crate) to_server: Seen,
    pub(crate) to_client: Seen,
}

impl Relay {
    /// Passes on `piece` bytes at a time, after what the changes make of them.
    pub(crate) async fn new(piece: usize, to_server: Change, to_client: Change) -> Self {
        let (client, near) = tcp().await;
        let (far, server) = tcp().await;
        near.set_nodelay(true).unwrap();
        far.set_nodelay(true).unwrap();
        let (near_read, near_write) = near.into_split();
        let (far_read, far_write) = far.into_split();
        let relay =
            Self { ends: (client, server), to_server: Seen::default(), to_client: Seen::default() };
        tokio::spawn(pass(near_read, far_write, relay.to_server.clone(), piece, to_server));
        tokio::spawn(pass(far_read, near_write, relay.to_client.clone(), piece, to_client));
        relay
    }

    /// Passes everything on, as it is.
    pub(crate) async fn faithful(piece: usize) -> Self {
        Self::new(piece, Box::new(|_| {}), Box::new(|_| {})).await
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    seen: Seen,
    piece: usize,
    mut change: Change,
) {
    let mut buffer = vec![0; 65536];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let mut bytes = buffer[..read].to_vec();
        seen.0.lock().unwrap().extend_from_slice(&bytes);
        change(&mut bytes);
        for piece in bytes.chunks(piece) {
            if to.write_all(piece).await.is_err() {
                return;
            }
            // small pieces are to arrive one by one, not joined by the kernel
            if bytes.len() < 4096 {
                tokio::task::yield_now().await;
            }
        }
    }
    let _ = to.shutdown().await;
}
