//! What BPF programs need: type information, a file system to pin in, permission, cgroup v2.

use super::capability::{self, Capability};
use super::{Check, Finding, Host};
use crate::machine::mounts;

/// The kernel's type information (BTF), without which compiled programs can't be relocated.
pub(super) struct TypeInformation;

impl Check for TypeInformation {
    fn name(&self) -> &'static str {
        "bpf-btf"
    }

    fn probe(&self, host: &Host) -> Finding {
        let path = "/sys/kernel/btf/vmlinux";
        if host.root.exists(path) {
            Finding::available(path)
        } else {
            Finding::missing(
                format!("the kernel offers no type information at {path}"),
                "boot a kernel with CONFIG_DEBUG_INFO_BTF=y; Debian's and Ubuntu's have it",
            )
        }
    }
}

/// A mounted BPF file system, for maps that outlive the process that made them.
pub(super) struct FileSystem;

impl Check for FileSystem {
    fn name(&self) -> &'static str {
        "bpf-filesystem"
    }

    fn probe(&self, host: &Host) -> Finding {
        match mounts(&host.root).iter().find(|mount| mount.fs_type == "bpf") {
            Some(mount) => Finding::available(mount.mount_point.display().to_string()),
            None => {
                Finding::missing("no BPF file system is mounted", "mount -t bpf bpf /sys/fs/bpf")
            }
        }
    }
}

/// Whether this process may load programs and attach them to sockets.
pub(super) struct Permission;

impl Check for Permission {
    fn name(&self) -> &'static str {
        "bpf-permission"
    }

    fn probe(&self, host: &Host) -> Finding {
        let has = |capability| capability::has(&host.root, capability);
        if has(Capability::SysAdmin) {
            Finding::available("CAP_SYS_ADMIN")
        } else if has(Capability::Bpf) && has(Capability::NetAdmin) {
            Finding::available("CAP_BPF and CAP_NET_ADMIN")
        } else {
            Finding::missing(
                "this process lacks CAP_BPF and CAP_NET_ADMIN (in a user namespace they do not count)",
                "run as root, `setcap cap_bpf,cap_net_admin+ep \"$(command -v mtls-bench)\"`, or \
                 `docker run --cap-add BPF --cap-add NET_ADMIN`",
            )
        }
    }
}

/// A cgroup v2 hierarchy, which socket programs attach to; beside v1 it need hold no controller.
pub(super) struct CgroupV2;

impl Check for CgroupV2 {
    fn name(&self) -> &'static str {
        "bpf-cgroup"
    }

    fn probe(&self, host: &Host) -> Finding {
        match mounts(&host.root).iter().find(|mount| mount.fs_type == "cgroup2") {
            Some(mount) => {
                Finding::available(format!("cgroup v2 at {}", mount.mount_point.display()))
            }
            None if host.machine.cgroup.version.is_some() => Finding::missing(
                "only cgroup v1 is mounted",
                "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified",
            ),
            None => Finding::missing(
                "no cgroup file system is mounted",
                "mount -t cgroup2 none /sys/fs/cgroup",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::host_of;
    use super::*;

    const ROOT_USER: (&str, &str) = ("/proc/self/uid_map", "0 0 4294967295\n");

    #[test]
    fn both_capabilities_are_needed_unless_all_are_there() {
        for (mask, enough) in [
            ("0000008000000000", false),
            ("0000008000001000", true),
            ("0000000000200000", true),
            ("0000000000000000", false),
        ] {
            let status = format!("CapEff:\t{mask}\n");
            let (_guard, host) = host_of(&[("/proc/self/status", &status), ROOT_USER]);
            let finding = Permission.probe(&host);
            assert_eq!(matches!(finding, Finding::Available { .. }), enough, "{mask}");
        }
    }

    #[test]
    fn mounts_are_found_by_type() {
        let mounts = "30 23 0:26 / /sys/fs/bpf rw - bpf bpf rw\n\
                      31 23 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let (_guard, host) = host_of(&[("/proc/self/mountinfo", mounts)]);
        assert_eq!(FileSystem.probe(&host), Finding::available("/sys/fs/bpf"));
        let expected = Finding::available("cgroup v2 at /sys/fs/cgroup/unified");
        assert_eq!(CgroupV2.probe(&host), expected);
    }

    #[test]
    fn the_fix_on_a_version_1_host_leaves_version_1_alone() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        let (_guard, host) = host_of(&[("/proc/self/mountinfo", mounts)]);
        let Finding::Missing { fix, .. } = CgroupV2.probe(&host) else { panic!() };
        assert!(fix.contains("/sys/fs/cgroup/unified"), "{fix}");
    }
}
