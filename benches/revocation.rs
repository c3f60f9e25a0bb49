//! How long connections live on after their identity was denied, with 10,000 mutual TLS connections open, or
//! as many as the limit of open files allows.
//!
//! `cargo bench --bench revocation` (as a test, a hundred connections)
//!
//! Clients and server are in one process, over loopback. The time is from the call that replaces the policy to
//! the end of the stream at the last client of those that are told to go; the others are then asked for an echo.
#![allow(clippy::unwrap_used)] // here a panic is a failed bench

#[path = "../tests/identity/domain.rs"]
#[allow(dead_code)] // the tests need more of it
mod domain;

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{Domain, bundles, provider};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustls::pki_types::UnixTime;
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, ServerConfig};
use rustls_offload::verify::policy::{AuthorizingClientVerifier, Callers, Policy, Rule};
use rustls_offload::verify::spiffe::{
    ExpectedServer, SpiffeClientVerifier, SpiffeId, SpiffeServerVerifier, TrustDomain,
};
use rustls_offload::verify::{CachingClientVerifier, CachingServerVerifier};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

const IDENTITIES: usize = 100;
const SERVER: &str = "spiffe://bench.test/server";

fn client_id(number: usize) -> SpiffeId {
    SpiffeId::new(&format!("spiffe://bench.test/client/{number}")).unwrap()
}

/// All of the domain but clients from 0 up to `denied`.
fn policy(denied: usize) -> Policy {
    let all = Rule::TrustDomain(TrustDomain::new("bench.test").unwrap());
    let builder = Policy::builder().allow(all);
    (0..denied).fold(builder, |builder, number| builder.deny(Rule::Id(client_id(number)))).build()
}

struct Ends {
    callers: Arc<Callers>,
    chains: Arc<CachingClientVerifier>,
    server: Arc<ServerConfig>,
    clients: Vec<Arc<ClientConfig>>,
}

fn ends() -> Ends {
    let domain = Domain::new("bench.test");
    let trusted = || bundles([domain.bundle()]);
    let chains = CachingClientVerifier::new(Arc::new(SpiffeClientVerifier::new(trusted())));
    let callers = Callers::new(policy(0));
    let own = domain.svid(SERVER);
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(AuthorizingClientVerifier::new(chains.clone(), callers.clone()))
        .with_single_cert(own.chain, own.key)
        .unwrap();
    server.session_storage = Arc::new(NoServerSessionStorage {});
    let expected = ExpectedServer::Id(SpiffeId::new(SERVER).unwrap());
    let servers = SpiffeServerVerifier::new(trusted(), expected);
    let servers = CachingServerVerifier::new(Arc::new(servers));
    let client = |number| {
        let svid = domain.svid(client_id(number).as_str());
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(servers.clone())
            .with_client_auth_cert(svid.chain, svid.key)
            .unwrap();
        Arc::new(config)
    };
    Ends {
        callers,
        chains,
        server: Arc::new(server),
        clients: (0..IDENTITIES).map(client).collect(),
    }
}

/// Echoes until the client has ended, or may no longer call.
async fn serve(stream: server::TlsStream<TcpStream>, ends: Arc<Ends>) {
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    let peer = ends.chains.verify_peer(&chain[0], &chain[1..], UnixTime::now()).unwrap();
    let id = SpiffeId::new(peer.spiffe_id().unwrap()).unwrap();
    let (tell, told) = oneshot::channel::<()>();
    let Ok(_admission) = ends.callers.admit(&id, move || _ = tell.send(())) else { return };
    let (mut read, mut write) = tokio::io::split(stream);
    tokio::select! {
        _ = tokio::io::copy(&mut read, &mut write) => {}
        _ = told => {
            let _close_notify = write.shutdown().await;
        }
    }
}

/// Opens the connections, of all identities in turn.
async fn open(ends: &Arc<Ends>, connections: usize) -> Vec<client::TlsStream<TcpStream>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(ends.server.clone());
    let serving = ends.clone();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            tcp.set_nodelay(true).unwrap();
            let (acceptor, ends) = (acceptor.clone(), serving.clone());
            tokio::spawn(async move { serve(acceptor.accept(tcp).await.unwrap(), ends).await });
        }
    });
    let mut streams = Vec::new();
    for number in 0..connections {
        let connector = TlsConnector::from(ends.clients[number % IDENTITIES].clone());
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        streams.push(connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap());
        echo(streams.last_mut().unwrap()).await;
    }
    streams
}

async fn echo(stream: &mut client::TlsStream<TcpStream>) {
    let mut answer = [0; 4];
    stream.write_all(b"ping").await.unwrap();
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"ping");
}

/// Denies identities up to `denied`; how long until the last of their connections, which are the `leaving`, ended.
async fn deny(
    ends: &Arc<Ends>,
    denied: usize,
    leaving: Vec<client::TlsStream<TcpStream>>,
) -> Duration {
    let count = leaving.len();
    let ending: Vec<_> = leaving
        .into_iter()
        .map(|mut stream| {
            tokio::spawn(async move {
                assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "close_notify");
                Instant::now()
            })
        })
        .collect();
    let start = Instant::now();
    let callers = ends.callers.clone();
    let told = tokio::task::spawn_blocking(move || callers.replace(policy(denied)));
    let mut last = start;
    for ended in ending {
        last = last.max(ended.await.unwrap());
    }
    assert_eq!(told.await.unwrap(), count);
    last - start
}

/// How many connections the limit of open files has room for, with two ends each.
fn room() -> usize {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    (hard.saturating_sub(100) / 2) as usize
}

#[tokio::main]
async fn main() {
    let wanted = if std::env::args().any(|a| a == "--bench") { 10_000 } else { 100 };
    let connections = wanted.min(room());
    let connections = connections - connections % IDENTITIES;
    let ends = Arc::new(ends());
    let mut streams = open(&ends, connections).await;
    assert_eq!(ends.callers.connections(), connections);
    println!("{connections} connections of {IDENTITIES} identities are open");
    let first = (0..connections / IDENTITIES).rev().map(|round| streams.remove(round * IDENTITIES));
    let first: Vec<_> = first.collect();
    let (count, time) = (first.len(), deny(&ends, 1, first).await);
    println!("one identity denied: the last of its {count} connections ended after {time:?}");
    for stream in &mut streams {
        echo(stream).await;
    }
    let (count, time) = (streams.len(), deny(&ends, IDENTITIES, streams).await);
    println!("all denied: the last of {count} connections ended after {time:?}");
    assert_eq!(ends.callers.connections(), 0);
}
