//! One decision of a plan: the backend, what it was compared with, and the words for it.

use serde::{Deserialize, Serialize};

use super::Backend;

/// A backend must be faster than a more preferred one by this factor to be chosen over it.
///
/// Less is what machines of one class differ by: on two with the features of Sapphire Rapids, Graviola
/// verified ECDSA P-256 2.4 % faster and 11 % slower than AWS-LC. The default backend is the best-tested
/// one.
const MARGIN: f64 = 1.025;

/// The backend chosen for an algorithm, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The implementation that serves the algorithm.
    pub backend: Backend,
    /// How it came to be chosen.
    pub reason: Reason,
    /// What each candidate was measured at; empty if nothing was.
    pub timings: Vec<Timing>,
}

/// A candidate's measured time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Who was measured.
    pub backend: Backend,
    /// Nanoseconds per operation, as [`measure`](super::measure::measure) defines them.
    pub nanoseconds: f64,
}

/// How a choice came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The fastest in the committed table for this class of CPU.
    Table,
    /// The fastest when measured on this machine.
    Calibrated,
    /// Nothing else available implements the algorithm.
    OnlyCandidate,
    /// The default, for lack of measurements of this class of CPU.
    Unmeasured,
    /// Set by the caller.
    Override,
    /// The FIPS module serves everything.
    Fips,
}

impl Timing {
    /// Rounds to tenths: what lies below is noise, and tenths survive JSON exactly.
    pub(super) fn new(backend: Backend, nanoseconds: f64) -> Self {
        Self { backend, nanoseconds: (nanoseconds * 10.0).round() / 10.0 }
    }
}

impl Choice {
    /// The fastest of `candidates` by `timings`; within the margin, the more preferred one.
    pub(super) fn fastest(
        candidates: &[Backend],
        source: Reason,
        timings: Vec<Timing>,
    ) -> Option<Self> {
        let (&default, others) = candidates.split_first()?;
        let best = timings.iter().map(|timing| timing.nanoseconds).min_by(f64::total_cmp);
        let (backend, reason) = match best {
            _ if cfg!(feature = "fips") => (default, Reason::Fips),
            _ if others.is_empty() => (default, Reason::OnlyCandidate),
            None => (default, Reason::Unmeasured),
            Some(best) => {
                let level = |timing: &&Timing| timing.nanoseconds <= best * MARGIN;
                (timings.iter().find(level)?.backend, source)
            }
        };
        Some(Self { backend, reason, timings })
    }

    /// The reason in words, for a CPU of `class`.
    pub(super) fn explain(&self, class: &str) -> String {
        let words = match self.reason {
            Reason::Table => format!("{} in the table", self.rank()),
            Reason::Calibrated => format!("{} on this machine", self.rank()),
            Reason::OnlyCandidate => "the only implementation available".to_owned(),
            Reason::Unmeasured => format!("no measurements for class {class}; run calibrate()"),
            Reason::Override => "chosen by the caller".to_owned(),
            Reason::Fips => "the FIPS module alone".to_owned(),
        };
        if self.timings.len() < 2 { words } else { format!("{words}: {}", self.comparison()) }
    }

    /// How the chosen backend did against the others.
    fn rank(&self) -> &'static str {
        let best = self.timings.iter().min_by(|a, b| a.nanoseconds.total_cmp(&b.nanoseconds));
        match best {
            Some(best) if best.backend != self.backend => "preferred, within 2.5 % of the fastest",
            _ => "fastest",
        }
    }

    /// The timings, fastest first: "ring 1200 ns, aws-lc-rs 1300 ns".
    fn comparison(&self) -> String {
        let mut timings = self.timings.clone();
        timings.sort_by(|a, b| a.nanoseconds.total_cmp(&b.nanoseconds));
        let words =
            timings.iter().map(|timing| format!("{} {:.0} ns", timing.backend, timing.nanoseconds));
        words.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
#[cfg(not(feature = "fips"))]
mod tests {
    use super::*;

    const ALL: &[Backend] = Backend::ALL;

    fn fastest(timings: &[f64]) -> Choice {
        let timings = ALL.iter().zip(timings).map(|(&backend, &ns)| Timing::new(backend, ns));
        Choice::fastest(ALL, Reason::Calibrated, timings.collect()).unwrap()
    }

    #[test]
    fn the_fastest_wins_if_it_is_faster_by_more_than_the_margin() {
        assert_eq!(fastest(&[100.0, 97.0, 110.0]).backend, Backend::Ring);
        assert_eq!(fastest(&[100.0, 120.0, 50.0]).backend, Backend::Graviola);
        assert_eq!(fastest(&[100.0, 101.0, 102.0]).backend, Backend::AwsLcRs);
    }

    #[test]
    fn within_the_margin_the_preferred_one_wins() {
        assert_eq!(fastest(&[100.0, 99.1, 110.0]).backend, Backend::AwsLcRs);
        assert_eq!(fastest(&[200.0, 100.0, 99.1]).backend, Backend::Ring);
        assert_eq!(fastest(&[101.0, 100.0, 100.0]).backend, Backend::AwsLcRs);
    }

    #[test]
    fn without_timings_the_default_is_taken_and_called_unmeasured() {
        let choice = Choice::fastest(ALL, Reason::Table, Vec::new()).unwrap();
        assert_eq!((choice.backend, choice.reason), (Backend::AwsLcRs, Reason::Unmeasured));
    }

    #[test]
    fn a_single_candidate_needs_no_timings() {
        let choice = Choice::fastest(&[Backend::Graviola], Reason::Table, Vec::new()).unwrap();
        assert_eq!((choice.backend, choice.reason), (Backend::Graviola, Reason::OnlyCandidate));
        assert!(Choice::fastest(&[], Reason::Table, Vec::new()).is_none());
    }

    #[test]
    fn the_explanation_compares_fastest_first() {
        let explain = |timings: &[f64]| fastest(timings).explain("x86_64-avx2");
        assert_eq!(
            explain(&[100.0, 97.0, 110.0]),
            "fastest on this machine: ring 97 ns, aws-lc-rs 100 ns, graviola 110 ns"
        );
        assert_eq!(
            explain(&[100.0, 99.3, 110.0]),
            "preferred, within 2.5 % of the fastest on this machine: \
             ring 99 ns, aws-lc-rs 100 ns, graviola 110 ns"
        );
    }
}
