//! axum over mutual TLS: a `Listener` that hands axum accepted TLS streams.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use axum::serve::Listener;
use clap::Parser;
use rustls_offload_services::{AnyError, Identity};
use tokio::net::{TcpListener, TcpStream};
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
    Ok(axum::serve(TlsListener { tcp, acceptor }, app).await?)
}

/// Accepts one connection at a time; a busy service gives each handshake a task of its own.
struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (tcp, address) = Listener::accept(&mut self.tcp).await;
            match self.acceptor.accept(tcp).await {
                Ok(tls) => return (tls, address),
                Err(error) => eprintln!("handshake: {error}"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
