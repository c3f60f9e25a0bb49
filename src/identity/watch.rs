//! A thread that looks after a source's credentials, until nobody wants them any more.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::IdentityError;
use super::status::Status;

/// Sees to it that credentials are renewed, until it is dropped.
#[must_use = "nothing is looked at any more once this is dropped"]
pub struct Watch {
    status: Status,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Calls `look` every `period`, which says whether there was something new, now in force.
    pub(super) fn start(
        name: &str,
        period: Duration,
        mut look: impl FnMut() -> Result<bool, IdentityError> + Send + 'static,
    ) -> Result<Self, IdentityError> {
        let status = Status::default();
        let (stop, stopped) = mpsc::channel();
        let told = status.clone();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                told.record(look());
            }
        });
        let thread = Some(thread.map_err(IdentityError::Thread)?);
        Ok(Self { status, stop: Some(stop), thread })
    }

    /// How often new credentials came into force since the first.
    pub fn rotations(&self) -> u64 {
        self.status.rotations()
    }

    /// Why there could be no new credentials at the last look, if so. Those from before are in force. To be watched: while
    /// this lasts, the certificate nears its end.
    pub fn problem(&self) -> Option<Arc<IdentityError>> {
        self.status.problem()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // a panic there has been reported by the thread itself
            let _panicked = thread.join();
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.status).finish()
    }
}
