//! reqwest over mutual TLS: the rustls configuration goes in as it is.

use std::net::SocketAddr;

use clap::Parser;
use rustls_offload::verify::spiffe::{ExpectedServer, SpiffeId};
use rustls_offload_services::{AnyError, Identity};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    identity: Identity,
    /// Where the server listens.
    #[arg(long, default_value = "127.0.0.1:4433")]
    connect: SocketAddr,
    /// Whom to expect there, by SPIFFE ID.
    #[arg(long, default_value = "spiffe://example.org/server")]
    server: SpiffeId,
}

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let args = Args::parse();
    let (mtls, _watch) = args.identity.mtls("reqwest", &[])?;
    let config = mtls.client(ExpectedServer::Id(args.server))?;
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(config.as_ref().clone())
        .resolve("localhost", args.connect)
        .build()?;
    let url = format!("https://localhost:{}/", args.connect.port());
    let response = client.get(url).send().await?.error_for_status()?;
    println!("{}", response.text().await?);
    Ok(())
}
