//! The one thread that talks to a TPM, the bounded queue in front of it, and a second thread that watches the time.
//!
//! A TPM does one thing at a time, so the queue is in the order of arrival, and nobody overtakes. An operation that is
//! not done by its deadline fails, also while the TPM is at it: a command can't be interrupted, and may hang, which
//! is why it is another thread that looks at the clock.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::TpmError;
use super::reply::{Place, Reply};

/// The owner of a `D`, from outside. Dropping it lets both threads end, after what they are at.
pub(super) struct Owner<D> {
    shared: Arc<Shared<D>>,
}

struct Shared<D> {
    queue: Mutex<Queue<D>>,
    /// Something to do, for the owner.
    work: Condvar,
    /// Something to watch, for the watch.
    watch: Condvar,
    /// The owner has ended.
    ended: Condvar,
    capacity: usize,
    deadline: Duration,
    counts: Counts,
}

struct Queue<D> {
    waiting: VecDeque<Arc<dyn Job<D>>>,
    running: Option<Arc<dyn Job<D>>>,
    closed: bool,
    over: bool,
}

/// What happened so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) begun: AtomicU64,
    pub(super) full: AtomicU64,
    pub(super) late: AtomicU64,
}

/// An operation, whatever its outcome is.
trait Job<D>: Send + Sync {
    fn run(&self, device: &mut D);
    fn fail(&self, error: TpmError);
    fn is_awaited(&self) -> bool;
    fn due(&self) -> Instant;
}

struct Order<T, F> {
    reply: Arc<Reply<T>>,
    work: Mutex<Option<F>>,
    due: Instant,
}

impl<D, T, F> Job<D> for Order<T, F>
where
    T: Send,
    F: FnOnce(&mut D, Instant) -> Result<T, TpmError> + Send,
{
    fn run(&self, device: &mut D) {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(work) = work {
            self.reply.deliver(work(device, self.due));
        }
    }

    fn fail(&self, error: TpmError) {
        self.reply.deliver(Err(error));
    }

    fn is_awaited(&self) -> bool {
        self.reply.is_awaited()
    }

    fn due(&self) -> Instant {
        self.due
    }
}

impl<D: Send + 'static> Owner<D> {
    /// Starts the threads; `device` stays on the first.
    pub(super) fn start(device: D, capacity: usize, deadline: Duration) -> Result<Self, TpmError> {
        let queue = Queue { waiting: VecDeque::new(), running: None, closed: false, over: false };
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            work: Condvar::new(),
            watch: Condvar::new(),
            ended: Condvar::new(),
            capacity,
            deadline,
            counts: Counts::default(),
        });
        let owner = Self { shared: Arc::clone(&shared) };
        let watched = Arc::clone(&shared);
        spawn("tpm", move || {
            let _end = End(&shared);
            shared.serve(device);
        })?;
        spawn("tpm-deadlines", move || watched.watch())?;
        Ok(owner)
    }

    /// Has the owner do `work`, which is told when it is due, and waits for the outcome.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut D, Instant) -> Result<T, TpmError> + Send + 'static,
    ) -> Result<T, TpmError> {
        let (place, reply) = (Place::here()?, Reply::new());
        let due = Instant::now() + self.shared.deadline;
        let order = Order { reply: Arc::clone(&reply), work: Mutex::new(Some(work)), due };
        self.shared.submit(Arc::new(order))?;
        reply.wait(place)
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Operations that wait, the one at work among them.
    pub(super) fn waiting(&self) -> usize {
        let queue = self.shared.queue();
        queue.waiting.len() + usize::from(queue.running.is_some())
    }

    /// Lets no more in, and waits until the owner has ended, but not past a deadline.
    pub(super) fn close(&self) {
        self.shared.close();
        let limit = self.shared.deadline;
        let running = |queue: &mut Queue<D>| !queue.over;
        drop(self.shared.ended.wait_timeout_while(self.shared.queue(), limit, running));
    }
}

impl<D> Drop for Owner<D> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl<D> Shared<D> {
    fn queue(&self) -> MutexGuard<'_, Queue<D>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, job: Arc<dyn Job<D>>) -> Result<(), TpmError> {
        let mut queue = self.queue();
        if queue.closed {
            return Err(TpmError::Closed);
        }
        if queue.waiting.len() >= self.capacity {
            // who has gone keeps nobody out
            queue.waiting.retain(|job| job.is_awaited());
        }
        if queue.waiting.len() >= self.capacity {
            self.counts.full.fetch_add(1, Relaxed);
            return Err(TpmError::Full { capacity: self.capacity });
        }
        queue.waiting.push_back(job);
        drop(queue);
        self.work.notify_one();
        self.watch.notify_one();
        Ok(())
    }

    /// The owner's life. What still waits when it is closed is done.
    fn serve(&self, mut device: D) {
        loop {
            let job = {
                let idle = |queue: &mut Queue<D>| queue.waiting.is_empty() && !queue.closed;
                let queue = self.work.wait_while(self.queue(), idle);
                let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
                let Some(job) = queue.waiting.pop_front() else { return };
                queue.running = Some(Arc::clone(&job));
                job
            };
            if job.is_awaited() {
                // before the outcome is there, so that who has it sees it counted
                self.counts.begun.fetch_add(1, Relaxed);
                job.run(&mut device);
            }
            self.queue().running = None;
        }
    }

    /// The watch's life. All have the same time, so the first in the queue is the first that is due.
    fn watch(&self) {
        let mut queue = self.queue();
        loop {
            let now = Instant::now();
            while queue.waiting.front().is_some_and(|job| job.due() <= now) {
                if let Some(late) = queue.waiting.pop_front() {
                    self.fail(&*late);
                }
            }
            let running = queue.running.clone().filter(|job| job.is_awaited());
            let due = running.as_ref().or(queue.waiting.front()).map(|job| job.due());
            queue = match due {
                Some(due) if due <= now => {
                    running.iter().for_each(|job| self.fail(&**job));
                    continue;
                }
                Some(due) => match self.watch.wait_timeout(queue, due - now) {
                    Ok((queue, _)) => queue,
                    Err(poisoned) => poisoned.into_inner().0,
                },
                None if queue.over => return,
                None => self.watch.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn fail(&self, job: &dyn Job<D>) {
        if job.is_awaited() {
            self.counts.late.fetch_add(1, Relaxed);
            job.fail(TpmError::TimedOut { deadline: self.deadline });
        }
    }

    fn close(&self) {
        self.queue().closed = true;
        self.work.notify_one();
    }
}

/// The owner ends, by itself or for a panic: nobody is left waiting.
struct End<'a, D>(&'a Shared<D>);

impl<D> Drop for End<'_, D> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        (queue.closed, queue.over) = (true, true);
        let running = queue.running.take();
        let left: Vec<_> = running.into_iter().chain(queue.waiting.drain(..)).collect();
        drop(queue);
        left.iter().for_each(|job| job.fail(TpmError::Closed));
        self.0.ended.notify_all();
        self.0.watch.notify_one();
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), TpmError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.map(drop).map_err(TpmError::Thread)
}

#[cfg(test)]
#[path = "owner_tests.rs"]
mod tests;
