//! tonic over mutual TLS: its server takes a stream of connections, here of those that were let in. Serves the gRPC
//! health service.

use std::net::SocketAddr;

use clap::Parser;
use futures_util::stream;
use rustls_offload::verify::spiffe::SpiffeId;
use rustls_offload_services::{AnyError, Identity, Incoming, spiffe_id};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::{Request, Status};

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
    let (mtls, _watch) = args.identity.mtls("tonic", &args.allow)?;
    let incoming = Incoming::listen(args.listen, mtls).await?;
    let connections = stream::unfold(incoming, async |mut incoming| {
        let (connection, _) = incoming.next().await;
        Some((Ok::<_, AnyError>(connection), incoming))
    });
    let (_, health) = tonic_health::server::health_reporter();
    let health = InterceptedService::new(health, print_peer);
    Ok(Server::builder().add_service(health).serve_with_incoming(connections).await?)
}

/// Prints who asks.
fn print_peer(request: Request<()>) -> Result<Request<()>, Status> {
    let chain = request.peer_certs();
    let peer = chain.as_ref().and_then(|chain| chain.first()).and_then(spiffe_id);
    println!("asked by {}", peer.as_deref().unwrap_or("a peer without SPIFFE ID"));
    Ok(request)
}
