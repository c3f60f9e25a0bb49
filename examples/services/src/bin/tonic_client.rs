//! tonic over mutual TLS, the client: as in `tonic_server`, the provider is the process's default.
//! Asks the gRPC health service how the server is and prints the answer.

use std::net::SocketAddr;

use clap::Parser;
use rustls_offload_services::{AnyError, HANDSHAKE_TIMEOUT, Identity};
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    identity: Identity,
    /// Where the server listens.
    #[arg(long, default_value = "127.0.0.1:4433")]
    connect: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let args = Args::parse();
    rustls_offload::default_provider()
        .install_default()
        .map_err(|_| "another provider is installed already")?;
    let pem = args.identity.pem()?;
    let tls = ClientTlsConfig::new()
        .identity(tonic::transport::Identity::from_pem(pem.cert, pem.key))
        .ca_certificate(Certificate::from_pem(pem.ca))
        .domain_name("localhost")
        .timeout(HANDSHAKE_TIMEOUT);
    let url = format!("https://{}", args.connect);
    let channel = Channel::from_shared(url)?.tls_config(tls)?.connect().await?;
    let request = HealthCheckRequest { service: String::new() };
    let answer = HealthClient::new(channel).check(request).await?;
    println!("{:?}", answer.into_inner().status());
    Ok(())
}
