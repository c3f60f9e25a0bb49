//! The scheduler's rules, on operations that show what was batched with what.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::{JoinHandle, LocalSet, yield_now};

use super::fake::{self, Double, POISON};
use super::{Batched, Counters, LANES, Scheduler, company, submit};

const STACK: usize = 256 * 1024;

/// What `operate` came to: computed in a batch, or handed back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Batched,
    Alone,
}

fn operate(kind: usize, number: u64) -> How {
    match submit(Double { kind, number }) {
        Ok(outcome) => {
            assert_eq!(outcome, number * 2);
            How::Batched
        }
        Err(operation) => {
            assert_eq!(operation, Double { kind, number });
            How::Alone
        }
    }
}

fn scheduler() -> Rc<Scheduler<Double>> {
    Scheduler::new(STACK, Arc::new(Counters::new::<Double>()))
}

/// Runs `body` as a thread with an event loop would.
fn run<T>(body: impl AsyncFnOnce(Rc<Scheduler<Double>>) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    fake::batches();
    LocalSet::new().block_on(&runtime, body(scheduler()))
}

fn spawn<T: 'static>(
    scheduler: &Rc<Scheduler<Double>>,
    future: impl Future<Output = T> + 'static,
) -> JoinHandle<T> {
    tokio::task::spawn_local(Batched::new(scheduler, future))
}

async fn all<T>(handles: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::new();
    for handle in handles {
        results.push(handle.await.unwrap());
    }
    results
}

#[test]
fn outside_a_coroutine_operations_come_back() {
    assert_eq!(operate(0, 1), How::Alone);
    assert_eq!(fake::batches(), []);
}

#[test]
fn a_task_without_company_is_not_suspended() {
    let scheduler = scheduler();
    let mut task = pin!(Batched::new(&scheduler, async { operate(0, 1) }));
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(task.as_mut().poll(&mut cx), Poll::Ready(How::Alone));
    assert_eq!(scheduler.counters().batches(0)[0], 1);
    assert_eq!(scheduler.counters().ended(), 0);
}

#[test]
fn company_is_another_task_of_the_thread() {
    assert!(!company::<Double>());
    let scheduler = scheduler();
    let mut cx = Context::from_waker(Waker::noop());
    let mut poll = || {
        let mut task = pin!(Batched::new(&scheduler, async { company::<Double>() }));
        task.as_mut().poll(&mut cx)
    };
    assert_eq!(poll(), Poll::Ready(false));
    let _other = Batched::new(&scheduler, pending::<()>());
    assert_eq!(poll(), Poll::Ready(true));
}

#[test]
fn a_lone_operation_among_idle_tasks_comes_back() {
    run(async |scheduler| {
        let idle = spawn(&scheduler, pending::<()>());
        yield_now().await;
        assert_eq!(spawn(&scheduler, async { operate(0, 1) }).await.unwrap(), How::Alone);
        assert_eq!(scheduler.counters().batches(0), [1, 0, 0, 0, 0, 0, 0, 0]);
        idle.abort();
    });
}

#[test]
fn eight_of_a_kind_run_at_once_and_the_rest_when_nothing_else_is_ready() {
    run(async |scheduler| {
        let tasks = (0..LANES as u64 * 2 + 3).map(|number| {
            spawn(&scheduler, async move { (operate(0, number), operate(1, number)) })
        });
        let results = all(tasks.collect::<Vec<_>>()).await;
        assert!(results.iter().all(|&how| how == (How::Batched, How::Batched)));
    });
    let (first, second): (Vec<_>, Vec<_>) = ((0..8).collect(), (8..16).collect());
    assert_eq!(
        fake::batches(),
        [
            // the same ones stay together
            (0, first.clone()),
            (1, first),
            (0, second.clone()),
            (1, second),
            (0, vec![16, 17, 18]),
            (1, vec![16, 17, 18]),
        ]
    );
}

#[test]
fn the_longest_queue_runs_first_and_its_tasks_run_before_the_next() {
    run(async |scheduler| {
        let mut tasks: Vec<_> =
            (0..2).map(|number| spawn(&scheduler, async move { operate(0, number) })).collect();
        tasks.extend((2..5).map(|number| {
            spawn(&scheduler, async move {
                operate(1, number);
                operate(0, number)
            })
        }));
        assert_eq!(all(tasks).await, [How::Batched; 5]);
    });
    assert_eq!(fake::batches(), [(1, vec![2, 3, 4]), (0, vec![0, 1, 2, 3, 4])]);
}

#[test]
fn input_that_is_there_comes_before_a_batch() {
    run(async |scheduler| {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let input = tokio::net::UnixStream::from_std(ours).unwrap();
        let waiting = spawn(&scheduler, async move {
            input.readable().await.unwrap();
            operate(0, 2)
        });
        yield_now().await;
        let first = spawn(&scheduler, async move {
            drop(theirs); // now there is input, which only the reactor knows of
            operate(0, 1)
        });
        assert_eq!(all([first, waiting]).await, [How::Batched; 2]);
    });
    assert_eq!(fake::batches(), [(0, vec![1, 2])]);
}

#[test]
fn a_rare_kind_is_not_starved_by_a_frequent_one() {
    run(async |scheduler| {
        let done = Rc::new(Cell::new(false));
        let busy: Vec<_> = (0..20)
            .map(|number| {
                let done = Rc::clone(&done);
                spawn(&scheduler, async move {
                    for round in 0_u64.. {
                        if done.get() {
                            return round;
                        }
                        operate(0, number);
                        yield_now().await;
                    }
                    unreachable!()
                })
            })
            .collect();
        yield_now().await;
        let rare = spawn(&scheduler, async move { operate(1, 100) });
        assert_eq!(rare.await.unwrap(), How::Alone);
        done.set(true);
        let rounds = all(busy).await;
        assert!(rounds.iter().all(|&rounds| rounds < 20), "{rounds:?}");
    });
}

#[test]
fn a_task_that_is_not_polled_holds_nobody_up() {
    run(async |scheduler| {
        let mut neglected = Box::pin(Batched::new(&scheduler, async { operate(0, 1) }));
        let idle = spawn(&scheduler, pending::<()>());
        poll_fn(|cx| {
            assert!(neglected.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        let other = spawn(&scheduler, async { operate(0, 2) });
        assert_eq!(other.await.unwrap(), How::Batched);
        assert_eq!(neglected.await, How::Batched); // it was computed meanwhile
        idle.abort();
    });
    assert_eq!(fake::batches(), [(0, vec![1, 2])]);
}

#[test]
fn a_wake_up_while_the_poll_waits_is_not_lost() {
    /// Asks for an operation after it has looked whether `signal` is there.
    struct Late {
        signal: Rc<RefCell<(bool, Option<Waker>)>>,
        asked: bool,
    }
    impl Future for Late {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            let mut signal = self.signal.borrow_mut();
            if signal.0 {
                return Poll::Ready(());
            }
            signal.1 = Some(cx.waker().clone());
            drop(signal);
            if !self.asked {
                self.asked = true;
                operate(0, 1);
            }
            Poll::Pending
        }
    }
    run(async |scheduler| {
        let signal = Rc::default();
        let late = spawn(&scheduler, Late { signal: Rc::clone(&signal), asked: false });
        let sender = spawn(&scheduler, async move {
            // runs while the other waits
            let mut signal = signal.borrow_mut();
            signal.0 = true;
            signal.1.take().unwrap().wake();
        });
        tokio::time::timeout(Duration::from_secs(60), all([late, sender])).await.unwrap();
    });
}

#[test]
fn a_dropped_task_frees_its_lane_and_ends_its_poll_alone() {
    run(async |scheduler| {
        let (log, guard) = (Rc::new(RefCell::new(Vec::new())), Rc::new(()));
        let mut tasks: Vec<_> = (0..3)
            .map(|number| {
                let (log, guard) = (Rc::clone(&log), Rc::clone(&guard));
                Box::pin(Batched::new(&scheduler, async move {
                    let first = operate(0, number);
                    let second = operate(1, number);
                    log.borrow_mut().push((number, first, second));
                    pending::<()>().await;
                    drop(guard);
                }))
            })
            .collect();
        poll_fn(|cx| {
            for task in &mut tasks {
                assert!(task.as_mut().poll(cx).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        assert_eq!(Rc::strong_count(&guard), 4);
        drop(tasks.remove(1)); // in the queue
        assert_eq!(*log.borrow(), [(1, How::Alone, How::Alone)]);
        assert_eq!(Rc::strong_count(&guard), 3);
        let mut rest = tasks.into_iter().map(tokio::task::spawn_local).collect::<Vec<_>>();
        yield_now().await;
        while log.borrow().len() < 3 {
            yield_now().await;
        }
        assert_eq!(
            log.borrow()[1..],
            [(0, How::Batched, How::Batched), (2, How::Batched, How::Batched)]
        );
        rest.drain(..).for_each(|task| task.abort());
        while Rc::strong_count(&guard) > 1 {
            yield_now().await;
        }
        assert_eq!(scheduler.counters().ended(), 3);
    });
    assert_eq!(fake::batches(), [(0, vec![0, 2]), (1, vec![0, 2])]);
}

#[test]
fn a_task_may_drop_another_whose_outcome_is_there() {
    run(async |scheduler| {
        let victim = Rc::new(RefCell::new(None));
        let killer = {
            let victim = Rc::clone(&victim);
            Batched::new(&scheduler, async move {
                let how = operate(0, 1);
                drop(victim.take()); // resumed just before it would have been
                how
            })
        };
        let mut killer = Box::pin(killer);
        let mut other = Box::pin(Batched::new(&scheduler, async { operate(0, 2) }));
        poll_fn(|cx| {
            assert!(killer.as_mut().poll(cx).is_pending());
            assert!(other.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        victim.replace(Some(other));
        assert_eq!(killer.await, How::Batched);
    });
    assert_eq!(fake::batches(), [(0, vec![1, 2])]);
}

#[test]
fn a_panic_concerns_its_own_task() {
    run(async |scheduler| {
        let good = spawn(&scheduler, async { operate(0, 1) });
        let bad = spawn(&scheduler, async {
            operate(0, 2);
            panic!("mine");
        });
        assert_eq!(good.await.unwrap(), How::Batched);
        let panic = bad.await.unwrap_err().into_panic();
        assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "mine");
        assert_eq!(all([spawn(&scheduler, async { operate(0, 3) })]).await, [How::Alone]);
    });
}

#[test]
fn a_batch_that_panics_takes_its_own_operations_with_it() {
    run(async |scheduler| {
        let numbers = [1, POISON];
        let tasks = numbers.map(|number| spawn(&scheduler, async move { operate(0, number) }));
        let other = spawn(&scheduler, async { (operate(1, 3), operate(0, 4)) });
        for task in tasks {
            let panic = task.await.unwrap_err().into_panic();
            assert!(panic.downcast_ref::<&str>().unwrap().contains("batch"));
        }
        assert_eq!(other.await.unwrap(), (How::Alone, How::Alone));
    });
}

#[test]
fn without_memory_for_stacks_everything_runs_alone() {
    let counters = Arc::new(Counters::new::<Double>());
    let scheduler = Scheduler::<Double>::new(1 << 60, counters);
    let tasks = [1, 2].map(|number| Batched::new(&scheduler, async move { operate(0, number) }));
    for mut task in tasks {
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(Pin::new(&mut task).poll(&mut cx), Poll::Ready(How::Alone));
    }
    assert_eq!(scheduler.counters().stacks(), 0);
}

#[test]
fn only_polls_that_wait_keep_a_stack_and_idle_ones_are_bounded() {
    run(async |scheduler| {
        let connections: Vec<_> = (0..1000)
            .map(|number| {
                spawn(&scheduler, async move {
                    operate(0, number);
                    pending::<()>().await;
                })
            })
            .collect();
        while scheduler.counters().batches(0)[LANES - 1] < 1000 / LANES as u64 {
            yield_now().await;
        }
        assert_eq!(scheduler.counters().stacks(), LANES);
        connections.iter().for_each(JoinHandle::abort);
    });
}

#[test]
fn tasks_nest() {
    run(async |scheduler| {
        let tasks = [1, 2].map(|number| {
            let inner = Rc::clone(&scheduler);
            spawn(&scheduler, async move {
                let first = Batched::new(&inner, async move { operate(0, number) }).await;
                (first, operate(1, number))
            })
        });
        assert_eq!(all(tasks).await, [(How::Batched, How::Batched); 2]);
    });
    let batches = fake::batches();
    assert_eq!(
        batches.iter().map(|(kind, batch)| (*kind, batch.len())).collect::<Vec<_>>(),
        [(0, 2), (1, 2)]
    );
}

/// What a coroutine waits for that is in no queue: a value, and who to wake when it comes.
#[derive(Default)]
struct Outside {
    value: Cell<Option<u64>>,
    waker: Cell<Option<Waker>>,
    polls: Cell<u32>,
}

impl Outside {
    fn wait(&self) -> Option<u64> {
        let poll = |cx: &mut Context<'_>| {
            self.polls.set(self.polls.get() + 1);
            self.waker.set(Some(cx.waker().clone()));
            self.value.take().map_or(Poll::Pending, Poll::Ready)
        };
        super::wait::<Double, u64>(poll).unwrap()
    }

    fn set(&self, value: u64) {
        self.value.set(Some(value));
        self.waker.take().unwrap().wake();
    }
}

#[test]
fn what_is_waited_for_outside_holds_up_nobody_and_is_not_polled_for() {
    run(async |scheduler| {
        let outside = Rc::new(Outside::default());
        let waiting = Rc::clone(&outside);
        let first = spawn(&scheduler, async move { waiting.wait() });
        let others: Vec<_> =
            (0..20).map(|n| spawn(&scheduler, async move { operate(0, n) })).collect();
        all(others).await;
        for _ in 0..100 {
            yield_now().await;
        }
        assert_eq!(outside.polls.get(), 1, "nobody has woken it");
        outside.set(7);
        assert_eq!(first.await.unwrap(), Some(7));
    });
}

#[test]
fn batches_and_waits_outside_may_alternate_in_one_poll() {
    run(async |scheduler| {
        let outsides: Vec<_> = (0..9).map(|_| Rc::new(Outside::default())).collect();
        let tasks: Vec<_> = outsides
            .iter()
            .map(|outside| {
                let outside = Rc::clone(outside);
                spawn(&scheduler, async move {
                    operate(0, 1);
                    let first = outside.wait();
                    operate(1, 2);
                    (first, outside.wait())
                })
            })
            .collect();
        for value in [3_u64, 4] {
            while !outsides.iter().all(|outside| {
                let waker = outside.waker.take();
                let ready = waker.is_some();
                outside.waker.set(waker);
                ready
            }) {
                yield_now().await;
            }
            outsides.iter().for_each(|outside| outside.set(value));
        }
        assert!(all(tasks).await.into_iter().all(|values| values == (Some(3), Some(4))));
    });
}

#[test]
fn who_is_dropped_waits_for_nothing_outside() {
    run(async |scheduler| {
        let outside = Rc::new(Outside::default());
        let (waiting, told) = (Rc::clone(&outside), Rc::new(Cell::new(None)));
        let result = Rc::clone(&told);
        let task = spawn(&scheduler, async move { result.set(Some(waiting.wait())) });
        while outside.polls.get() == 0 {
            yield_now().await;
        }
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(told.get(), Some(None));
    });
}

#[test]
fn outside_a_coroutine_nothing_is_polled() {
    assert!(super::wait::<Double, ()>(|_| unreachable!()).is_err());
}
