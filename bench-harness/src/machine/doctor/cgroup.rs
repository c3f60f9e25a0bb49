//! Control groups: a CPU quota throttles in mid-run, which looks like latency.

use super::{Check, Finding, Host};
use crate::machine::{Cgroup, CgroupVersion};

/// Whether a CPU quota binds this process.
pub(super) struct Quota;

impl Check for Quota {
    fn name(&self) -> &'static str {
        "cgroup"
    }

    fn probe(&self, host: &Host) -> Finding {
        let Cgroup { version, cpu_quota } = &host.machine.cgroup;
        let version = match version {
            Some(CgroupVersion::V1) => "cgroup v1",
            Some(CgroupVersion::V2) => "cgroup v2",
            Some(CgroupVersion::Hybrid) => "cgroup v1 and v2 (hybrid)",
            None => {
                return Finding::missing(
                    "no cgroup file system is mounted, so a CPU quota would go unseen",
                    "mount -t cgroup2 none /sys/fs/cgroup",
                );
            }
        };
        match cpu_quota {
            None => Finding::available(format!("{version}, no CPU quota")),
            Some(quota) => Finding::missing(
                format!("{version}: a quota of {quota} CPUs throttles a run that wants more"),
                "lift it: no `--cpus` for docker, no CPU limit for the pod, \
                 `systemctl set-property UNIT CPUQuota=`",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::host_of;
    use super::*;

    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n";

    #[test]
    fn a_quota_is_reported_and_none_is_fine() {
        let group = ("/proc/self/cgroup", "0::/\n");
        let (_guard, host) = host_of(&[("/proc/self/mountinfo", V2), group]);
        assert_eq!(Quota.probe(&host), Finding::available("cgroup v2, no CPU quota"));
        let limit = ("/sys/fs/cgroup/cpu.max", "150000 100000\n");
        let (_guard, host) = host_of(&[("/proc/self/mountinfo", V2), group, limit]);
        assert!(matches!(
            Quota.probe(&host),
            Finding::Missing { reason, .. } if reason.contains("1.5 CPUs")
        ));
    }
}
