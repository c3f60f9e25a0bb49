//! Where the outcome of an operation is put, once, and how it is waited for without blocking an event loop.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::TpmError;

/// Shared by who waits, who computes, and who watches the time.
pub(super) struct Reply<T> {
    state: Mutex<State<T>>,
    came: Condvar,
}

enum State<T> {
    /// Somebody waits, and may want to be woken.
    Awaited(Option<Waker>),
    Here(Result<T, TpmError>),
    /// Fetched, or nobody waits any more.
    Over,
}

impl<T> Reply<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::Awaited(None)), came: Condvar::new() })
    }

    /// Puts the outcome there; of several, the first counts.
    pub(super) fn deliver(&self, outcome: Result<T, TpmError>) {
        let mut state = self.state();
        if let State::Awaited(waker) = &mut *state {
            let waker = waker.take();
            *state = State::Here(outcome);
            drop(state);
            self.came.notify_all();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Whether an outcome would be of use.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(*self.state(), State::Awaited(_))
    }

    /// Waits for the outcome, as the place where it is called allows. Whoever has the other ends sees to it that
    /// there will be one.
    pub(super) fn wait(self: &Arc<Self>, place: Place) -> Result<T, TpmError> {
        let _given_up = GiveUp(self);
        match place {
            #[cfg(feature = "pool")]
            Place::Pool => match crate::pool::wait(|cx| self.poll(cx.waker())) {
                Ok(outcome) => outcome.unwrap_or(Err(TpmError::GivenUp)),
                Err(_) => Err(TpmError::WouldBlock),
            },
            Place::Thread => self.block(),
            Place::Worker => tokio::task::block_in_place(|| self.block()),
        }
    }

    #[cfg_attr(not(feature = "pool"), allow(dead_code, reason = "pools alone poll"))]
    fn poll(&self, waker: &Waker) -> Poll<Result<T, TpmError>> {
        let mut state = self.state();
        match &mut *state {
            State::Awaited(waiting) => {
                *waiting = Some(waker.clone());
                Poll::Pending
            }
            State::Here(_) | State::Over => Poll::Ready(state.fetch()),
        }
    }

    fn block(&self) -> Result<T, TpmError> {
        let waits = |state: &mut State<T>| matches!(state, State::Awaited(_));
        let state = self.came.wait_while(self.state(), waits);
        state.unwrap_or_else(PoisonError::into_inner).fetch()
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn fetch(&mut self) -> Result<T, TpmError> {
        match mem::replace(self, Self::Over) {
            Self::Here(outcome) => outcome,
            Self::Awaited(_) | Self::Over => Err(TpmError::GivenUp),
        }
    }
}

/// Nobody waits any more: the operation need not be begun.
struct GiveUp<'a, T>(&'a Reply<T>);

impl<T> Drop for GiveUp<'_, T> {
    fn drop(&mut self) {
        *self.0.state() = State::Over;
    }
}

/// What kind of thread somebody would wait on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a pool's coroutine, which is suspended.
    #[cfg(feature = "pool")]
    Pool,
    /// On one that no runtime knows: it may block.
    Thread,
    /// On a worker of a runtime that has others, and another thread takes its tasks over.
    Worker,
}

impl Place {
    /// The caller's.
    ///
    /// # Errors
    /// [`TpmError::WouldBlock`] on the only thread of a runtime.
    pub(super) fn here() -> Result<Self, TpmError> {
        #[cfg(feature = "pool")]
        if crate::pool::inside() {
            return Ok(Self::Pool);
        }
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Err(_) => Ok(Self::Thread),
            Ok(RuntimeFlavor::MultiThread) => Ok(Self::Worker),
            Ok(_) => Err(TpmError::WouldBlock),
        }
    }
}
