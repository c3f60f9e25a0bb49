//! Waking up on time: a timer with nanosecond resolution, where tokio's has a millisecond.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Instant;

use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;

use crate::Error;

/// Sleeps until an instant, as exactly as the kernel's high-resolution timers allow.
pub(super) struct Pacer(AsyncFd<Timer>);

struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Pacer {
    pub(super) fn new() -> Result<Self, Error> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)
            .map_err(|errno| Error::io("creating a timer")(errno.into()))?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe because a source might close its descriptor early; \
                      this one owns the descriptor for as long as it lives"
        )]
        AsyncFd::new(Timer(timer)).map(Self).map_err(Error::io("watching a timer"))
    }

    /// Returns at `deadline`, at once if that has passed.
    pub(super) async fn until(&self, deadline: Instant) -> Result<(), Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            // A generator that is behind must still let its operations run.
            tokio::task::yield_now().await;
            return Ok(());
        }
        let failed = |errno: nix::Error| Error::io("setting a timer")(errno.into());
        self.0
            .get_ref()
            .0
            .set(Expiration::OneShot(left.into()), TimerSetTimeFlags::empty())
            .map_err(failed)?;
        let mut ready = self.0.readable().await.map_err(Error::io("waiting for a timer"))?;
        ready.clear_ready();
        Ok(())
    }
}
