//! The queue's rules, with a device that does what it is told.

use std::sync::mpsc;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use super::*;

const LONG: Duration = Duration::from_secs(60);

/// An owner of a list that operations append to.
fn owner(capacity: usize, deadline: Duration) -> Owner<Vec<u32>> {
    Owner::start(Vec::new(), capacity, deadline).unwrap()
}

/// An operation that has begun, and ends when the sender is used or dropped.
fn occupied(owner: &Owner<Vec<u32>>, begun: mpsc::Sender<()>, end: mpsc::Receiver<()>) {
    let _ = owner.run(move |_, _| {
        begun.send(()).unwrap();
        let _ = end.recv();
        Ok(())
    });
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "{what}");
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn operations_are_done_in_the_order_of_their_arrival_and_no_more_than_fit_wait() {
    let owner = owner(5, LONG);
    scope(|scope| {
        let ((begun, has_begun), (end, ended)) = (mpsc::channel(), mpsc::channel());
        let owner = &owner;
        scope.spawn(move || occupied(owner, begun, ended));
        has_begun.recv().unwrap();
        let mut waiting = Vec::new();
        for number in 0..5 {
            waiting.push(scope.spawn(move || {
                owner.run(move |list, _| {
                    list.push(number);
                    Ok(list.clone())
                })
            }));
            until("queued", || owner.waiting() == number as usize + 2);
        }
        let refused = owner.run(|_, _| Ok(()));
        assert!(matches!(refused, Err(TpmError::Full { capacity: 5 })));
        end.send(()).unwrap();
        let last = waiting.pop().unwrap().join().unwrap().unwrap();
        assert_eq!(last, [0, 1, 2, 3, 4]);
        assert_eq!(owner.counts().full.load(Relaxed), 1);
    });
}

#[test]
fn what_hangs_fails_at_its_deadline_with_all_that_waits_and_the_next_is_done_again() {
    let owner = owner(8, Duration::from_millis(50));
    let (end, ended) = mpsc::channel::<()>();
    let hanging = owner.run(move |_, _| {
        let _ = ended.recv();
        Ok(())
    });
    assert!(matches!(hanging, Err(TpmError::TimedOut { .. })));
    // the thread is still at it
    let waiting = owner.run(|list, _| {
        list.push(1);
        Ok(())
    });
    assert!(matches!(waiting, Err(TpmError::TimedOut { .. })));
    assert_eq!(owner.counts().late.load(Relaxed), 2);
    drop(end);
    until("free again", || owner.run(|_, _| Ok(())).is_ok());
    let list = owner.run(|list, _| Ok(list.clone())).unwrap();
    assert!(list.is_empty(), "what is late is not begun");
}

#[test]
fn who_closes_it_waits_for_what_is_in_it_and_later_calls_are_told() {
    let owner = owner(8, LONG);
    let (sender, receiver) = mpsc::channel();
    struct Told(mpsc::Sender<&'static str>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send("device dropped");
        }
    }
    let other = Owner::start(Told(sender), 8, LONG).unwrap();
    other.close();
    assert_eq!(receiver.try_recv(), Ok("device dropped"));
    owner.close();
    assert!(matches!(owner.run(|_, _| Ok(())), Err(TpmError::Closed)));
}

#[test]
fn a_panic_leaves_nobody_waiting() {
    let owner = owner(8, LONG);
    let lost = owner.run(|_, _| -> Result<(), _> { panic!("as a test") });
    assert!(matches!(lost, Err(TpmError::Closed)));
}

#[test]
fn on_the_only_thread_of_a_runtime_nothing_is_waited_for() {
    let owner = owner(8, LONG);
    let single = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let refused = single.block_on(async { owner.run(|_, _| Ok(())) });
    assert!(matches!(refused, Err(TpmError::WouldBlock)));
    let several = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    several.block_on(async {
        let ((begun, has_begun), (end, ended)) = (mpsc::channel(), mpsc::channel());
        let owner = Arc::new(owner);
        let at_work = Arc::clone(&owner);
        let waits = tokio::spawn(async move { occupied(&at_work, begun, ended) });
        tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
        // the only worker waits for the TPM, and this runs all the same
        tokio::spawn(async move { end.send(()).unwrap() }).await.unwrap();
        waits.await.unwrap();
    });
}

#[cfg(feature = "pool")]
#[test]
fn in_a_pool_a_hundred_wait_on_one_thread_that_goes_on() {
    use std::num::NonZeroUsize;

    use crate::pool::HandshakePool;

    let owner = Arc::new(owner(1000, LONG));
    let pool = HandshakePool::builder().threads(NonZeroUsize::MIN).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut waiting = Vec::new();
        let (end, ended) = mpsc::channel::<()>();
        let mut ended = Some(ended);
        for _ in 0..100 {
            let (owner, ended) = (Arc::clone(&owner), ended.take());
            waiting.push(tokio::spawn(pool.run(async move {
                owner.run(move |list, _| {
                    let _ = ended.map(|ended| ended.recv());
                    list.push(0);
                    Ok(list.len())
                })
            })));
        }
        let queued = Arc::clone(&owner);
        while queued.waiting() < 100 {
            tokio::task::yield_now().await;
        }
        // the pool's thread serves somebody else
        assert_eq!(pool.run(async { 7 }).await.unwrap(), 7);
        drop(waiting.pop());
        end.send(()).unwrap();
        let mut done = Vec::new();
        for task in waiting {
            done.push(task.await.unwrap().unwrap().unwrap());
        }
        done.sort_unstable();
        assert_eq!(done[..99], (1..=99).collect::<Vec<_>>()[..]);
    });
}
