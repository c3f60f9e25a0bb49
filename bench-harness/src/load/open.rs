//! The open loop: operations start when they were meant to, whatever the server does.
//!
//! Arrivals are a Poisson process, as independent callers make one. An arrival takes a free slot, or
//! waits for one in a queue without bound; either way its latency counts from the intended start, so
//! a stalled server is charged for everyone it kept waiting (no coordinated omission).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use super::pacer::Pacer;
use super::slot::Slot;
use super::tally::{Run, Tally};
use super::transport::Transport;
use crate::Error;

/// How long after the close of the window its operations may still end; what is left then has failed.
const DRAIN: Duration = Duration::from_secs(10);

/// Starts operations at `rate` until the run closes, and waits for them to end.
pub(super) async fn drive<T: Transport>(
    slots: Vec<Slot<T>>,
    run: &Arc<Run>,
    rate: f64,
    seed: u64,
) -> Result<(Vec<Slot<T>>, Tally), Error> {
    let state = Rc::new(State {
        run: run.clone(),
        idle: RefCell::new(slots),
        waiting: RefCell::default(),
        tally: RefCell::default(),
    });
    let pacer = Pacer::new()?;
    let mut busy = JoinSet::new();
    for intended in Arrivals::new(run.start, rate, seed).take_while(|at| *at < run.close) {
        pacer.until(intended).await?;
        state.note_lateness(intended);
        state.arrive(intended, &mut busy);
        while busy.try_join_next().is_some() {}
    }
    let _ = tokio::time::timeout(DRAIN, async { while busy.join_next().await.is_some() {} }).await;
    let unfinished = busy.len() as u64;
    busy.shutdown().await;
    Ok(state.finish(unfinished))
}

/// Intended starts, exponentially spaced.
struct Arrivals {
    next: Instant,
    rate: f64,
    random: StdRng,
}

impl Arrivals {
    fn new(start: Instant, rate: f64, seed: u64) -> Self {
        Self { next: start, rate, random: StdRng::seed_from_u64(seed) }
    }
}

impl Iterator for Arrivals {
    type Item = Instant;

    fn next(&mut self) -> Option<Instant> {
        let uniform: f64 = self.random.random();
        self.next += Duration::from_secs_f64(-(1.0 - uniform).ln() / self.rate);
        Some(self.next)
    }
}

struct State<T: Transport> {
    run: Arc<Run>,
    idle: RefCell<Vec<Slot<T>>>,
    waiting: RefCell<VecDeque<Instant>>,
    tally: RefCell<Tally>,
}

impl<T: Transport> State<T> {
    fn arrive(self: &Rc<Self>, intended: Instant, busy: &mut JoinSet<()>) {
        let slot = self.idle.borrow_mut().pop();
        match slot {
            Some(slot) => drop(busy.spawn_local(self.clone().serve(slot, intended))),
            None => self.waiting.borrow_mut().push_back(intended),
        }
    }

    /// Serves one arrival, and then those that waited for a slot.
    async fn serve(self: Rc<Self>, mut slot: Slot<T>, mut intended: Instant) {
        loop {
            let done = slot.operate().await;
            match done {
                Ok(()) => {
                    self.run.count_completed();
                    if self.in_window(intended) {
                        self.tally.borrow_mut().completed(&self.run, intended);
                    }
                }
                Err(error) => self.tally.borrow_mut().failed(&error),
            }
            let next = self.waiting.borrow_mut().pop_front();
            match next {
                Some(waited) => intended = waited,
                None => break,
            }
        }
        self.idle.borrow_mut().push(slot);
    }

    fn note_lateness(&self, intended: Instant) {
        if self.in_window(intended) {
            self.tally.borrow_mut().lateness.record(intended.elapsed());
        }
    }

    fn in_window(&self, intended: Instant) -> bool {
        (self.run.open..self.run.close).contains(&intended)
    }

    /// Slots and results; arrivals not served by now are failures, never forgotten.
    fn finish(&self, unfinished: u64) -> (Vec<Slot<T>>, Tally) {
        let mut tally = self.tally.take();
        let unserved = unfinished + self.waiting.borrow().len() as u64;
        if unserved > 0 {
            let reason = format!("not served {} s after the window", DRAIN.as_secs());
            tally.failures.insert(reason, unserved);
        }
        (self.idle.take(), tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_have_the_rate_asked_for_and_exponential_gaps() {
        let start = Instant::now();
        let times: Vec<_> = Arrivals::new(start, 1000.0, 7).take(20_000).collect();
        let gaps: Vec<f64> = std::iter::once(start)
            .chain(times.iter().copied())
            .zip(&times)
            .map(|(before, after)| (*after - before).as_secs_f64())
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean * 1000.0 - 1.0).abs() < 0.03, "mean gap {mean}");
        // An exponential distribution's deviation equals its mean.
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.05, "deviation {}", variance.sqrt());
    }

    #[test]
    fn equal_seeds_give_equal_arrivals() {
        let start = Instant::now();
        let draw = |seed| Arrivals::new(start, 50.0, seed).take(100).collect::<Vec<_>>();
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
