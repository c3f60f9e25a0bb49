//! Hardware counters: cycles and instructions, which do not drift with a shared host.

use super::capability::{self, Capability};
use super::{Check, Finding, Host};
use crate::machine::Root;

const DEVICES: &str = "/sys/bus/event_source/devices";

/// Whether there is a performance monitoring unit, and whether this process may use it.
pub(super) struct HardwareCounters;

impl Check for HardwareCounters {
    fn name(&self) -> &'static str {
        "hardware-counters"
    }

    fn probe(&self, host: &Host) -> Finding {
        let Some(unit) = unit(&host.root) else {
            return Finding::missing(
                "no performance monitoring unit: the hypervisor keeps it to itself",
                "use a metal instance, or a guest whose hypervisor passes the unit through (QEMU: \
                 `-cpu host,pmu=on`)",
            );
        };
        let paranoid: Option<i32> = host.root.value("/proc/sys/kernel/perf_event_paranoid");
        let privileged = [Capability::Perfmon, Capability::SysAdmin]
            .into_iter()
            .any(|capability| capability::has(&host.root, capability));
        let scope = match paranoid {
            _ if privileged => "all of the machine",
            Some(..=0) => "all of the machine",
            Some(1) => "own processes, kernel included",
            Some(2) => "own processes, kernel left out",
            Some(level) => return forbidden(&format!("kernel.perf_event_paranoid={level}")),
            None => return forbidden("the kernel has no perf events"),
        };
        Finding::available(format!("{unit}: {scope}"))
    }
}

fn forbidden(reason: &str) -> Finding {
    Finding::missing(reason, "sysctl -w kernel.perf_event_paranoid=1")
}

/// The event source that counts cycles: `cpu` on most x86_64, `cpu_core` on hybrid ones, named
/// after the core on aarch64.
fn unit(root: &Root) -> Option<String> {
    let counts_cycles = |device: &String| {
        let event = |name: &str| root.exists(format!("{DEVICES}/{device}/events/{name}"));
        event("cpu-cycles") || event("cpu_cycles")
    };
    root.names(DEVICES).into_iter().find(counts_cycles)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::host_of;
    use super::*;

    const X86: (&str, &str) = ("/sys/bus/event_source/devices/cpu/events/cpu-cycles", "event=0x3c");
    const PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";

    fn probe(files: &[(&str, &str)]) -> Finding {
        let (_guard, host) = host_of(files);
        HardwareCounters.probe(&host)
    }

    #[test]
    fn a_guest_with_software_events_alone_has_no_counters() {
        let software = ("/sys/bus/event_source/devices/software/type", "1");
        assert!(matches!(probe(&[software, (PARANOID, "2")]), Finding::Missing { .. }));
    }

    #[test]
    fn the_paranoia_level_sets_the_scope() {
        let expected = Finding::available("cpu: own processes, kernel left out");
        assert_eq!(probe(&[X86, (PARANOID, "2\n")]), expected);
        assert!(matches!(probe(&[X86, (PARANOID, "4\n")]), Finding::Missing { .. }));
        let core = "/sys/bus/event_source/devices/armv8_pmuv3_0/events/cpu_cycles";
        let expected = Finding::available("armv8_pmuv3_0: all of the machine");
        assert_eq!(probe(&[(core, "event=0x11"), (PARANOID, "-1\n")]), expected);
    }

    #[test]
    fn a_privileged_process_may_whatever_the_level() {
        let finding = probe(&[
            X86,
            (PARANOID, "4\n"),
            ("/proc/self/status", "CapEff:\t0000004000000000\n"),
            ("/proc/self/uid_map", "0 0 4294967295\n"),
        ]);
        assert_eq!(finding, Finding::available("cpu: all of the machine"));
    }
}
