//! One proxy against one end of our own: what it negotiates and whom it turns away.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mtls_bench::path::external::{Side, sidecar};
use mtls_bench::path::{Ground, Options};
use mtls_bench::pki::{Credentials, Pki, SERVER_NAME};
use mtls_bench::role::Role;
use mtls_bench::role::protocol::{Fault, RoleSpec, ServerSpec, Service};
use mtls_bench::settings::{
    HandshakeMix, Identities, IdentitySource, KeyType, ProviderName, Settings, TlsParameters,
};
use mtls_bench::tls::{Dialer, Observations, Records, TlsEnd};
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, NamedGroup, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const CLIENT_ID: &str = "spiffe://mtls-bench.test/client";
const SERVER_ID: &str = "spiffe://mtls-bench.test/server";

const BOTH: &[HandshakeMix] = &[HandshakeMix::Full, HandshakeMix::Resumed];

/// Everything but the proxy.
struct Bench {
    pki: Pki,
    settings: Settings,
    options: Options,
}

impl Bench {
    fn new() -> Self {
        let stunnel: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("sidecars/stunnel.toml");
        let tls = TlsParameters {
            suite: "TLS13_AES_128_GCM_SHA256".to_owned(),
            group: "X25519".to_owned(),
            key_type: KeyType::P256,
            chain_length: 2,
            tickets: 2,
        };
        Self {
            pki: Pki::generate(KeyType::P256, Identities::default(), false).unwrap(),
            options: Options { envoy: None, described: vec![stunnel] },
            settings: Settings {
                rounds: 1,
                window_s: 0.1,
                warmup_s: 0.0,
                concurrency: 1,
                load_points: Vec::new(),
                rate: None,
                tls,
                identities: Identities::default(),
                identity: IdentitySource::TestPki,
                rotate_s: None,
                request_bytes: 0,
                response_bytes: 1,
                idle_connections: 1,
                client_cpus: Vec::new(),
                server_cpus: Vec::new(),
                seed: 1,
            },
        }
    }

    fn end(&self, credentials: &Credentials, group: &str) -> TlsEnd {
        let parameters = TlsParameters { group: group.to_owned(), ..self.settings.tls.clone() };
        TlsEnd {
            provider: ProviderName::AwsLcRs,
            parameters,
            records: Records::User,
            credentials: credentials.clone(),
            population: None,
            workload_api: None,
            rotation: None,
        }
    }

    /// An echo server, in plaintext or with these credentials.
    async fn server(&self, credentials: Option<&Credentials>) -> Role {
        let spec = ServerSpec {
            cpus: Vec::new(),
            listen: "127.0.0.1:0".parse().unwrap(),
            tls: credentials.map(|credentials| self.end(credentials, "X25519")),
            service: Service::Echo,
            fault: Fault::default(),
        };
        start("server", &RoleSpec::Server(spec)).await
    }

    async fn proxy(&self, name: &str, side: Side, resumes: bool, upstream: &Role) -> Role {
        let ground = Ground {
            settings: &self.settings,
            pki: &self.pki,
            provider: ProviderName::AwsLcRs,
            mix: if resumes { HandshakeMix::Resumed } else { HandshakeMix::Full },
        };
        let upstream = upstream.address().unwrap();
        start(name, &sidecar(&self.options, name, &ground, side, upstream).unwrap()).await
    }
}

async fn start(name: &str, spec: &RoleSpec) -> Role {
    let program = Path::new(env!("CARGO_BIN_EXE_mtls-bench"));
    Role::start_program(program, name, spec).await.unwrap()
}

/// Whether a byte comes back.
async fn echoes(mut connection: impl AsyncRead + AsyncWrite + Unpin) -> bool {
    let mut byte = [0];
    let exchange = async {
        connection.write_all(b"x").await?;
        connection.read_exact(&mut byte).await?;
        connection.shutdown().await?;
        // nginx closes without a close_notify, which is an error here and of no interest.
        while matches!(connection.read(&mut [0; 64]).await, Ok(read) if read > 0) {}
        std::io::Result::Ok(())
    };
    timeout(Duration::from_secs(10), exchange).await.unwrap().is_ok()
}

async fn dial(dialer: &Dialer, address: SocketAddr) -> bool {
    let tcp = TcpStream::connect(address).await.unwrap();
    match dialer.secure(tcp).await {
        Ok(connection) => echoes(connection).await,
        Err(_) => false,
    }
}

/// What a proxy tells, once it has told of `total` handshakes and failures.
async fn told(proxy: &mut Role, total: u64) -> Observations {
    let mut seen = Observations::default();
    for _ in 0..500 {
        seen.add(proxy.observe().await.unwrap());
        if seen.total() + seen.failures.values().sum::<u64>() >= total {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{total} handshakes were made, told was of {seen:?}");
}

fn check(seen: &Observations, full: u64, resumed: u64, peer: &str) {
    assert_eq!((seen.of_kind("Full"), seen.of_kind("Resumed")), (full, resumed), "{seen:?}");
    assert_eq!(seen.total(), full + resumed, "{seen:?}");
    assert!(seen.failures.is_empty(), "{seen:?}");
    for outcome in seen.handshakes.iter().map(|seen| &seen.negotiated) {
        assert_eq!(outcome.protocol, "TLSv1_3");
        assert_eq!(outcome.suite, "TLS13_AES_128_GCM_SHA256");
        assert_eq!(outcome.group.as_deref(), Some("X25519"));
        assert_eq!(outcome.peer, peer);
    }
}

/// The proxy beside the server, seen by a client of our own.
async fn server_side(name: &str) {
    let bench = Bench::new();
    let server = bench.server(None).await;
    let mut proxy = bench.proxy(name, Side::Server, true, &server).await;
    let address = proxy.address().unwrap();

    let end = bench.end(&bench.pki.client, "X25519");
    let dialer = Dialer::new(Some(&end), HandshakeMix::Resumed).unwrap();
    dialer.set_priming(true);
    assert!(dial(&dialer, address).await);
    dialer.set_priming(false);
    for _ in 0..4 {
        assert!(dial(&dialer, address).await);
    }
    let observer = dialer.observer().unwrap();
    check(&observer.take(), 1, 4, SERVER_ID);
    check(&told(&mut proxy, 5).await, 1, 4, CLIENT_ID);

    let full = Dialer::new(Some(&end), HandshakeMix::Full).unwrap();
    assert!(dial(&full, address).await && dial(&full, address).await);
    check(&told(&mut proxy, 2).await, 2, 0, CLIENT_ID);

    // Another group is not admitted, which makes the group of all others known.
    let other = bench.end(&bench.pki.client, "secp256r1");
    let other = Dialer::new(Some(&other), HandshakeMix::Full).unwrap();
    assert!(!dial(&other, address).await, "{name} took another group");

    // A good chain, and a leaf with other names.
    let impostor = bench.end(&bench.pki.server, "X25519");
    let impostor = Dialer::new(Some(&impostor), HandshakeMix::Full).unwrap();
    assert!(!dial(&impostor, address).await, "{name} took another client's certificate");
    assert!(!nameless(&bench, address).await, "{name} took a client without certificate");

    // They turned them away, and went on.
    assert!(dial(&full, address).await);
    proxy.stop().await;
}

/// Whether a client that presents no certificate is served.
async fn nameless(bench: &Bench, address: SocketAddr) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(bench.pki.client.root().unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = SERVER_NAME.try_into().unwrap();
    match TlsConnector::from(Arc::new(config)).connect(name, tcp).await {
        Ok(connection) => echoes(connection).await,
        Err(_) => false,
    }
}

/// Counts the tickets that a server sends.
#[derive(Debug, Default)]
struct Tickets(AtomicUsize);

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

/// The proxy beside the server sends as many tickets as it is told to.
async fn tickets(name: &str, wanted: usize) {
    let mut bench = Bench::new();
    bench.settings.tls.tickets = wanted;
    let server = bench.server(None).await;
    let proxy = bench.proxy(name, Side::Server, false, &server).await;
    let own = &bench.pki.client;
    let mut roots = RootCertStore::empty();
    roots.add(own.root().unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(own.chain().unwrap(), own.key().unwrap())
        .unwrap();
    let seen = Arc::new(Tickets::default());
    config.resumption = Resumption::store(seen.clone());
    let tcp = TcpStream::connect(proxy.address().unwrap()).await.unwrap();
    let name = SERVER_NAME.try_into().unwrap();
    let connection = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    assert!(echoes(connection).await);
    assert_eq!(seen.0.load(Ordering::Relaxed), wanted);
}

#[tokio::test]
async fn tickets_are_as_many_as_asked_for() {
    for (name, wanted) in
        [("envoy-l4", 2), ("haproxy", 2), ("haproxy", 3), ("nginx", 2), ("nginx", 0)]
    {
        tickets(name, wanted).await;
    }
}

/// The proxy beside the client, seen by a server of our own.
async fn client_side(name: &str, kinds: &[HandshakeMix]) {
    let bench = Bench::new();
    for kind in kinds {
        let resumes = *kind == HandshakeMix::Resumed;
        let (full, resumed) = if resumes { (1, 3) } else { (4, 0) };
        let mut server = bench.server(Some(&bench.pki.server)).await;
        let proxy = bench.proxy(name, Side::Client, resumes, &server).await;
        for _ in 0..4 {
            let tcp = TcpStream::connect(proxy.address().unwrap()).await.unwrap();
            assert!(echoes(tcp).await);
        }
        // No other kind, so no client that guessed the group wrong.
        check(&server.observe().await.unwrap(), full, resumed, CLIENT_ID);
    }
    // A good chain, and a leaf with other names.
    let server = bench.server(Some(&bench.pki.client)).await;
    let proxy = bench.proxy(name, Side::Client, false, &server).await;
    let tcp = TcpStream::connect(proxy.address().unwrap()).await.unwrap();
    assert!(!echoes(tcp).await, "{name} talked to another server");
}

#[tokio::test]
async fn envoy_beside_the_server() {
    server_side("envoy-l4").await;
}

#[tokio::test]
async fn envoy_beside_the_client() {
    client_side("envoy-l4", BOTH).await;
}

#[tokio::test]
async fn haproxy_beside_the_server() {
    server_side("haproxy").await;
}

#[tokio::test]
async fn haproxy_beside_the_client() {
    client_side("haproxy", BOTH).await;
}

#[tokio::test]
async fn nginx_beside_the_server() {
    server_side("nginx").await;
}

#[tokio::test]
async fn nginx_beside_the_client() {
    client_side("nginx", BOTH).await;
}

#[tokio::test]
async fn stunnel_by_its_description_beside_the_server() {
    server_side("stunnel").await;
}

#[tokio::test]
async fn stunnel_by_its_description_beside_the_client() {
    client_side("stunnel", &BOTH[..1]).await;
}
