//! The smallest server: mutual TLS on tokio-rustls, sending every byte back.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Parser;
use rustls_offload_services::{AnyError, Identity, handshake, next_connection};
use tokio::io::{AsyncWriteExt, copy, split};
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
            if let Err(error) = echo(&acceptor, tcp).await {
                eprintln!("connection: {error}");
            }
        });
    }
}

async fn echo(acceptor: &TlsAcceptor, tcp: TcpStream) -> Result<(), AnyError> {
    let tls = handshake(acceptor, tcp).await?;
    let (mut reader, mut writer) = split(tls);
    copy(&mut reader, &mut writer).await?;
    Ok(writer.shutdown().await?)
}
