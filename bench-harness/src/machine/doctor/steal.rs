//! Steal: a neighbour's load shows up here as latency that nobody can explain.

use super::{Check, Finding, Host};
use crate::machine::Steal;

/// Stolen share of wanted CPU time above which a machine is called noisy.
const NOISY: f64 = 0.01;

/// Whether the hypervisor has been taking CPU time away.
pub(super) struct Stolen;

impl Check for Stolen {
    fn name(&self) -> &'static str {
        "steal"
    }

    fn probe(&self, host: &Host) -> Finding {
        let Some(Steal { seconds, fraction }) = host.machine.steal else {
            return Finding::missing(
                "this kernel does not count stolen time",
                "make /proc/stat readable, on a kernel of version 2.6.11 or later",
            );
        };
        let percent = fraction * 100.0;
        let found = format!("{percent:.2} % of the CPU time wanted since boot ({seconds:.1} s)");
        if fraction > NOISY {
            Finding::missing(
                format!("the hypervisor took away {found}"),
                "use a dedicated or metal instance, or one that is not burstable",
            )
        } else {
            Finding::available(found)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::host_of;
    use super::*;

    #[test]
    fn two_percent_is_noisy_and_half_a_percent_is_not() {
        for (stolen, noisy) in [(20, true), (5, false)] {
            let busy = 1000 - stolen;
            let stat =
                format!("cpu  {busy} 0 0 5000 0 0 0 {stolen} 0 0\nctxt 1\nbtime 1\nprocesses 1\n");
            let (_guard, host) = host_of(&[("/proc/stat", &stat)]);
            assert_eq!(matches!(Stolen.probe(&host), Finding::Missing { .. }), noisy);
        }
    }
}
