//! The pool without threads: for servers and clients that have a runtime for each core.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::metrics::Metrics;
use super::{Crypto, DEFAULT_STACK_SIZE};
use crate::batch::{Batched, Counters, Scheduler};

/// Runs handshakes where they are polled, and computes their operations in batches.
///
/// For programs that run one current-thread runtime on each core: no other thread is involved. The
/// futures it makes are not `Send`: spawn them in a [`tokio::task::LocalSet`], or await them in
/// whatever is not moved between threads. Handshakes meet if they are of one pool, so make one for
/// each thread and clone it; a clone is the same pool.
///
/// ```
/// use rustls_offload::pool::LocalPool;
/// # use tokio_rustls::TlsAcceptor;
///
/// /// One core's server.
/// async fn serve(listener: tokio::net::TcpListener, acceptor: TlsAcceptor) -> std::io::Result<()> {
///     let pool = LocalPool::new();
///     loop {
///         let (tcp, _) = listener.accept().await?;
///         let handshake = pool.accept(&acceptor, tcp);
///         tokio::task::spawn_local(async move {
///             if let Ok(connection) = handshake.await {
///                 // an ordinary tokio_rustls stream
/// #               drop(connection);
///             }
///         });
///     }
/// }
/// ```
#[derive(Clone)]
pub struct LocalPool {
    scheduler: Rc<Scheduler<Crypto>>,
}

impl LocalPool {
    /// With stacks of the [default size](DEFAULT_STACK_SIZE).
    pub fn new() -> Self {
        Self::with_stack_size(DEFAULT_STACK_SIZE)
    }

    /// With stacks of at least `bytes`: for futures whose polls need more than the default. Only
    /// what is touched takes up memory.
    pub fn with_stack_size(bytes: usize) -> Self {
        let counters = Arc::new(Counters::new::<Crypto>());
        Self { scheduler: Scheduler::new(bytes, counters) }
    }

    /// Accepts a TLS connection: [`TlsAcceptor::accept`], with batches.
    ///
    /// # Errors
    /// As there.
    pub fn accept<IO>(
        &self,
        acceptor: &TlsAcceptor,
        stream: IO,
    ) -> impl Future<Output = io::Result<server::TlsStream<IO>>> + use<IO>
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        self.run(acceptor.accept(stream))
    }

    /// Opens a TLS connection to `server_name`: [`TlsConnector::connect`], with batches.
    ///
    /// # Errors
    /// As there.
    pub fn connect<IO>(
        &self,
        connector: &TlsConnector,
        server_name: ServerName<'static>,
        stream: IO,
    ) -> impl Future<Output = io::Result<client::TlsStream<IO>>> + use<IO>
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let connector = connector.clone();
        // The first flight, with its key generation, is made when the connector is called.
        self.run(async move { connector.connect(server_name, stream).await })
    }

    /// Runs any future; handshakes anywhere inside it meet others. What it may not do is said in
    /// the [module](super#what-may-run-in-a-pool).
    ///
    /// # Panics
    /// The future that is returned panics when `future` does.
    pub fn run<F: Future + 'static>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        Batched::new(&self.scheduler, future)
    }

    /// What happened since it was made.
    pub fn metrics(&self) -> Metrics {
        Metrics::of([&**self.scheduler.counters()])
    }
}

impl Default for LocalPool {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LocalPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalPool").field("metrics", &self.metrics()).finish_non_exhaustive()
    }
}
