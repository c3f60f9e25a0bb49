//! When something happens again and again in several processes, which don't talk about it: at the multiples of a
//! period on the machine's monotonic clock.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::Error;

/// Beats at the multiples of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rhythm {
    period: Duration,
    /// A beat, as far as any: all others are whole periods from it.
    beat: Instant,
}

impl Rhythm {
    /// With a beat every `period`, which must not be zero.
    ///
    /// # Errors
    /// When the system has no such clock.
    pub(crate) fn new(period: Duration) -> Result<Self, Error> {
        let uptime = clock_gettime(ClockId::CLOCK_MONOTONIC)
            .map_err(|error| Error::io("reading the monotonic clock")(error.into()))?;
        let (now, uptime) = (Instant::now(), Duration::from(uptime));
        Ok(Self { period, beat: now + (period - remainder(uptime, period)) })
    }

    /// How long before `at` the last beat was.
    pub(crate) fn since_beat(&self, at: Instant) -> Duration {
        match at.checked_duration_since(self.beat) {
            Some(after) => remainder(after, self.period),
            None => {
                let left = remainder(self.beat - at, self.period);
                if left.is_zero() { left } else { self.period - left }
            }
        }
    }

    /// Beats after `from`, up to `to`, which is not before it.
    pub(crate) fn beats(&self, from: Instant, to: Instant) -> u64 {
        let since = self.since_beat(from) + (to - from);
        (since.as_nanos() / self.period.as_nanos()) as u64
    }

    /// How long after `at` the next beat is: never zero.
    pub(crate) fn until_beat(&self, at: Instant) -> Duration {
        self.period - self.since_beat(at)
    }
}

fn remainder(time: Duration, period: Duration) -> Duration {
    let nanos = time.as_nanos() % period.as_nanos();
    Duration::from_nanos(nanos as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(250);

    #[test]
    fn beats_are_whole_periods_apart_before_and_after() {
        let rhythm = Rhythm::new(PERIOD).unwrap();
        let beat = rhythm.beat;
        for (at, since) in [
            (beat, 0),
            (beat + Duration::from_millis(249), 249),
            (beat + Duration::from_millis(501), 1),
            (beat - Duration::from_millis(1), 249),
            (beat - Duration::from_millis(250), 0),
        ] {
            assert_eq!(rhythm.since_beat(at), Duration::from_millis(since));
            assert_eq!(rhythm.until_beat(at), PERIOD - Duration::from_millis(since));
        }
        let later = |millis| beat + Duration::from_millis(millis);
        for (from, to, beats) in [(1, 249, 0), (1, 250, 1), (0, 250, 1), (240, 760, 3), (9, 9, 0)] {
            assert_eq!(rhythm.beats(later(from), later(to)), beats, "{from} to {to}");
        }
    }

    #[test]
    fn two_processes_have_the_same_beats() {
        let (first, second) = (Rhythm::new(PERIOD).unwrap(), Rhythm::new(PERIOD).unwrap());
        let apart = first.since_beat(second.beat).min(first.until_beat(second.beat));
        // as far as two readings of the clock can be, if something comes between them
        assert!(apart < PERIOD / 4, "{apart:?}");
    }
}
