//! Making and accepting the measured connections, in plaintext or in mutual TLS.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tokio_util::either::Either;

use super::sessions::{KeepOnly, SessionPool};
use super::{Observer, TlsEnd};
use crate::Error;
use crate::pki::SERVER_NAME;
use crate::settings::HandshakeMix;

/// A measured connection over any transport.
pub type Connection<S = TcpStream> = Either<S, Box<TlsStream<S>>>;

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
    fresh: TlsConnector,
    resuming: TlsConnector,
    priming: TlsConnector,
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
        let fresh = end.client()?;
        let sessions = Arc::new(SessionPool::default());
        // Clones, because rustls resumes only what the same verifier and credentials have made.
        let with = |resumption| {
            let mut config = fresh.clone();
            config.resumption = resumption;
            TlsConnector::from(Arc::new(config))
        };
        let priming = with(Resumption::store(Arc::new(KeepOnly(sessions.clone()))));
        let resuming = with(Resumption::store(sessions));
        Ok(Self {
            tls: Some(ClientTls {
                fresh: Arc::new(fresh).into(),
                resuming,
                priming,
                is_priming: AtomicBool::new(false),
                server_name,
                mix,
                turn: AtomicU64::new(0),
                observer: Arc::new(Observer::new(&end.credentials.peer)?),
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

    /// Completes the handshake over an established transport.
    ///
    /// # Errors
    /// Counted by the observer as well.
    pub async fn secure<S>(&self, transport: S) -> Result<Connection<S>, DialError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(tls) = &self.tls else { return Ok(Either::Left(transport)) };
        let (connector, resume) = tls.next();
        match connector.connect(tls.server_name.clone(), transport).await {
            Ok(stream) => {
                tls.observer.completed(stream.get_ref().1, resume);
                Ok(Either::Right(Box::new(stream.into())))
            }
            Err(error) => {
                tls.observer.failed(&error.to_string());
                Err(DialError::Handshake(error))
            }
        }
    }
}

impl ClientTls {
    /// How the next handshake is to be made, and whether it is meant to resume.
    fn next(&self) -> (&TlsConnector, bool) {
        if self.is_priming.load(Ordering::Relaxed) {
            (&self.priming, false)
        } else if self.next_resumes() {
            (&self.resuming, true)
        } else {
            (&self.fresh, false)
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

/// Accepts connections.
#[derive(Clone)]
pub struct Acceptor {
    tls: Option<(TlsAcceptor, Arc<Observer>)>,
}

impl Acceptor {
    /// An acceptor that speaks mutual TLS as `end` says, or plaintext without it.
    ///
    /// # Errors
    /// When rustls refuses the configuration.
    pub fn new(end: Option<&TlsEnd>) -> Result<Self, Error> {
        let Some(end) = end else { return Ok(Self { tls: None }) };
        let observer = Arc::new(Observer::new(&end.credentials.peer)?);
        Ok(Self { tls: Some((end.server()?.into(), observer)) })
    }

    /// The observer of this end, if it speaks TLS.
    pub fn observer(&self) -> Option<Arc<Observer>> {
        self.tls.as_ref().map(|(_, observer)| observer.clone())
    }

    /// Completes the handshake over an accepted transport.
    ///
    /// # Errors
    /// The peer's or our reason; counted by the observer as well.
    pub async fn accept<S>(&self, transport: S) -> io::Result<Connection<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some((acceptor, observer)) = &self.tls else { return Ok(Either::Left(transport)) };
        match acceptor.accept(transport).await {
            Ok(stream) => {
                observer.completed(stream.get_ref().1, false);
                Ok(Either::Right(Box::new(stream.into())))
            }
            Err(error) => {
                observer.failed(&error.to_string());
                Err(error)
            }
        }
    }
}
