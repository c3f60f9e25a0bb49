//! What became of a source's credentials, for whoever watches it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::IdentityError;

/// Written by what follows a source, read by the handle on it.
#[derive(Clone, Default)]
pub(super) struct Status(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    rotations: u64,
    problem: Option<Arc<IdentityError>>,
}

impl Status {
    /// Whether there was something new and it was taken, or why it could not be.
    pub(super) fn record(&self, outcome: Result<bool, IdentityError>) {
        let mut told = self.told();
        told.rotations += u64::from(matches!(outcome, Ok(true)));
        told.problem = outcome.err().map(Arc::new);
    }

    pub(super) fn rotations(&self) -> u64 {
        self.told().rotations
    }

    pub(super) fn problem(&self) -> Option<Arc<IdentityError>> {
        self.told().problem.clone()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told().fmt(f)
    }
}
