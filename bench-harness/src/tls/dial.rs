//! Making and accepting the measured connections, in plaintext or in mutual TLS.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustls::pki_types::ServerName;
use rustls_offload::ktls::KernelStream;
use rustls_offload::pool::LocalPool;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};
use tokio_util::either::Either;

use super::callers::{Callers, Manner};
use super::config::{Configs, Records};
use super::kernel::{self, Carrier};
use super::{Observer, TlsEnd};
use crate::Error;
use crate::pki::SERVER_NAME;
use crate::settings::HandshakeMix;

/// A measured connection over any transport.
pub type Connection<S = TcpStream> = Either<S, Secured<S>>;

/// One whose records rustls or the kernel protects.
pub type Secured<S> = Either<Box<TlsStream<S>>, Box<KernelStream>>;

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// TCP said no.
    #[error("connect: {}", connect_failure(.0))]
    Connect(#[source] io::Error),
    /// The TLS handshake failed, on this side or the other.
    #[error("handshake: {0}")]
    Handshake(#[source] io::Error),
    /// Every connection was to have an identity of its own, and there was none left.
    #[error("no fresh identity left: more connections were made than leaves were issued for")]
    NoIdentity,
}

fn connect_failure(error: &io::Error) -> String {
    match error.kind() {
        // Besides an address that is not ours, which nobody gave: `connect` found no free port.
        io::ErrorKind::AddrNotAvailable => {
            "every local port is taken; widen net.ipv4.ip_local_port_range".to_owned()
        }
        kind => kind.to_string(),
    }
}

/// Makes client connections.
pub struct Dialer {
    tls: Option<ClientTls>,
}

struct ClientTls {
    pooled: bool,
    records: Records,
    callers: Callers,
    is_priming: AtomicBool,
    server_name: ServerName<'static>,
    mix: HandshakeMix,
    turn: AtomicU64,
    observer: Arc<Observer>,
}

impl Dialer {
    /// A dialer that speaks mutual TLS as `end` says, or plaintext without it.
    ///
    /// # Errors
    /// When rustls refuses the configuration.
    pub fn new(end: Option<&TlsEnd>, mix: HandshakeMix) -> Result<Self, Error> {
        let Some(end) = end else { return Ok(Self { tls: None }) };
        let server_name = ServerName::try_from(SERVER_NAME)
            .map_err(|e| Error::Usage(format!("server name {SERVER_NAME}: {e}")))?;
        let side = end.client()?;
        let callers = match &end.population {
            Some(population) => Callers::many(side.config, population)?,
            None => Callers::only(&side.config)?,
        };
        Ok(Self {
            tls: Some(ClientTls {
                pooled: end.provider.has_pool(),
                records: end.records,
                callers,
                is_priming: AtomicBool::new(false),
                server_name,
                mix,
                turn: AtomicU64::new(0),
                observer: Arc::new(Observer::new(&end.credentials.peer, side.accounts)?),
            }),
        })
    }

    /// The observer of this end, if it speaks TLS.
    pub fn observer(&self) -> Option<Arc<Observer>> {
        self.tls.as_ref().map(|tls| tls.observer.clone())
    }

    /// While priming, handshakes are full ones whose sessions are kept for later.
    pub fn set_priming(&self, on: bool) {
        if let Some(tls) = &self.tls {
            tls.is_priming.store(on, Ordering::Relaxed);
        }
    }

    /// Makes sure that so many connections can be made, where each has an identity of its own.
    ///
    /// # Errors
    /// When a key or certificate can't be made.
    pub fn supply(&self, connections: u64) -> Result<(), Error> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.callers.supply(connections))
    }

    /// Completes the handshake over an established transport.
    ///
    /// # Errors
    /// Counted by the observer as well.
    pub async fn secure<S>(&self, transport: S) -> Result<Connection<S>, DialError>
    where
        S: Carrier,
    {
        let Some(tls) = &self.tls else { return Ok(Either::Left(transport)) };
        let manner = tls.manner();
        let connector = tls.callers.next(manner).ok_or(DialError::NoIdentity)?;
        let name = tls.server_name.clone();
        let resumes = manner == Manner::Resuming;
        let connected = match socket(tls.records, transport) {
            Ok(tcp) => kernel::connect(pool(tls.pooled), connector.config().clone(), name, tcp)
                .await
                .map(|stream| tls.observer.kernel_stream(stream, resumes)),
            Err(transport) => match pool(tls.pooled) {
                Some(pool) => pool.connect(&connector, name, transport).await,
                None => connector.connect(name, transport).await,
            }
            .map(|stream| tls.observer.stream(stream.into(), resumes)),
        };
        connected.map(Either::Right).map_err(|error| {
            tls.observer.failed(&error.to_string());
            DialError::Handshake(error)
        })
    }
}

impl ClientTls {
    /// How the next handshake is to be made.
    fn manner(&self) -> Manner {
        if self.is_priming.load(Ordering::Relaxed) {
            Manner::Priming
        } else if self.next_resumes() {
            Manner::Resuming
        } else {
            Manner::Full
        }
    }

    /// Spreads the resumed fraction evenly over the handshakes, by Bresenham's rule.
    fn next_resumes(&self) -> bool {
        match self.mix {
            HandshakeMix::Full => false,
            HandshakeMix::Resumed => true,
            HandshakeMix::Mix(fraction) => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed) as f64;
                ((turn + 1.0) * fraction).floor() > (turn * fraction).floor()
            }
        }
    }
}

/// The socket whose records the kernel is to protect, or what rustls's go over.
fn socket<S: Carrier>(records: Records, transport: S) -> Result<TcpStream, S> {
    match records {
        Records::Kernel => transport.into_tcp(),
        Records::User => Err(transport),
    }
}

impl Observer {
    /// Counts the handshake that `stream` comes from.
    fn stream<S>(&self, stream: TlsStream<S>, meant_to_resume: bool) -> Secured<S> {
        self.completed(stream.get_ref().1, meant_to_resume);
        Either::Left(Box::new(stream))
    }

    /// The same, in the kernel.
    fn kernel_stream<S>(&self, stream: KernelStream, meant_to_resume: bool) -> Secured<S> {
        self.completed_in_kernel(stream.handshake(), meant_to_resume);
        Either::Right(Box::new(stream))
    }
}

/// This thread's handshake pool, for a provider that has them.
fn pool(pooled: bool) -> Option<LocalPool> {
    thread_local!(static POOL: LocalPool = LocalPool::new());
    pooled.then(|| POOL.with(LocalPool::clone))
}

/// Accepts connections.
#[derive(Clone)]
pub struct Acceptor {
    tls: Option<ServerTls>,
}

#[derive(Clone)]
struct ServerTls {
    configs: Configs,
    observer: Arc<Observer>,
    pooled: bool,
    records: Records,
}

impl Acceptor {
    /// An acceptor that speaks mutual TLS as `end` says, or plaintext without it.
    ///
    /// # Errors
    /// When rustls refuses the configuration.
    pub fn new(end: Option<&TlsEnd>) -> Result<Self, Error> {
        let Some(end) = end else { return Ok(Self { tls: None }) };
        let side = end.server()?;
        let observer = Arc::new(Observer::new(&end.credentials.peer, side.accounts)?);
        let (configs, pooled) = (side.config, end.provider.has_pool());
        Ok(Self { tls: Some(ServerTls { configs, observer, pooled, records: end.records }) })
    }

    /// The observer of this end, if it speaks TLS.
    pub fn observer(&self) -> Option<Arc<Observer>> {
        self.tls.as_ref().map(|tls| tls.observer.clone())
    }

    /// Completes the handshake over an accepted transport.
    ///
    /// # Errors
    /// The peer's or our reason; counted by the observer as well.
    pub async fn accept<S>(&self, transport: S) -> io::Result<Connection<S>>
    where
        S: Carrier,
    {
        let Some(ServerTls { configs, observer, pooled, records }) = &self.tls else {
            return Ok(Either::Left(transport));
        };
        let accepted = match socket(*records, transport) {
            Ok(tcp) => kernel::accept(pool(*pooled), configs.next(), tcp)
                .await
                .map(|stream| observer.kernel_stream(stream, false)),
            Err(transport) => {
                let acceptor = TlsAcceptor::from(configs.next());
                match pool(*pooled) {
                    Some(pool) => pool.accept(&acceptor, transport).await,
                    None => acceptor.accept(transport).await,
                }
                .map(|stream| observer.stream(stream.into(), false))
            }
        };
        accepted.map(Either::Right).inspect_err(|error| observer.failed(&error.to_string()))
    }
}
