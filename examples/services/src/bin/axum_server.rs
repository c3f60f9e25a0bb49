//! axum over mutual TLS: a `Listener` that hands axum accepted TLS streams.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use axum::serve::Listener;
use clap::Parser;
use rustls_offload_services::{AnyError, Identity, handshake, next_connection};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    identity: Identity,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:4433")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let args = Args::parse();
    let acceptor = TlsAcceptor::from(Arc::new(args.identity.server_config()?));
    let tcp = TcpListener::bind(args.listen).await?;
    println!("listening on {}", tcp.local_addr()?);
    let app = Router::new().route("/", get(async || "hello from axum"));
    Ok(axum::serve(TlsListener { tcp, acceptor, handshakes: JoinSet::new() }, app).await?)
}

type Accepted = Result<(TlsStream<TcpStream>, SocketAddr), AnyError>;

/// Runs every handshake in a task of its own and hands over whichever is done: axum takes one
/// connection after the other, and a slow client must not keep the rest waiting.
struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Accepted>,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                tcp = next_connection(&self.tcp) => {
                    let acceptor = self.acceptor.clone();
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

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
