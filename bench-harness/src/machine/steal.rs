//! Steal: CPU time this machine wanted and the hypervisor gave to another.

use procfs::{CpuTime, FromReadSI, KernelStats};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Root;

/// Stolen CPU time since boot, summed over all CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Steal {
    /// Stolen time in seconds.
    pub seconds: f64,
    /// Stolen time as a fraction, 0 to 1, of the time the CPUs wanted to run: busy plus stolen.
    pub fraction: f64,
}

impl Steal {
    pub(super) fn describe(root: &Root) -> Option<Self> {
        let system = procfs::current_system_info();
        let stats = KernelStats::from_file(root.path("/proc/stat"), system).ok()?;
        Self::of(&stats.total)
    }

    fn of(time: &CpuTime) -> Option<Self> {
        let stolen = time.steal_ms()?;
        let wanted = time.user_ms()
            + time.nice_ms()
            + time.system_ms()
            + time.irq_ms().unwrap_or(0)
            + time.softirq_ms().unwrap_or(0)
            + stolen;
        let fraction = if wanted == 0 { 0.0 } else { stolen as f64 / wanted as f64 };
        Some(Self { seconds: stolen as f64 / 1e3, fraction })
    }
}

#[cfg(test)]
mod tests {
    use super::super::root::fixture::machine;
    use super::*;

    fn describe(cpu: &str) -> Option<Steal> {
        let stat = format!("{cpu}\nctxt 1\nbtime 1\nprocesses 1\n");
        let (_guard, root) = machine(&[("/proc/stat", &stat)]);
        Steal::describe(&root)
    }

    #[test]
    fn the_fraction_is_of_wanted_time_so_idling_does_not_dilute_it() {
        // user nice system idle iowait irq softirq steal, in ticks.
        let steal = describe("cpu  50 10 20 100000 500 5 5 10 0 0").unwrap();
        let ticks = procfs::ticks_per_second() as f64;
        assert!((steal.seconds - 10.0 / ticks).abs() < 1e-9);
        assert!((steal.fraction - 0.1).abs() < 1e-9);
    }

    #[test]
    fn a_kernel_that_does_not_count_steal_reports_none() {
        assert_eq!(describe("cpu  50 10 20 100000"), None);
    }
}
