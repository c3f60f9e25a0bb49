//! Where operations of different handshakes meet: coroutines that wait, and batches that they wait for.
//!
//! rustls calls its provider synchronously: a signature is a function call, deep in a future's
//! `poll`. So that eight handshakes can have their signatures made at once, each future is polled
//! in a coroutine ([`Batched`]). Provider code calls [`submit`]; inside a coroutine that queues the
//! operation and suspends the coroutine, and the task returns `Pending` until its operation is
//! done. Nothing above or below has to know: rustls sees a function that returns, and the executor
//! a future that was not ready.
//!
//! # When a batch runs
//! When eight of a kind wait, or when the thread has nothing else to do: whoever waits also yields
//! to the runtime, which first runs every other task that is ready and looks for input. Who comes
//! back and finds that nothing has happened meanwhile runs the longest queue, and its coroutines
//! run before the next one. There is **no timer**: an idle service waits for nobody. Where tasks
//! keep coming, one that has yielded [`PATIENCE`](scheduler::PATIENCE) times no longer waits for
//! more of its kind. Every waiting task does this for itself, so that one that its owner does not
//! poll holds nobody up.
//!
//! One waiting operation is handed back, for the caller to compute as it would without any of this.
//!
//! # Waiting for something else
//! What takes milliseconds elsewhere, a TPM's signature for example, is waited for with [`wait`]: the
//! coroutine is suspended and its task sleeps until its waker is called. It is in no queue.
//!
//! # Layers
//! | file | holds |
//! |---|---|
//! | [`stack`] | one coroutine and its stack; the unsafe code |
//! | [`scheduler`] | a thread's queues, when they run, idle stacks |
//! | [`task`] | the future that polls another inside a coroutine |
//! | [`counters`] | what happened, for other threads to read |
//!
//! The operations themselves are a type parameter: this module knows nothing of cryptography.

mod counters;
mod scheduler;
mod stack;
mod task;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::thread::LocalKey;

pub(crate) use counters::Counters;
pub(crate) use scheduler::Scheduler;
use scheduler::Ticket;
pub(crate) use task::{Batched, Panic};

/// The most operations of a batch.
pub(crate) const LANES: usize = 8;

/// A computation that is cheaper in company.
///
/// It owns what it needs. It is moved on its way, and moves leave bytes behind: one that holds a
/// secret holds it in a heap allocation that is wiped on drop. The same goes for outcomes. Both are
/// dropped without being used when their handshake is given up.
pub(crate) trait Operation: Sized + 'static {
    /// What it computes.
    type Outcome: 'static;

    /// The names of the kinds; only operations of one kind share a batch.
    const KINDS: &'static [&'static str];

    /// An index into [`Self::KINDS`].
    fn kind(&self) -> usize;

    /// Computes 2 to [`LANES`] operations of one kind: as many outcomes, in their order.
    fn run_batch(batch: Vec<Self>) -> Vec<Self::Outcome>;

    /// A thread-local of its own, `const { Slot::new() }`.
    fn slot() -> &'static LocalKey<Slot<Self>>;
}

/// The ticket of the task whose coroutine runs on this thread.
pub(crate) struct Slot<O: Operation>(Cell<ManuallyDrop<Option<Rc<Ticket<O>>>>>);

impl<O: Operation> Slot<O> {
    /// No coroutine runs.
    pub(crate) const fn new() -> Self {
        Self(Cell::new(ManuallyDrop::new(None)))
    }

    /// Not dropped with the thread, for it is empty whenever no coroutine runs; a thread-local
    /// without a destructor can be read to the last.
    fn replace(&self, ticket: Option<Rc<Ticket<O>>>) -> Option<Rc<Ticket<O>>> {
        ManuallyDrop::into_inner(self.0.replace(ManuallyDrop::new(ticket)))
    }

    fn get(&self) -> Option<Rc<Ticket<O>>> {
        let ticket = self.replace(None);
        self.replace(ticket.clone());
        ticket
    }
}

/// Whether an operation could find company: if not, [`submit`] hands back whatever it gets, and
/// making it is a waste.
#[inline]
pub(crate) fn company<O: Operation>() -> bool {
    stack::inside() && O::slot().with(Slot::get).is_some_and(|ticket| ticket.has_company())
}

/// Has `operation` computed in a batch, if there is company for it.
///
/// The caller's coroutine waits meanwhile, and others run on its thread: hold no lock that they
/// could want.
///
/// # Errors
/// Hands the operation back, to be computed by the caller: outside a coroutine (the price of finding
/// out is one read of a thread-local), or when no other operation came along.
///
/// # Panics
/// When [`Operation::run_batch`] panicked.
#[inline]
pub(crate) fn submit<O: Operation>(operation: O) -> Result<O::Outcome, O> {
    if !stack::inside() {
        return Err(operation);
    }
    match O::slot().with(Slot::get) {
        Some(ticket) => ticket.wait_for(operation),
        None => Err(operation),
    }
}

/// Whether the caller runs in a coroutine, and can [`wait`].
pub(crate) fn inside<O: Operation>() -> bool {
    stack::inside() && O::slot().with(Slot::get).is_some()
}

/// Polls `poll` to its end, in a coroutine that is suspended meanwhile; `None` if its task was given up.
///
/// # Errors
/// Outside a coroutine, nothing was polled.
pub(crate) fn wait<O: Operation, T>(
    poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Result<Option<T>, NoCoroutine> {
    if !stack::inside() {
        return Err(NoCoroutine);
    }
    O::slot().with(Slot::get).map(|ticket| ticket.wait_outside(poll)).ok_or(NoCoroutine)
}

/// The caller runs in no coroutine.
#[derive(Debug)]
pub(crate) struct NoCoroutine;
