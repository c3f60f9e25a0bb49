//! How an application gets a connection whose records the kernel protects, or the one without.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::handshake::{Handshake, Side, complete};
use super::kernel::{Kernel, attach};
use super::{KernelStream, KtlsError, Unavailable};

/// Accepts connections.
#[derive(Clone)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    usable: Result<&'static Kernel, Unavailable>,
}

impl Acceptor {
    /// With `config`, which is copied unless it allows the extraction of secrets already.
    pub fn new(mut config: Arc<ServerConfig>) -> Self {
        let usable = if config.fips() {
            Err(Unavailable::Fips)
        } else if config.max_early_data_size > 0 {
            Err(Unavailable::EarlyData)
        } else {
            usable(config.crypto_provider())
        };
        if usable.is_ok() && !config.enable_secret_extraction {
            Arc::make_mut(&mut config).enable_secret_extraction = true;
        }
        Self { config, usable }
    }

    /// The handshake, and the switch if the kernel can.
    ///
    /// # Errors
    /// The handshake failed, or the kernel refuses keys that it took when it was tried.
    pub async fn accept(&self, tcp: TcpStream) -> Result<Stream, KtlsError> {
        match self.usable.clone().and_then(|kernel| attach(&tcp).map(|()| kernel)) {
            Ok(kernel) => {
                let side = UnbufferedServerConnection::new(self.config.clone())?;
                switched(side, tcp, kernel).await
            }
            Err(reason) => {
                let stream = TlsAcceptor::from(self.config.clone()).accept(tcp).await;
                Stream::in_user_space(stream.map_err(handshake_error)?.into(), reason)
            }
        }
    }
}

/// Makes connections.
#[derive(Clone)]
pub struct Connector {
    config: Arc<ClientConfig>,
    usable: Result<&'static Kernel, Unavailable>,
}

impl Connector {
    /// With `config`, which is copied unless it allows the extraction of secrets already. Early data is
    /// not offered.
    pub fn new(mut config: Arc<ClientConfig>) -> Self {
        let usable =
            if config.fips() { Err(Unavailable::Fips) } else { usable(config.crypto_provider()) };
        if usable.is_ok() && (!config.enable_secret_extraction || config.enable_early_data) {
            let config = Arc::make_mut(&mut config);
            config.enable_secret_extraction = true;
            config.enable_early_data = false;
        }
        Self { config, usable }
    }

    /// The handshake with the server `name`, and the switch if the kernel can.
    ///
    /// # Errors
    /// The handshake failed, or the kernel refuses keys that it took when it was tried.
    pub async fn connect(
        &self,
        name: ServerName<'static>,
        tcp: TcpStream,
    ) -> Result<Stream, KtlsError> {
        match self.usable.clone().and_then(|kernel| attach(&tcp).map(|()| kernel)) {
            Ok(kernel) => {
                let side = UnbufferedClientConnection::new(self.config.clone(), name)?;
                switched(side, tcp, kernel).await
            }
            Err(reason) => {
                let stream = TlsConnector::from(self.config.clone()).connect(name, tcp).await;
                Stream::in_user_space(stream.map_err(handshake_error)?.into(), reason)
            }
        }
    }
}

/// The kernel, if it can do whatever `provider` may negotiate.
fn usable(provider: &rustls::crypto::CryptoProvider) -> Result<&'static Kernel, Unavailable> {
    let kernel = Kernel::here()?;
    kernel.lacks(provider).map_or(Ok(kernel), |suite| Err(Unavailable::Suite(suite)))
}

async fn switched<S: Side>(
    side: S,
    tcp: TcpStream,
    kernel: &'static Kernel,
) -> Result<Stream, KtlsError> {
    let complete = complete(side, &tcp).await?;
    Ok(Stream::Kernel(KernelStream::new(tcp, complete, kernel.changes_keys())?))
}

/// rustls's own error, where tokio-rustls has wrapped it.
fn handshake_error(error: io::Error) -> KtlsError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(inner) => KtlsError::Tls(inner.clone()),
        None => KtlsError::Io(error),
    }
}

/// A connection after its handshake.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream {
    /// The kernel protects its records.
    Kernel(KernelStream),
    /// rustls does.
    User(UserStream),
}

/// A connection whose records rustls protects.
#[derive(Debug)]
pub struct UserStream {
    stream: Box<TlsStream<TcpStream>>,
    handshake: Handshake,
    reason: Unavailable,
}

impl Stream {
    fn in_user_space(stream: TlsStream<TcpStream>, reason: Unavailable) -> Result<Self, KtlsError> {
        log::debug!("records of a connection stay in user space: {reason}");
        let handshake = Handshake::of(stream.get_ref().1)?;
        Ok(Self::User(UserStream { stream: Box::new(stream), handshake, reason }))
    }

    /// What the handshake came to.
    pub fn handshake(&self) -> &Handshake {
        match self {
            Self::Kernel(stream) => stream.handshake(),
            Self::User(user) => &user.handshake,
        }
    }

    /// Why the kernel does not protect the records; `None` if it does.
    pub fn unavailable(&self) -> Option<&Unavailable> {
        match self {
            Self::Kernel(_) => None,
            Self::User(user) => Some(&user.reason),
        }
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut dyn Both> {
        match self.get_mut() {
            Self::Kernel(stream) => Pin::new(stream),
            Self::User(user) => Pin::new(&mut *user.stream),
        }
    }
}

trait Both: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Both for S {}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.inner().poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Kernel(stream) => stream.is_write_vectored(),
            Self::User(user) => user.stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}
