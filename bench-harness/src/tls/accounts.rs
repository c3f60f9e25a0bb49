//! What an end of TLS keeps account of beside its handshakes, and what of it is new since it was last asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls_offload::resume::{Refusal, ResumptionMetrics};
use rustls_offload::verify::CacheMetrics;

use super::observe::ChainCacheUse;

/// Reads a count that only grows.
type Read<T> = Box<dyn Fn() -> T + Send + Sync>;

/// Ways to read the accounts that an end has.
#[derive(Default)]
pub(super) struct Accounts {
    pub(super) chain_cache: Option<Read<CacheMetrics>>,
    pub(super) resumption: Option<Read<ResumptionMetrics>>,
    pub(super) rotations: Option<Arc<Rotations>>,
}

/// The accounts at the time that they were last handed out.
#[derive(Default)]
pub(super) struct Before {
    chain_cache: CacheMetrics,
    resumption: ResumptionMetrics,
    rotations: u64,
}

/// What is new since then.
#[derive(Default)]
pub(super) struct News {
    pub(super) chain_cache: Option<ChainCacheUse>,
    /// Offered sessions that were not resumed, by reason.
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) rotations: u64,
    /// Why credentials could not be replaced, if so.
    pub(super) problem: Option<String>,
}

impl Accounts {
    /// What is new since `before`, which becomes now.
    pub(super) fn since(&self, before: &mut Before) -> News {
        let mut news = News::default();
        if let Some(read) = &self.chain_cache {
            let now = read();
            let then = std::mem::replace(&mut before.chain_cache, now);
            news.chain_cache = Some(ChainCacheUse::since(then, now));
        }
        if let Some(read) = &self.resumption {
            let now = read();
            let new = |why: &Refusal| now.refused(*why) - before.resumption.refused(*why);
            let reasons = Refusal::ALL.iter().map(|why| (why.to_string(), new(why)));
            news.refused = reasons.filter(|(_, count)| *count > 0).collect();
            before.resumption = now;
        }
        if let Some(rotations) = &self.rotations {
            let (now, problem) = rotations.read();
            news.rotations = now - std::mem::replace(&mut before.rotations, now);
            news.problem = problem;
        }
        news
    }
}

/// How often credentials were replaced, and why not.
#[derive(Default)]
pub(super) struct Rotations(Mutex<(u64, Option<String>)>);

impl Rotations {
    /// Counts one that was done, or keeps why it was not.
    pub(super) fn record(&self, outcome: Result<(), String>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(()) => state.0 += 1,
            Err(why) => state.1 = Some(why),
        }
    }

    /// As somebody else counts.
    pub(super) fn set(&self, count: u64, problem: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (count, problem);
    }

    fn read(&self) -> (u64, Option<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
