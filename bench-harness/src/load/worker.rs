//! Worker threads: each runs its slots on a single-threaded runtime of its own.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::mpsc as orders;
use tokio::task::{JoinSet, LocalSet};

use super::Load;
use super::closed;
use super::open;
use super::slot::{Client, OperationError, Slot};
use super::tally::{Run, Tally};
use super::transport::{Tcp, Transport};
use crate::Error;
use crate::tls::Connection;

/// Operations in flight while nothing is measured: one after the other, each would wait for every
/// process of the path to get its turn, which on a busy machine takes minutes.
const AT_ONCE: usize = 16;

/// What a worker can be told.
pub(super) enum Order {
    /// Apply load until the run closes.
    Load { run: Arc<Run>, load: Load, slots: usize, seed: u64 },
    /// Have this many slots, each with its connection where the workload keeps one.
    Prepare(usize),
    /// Make this many operations that are not measured.
    Prime(u64),
    /// Open this many connections and keep them.
    Hold(usize),
}

/// A worker thread and the way to it; it ends when this is dropped.
pub(crate) struct Worker {
    orders: orders::UnboundedSender<Order>,
    results: mpsc::Receiver<Result<Tally, Error>>,
}

impl Worker {
    /// Starts a worker whose slots share the client that `client` builds on the worker's thread.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub(crate) fn start(
        client: impl FnOnce() -> Client<Tcp> + Send + 'static,
    ) -> Result<Self, Error> {
        let (orders, inbox) = orders::unbounded_channel();
        let (outbox, results) = mpsc::channel();
        thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || work(Rc::new(client()), inbox, &outbox))
            .map_err(Error::io("starting a load thread"))?;
        Ok(Self { orders, results })
    }

    pub(super) fn tell(&self, order: Order) -> Result<(), Error> {
        self.orders.send(order).map_err(|_| gone())
    }

    pub(super) fn result(&self) -> Result<Tally, Error> {
        self.results.recv().map_err(|_| gone())?
    }

    /// Makes `operations` that are not measured.
    ///
    /// # Errors
    /// When one of them fails.
    pub(crate) fn prime(&self, operations: u64) -> Result<(), Error> {
        self.tell(Order::Prime(operations))?;
        self.result().map(drop)
    }

    /// Opens `connections` and keeps them.
    ///
    /// # Errors
    /// When one of them fails.
    pub(crate) fn hold(&self, connections: usize) -> Result<(), Error> {
        self.tell(Order::Hold(connections))?;
        self.result().map(drop)
    }
}

fn gone() -> Error {
    Error::Io {
        what: "talking to a load thread".to_owned(),
        source: std::io::Error::other("it has ended"),
    }
}

fn work(
    client: Rc<Client<Tcp>>,
    mut inbox: orders::UnboundedReceiver<Order>,
    outbox: &mpsc::Sender<Result<Tally, Error>>,
) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = outbox.send(Err(Error::io("starting a load runtime")(error)));
            return;
        }
    };
    let mut state = State { client, slots: Vec::new(), held: Vec::new() };
    LocalSet::new().block_on(&runtime, async {
        while let Some(order) = inbox.recv().await {
            if outbox.send(state.carry_out(order).await).is_err() {
                break;
            }
        }
    });
}

struct State<T: Transport> {
    client: Rc<Client<T>>,
    slots: Vec<Slot<T>>,
    held: Vec<Connection<T::Io>>,
}

impl<T: Transport> State<T> {
    async fn carry_out(&mut self, order: Order) -> Result<Tally, Error> {
        match order {
            Order::Prepare(slots) => Ok(self.prepare(slots).await),
            Order::Load { run, load, slots, seed } => self.load(&run, load, slots, seed).await,
            Order::Prime(operations) => self.prime(operations).await.map(|()| Tally::default()),
            Order::Hold(connections) => self.hold(connections).await.map(|()| Tally::default()),
        }
    }

    /// Failures here are told with the window's; the operation is tried again in the load.
    async fn prepare(&mut self, slots: usize) -> Tally {
        let count = slots.max(self.slots.len());
        self.slots.resize_with(count, || Slot::new(self.client.clone()));
        let mut tally = Tally::default();
        for slot in &mut self.slots[..slots] {
            if let Err(error) = slot.prepare().await {
                tally.failed(&error);
            }
        }
        tally
    }

    async fn load(
        &mut self,
        run: &Arc<Run>,
        load: Load,
        slots: usize,
        seed: u64,
    ) -> Result<Tally, Error> {
        let mut taken = std::mem::take(&mut self.slots);
        let spare = taken.split_off(slots.min(taken.len()));
        let (back, tally) = match load {
            Load::Closed => closed::drive(taken, run).await,
            Load::Open { rate } => open::drive(taken, run, rate, seed).await?,
        };
        self.slots = back;
        self.slots.extend(spare);
        Ok(tally)
    }

    async fn prime(&self, operations: u64) -> Result<(), Error> {
        let primed = at_once(operations as usize, |share| {
            let mut slot = Slot::new(self.client.clone());
            async move {
                for _ in 0..share {
                    slot.operate().await?;
                }
                Ok(Vec::new())
            }
        });
        primed.await.map(|_: Vec<()>| ())
    }

    async fn hold(&mut self, connections: usize) -> Result<(), Error> {
        let opened = at_once(connections, |share| {
            let client = self.client.clone();
            async move {
                let mut opened = Vec::with_capacity(share);
                for _ in 0..share {
                    opened.push(client.proven_connection().await?);
                }
                Ok(opened)
            }
        });
        self.held.extend(opened.await?);
        Ok(())
    }
}

/// Spreads `total` over [`AT_ONCE`] tasks of `act`, and returns what they made.
async fn at_once<V, F>(total: usize, act: impl Fn(usize) -> F) -> Result<Vec<V>, Error>
where
    V: 'static,
    F: Future<Output = Result<Vec<V>, OperationError>> + 'static,
{
    let mut tasks = JoinSet::new();
    for index in 0..AT_ONCE {
        tasks.spawn_local(act(total / AT_ONCE + usize::from(index < total % AT_ONCE)));
    }
    let made: Result<Vec<Vec<V>>, _> = tasks.join_all().await.into_iter().collect();
    made.map(|made| made.into_iter().flatten().collect()).map_err(first_failure)
}

fn first_failure(error: OperationError) -> Error {
    Error::Usage(format!("an operation failed before anything was measured: {error}"))
}
