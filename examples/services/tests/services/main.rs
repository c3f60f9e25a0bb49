//! Every example runs with our provider, and every server refuses, by the right alert, a client that
//! it can't identify.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod programs;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use programs::{AXUM, Certificates, HYPER, PAIRS, PLAIN, Pair, Server, TONIC, said};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::Acceptor;
use rustls::{
    AlertDescription, CipherSuite, ClientConfig, ClientConnection, Error, RootCertStore, Stream,
};
use rustls_offload_services::HANDSHAKE_TIMEOUT;

/// No answer for so long is a failure; no test waits for it otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// The client is served and each side knows the other; a client of another root is not served.
fn serves(pair: Pair) -> (String, String) {
    let certificates = Certificates::new();
    let mut server = Server::start(pair, &certificates);
    let output = certificates.client(pair, &server);
    assert!(output.status.success() && said(&output).contains(pair.answer), "{}", said(&output));
    let seen_by_server = server.line();
    assert!(seen_by_server.ends_with(" spiffe://example.org/client"), "{seen_by_server}");

    let refused = Certificates::new().client(pair, &server);
    assert!(!refused.status.success(), "a stranger was served: {}", said(&refused));
    (said(&output), seen_by_server)
}

#[test]
fn plain_server_and_client() {
    let (client, server) = serves(PLAIN);
    assert!(client.contains(" with spiffe://example.org/server"), "{client}");
    assert!(server.starts_with("Full TLS13_"), "{server}");
}

#[test]
fn hyper_and_reqwest() {
    serves(HYPER);
}

#[test]
fn axum_and_reqwest() {
    serves(AXUM);
}

#[test]
fn tonic_and_tonic() {
    serves(TONIC);
}

#[test]
fn who_may_not_call_is_refused() {
    let certificates = Certificates::new();
    for pair in [AXUM, TONIC] {
        for (allowed, served) in
            [("spiffe://example.org/other", false), ("spiffe://example.org/client", true)]
        {
            let server = Server::start_with(pair, &certificates, &["--allow", allowed]);
            let output = certificates.client(pair, &server);
            assert_eq!(output.status.success(), served, "{allowed}: {}", said(&output));
        }
    }
}

#[test]
fn another_server_than_expected_is_refused() {
    let certificates = Certificates::new();
    for pair in [AXUM, TONIC] {
        let server = Server::start(pair, &certificates);
        let mut command = certificates.command(pair.client, "client");
        command.args(["--connect", &server.address, "--server", "spiffe://example.org/other"]);
        let output = command.output().unwrap();
        assert!(!output.status.success(), "{}", said(&output));
    }
}

/// All files become those of another root: who has credentials of that one is served by a server that was not
/// started again.
#[test]
fn a_server_takes_up_files_that_rotate() {
    let (certificates, next) = (Certificates::new(), Certificates::new());
    for pair in [AXUM, TONIC] {
        let server = Server::start(pair, &certificates);
        assert!(!next.client(pair, &server).status.success());
        certificates.become_like(&next);
        let served = || next.client(pair, &server).status.success();
        let rotated = (0..PATIENCE.as_secs() * 5).any(|_| {
            std::thread::sleep(Duration::from_millis(200));
            served()
        });
        assert!(rotated, "{}", pair.server);
        certificates.become_like(&Certificates::new());
    }
}

/// In TLS 1.3 the client is done before the server has seen its certificate, so it is the first read
/// that tells. This client writes nothing, for a reset might then overtake the alert.
fn alert_from(server: &Server, config: ClientConfig) -> AlertDescription {
    let mut tcp = server.connect();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let error = Stream::new(&mut tls, &mut tcp).read_exact(&mut [0]).unwrap_err();
    match error.get_ref().and_then(|source| source.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(alert)) => *alert,
        other => panic!("no alert but {other:?} ({error})"),
    }
}

#[test]
fn a_client_that_cannot_be_identified_gets_the_alert_that_says_why() {
    let certificates = Certificates::new();
    let stranger = Certificates::new();
    for pair in PAIRS {
        let server = Server::start(pair, &certificates);
        let client = || {
            let mut roots = RootCertStore::empty();
            let root = CertificateDer::from_pem_file(certificates.path("root.pem")).unwrap();
            roots.add(root).unwrap();
            let provider = Arc::new(rustls_offload::default_provider());
            let builder = ClientConfig::builder_with_provider(provider);
            builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots)
        };
        // tonic's server hangs up on a client that does not speak HTTP/2
        let with_protocols = |mut config: ClientConfig| {
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            config
        };
        let anonymous = with_protocols(client().with_no_client_auth());
        let alert = alert_from(&server, anonymous);
        assert_eq!(alert, AlertDescription::CertificateRequired, "{}", pair.server);

        let chain = CertificateDer::pem_file_iter(stranger.path("client.pem")).unwrap();
        let chain = chain.collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(stranger.path("client.key")).unwrap();
        let unknown = with_protocols(client().with_client_auth_cert(chain, key).unwrap());
        assert_eq!(alert_from(&server, unknown), AlertDescription::UnknownCA, "{}", pair.server);
    }
}

/// Clients that connect and say nothing neither keep others waiting nor stay for ever.
#[test]
fn silent_clients_hold_nobody_up_and_are_dropped() {
    let certificates = Certificates::new();
    let servers = PAIRS.map(|pair| (pair, Server::start(pair, &certificates)));
    let silent: Vec<TcpStream> =
        servers.iter().flat_map(|(_, server)| [server.connect(), server.connect()]).collect();
    for (pair, server) in &servers {
        let output = certificates.client(*pair, server);
        assert!(output.status.success(), "{}: {}", pair.server, said(&output));
    }
    assert!(PATIENCE > HANDSHAKE_TIMEOUT * 2);
    for mut tcp in silent {
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let dropped = tcp.read(&mut [0]);
        assert!(matches!(dropped, Ok(0)) || is_reset(&dropped), "{dropped:?}");
    }
}

fn is_reset(read: &std::io::Result<usize>) -> bool {
    matches!(read, Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset)
}

/// Only our provider puts ChaCha20 first when it is told that the CPU has no AES; rustls's own have
/// AES first everywhere.
#[test]
fn every_client_handshakes_with_our_provider() {
    let certificates = Certificates::new();
    for client in [PLAIN.client, HYPER.client, TONIC.client] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut program = certificates
            .command(client, "client")
            .args(["--connect", &listener.local_addr().unwrap().to_string()])
            .env("RUSTLS_OFFLOAD_CPU", "-aes")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut tcp, _) = listener.accept().unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let offered = offered_suites(&mut tcp);
        // The program ends by itself, disappointed.
        let _ = tcp.shutdown(Shutdown::Both);
        let _ = program.wait();
        assert_eq!(offered[0], CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, "{client}");
    }
}

fn offered_suites(tcp: &mut TcpStream) -> Vec<CipherSuite> {
    let mut acceptor = Acceptor::default();
    loop {
        acceptor.read_tls(tcp).unwrap();
        if let Some(accepted) = acceptor.accept().map_err(|(error, _)| error).unwrap() {
            return accepted.client_hello().cipher_suites().to_vec();
        }
    }
}

/// A server follows the client's order, so its provider shows elsewhere: no other reads the mask.
#[test]
fn every_server_is_made_with_our_provider() {
    let certificates = Certificates::new();
    for Pair { server, .. } in PAIRS {
        let mut command = certificates.command(server, "server");
        command.args(["--listen", "127.0.0.1:0"]).env("RUSTLS_OFFLOAD_CPU", "-abacus");
        let output = command.output().unwrap();
        assert!(!output.status.success(), "{server}");
        assert!(said(&output).contains("abacus"), "{server}: {}", said(&output));
    }
}

#[test]
fn a_file_that_is_not_what_it_should_be_is_named() {
    let certificates = Certificates::new();
    let absent = Path::new("/nowhere/server.key");
    let (empty, root) = (certificates.path("empty.key"), certificates.path("root.pem"));
    fs::File::create(&empty).unwrap().write_all(b"nothing\n").unwrap();
    for Pair { server, .. } in PAIRS {
        for key in [absent, &empty, &root] {
            let mut command = certificates.command_with(server, key, "server");
            let output = command.args(["--listen", "127.0.0.1:0"]).output().unwrap();
            assert!(!output.status.success());
            let named = said(&output).contains(key.to_str().unwrap());
            assert!(named, "{server} with {}: {}", key.display(), said(&output));
        }
    }
}

#[test]
fn keys_are_the_owners_alone_and_chains_have_an_intermediate() {
    let certificates = Certificates::new();
    for role in ["server", "client"] {
        let key = fs::metadata(certificates.path(&format!("{role}.key"))).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
        let chain = CertificateDer::pem_file_iter(certificates.path(&format!("{role}.pem")));
        assert_eq!(chain.unwrap().count(), 2);
    }
}
