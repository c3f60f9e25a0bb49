//! Handshakes side by side, their public-key operations computed eight at a time.
//!
//! A handshake is mostly elliptic-curve arithmetic, one operation after the other: nothing in it can
//! be computed in parallel. Operations of *different* handshakes can, in the lanes of a vector unit,
//! at a fraction of the cost. A pool brings them together, under an unmodified rustls and
//! tokio-rustls, and hands out ordinary `tokio_rustls` streams.
//!
//! ```
//! use rustls_offload::pool::{HandshakePool, PoolError};
//! use tokio::net::TcpListener;
//! use tokio_rustls::TlsAcceptor;
//!
//! async fn serve(listener: TcpListener, acceptor: TlsAcceptor) -> Result<(), PoolError> {
//!     let pool = HandshakePool::new()?;
//!     loop {
//!         let Ok((tcp, _)) = listener.accept().await else { continue };
//!         let handshake = pool.accept(&acceptor, tcp);
//!         tokio::spawn(async move {
//!             match handshake.await {
//!                 Ok(connection) => {
//!                     // a tokio_rustls::server::TlsStream, to be read and written here
//! #                   drop(connection);
//!                 }
//!                 Err(error) => eprintln!("{error}"),
//!             }
//!         });
//!     }
//! }
//! ```
//!
//! # How it works
//! Each future is polled inside a coroutine with a stack of its own. When rustls, deep in that poll,
//! asks our provider to sign, verify or agree on a key, the provider queues the operation and
//! suspends the coroutine; to the runtime, the future is merely not ready. When eight operations of
//! a kind wait, or the thread has nothing else to do (every ready task has run, and the reactor was
//! asked for input), the longest queue is computed as one batch, and its coroutines go on where they
//! were. An operation that finds no company is computed as it would be without a pool. So it is
//! outside a pool: the same configuration serves both, at the price of reading one thread-local.
//!
//! There is **no timer**. Waiting some microseconds for a batch to fill, as other implementations
//! do, delays every handshake of a service that has few of them, and needs tuning where there are
//! many. Here an idle service waits for nobody, and a busy one fills its lanes because it is busy.
//!
//! # Which pool
//! | | runs on | costs | for |
//! |---|---|---|---|
//! | [`LocalPool`] | the thread that polls | next to nothing | a runtime for each core; load generators |
//! | [`HandshakePool::run`], whole connections | its threads | one move at the start | servers |
//! | [`HandshakePool::accept`] and [`connect`](HandshakePool::connect) | its threads | a move there, one back, and a wake-up for each flight of the peer, whose socket stays with the application's reactor | keeping handshakes off the application's threads |
//!
//! Sockets made or [registered](https://docs.rs/tokio/1/tokio/net/struct.TcpStream.html#method.from_std)
//! inside a future given to [`HandshakePool::run`] belong to the pool's thread, which then serves
//! the connection without help from any other:
//!
//! ```
//! # use rustls_offload::pool::{HandshakePool, PoolError};
//! # use tokio_rustls::TlsAcceptor;
//! async fn serve(
//!     pool: &HandshakePool,
//!     acceptor: TlsAcceptor,
//!     tcp: std::net::TcpStream, // non-blocking; from Tokio's: TcpStream::into_std
//! ) -> Result<std::io::Result<()>, PoolError> {
//!     pool.run(async move {
//!         let tcp = tokio::net::TcpStream::from_std(tcp)?;
//!         let connection = acceptor.accept(tcp).await?;
//!         // serve the connection
//! #       drop(connection);
//!         Ok(())
//!     })
//!     .await
//! }
//! ```
//!
//! # What may run in a pool
//! Any future, with these limits. They concern what the application puts between the pool and the
//! provider: rustls's callbacks, and the futures given to `run`.
//! - **Hold no lock across rustls.** A coroutine waits in the middle of a call. Another that wants
//!   the same lock runs on the same thread, and blocks it for good. The same goes for a `RefCell`
//!   in a thread-local, which panics.
//! - **Do not rely on what is set around a poll**: `tokio::task_local!` scopes, entered `tracing`
//!   spans. While a coroutine waits, others run in the middle of its scope, and it may be resumed
//!   in another task's. Scopes inside that surround no handshake are fine.
//! - Polls have [`DEFAULT_STACK_SIZE`] bytes of stack. Overflowing it kills the process, at a guard
//!   page.
//! - Tasks that are spawned inside run as tasks of their own, without batches. In a
//!   [`HandshakePool`], `tokio::spawn` puts them on the same thread, until the pool ends.
//!
//! # What is guaranteed
//! - **Dropping** the future that a pool returned drops the one inside it, which leaves its queue
//!   at once, or as soon as its thread gets to it. A poll that waits is first run to its end, by
//!   itself, rather than unwound; so a pool works with `panic = "abort"`, too.
//! - **A panic** comes out where the result would have: as [`PoolError::Panicked`], or as a panic
//!   from a [`LocalPool`]. It concerns no other future.
//! - **Bounds**: a [`HandshakePool`] holds at most its [capacity](Builder::capacity) of futures.
//!   Callers beyond that wait, up to the [deadline](Builder::deadline), for [`PoolError::Full`].
//!   Handshakes have the same time, and then [`PoolError::TimedOut`]: a silent peer keeps no place.
//! - **Shutting down** drops what is inside; its callers get [`PoolError::ShutDown`].
//! - Memory: a stack only while a poll waits for its batch. Connections that wait for input have
//!   none. Stacks are reused; like any stack, they are not wiped. Operations are, on being dropped.
//!
//! [`Metrics`] tells how full the batches are.

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
/// 39 KiB in a release build. The rest is for what the application does in rustls's callbacks and
/// in [`HandshakePool::run`]. Debug builds get eight times as much, for unoptimised vector code
/// keeps every intermediate value. It is address space: memory is taken up by what is touched.
pub const DEFAULT_STACK_SIZE: usize = if cfg!(debug_assertions) { 8 } else { 1 } * 512 * 1024;

/// Threads that run handshakes, and compute their operations in batches.
///
/// A clone is the same pool. The threads end after the last clone was dropped and the futures that
/// were returned have ended, or on [`Self::shut_down`].
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

    /// Runs any future on a thread of the pool, the one with the fewest: handshakes anywhere inside
    /// it meet others. Its Tokio runtime is that thread's. What it may not do is said in the
    /// [module](self#what-may-run-in-a-pool). It takes up its place until it ends, and no deadline
    /// ends it.
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

/// Has a handshake in a pool wait for what comes from elsewhere, while others go on.
#[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "nothing else is waited for"))]
pub(crate) fn wait<T>(
    poll: impl FnMut(&mut std::task::Context<'_>) -> std::task::Poll<T>,
) -> Result<Option<T>, crate::batch::NoCoroutine> {
    crate::batch::wait::<Crypto, T>(poll)
}

/// Whether the caller runs in a pool's coroutine.
#[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "nobody else asks"))]
pub(crate) fn inside() -> bool {
    crate::batch::inside::<Crypto>()
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
