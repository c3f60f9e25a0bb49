//! Connections whose handshake is done, for servers that take one after the other.

use std::io;
use std::net::SocketAddr;

use rustls_offload::identity::Mtls;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::{AnyError, handshake, next_connection};

type Accepted = Result<(TlsStream<TcpStream>, SocketAddr), AnyError>;

/// Runs every handshake in a task of its own and hands over whichever is done: a slow client must not keep the rest
/// waiting.
pub struct Incoming {
    tcp: TcpListener,
    mtls: Mtls,
    handshakes: JoinSet<Accepted>,
}

impl Incoming {
    /// Listens at `address` and says so.
    ///
    /// # Errors
    /// When the address can't be listened on.
    pub async fn listen(address: SocketAddr, mtls: Mtls) -> io::Result<Self> {
        let tcp = TcpListener::bind(address).await?;
        println!("listening on {}", tcp.local_addr()?);
        Ok(Self { tcp, mtls, handshakes: JoinSet::new() })
    }

    /// The next connection that was let in, and from where.
    pub async fn next(&mut self) -> (TlsStream<TcpStream>, SocketAddr) {
        loop {
            tokio::select! {
                tcp = next_connection(&self.tcp) => {
                    // a configuration for each connection: sessions are told apart by it
                    let acceptor = TlsAcceptor::from(self.mtls.server());
                    self.handshakes.spawn(async move {
                        let address = tcp.peer_addr()?;
                        Ok((handshake(&acceptor, tcp).await?, address))
                    });
                }
                Some(done) = self.handshakes.join_next() => match done {
                    Ok(Ok(accepted)) => return accepted,
                    Ok(Err(error)) => eprintln!("connection: {error}"),
                    Err(panic) => eprintln!("handshake task: {panic}"),
                },
            }
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}
