//! A future that polls another inside a coroutine.
//!
//! A coroutine lasts for one poll, not for the whole future: only a poll that waits for its batch
//! keeps a stack, and a thousand connections that wait for input keep none.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::Operation;
use super::scheduler::{Scheduler, Ticket, yield_to_runtime};

/// What a panic carries.
pub(crate) type Panic = Box<dyn Any + Send>;

/// `F`, with its operations computed in batches.
pub(crate) struct Batched<O: Operation, F: Future> {
    ticket: Rc<Ticket<O>>,
    inner: Rc<Inner<F>>,
}

/// What goes into the coroutine and comes back. Boxed: what is moved across stacks must be small.
struct Inner<F: Future> {
    future: Cell<Option<Pin<Box<F>>>>,
    waker: Cell<Option<Waker>>,
    result: Cell<Option<Result<F::Output, Panic>>>,
}

impl<F: Future> Inner<F> {
    /// Polls once, in the coroutine. A future that is done, or panics, is dropped at once.
    fn poll(&self) {
        let poll = || {
            let mut future = self.future.take().expect("not polled after its end");
            let waker = self.waker.take().expect("set before every poll");
            let result = future.as_mut().poll(&mut Context::from_waker(&waker));
            if result.is_pending() {
                self.future.set(Some(future));
                self.waker.set(Some(waker));
            }
            result
        };
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Ready(output)) => self.result.set(Some(Ok(output))),
            Ok(Poll::Pending) => {}
            Err(panic) => self.result.set(Some(Err(panic))),
        }
    }

    /// Makes `waker` the one to poll with.
    fn wake(&self, waker: &Waker) {
        let held = self.waker.take().filter(|held| held.will_wake(waker));
        self.waker.set(held.or_else(|| Some(waker.clone())));
    }
}

impl<O: Operation, F: Future + 'static> Batched<O, F> {
    /// A task of `scheduler`'s thread.
    pub(crate) fn new(scheduler: &Rc<Scheduler<O>>, future: F) -> Self {
        let inner = Inner {
            future: Cell::new(Some(Box::pin(future))),
            waker: Cell::new(None),
            result: Cell::new(None),
        };
        Self { ticket: Ticket::new(scheduler), inner: Rc::new(inner) }
    }

    /// As `poll`, with panics of `F` caught.
    pub(crate) fn poll_caught(&self, cx: &mut Context<'_>) -> Poll<Result<F::Output, Panic>> {
        loop {
            let waited = self.ticket.suspended();
            if !waited {
                self.start(cx.waker());
            } else if self.ticket.outside() {
                if self.ticket.look_outside(cx.waker()) {
                    return Poll::Pending;
                }
            } else if !self.ticket.decide(cx) {
                yield_to_runtime(cx);
                return Poll::Pending;
            }
            if self.ticket.suspended() {
                continue;
            }
            if let Some(result) = self.inner.result.take() {
                return Poll::Ready(result);
            }
            // A poll that waited may have missed what woke its task meanwhile, and the task may
            // have moved to another waker: once more.
            if !waited {
                return Poll::Pending;
            }
        }
    }

    /// Begins a poll, unless one has ended with a result while others ran; on the thread's own
    /// stack, and without batches, if there is no other.
    fn start(&self, waker: &Waker) {
        let result = self.inner.result.take();
        if result.is_some() {
            return self.inner.result.set(result);
        }
        self.inner.wake(waker);
        let inner = Rc::clone(&self.inner);
        if !self.ticket.start(move || inner.poll()) {
            self.inner.poll();
        }
    }
}

impl<O: Operation, F: Future + 'static> Future for Batched<O, F> {
    type Output = F::Output;

    /// # Panics
    /// When `F` does.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.poll_caught(cx).map(|result| result.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl<O: Operation, F: Future> Drop for Batched<O, F> {
    /// Frees its lane. A poll that waits is run to its end first, alone: unwinding it would cost as
    /// much as the operation that it has left, and is impossible where panics abort.
    fn drop(&mut self) {
        self.ticket.give_up();
        // now, and not when the last coroutine that knows of it is gone
        drop(self.inner.future.take());
    }
}
