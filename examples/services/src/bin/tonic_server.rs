//! tonic over mutual TLS: tonic builds its rustls configuration itself, from the process's default
//! provider, so here the provider is installed as the default. Serves the gRPC health service.

use std::net::SocketAddr;

use clap::Parser;
use rustls_offload_services::{AnyError, HANDSHAKE_TIMEOUT, Identity, spiffe_id};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Server, ServerTlsConfig};
use tonic::{Request, Status};

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
    rustls_offload::default_provider()
        .install_default()
        .map_err(|_| "another provider is installed already")?;
    let pem = args.identity.pem()?;
    let tls = ServerTlsConfig::new()
        .identity(tonic::transport::Identity::from_pem(pem.cert, pem.key))
        .client_ca_root(Certificate::from_pem(pem.ca))
        .timeout(HANDSHAKE_TIMEOUT);
    let incoming = TcpIncoming::bind(args.listen)?;
    println!("listening on {}", incoming.local_addr()?);
    let (_, health) = tonic_health::server::health_reporter();
    let health = InterceptedService::new(health, print_peer);
    Ok(Server::builder().tls_config(tls)?.add_service(health).serve_with_incoming(incoming).await?)
}

/// Prints who asks; the place where a service would decide whether it may.
fn print_peer(request: Request<()>) -> Result<Request<()>, Status> {
    let chain = request.peer_certs();
    let peer = chain.as_ref().and_then(|chain| chain.first()).and_then(spiffe_id);
    println!("asked by {}", peer.as_deref().unwrap_or("a peer without SPIFFE ID"));
    Ok(request)
}
