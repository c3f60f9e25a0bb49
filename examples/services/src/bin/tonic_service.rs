//! tonic over mutual TLS: tonic builds its rustls configurations itself, from the process's default
//! provider, so here the provider is installed as the default.
//!
//! Serves the standard gRPC health service, asks it over the network, prints the answer and ends.

use std::fs;

use clap::Parser;
use rustls_offload_services::{AnyError, Identity};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Server, ServerTlsConfig};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    identity: Identity,
}

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let args = Args::parse();
    rustls_offload::default_provider()
        .install_default()
        .map_err(|_| "another provider is installed already")?;
    let ca = Certificate::from_pem(fs::read(&args.identity.ca)?);
    let pair = (fs::read(&args.identity.cert)?, fs::read(&args.identity.key)?);
    let identity = tonic::transport::Identity::from_pem(pair.0, pair.1);

    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?;
    let address = incoming.local_addr()?;
    let (_, health) = tonic_health::server::health_reporter();
    let tls = ServerTlsConfig::new().identity(identity.clone()).client_ca_root(ca.clone());
    let server = Server::builder().tls_config(tls)?.add_service(health);
    tokio::spawn(server.serve_with_incoming(incoming));

    let tls = ClientTlsConfig::new().identity(identity).ca_certificate(ca).domain_name("localhost");
    let channel =
        Channel::from_shared(format!("https://{address}"))?.tls_config(tls)?.connect().await?;
    let request = HealthCheckRequest { service: String::new() };
    let answer = HealthClient::new(channel).check(request).await?;
    println!("{:?}", answer.into_inner().status());
    Ok(())
}
