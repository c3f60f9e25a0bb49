//! The smallest client: sends a word over mutual TLS and prints what comes back.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Parser;
use rustls::pki_types::ServerName;
use rustls_offload_services::{AnyError, Identity, negotiated};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    identity: Identity,
    /// Where the server listens.
    #[arg(long, default_value = "127.0.0.1:4433")]
    connect: SocketAddr,
    /// What to send.
    #[arg(default_value = "hello")]
    word: String,
}

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let args = Args::parse();
    let connector = TlsConnector::from(Arc::new(args.identity.client_config()?));
    let tcp = TcpStream::connect(args.connect).await?;
    let mut tls = connector.connect(ServerName::try_from("localhost")?, tcp).await?;
    println!("{}", negotiated(tls.get_ref().1));
    tls.write_all(args.word.as_bytes()).await?;
    tls.shutdown().await?;
    let mut answer = String::new();
    tls.read_to_string(&mut answer).await?;
    println!("{answer}");
    Ok(())
}
