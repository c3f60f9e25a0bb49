//! Control groups: which version is mounted, and how much CPU time this process may use.
//!
//! Both versions are read, since a host may carry v1 hierarchies beside the v2 one. A quota binds
//! wherever in the path it stands, so every ancestor that is visible is asked and the least wins.

use std::path::{Path, PathBuf};

use procfs::ProcessCGroups;
use procfs::process::{MountInfo, MountInfos};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Root;

/// The control groups this process runs in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cgroup {
    /// Which hierarchies are mounted; `null` if none is visible.
    pub version: Option<CgroupVersion>,
    /// CPU time per wall time that the tightest quota allows, in CPUs; `null` means unlimited.
    pub cpu_quota: Option<f64>,
}

/// The mounted cgroup hierarchies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CgroupVersion {
    /// Version 1 alone.
    V1,
    /// Version 2 alone.
    V2,
    /// Version 1 hierarchies beside a version 2 one.
    Hybrid,
}

impl Cgroup {
    pub(super) fn describe(root: &Root) -> Self {
        let mounts = mounts(root);
        let has = |fs_type| mounts.iter().any(|mount| mount.fs_type == fs_type);
        let version = match (has("cgroup"), has("cgroup2")) {
            (true, true) => Some(CgroupVersion::Hybrid),
            (true, false) => Some(CgroupVersion::V1),
            (false, true) => Some(CgroupVersion::V2),
            (false, false) => None,
        };
        Self { version, cpu_quota: cpu_quota(root, &mounts) }
    }
}

/// The mounts this process sees.
pub(super) fn mounts(root: &Root) -> Vec<MountInfo> {
    root.parsed::<MountInfos>("/proc/self/mountinfo").map(|mounts| mounts.0).unwrap_or_default()
}

fn cpu_quota(root: &Root, mounts: &[MountInfo]) -> Option<f64> {
    quotas(root, mounts).into_iter().map(|(_, quota)| quota).min_by(f64::total_cmp)
}

/// Every group that this process is in and that has a quota, by its folder.
fn quotas(root: &Root, mounts: &[MountInfo]) -> Vec<(PathBuf, f64)> {
    let mut quotas = Vec::new();
    let groups = root.parsed("/proc/self/cgroup").map_or_else(Vec::new, |ProcessCGroups(all)| all);
    for group in groups {
        let unified = group.hierarchy == 0;
        if !unified && !group.controllers.iter().any(|controller| controller == "cpu") {
            continue;
        }
        let Some(mount) = mounts.iter().find(|mount| holds_cpu(mount, unified)) else { continue };
        let read = if unified { quota_v2 } else { quota_v1 };
        for folder in folders(mount, Path::new(&group.pathname)) {
            quotas.extend(read(root, &folder).map(|quota| (folder, quota)));
        }
    }
    quotas
}

/// Counts how often the quotas on this process have stopped it.
pub(crate) struct Throttling {
    root: Root,
    counters: Vec<PathBuf>,
}

impl Throttling {
    /// Watches the quotas that bind now; where there is none, there is nothing to read later.
    pub(crate) fn watch(root: Root) -> Self {
        let quotas = quotas(&root, &mounts(&root));
        Self {
            counters: quotas.into_iter().map(|(group, _)| group.join("cpu.stat")).collect(),
            root,
        }
    }

    /// Periods, of all watched groups together, in which a quota was used up and tasks were stopped.
    pub(crate) fn periods(&self) -> u64 {
        let throttled = |counters: &PathBuf| {
            let text = self.root.text(counters)?;
            let line = text.lines().find_map(|line| line.strip_prefix("nr_throttled "))?;
            line.trim().parse::<u64>().ok()
        };
        self.counters.iter().filter_map(throttled).sum()
    }
}

fn holds_cpu(mount: &MountInfo, unified: bool) -> bool {
    if unified {
        mount.fs_type == "cgroup2"
    } else {
        mount.fs_type == "cgroup" && mount.super_options.contains_key("cpu")
    }
}

/// The group's folder and its ancestors, up to the mount point.
///
/// In a container without a cgroup namespace the group's path starts at the host's root, but the
/// mount shows only the container's part, whose path is the mount's root.
pub(super) fn folders(mount: &MountInfo, group: &Path) -> Vec<PathBuf> {
    let below = group
        .strip_prefix(&mount.root)
        .or_else(|_| group.strip_prefix("/"))
        .unwrap_or_else(|_| Path::new(""));
    below.ancestors().map(|path| mount.mount_point.join(path)).collect()
}

/// `cpu.max` of version 2: quota or `max`, then the period, both in microseconds.
fn quota_v2(root: &Root, folder: &Path) -> Option<f64> {
    let text = root.text(folder.join("cpu.max"))?;
    let (quota, period) = text.split_once(' ')?;
    ratio(quota.parse().ok()?, period.parse().ok()?)
}

/// `cpu.cfs_quota_us` of version 1, where -1 means unlimited, over its period.
fn quota_v1(root: &Root, folder: &Path) -> Option<f64> {
    let quota = root.value(folder.join("cpu.cfs_quota_us"))?;
    ratio(quota, root.value(folder.join("cpu.cfs_period_us"))?)
}

fn ratio(quota: i64, period: i64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

#[cfg(test)]
mod tests {
    use super::super::root::fixture::machine;
    use super::*;

    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n";
    const V1_CPU: &str =
        "31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

    fn describe(files: &[(&str, &str)]) -> Cgroup {
        let (_guard, root) = machine(files);
        Cgroup::describe(&root)
    }

    #[test]
    fn the_tightest_quota_of_the_path_binds_in_version_2() {
        let cgroup = describe(&[
            ("/proc/self/mountinfo", V2),
            ("/proc/self/cgroup", "0::/kubepods/pod1/box\n"),
            ("/sys/fs/cgroup/kubepods/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/kubepods/pod1/cpu.max", "150000 100000\n"),
            ("/sys/fs/cgroup/kubepods/pod1/box/cpu.max", "400000 100000\n"),
        ]);
        assert_eq!(cgroup, Cgroup { version: Some(CgroupVersion::V2), cpu_quota: Some(1.5) });
    }

    #[test]
    fn the_quota_of_version_1_is_read() {
        let cgroup = describe(&[
            ("/proc/self/mountinfo", V1_CPU),
            ("/proc/self/cgroup", "4:memory:/a\n3:cpu,cpuacct:/a\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "50000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!(cgroup, Cgroup { version: Some(CgroupVersion::V1), cpu_quota: Some(0.5) });
    }

    #[test]
    fn minus_one_and_max_mean_unlimited_and_both_versions_are_hybrid() {
        let cgroup = describe(&[
            ("/proc/self/mountinfo", &format!("{V1_CPU}{}", V2.replace("group rw", "group/u rw"))),
            ("/proc/self/cgroup", "3:cpu:/\n0::/\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/u/cpu.max", "max 100000\n"),
        ]);
        assert_eq!(cgroup, Cgroup { version: Some(CgroupVersion::Hybrid), cpu_quota: None });
    }

    #[test]
    fn a_container_that_sees_the_hosts_path_finds_its_own_files() {
        let mounts = V2.replace(" / /sys", " /docker/abc /sys");
        let cgroup = describe(&[
            ("/proc/self/mountinfo", &mounts),
            ("/proc/self/cgroup", "0::/docker/abc\n"),
            ("/sys/fs/cgroup/cpu.max", "200000 100000\n"),
        ]);
        assert_eq!(cgroup.cpu_quota, Some(2.0));
    }

    #[test]
    fn throttled_periods_are_counted_where_there_is_a_quota_in_both_versions() {
        let unlimited = ("/sys/fs/cgroup/a/cpu.stat", "nr_periods 9\nnr_throttled 9\n");
        let (_guard, root) = machine(&[
            ("/proc/self/mountinfo", V2),
            ("/proc/self/cgroup", "0::/a/b\n"),
            unlimited,
            ("/sys/fs/cgroup/a/b/cpu.max", "150000 100000\n"),
            ("/sys/fs/cgroup/a/b/cpu.stat", "usage_usec 5\nnr_periods 8\nnr_throttled 3\n"),
        ]);
        let throttling = Throttling::watch(root.clone());
        assert_eq!(throttling.periods(), 3);
        std::fs::write(root.path("/sys/fs/cgroup/a/b/cpu.stat"), "nr_throttled 7\n").unwrap();
        assert_eq!(throttling.periods(), 7);

        let (_guard, root) = machine(&[
            ("/proc/self/mountinfo", V1_CPU),
            ("/proc/self/cgroup", "3:cpu,cpuacct:/a\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "50000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/a/cpu.stat", "nr_periods 4\nnr_throttled 2\n"),
        ]);
        assert_eq!(Throttling::watch(root).periods(), 2);
    }

    #[test]
    fn nothing_mounted_is_no_version() {
        assert_eq!(describe(&[]), Cgroup { version: None, cpu_quota: None });
    }
}
