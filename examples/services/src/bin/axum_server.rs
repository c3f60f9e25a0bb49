//! axum over mutual TLS: a `Listener` that hands axum accepted TLS streams.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use axum::serve::Listener;
use clap::Parser;
use rustls_offload::verify::spiffe::SpiffeId;
use rustls_offload_services::{AnyError, Identity, Incoming};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    identity: Identity,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:4433")]
    listen: SocketAddr,
    /// Who may call, by SPIFFE ID; can be given several times [default: everyone of the same trust domain].
    #[arg(long)]
    allow: Vec<SpiffeId>,
}

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let args = Args::parse();
    let (mtls, _watch) = args.identity.mtls("axum", &args.allow)?;
    let incoming = Incoming::listen(args.listen, mtls).await?;
    let app = Router::new().route("/", get(async || "hello from axum"));
    Ok(axum::serve(TlsListener(incoming), app).await?)
}

struct TlsListener(Incoming);

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        self.0.next().await
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}
