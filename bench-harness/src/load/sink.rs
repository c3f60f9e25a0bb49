//! The in-memory sink: how fast the generator would be if the other side cost nothing.
//!
//! The very operations of the workload run against an in-process peer over memory pipes. The CPU
//! time of the peer's own polls is measured and left out; what remains is the generator's. It is an
//! upper bound, since memory pipes are cheaper than sockets: a rate above it is refused, one below
//! it may still be too much, which the client node's utilisation and the lateness show.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{DuplexStream, duplex};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use super::slot::{Client, OperationError, Slot};
use super::transport::Transport;
use crate::Error;
use crate::measure::thread_time;
use crate::role::service::App;
use crate::tls::Acceptor;

/// Bytes a pipe holds: what a loopback socket takes without blocking, roughly.
const PIPE: usize = 128 * 1024;

/// A peer in this process, reached through memory.
pub(crate) struct Memory {
    acceptor: Acceptor,
    app: Arc<App>,
    peer_time: Rc<Cell<Duration>>,
}

impl Memory {
    /// A peer that serves `app` behind `acceptor`.
    pub(crate) fn new(acceptor: Acceptor, app: App) -> Self {
        Self { acceptor, app: Arc::new(app), peer_time: Rc::default() }
    }
}

impl Transport for Memory {
    type Io = DuplexStream;

    async fn open(&self) -> io::Result<DuplexStream> {
        let (ours, theirs) = duplex(PIPE);
        let (acceptor, app) = (self.acceptor.clone(), self.app.clone());
        let peer = async move {
            if let Ok(connection) = acceptor.accept(theirs).await {
                let _ = app.serve(connection).await;
            }
        };
        tokio::task::spawn_local(Timed { future: Box::pin(peer), spent: self.peer_time.clone() });
        Ok(ours)
    }
}

/// Operations a second that one worker could make, measured for `length`.
///
/// # Errors
/// When an operation fails.
pub(crate) fn ceiling(client: Client<Memory>, length: Duration) -> Result<f64, Error> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("starting the calibration runtime"))?;
    let peer_time = client.transport.peer_time.clone();
    let measured = LocalSet::new().block_on(&runtime, async {
        let mut slot = Slot::new(Rc::new(client));
        slot.operate().await?;
        peer_time.set(Duration::ZERO);
        let (deadline, begun) = (Instant::now() + length, thread_time());
        let mut operations = 0_u32;
        while Instant::now() < deadline {
            slot.operate().await?;
            operations += 1;
        }
        let own = (thread_time() - begun).saturating_sub(peer_time.get());
        Ok::<_, OperationError>(f64::from(operations) / own.as_secs_f64())
    });
    measured.map_err(|error| Error::Usage(format!("self-calibration failed: {error}")))
}

/// A future whose polls are timed.
struct Timed<F> {
    future: Pin<Box<F>>,
    spent: Rc<Cell<Duration>>,
}

impl<F: Future> Future for Timed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let begun = thread_time();
        let polled = self.future.as_mut().poll(context);
        self.spent.set(self.spent.get() + (thread_time() - begun));
        polled
    }
}
