//! hyper over mutual TLS: the accepted TLS stream is all that hyper needs.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use clap::Parser;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls_offload_services::{AnyError, Identity, handshake, next_connection};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

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
    let listener = TcpListener::bind(args.listen).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let tcp = next_connection(&listener).await;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(&acceptor, tcp).await {
                eprintln!("connection: {error}");
            }
        });
    }
}

async fn serve(acceptor: &TlsAcceptor, tcp: TcpStream) -> Result<(), AnyError> {
    let tls = handshake(acceptor, tcp).await?;
    Ok(http1::Builder::new().serve_connection(TokioIo::new(tls), service_fn(hello)).await?)
}

async fn hello<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello from hyper"))))
}
