//! tonic over mutual TLS, the client: a channel whose connector makes the TLS connection. Asks the gRPC health service
//! how the server is and prints the answer.

use std::net::SocketAddr;

use clap::Parser;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls_offload::verify::spiffe::{ExpectedServer, SpiffeId};
use rustls_offload_services::{AnyError, HANDSHAKE_TIMEOUT, Identity};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::service_fn;

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
    let (mtls, _watch) = args.identity.mtls("tonic", &[])?;
    let connector = TlsConnector::from(mtls.client(ExpectedServer::Id(args.server))?);
    let connect = service_fn(move |_| {
        let connector = connector.clone();
        async move {
            let tcp = TcpStream::connect(args.connect).await?;
            let connecting = connector.connect(ServerName::try_from("localhost")?, tcp);
            let tls = timeout(HANDSHAKE_TIMEOUT, connecting).await??;
            Ok::<_, AnyError>(TokioIo::new(tls))
        }
    });
    let channel = Channel::from_static("http://localhost").connect_with_connector(connect).await?;
    let request = HealthCheckRequest { service: String::new() };
    let answer = HealthClient::new(channel).check(request).await?;
    println!("{:?}", answer.into_inner().status());
    Ok(())
}
