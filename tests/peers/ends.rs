//! Our end of a connection over TCP: a client or a server that does one exchange and reports.

use std::fmt;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, CommonState, HandshakeKind, ProtocolVersion, ServerConfig,
    ServerConnection, Stream,
};
use rustls_offload::Offload;
use rustls_offload::cpu::Cpu;
use rustls_offload::plan::{Algorithm, Backend};

use crate::PATIENCE;

/// What goes one way; the other way it comes back.
pub(crate) const GREETING: &str = "hello over mutual TLS";

/// What our end says of a connection on which the greeting went both ways.
#[derive(PartialEq)]
pub(crate) struct Report {
    pub(crate) resumed: bool,
    pub(crate) version: ProtocolVersion,
    pub(crate) peer: Vec<CertificateDer<'static>>,
}

impl Report {
    fn of(end: &CommonState) -> Self {
        Self {
            // full may be with a second hello: the FIPS module lacks the group that peers try first
            resumed: end.handshake_kind().unwrap() == HandshakeKind::Resumed,
            version: end.protocol_version().unwrap(),
            peer: end.peer_certificates().unwrap().to_vec(),
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<_> = self.peer.iter().map(|certificate| certificate.len()).collect();
        let Self { resumed, version, .. } = self;
        write!(f, "{version:?}, resumed: {resumed}, peer's certificates: {sizes:?} bytes")
    }
}

/// The provider by the default plan, and by each backend for everything it has.
pub(crate) fn offloads() -> Vec<(String, Offload)> {
    let cpu = Cpu::detect().unwrap();
    let mut offloads = vec![("default plan".to_owned(), Offload::new().unwrap())];
    for backend in Backend::available(&cpu) {
        let mut builder = Offload::builder();
        for &algorithm in Algorithm::ALL {
            if algorithm.candidates(&cpu).contains(&backend) {
                builder = builder.choose(algorithm, backend);
            }
        }
        offloads.push((format!("all {backend}"), builder.build().unwrap()));
    }
    offloads
}

/// Connects to `port`, sends the greeting, and reads what `reply` says comes back.
pub(crate) fn connect(
    config: &Arc<ClientConfig>,
    port: u16,
    reply: &str,
) -> Result<Report, String> {
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(|e| e.to_string())?;
    patient(&tcp);
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = Stream::new(&mut tls, &mut tcp);
    writeln!(stream, "{GREETING}").map_err(|error| error.to_string())?;
    let mut line = vec![0; reply.len() + 1];
    stream.read_exact(&mut line).map_err(|error| error.to_string())?;
    assert_eq!(String::from_utf8_lossy(&line), format!("{reply}\n"));
    tls.send_close_notify();
    // the peer may have gone already
    let _ = tls.complete_io(&mut tcp);
    Ok(Report::of(&tls))
}

/// Connects to `port` and says nothing, as long as the peer does not object; returns its objection.
pub(crate) fn objection(config: &Arc<ClientConfig>, port: u16) -> String {
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    patient(&tcp);
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(Arc::clone(config), name).unwrap();
    match Stream::new(&mut tls, &mut tcp).read(&mut [0; 1]) {
        Ok(bytes) => panic!("the peer did not object, but sent {bytes} bytes"),
        Err(error) => error.to_string(),
    }
}

/// A server on a port of its own that takes `connections` one after the other, echoes a line on
/// each, if one comes, and reports.
pub(crate) struct Server {
    pub(crate) port: u16,
    thread: JoinHandle<Vec<Result<Report, String>>>,
}

impl Server {
    pub(crate) fn start(config: ServerConfig, connections: usize) -> Self {
        let config = Arc::new(config);
        Self::start_with(move || Arc::clone(&config), connections)
    }

    /// With a configuration for each connection.
    pub(crate) fn start_with(
        config: impl Fn() -> Arc<ServerConfig> + Send + 'static,
        connections: usize,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let thread = std::thread::spawn(move || {
            let serve = |_| accept(&listener).and_then(|tcp| serve(&config(), tcp));
            (0..connections).map(serve).collect()
        });
        Self { port, thread }
    }

    /// Waits for the last connection's end.
    pub(crate) fn reports(self) -> Vec<Result<Report, String>> {
        self.thread.join().unwrap()
    }
}

/// The next connection, if it comes in time.
fn accept(listener: &TcpListener) -> Result<TcpStream, String> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match listener.accept() {
            Ok((tcp, _)) => {
                tcp.set_nonblocking(false).unwrap();
                return Ok(tcp);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(Duration::from_millis(5)),
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("nobody connected".into())
}

fn serve(config: &Arc<ServerConfig>, mut tcp: TcpStream) -> Result<Report, String> {
    patient(&tcp);
    let mut tls = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut stream = Stream::new(&mut tls, &mut tcp);
    let mut line = String::new();
    let read = BufReader::new(&mut stream).read_line(&mut line);
    if let Err(error) = read {
        // what is left to send is the alert
        let _ = tls.complete_io(&mut tcp);
        return Err(error.to_string());
    }
    stream.write_all(line.as_bytes()).map_err(|error| error.to_string())?;
    // until the peer closes: closing first could cost it the echo
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    Ok(Report::of(&tls))
}

/// A peer that says nothing is a failed test, not a hanging one.
fn patient(tcp: &TcpStream) {
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.set_write_timeout(Some(PATIENCE)).unwrap();
}
