//! CPU frequency: a governor that saves power changes speed in mid-run.

use super::{Check, Finding, Host};

/// The frequency governor.
pub(super) struct Governor;

impl Check for Governor {
    fn name(&self) -> &'static str {
        "frequency-governor"
    }

    fn probe(&self, host: &Host) -> Finding {
        judge(host.machine.processor.governor.as_deref())
    }
}

fn judge(governor: Option<&str>) -> Finding {
    match governor {
        None => Finding::available("none here: the hypervisor or the firmware sets the frequency"),
        Some("performance") => Finding::available("performance"),
        Some(other) => Finding::missing(
            format!("governor {other} changes the frequency with the load"),
            "cpupower frequency-set -g performance",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fixed_frequency_will_do() {
        assert!(matches!(judge(None), Finding::Available { .. }));
        assert!(matches!(judge(Some("performance")), Finding::Available { .. }));
        assert!(matches!(judge(Some("performance,powersave")), Finding::Missing { .. }));
    }
}
