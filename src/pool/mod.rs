//! Handshakes side by side: their public-key operations computed eight at a time.

mod error;
mod local;
mod metrics;
#[cfg(feature = "fips")]
mod nothing;
mod threads;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::available_parallelism;
use std::time::Duration;

pub use error::PoolError;
pub use local::LocalPool;
pub use metrics::{Metrics, Operations};
use rustls::pki_types::ServerName;
use threads::{Settings, Threads};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

#[cfg(feature = "fips")]
use self::nothing::Crypto;
#[cfg(not(feature = "fips"))]
use crate::parts::Operation as Crypto;

/// Bytes of a coroutine's stack, unless told otherwise.
///
/// Measured on x86-64, over both sides of TLS 1.2 and 1.3 with every kind of key: a handshake needs
/// 27 KiB in a release build and 110 KiB in a debug build. The rest is for what the application
/// does in rustls's callbacks and in [`HandshakePool::run`]. It is address space: memory is taken
/// up by what is touched.
pub const DEFAULT_STACK_SIZE: usize = 512 * 1024;

/// A pool of threads that run handshakes.
#[derive(Clone)]
pub struct HandshakePool {
    threads: Arc<Threads<Crypto>>,
    deadline: Duration,
}

impl HandshakePool {
    /// With the defaults of [`Builder`].
    ///
    /// # Errors
    /// [`PoolError::Thread`].
    pub fn new() -> Result<Self, PoolError> {
        Self::builder().build()
    }

    /// For another number of threads, places or seconds.
    pub fn builder() -> Builder {
        let threads = available_parallelism().map_or(1, NonZeroUsize::get);
        Builder {
            settings: Settings {
                threads,
                capacity: threads * 1024,
                deadline: Duration::from_secs(10),
                stack_size: DEFAULT_STACK_SIZE,
            },
        }
    }

    /// Accepts a TLS connection: [`TlsAcceptor::accept`], on a thread of the pool.
    ///
    /// # Errors
    /// [`PoolError::Handshake`] with the error that `TlsAcceptor` gives; [`PoolError::TimedOut`];
    /// otherwise as [`Self::run`].
    pub fn accept<IO>(
        &self,
        acceptor: &TlsAcceptor,
        stream: IO,
    ) -> impl Future<Output = Result<server::TlsStream<IO>, PoolError>> + Send + use<IO>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let acceptor = acceptor.clone();
        self.handshake(async move { acceptor.accept(stream).await })
    }

    /// Opens a TLS connection to `server_name`: [`TlsConnector::connect`], on a thread of the pool.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub fn connect<IO>(
        &self,
        connector: &TlsConnector,
        server_name: ServerName<'static>,
        stream: IO,
    ) -> impl Future<Output = Result<client::TlsStream<IO>, PoolError>> + Send + use<IO>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connector = connector.clone();
        // The first flight, with its key generation, is made when the connector is called.
        self.handshake(async move { connector.connect(server_name, stream).await })
    }

    /// Runs any future on a thread of the pool: handshakes anywhere inside it meet others.
    ///
    /// # Errors
    /// [`PoolError::Full`], [`PoolError::Panicked`], [`PoolError::ShutDown`].
    pub fn run<F>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<F::Output, PoolError>> + Send + use<F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Arc::clone(&self.threads).run(future)
    }

    /// Runs `handshake`, until the deadline.
    fn handshake<T, H>(
        &self,
        handshake: H,
    ) -> impl Future<Output = Result<T, PoolError>> + Send + use<T, H>
    where
        T: Send + 'static,
        H: Future<Output = std::io::Result<T>> + Send + 'static,
    {
        let deadline = self.deadline;
        let limited = self.run(async move { tokio::time::timeout(deadline, handshake).await });
        async move {
            limited
                .await?
                .map_err(|_| PoolError::TimedOut { deadline })?
                .map_err(PoolError::Handshake)
        }
    }

    /// Ends the pool: what is in it is dropped, and whoever waits for it gets
    /// [`PoolError::ShutDown`], as do later calls. The threads end by themselves.
    pub fn shut_down(&self) {
        self.threads.shut_down();
    }

    /// What happened since it was made.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            waited: self.threads.waited.load(Relaxed),
            refused: self.threads.refused.load(Relaxed),
            ..Metrics::of(self.threads.counters())
        }
    }
}

impl fmt::Debug for HandshakePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakePool").field("metrics", &self.metrics()).finish_non_exhaustive()
    }
}

/// Settings of a [`HandshakePool`].
#[derive(Clone, Debug)]
pub struct Builder {
    settings: Settings,
}

impl Builder {
    /// Threads. Default: one for each CPU that the process may use.
    #[must_use]
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.settings.threads = threads.get();
        self
    }

    /// Futures that the pool holds at once; further ones wait. Default: 1,024 for each thread. A
    /// pool that runs whole connections wants as many places as there may be connections.
    #[must_use]
    pub fn capacity(mut self, capacity: NonZeroUsize) -> Self {
        self.settings.capacity = capacity.get();
        self
    }

    /// How long to wait for a place in a full pool, and then how long a handshake may take. Does
    /// not limit what [`HandshakePool::run`] runs. Default: 10 seconds.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline;
        self
    }

    /// Bytes of a coroutine's stack. Default: [`DEFAULT_STACK_SIZE`].
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.settings.stack_size = bytes;
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// [`PoolError::Thread`] if the operating system refuses.
    pub fn build(self) -> Result<HandshakePool, PoolError> {
        let deadline = self.settings.deadline;
        Ok(HandshakePool { threads: Threads::start(self.settings)?, deadline })
    }
}

#[cfg(test)]
mod tests;
