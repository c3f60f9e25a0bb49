//! The threads of a pool: each an event loop with a scheduler, fed through a bounded door.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, oneshot};
use tokio::task::LocalSet;

use super::error::PoolError;
use crate::batch::{Batched, Counters, Operation, Panic, Scheduler};

/// What to start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) threads: usize,
    pub(super) capacity: usize,
    pub(super) deadline: Duration,
    pub(super) stack_size: usize,
}

/// Threads that compute operations `O` in batches. Dropping it lets them end.
pub(super) struct Threads<O: Operation> {
    settings: Settings,
    places: Arc<Semaphore>,
    threads: Vec<Thread<O>>,
    pub(super) waited: AtomicU64,
    pub(super) refused: AtomicU64,
}

/// One of them, from outside.
struct Thread<O: Operation> {
    orders: mpsc::UnboundedSender<Order<O>>,
    runtime: Handle,
    counters: Arc<Counters>,
    /// Futures it holds.
    load: Arc<AtomicUsize>,
}

enum Order<O: Operation> {
    Run(Job<O>),
    Stop,
}

/// Makes a future on the thread where it is to be polled, for it can't be moved there.
type Job<O> = Box<dyn FnOnce(&Rc<Scheduler<O>>) + Send>;

/// What a future came to.
type Outcome<T> = Result<T, Panic>;

/// A future's place in the pool and on its thread, until it ends.
struct Place {
    load: Arc<AtomicUsize>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.load.fetch_sub(1, Relaxed);
    }
}

impl<O: Operation> Threads<O> {
    pub(super) fn start(settings: Settings) -> Result<Arc<Self>, PoolError> {
        let threads: Result<_, _> = (0..settings.threads)
            .map(|number| Thread::start(number, settings.stack_size))
            .collect();
        Ok(Arc::new(Self {
            settings,
            places: Arc::new(Semaphore::new(settings.capacity)),
            threads: threads.map_err(PoolError::Thread)?,
            waited: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }))
    }

    /// Runs `future` on the thread that has the least to do.
    pub(super) async fn run<F>(self: Arc<Self>, future: F) -> Result<F::Output, PoolError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let permit = self.place().await?;
        let receiver = self.dispatch(permit, future)?;
        match receiver.await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(panic)) => Err(PoolError::Panicked { message: message(&panic) }),
            Err(_) => Err(PoolError::ShutDown),
        }
    }

    /// Waits for a place. The pool's own clock limits that: the caller may have no Tokio runtime.
    async fn place(&self) -> Result<OwnedSemaphorePermit, PoolError> {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(permit) => return Ok(permit),
            Err(TryAcquireError::Closed) => return Err(PoolError::ShutDown),
            Err(TryAcquireError::NoPermits) => {}
        }
        self.waited.fetch_add(1, Relaxed);
        let (started, permit) = (Instant::now(), Arc::clone(&self.places).acquire_owned());
        let limited = {
            let _clock = self.threads[0].runtime.enter();
            tokio::time::timeout(self.settings.deadline, permit)
        };
        match limited.await {
            Ok(permit) => permit.map_err(|_| PoolError::ShutDown),
            Err(_) => {
                self.refused.fetch_add(1, Relaxed);
                let capacity = self.settings.capacity;
                Err(PoolError::Full { capacity, waited: started.elapsed() })
            }
        }
    }

    fn dispatch<F>(
        &self,
        permit: OwnedSemaphorePermit,
        future: F,
    ) -> Result<oneshot::Receiver<Outcome<F::Output>>, PoolError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let thread = self.threads.iter().min_by_key(|thread| thread.load.load(Relaxed));
        let thread = thread.ok_or(PoolError::ShutDown)?;
        thread.load.fetch_add(1, Relaxed);
        let place = Place { load: Arc::clone(&thread.load), _permit: permit };
        let (sender, receiver) = oneshot::channel();
        let job = move |scheduler: &Rc<Scheduler<O>>| {
            let batched = Batched::new(scheduler, future);
            drop(tokio::task::spawn_local(deliver(batched, sender, place)));
        };
        thread.orders.send(Order::Run(Box::new(job))).map_err(|_| PoolError::ShutDown)?;
        Ok(receiver)
    }

    /// Places that are free.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.places.available_permits()
    }

    /// Drops all futures, and refuses new ones.
    pub(super) fn shut_down(&self) {
        self.places.close();
        for thread in &self.threads {
            let _ = thread.orders.send(Order::Stop); // it may have ended already
        }
    }

    /// What each thread did.
    pub(super) fn counters(&self) -> impl Iterator<Item = &Counters> {
        self.threads.iter().map(|thread| &*thread.counters)
    }
}

impl<O: Operation> Thread<O> {
    fn start(number: usize, stack_size: usize) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (orders, inbox) = mpsc::unbounded_channel();
        let thread = Self {
            orders,
            runtime: runtime.handle().clone(),
            counters: Arc::new(Counters::new::<O>()),
            load: Arc::default(),
        };
        let counters = Arc::clone(&thread.counters);
        thread::Builder::new().name(format!("handshakes-{number}")).spawn(move || {
            serve(&runtime, inbox, &Scheduler::<O>::new(stack_size, counters));
        })?;
        Ok(thread)
    }
}

/// A thread's life. Futures that are left at its end are dropped, and their callers told.
fn serve<O: Operation>(
    runtime: &Runtime,
    mut inbox: mpsc::UnboundedReceiver<Order<O>>,
    scheduler: &Rc<Scheduler<O>>,
) {
    let tasks = LocalSet::new();
    tasks.block_on(runtime, async {
        while let Some(Order::Run(job)) = inbox.recv().await {
            job(scheduler);
        }
    });
    let _context = runtime.enter(); // which futures may want when they are dropped
    drop(tasks);
}

/// Sees a future to its end, or until nobody waits for it any more.
async fn deliver<O: Operation, F: Future + 'static>(
    batched: Batched<O, F>,
    mut sender: oneshot::Sender<Outcome<F::Output>>,
    place: Place,
) {
    let outcome = std::future::poll_fn(|cx: &mut Context<'_>| {
        if sender.poll_closed(cx).is_ready() {
            return Poll::Ready(None);
        }
        batched.poll_caught(cx).map(Some)
    });
    let outcome = outcome.await;
    // Who gets the outcome may look for a place at once: free this one first. A future that panics
    // when it is dropped takes nothing with it but its own task.
    let _ = std::panic::catch_unwind(AssertUnwindSafe(|| drop(batched)));
    drop(place);
    if let Some(outcome) = outcome {
        let _ = sender.send(outcome); // dropped if nobody waits
    }
}

/// What a panic said.
fn message(panic: &Panic) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "something that is not text".to_owned())
}
