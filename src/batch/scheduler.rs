//! A thread's queues of waiting operations, the rules by which they run, and its idle stacks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};

use super::counters::add;
use super::stack::{self, Fiber, Stack};
use super::{Counters, LANES, Operation};

/// How often an operation lets others go first while there are any, each time a full turn of the
/// event loop. More fills lanes better and costs latency under load.
pub(super) const PATIENCE: u32 = 2;

/// Idle stacks kept: as many coroutines as usually wait at once. More are unmapped when idle.
const STACKS_KEPT: usize = 64;

/// One thread's. Tasks and the front end share it.
pub(crate) struct Scheduler<O: Operation> {
    /// Who waits, by kind, longest first.
    queues: RefCell<Vec<VecDeque<Rc<Ticket<O>>>>>,
    /// Counts what may have given a thread something to do: an operation queued, a batch run.
    events: Cell<u64>,
    /// Tasks in existence.
    live: Cell<usize>,
    stacks: RefCell<Vec<Stack>>,
    stack_size: usize,
    stacks_returned: Cell<u64>,
    counters: Arc<Counters>,
}

/// A task's part in it: at most one operation at a time.
pub(crate) struct Ticket<O: Operation> {
    scheduler: Rc<Scheduler<O>>,
    state: RefCell<State<O>>,
    /// A poll of the task that waits in the middle.
    fiber: RefCell<Option<Fiber>>,
    waker: RefCell<Option<Waker>>,
    /// Set for a coroutine that waits for something else, when its task is polled.
    outside: Cell<Option<Waker>>,
    /// The scheduler's events at the time of the last yield.
    seen: Cell<u64>,
    yields: Cell<u32>,
    /// Whether the task is being dropped, and its operations are no longer queued.
    given_up: Cell<bool>,
}

/// What became of a ticket's operation.
enum State<O: Operation> {
    /// There is none.
    None,
    /// In the queue of its kind.
    Waiting(O),
    /// Handed back.
    Alone(O),
    /// Computed.
    Done(O::Outcome),
    /// Lost in a batch that panicked.
    Lost,
    /// Waits for something else, and whether that knows whom to wake.
    Outside(bool),
}

impl<O: Operation> Scheduler<O> {
    /// Without tasks. Coroutines get stacks of at least `stack_size` bytes.
    pub(crate) fn new(stack_size: usize, counters: Arc<Counters>) -> Rc<Self> {
        Rc::new(Self {
            queues: RefCell::new(O::KINDS.iter().map(|_| VecDeque::new()).collect()),
            events: Cell::new(0),
            live: Cell::new(0),
            stacks: RefCell::new(Vec::new()),
            stack_size,
            stacks_returned: Cell::new(0),
            counters,
        })
    }

    /// What happened so far.
    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Computes the operations that have waited longest of `kind`, and resumes their coroutines in
    /// the same order. Each runs until it waits again or its poll is over; its task is woken to
    /// see to that, except `current`, which is awake.
    fn run(&self, kind: usize, current: &Rc<Ticket<O>>) {
        let tickets: Vec<_> = {
            let queue = &mut self.queues.borrow_mut()[kind];
            let size = queue.len().min(LANES);
            queue.drain(..size).collect()
        };
        let operations: Vec<_> = tickets.iter().filter_map(|ticket| ticket.take()).collect();
        self.counters.ran(kind, operations.len());
        self.events.set(self.events.get() + 1);
        for (ticket, state) in tickets.iter().zip(compute(operations)) {
            ticket.state.replace(state);
        }
        for ticket in &tickets {
            ticket.resume();
            let waker = ticket.waker.take();
            if let (false, Some(waker)) = (Rc::ptr_eq(ticket, current), waker) {
                waker.wake();
            }
        }
    }

    /// A kind of which a whole batch waits.
    fn full(&self) -> Option<usize> {
        self.queues.borrow().iter().position(|queue| queue.len() >= LANES)
    }

    /// The kind with the most waiting operations.
    fn longest(&self) -> Option<usize> {
        let queues = self.queues.borrow();
        (0..queues.len()).max_by_key(|&kind| queues[kind].len())
    }

    /// A stack to run on; `None` if there is no memory for one.
    fn take_stack(&self) -> Option<Stack> {
        self.stacks.borrow_mut().pop().or_else(|| {
            let stack = Stack::new(self.stack_size).ok()?;
            self.counters.stacks.fetch_add(1, Relaxed);
            Some(stack)
        })
    }

    /// Takes back a stack that nothing runs on.
    fn return_stack(&self, stack: Stack) {
        // A stack remembers its deepest use, so a look now and then misses nothing for long.
        let returned = self.stacks_returned.get() + 1;
        self.stacks_returned.set(returned);
        if returned.is_power_of_two() || returned.is_multiple_of(1024) {
            self.counters.high_water.fetch_max(stack.high_water(), Relaxed);
        }
        let mut stacks = self.stacks.borrow_mut();
        if stacks.len() < STACKS_KEPT {
            stacks.push(stack);
        } else {
            self.counters.stacks.fetch_sub(1, Relaxed);
        }
    }
}

/// What becomes of each of `operations`.
fn compute<O: Operation>(mut operations: Vec<O>) -> Vec<State<O>> {
    let size = operations.len();
    if size == 1 {
        return operations.pop().map(State::Alone).into_iter().collect();
    }
    match catch_unwind(AssertUnwindSafe(|| O::run_batch(operations))) {
        Ok(outcomes) if outcomes.len() == size => outcomes.into_iter().map(State::Done).collect(),
        _ => (0..size).map(|_| State::Lost).collect(),
    }
}

impl<O: Operation> Ticket<O> {
    /// For a new task.
    pub(super) fn new(scheduler: &Rc<Scheduler<O>>) -> Rc<Self> {
        scheduler.live.set(scheduler.live.get() + 1);
        Rc::new(Self {
            scheduler: Rc::clone(scheduler),
            state: RefCell::new(State::None),
            fiber: RefCell::new(None),
            waker: RefCell::new(None),
            outside: Cell::new(None),
            seen: Cell::new(0),
            yields: Cell::new(0),
            given_up: Cell::new(false),
        })
    }

    /// Whether others could join an operation of this task. Where handshakes are rare, none can.
    pub(super) fn has_company(&self) -> bool {
        self.scheduler.live.get() > 1 && !self.given_up.get()
    }

    /// Called in the task's coroutine: suspends it until the operation is decided.
    pub(super) fn wait_for(self: Rc<Self>, operation: O) -> Result<O::Outcome, O> {
        let (scheduler, kind) = (&*self.scheduler, operation.kind());
        if !self.has_company() {
            scheduler.counters.ran(kind, 1);
            return Err(operation);
        }
        self.state.replace(State::Waiting(operation));
        self.yields.set(0);
        scheduler.queues.borrow_mut()[kind].push_back(Rc::clone(&self));
        scheduler.events.set(scheduler.events.get() + 1);
        stack::suspend();
        match self.state.replace(State::None) {
            State::Done(outcome) => Ok(outcome),
            State::Alone(operation) => Err(operation),
            State::Lost => panic!("the batch that an operation was in has panicked"),
            State::None | State::Waiting(_) | State::Outside(_) => {
                unreachable!("resumed without a decision")
            }
        }
    }

    /// Called in the task's coroutine: suspends it until `poll` is ready; `None` if the task was given up.
    pub(super) fn wait_outside<T>(
        &self,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        loop {
            if self.given_up.get() {
                return None;
            }
            // none before the task was polled with the coroutine suspended: who resumed it may be another task
            let waker = self.outside.take();
            if let Some(waker) = &waker
                && let Poll::Ready(value) = poll(&mut Context::from_waker(waker))
            {
                return Some(value);
            }
            self.state.replace(State::Outside(waker.is_some()));
            stack::suspend();
            self.state.replace(State::None);
        }
    }

    /// Whether the task's coroutine waits for something else than a batch.
    pub(super) fn outside(&self) -> bool {
        matches!(*self.state.borrow(), State::Outside(_))
    }

    /// Called when the task is polled while its coroutine waits for something else: has it look again. Returns whether
    /// it goes on to wait for that, which has `waker` now.
    pub(super) fn look_outside(self: &Rc<Self>, waker: &Waker) -> bool {
        self.outside.set(Some(waker.clone()));
        self.resume();
        matches!(*self.state.borrow(), State::Outside(true))
    }

    /// Called when the task is polled while its coroutine waits: runs what is to be run. Returns
    /// whether the coroutine no longer waits; if it does, `cx` must be woken by a yield.
    pub(super) fn decide(self: &Rc<Self>, cx: &Context<'_>) -> bool {
        let (scheduler, yields) = (&*self.scheduler, self.yields.get());
        let mut next = if yields > PATIENCE {
            self.waiting()
        } else if yields > 0 && self.seen.get() == scheduler.events.get() {
            scheduler.longest()
        } else {
            scheduler.full()
        };
        // What is resumed goes on to its next operation while its data is in the cache: handshakes
        // that were in a batch together are likely to be in the next one.
        while let Some(kind) = next {
            scheduler.run(kind, self);
            next = scheduler.full();
        }
        if !self.suspended() {
            return true;
        }
        self.yields.set(self.yields.get() + 1);
        self.seen.set(scheduler.events.get());
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        false
    }

    /// Starts `body` in a coroutine. False if there is no memory for its stack.
    pub(super) fn start(self: &Rc<Self>, body: impl FnOnce() + 'static) -> bool {
        let Some(stack) = self.scheduler.take_stack() else { return false };
        self.fiber.replace(Some(Fiber::new(stack, body)));
        self.resume();
        true
    }

    /// Runs the coroutine, if there is one, until it waits or its poll is over.
    fn resume(self: &Rc<Self>) {
        let Some(mut fiber) = self.fiber.take() else { return };
        let outer = O::slot().with(|slot| slot.replace(Some(Rc::clone(self))));
        let ended = fiber.resume();
        O::slot().with(|slot| slot.replace(outer));
        if ended {
            self.scheduler.return_stack(fiber.into_stack());
        } else {
            self.fiber.replace(Some(fiber));
        }
    }

    /// Whether a poll of the task waits in the middle.
    pub(super) fn suspended(&self) -> bool {
        self.fiber.borrow().is_some()
    }

    /// The task is going. Takes its operation out of the queue and ends the poll that waits for
    /// it: what that still needs, it computes alone.
    pub(super) fn give_up(self: &Rc<Self>) {
        self.given_up.set(true);
        if let (Some(kind), Some(operation)) = (self.waiting(), self.take()) {
            self.scheduler.queues.borrow_mut()[kind].retain(|other| !Rc::ptr_eq(other, self));
            self.scheduler.counters.ran(kind, 1);
            self.state.replace(State::Alone(operation));
        }
        self.resume();
        self.scheduler.live.set(self.scheduler.live.get() - 1);
        add(&self.scheduler.counters.ended, 1);
    }

    /// The kind of the operation that waits.
    fn waiting(&self) -> Option<usize> {
        match &*self.state.borrow() {
            State::Waiting(operation) => Some(operation.kind()),
            _ => None,
        }
    }

    /// The operation, if it waits.
    fn take(&self) -> Option<O> {
        match self.state.replace(State::None) {
            State::Waiting(operation) => Some(operation),
            _ => None,
        }
    }
}

/// Has `cx` woken after every other task that is ready has run and input was looked for.
///
/// In Tokio's current-thread runtime, the waker is put aside until the reactor was polled, and then
/// queued behind the tasks that the reactor woke. Elsewhere the waker is called at once.
pub(super) fn yield_to_runtime(cx: &mut Context<'_>) {
    let _ = pin!(tokio::task::yield_now()).poll(cx);
}
