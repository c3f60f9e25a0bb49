//! A control group of its own for one role: by it the CPU time of every process that the role
//! starts is counted, and found again at the end.
//!
//! It is made below the group that this process is in, in the version 2 hierarchy or else where
//! version 1 counts CPU time, wherever this process may write. A container's read-only mount, or a
//! user without a delegated group, has none.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use procfs::ProcessCGroups;
use procfs::process::MountInfo;

use super::Root;
use super::cgroup::{folders, mounts};

/// How often, and after which pause, removal is tried: the kernel lets go of a group a moment after
/// its last process has ended.
const REMOVALS: (u32, Duration) = (100, Duration::from_millis(10));

/// A control group; removed when dropped.
pub(crate) struct Group {
    folder: PathBuf,
}

impl Group {
    /// Makes one called `name`; none where this process may not.
    pub(crate) fn make(name: &str) -> Option<Self> {
        let root = Root::host();
        let mounts = mounts(&root);
        let ProcessCGroups(own) = root.parsed("/proc/self/cgroup")?;
        [true, false].into_iter().find_map(|unified| {
            let group = own.iter().find(|group| {
                let counts = group.controllers.iter().any(|name| name == "cpuacct");
                if unified { group.hierarchy == 0 } else { counts }
            })?;
            let mount = mounts.iter().find(|mount| counts_cpu(mount, unified))?;
            let below = folders(mount, Path::new(&group.pathname)).into_iter().next()?;
            Self::below(&below, name)
        })
    }

    fn below(parent: &Path, name: &str) -> Option<Self> {
        let folder = parent.join(name);
        fs::create_dir(&folder).ok()?;
        let group = Self { folder };
        // Dropped, and so removed again, if it turns out to count nothing or to let nobody in.
        let writable = fs::OpenOptions::new().write(true).open(group.members()).is_ok();
        (writable && cpu_ns(&group.folder).is_ok()).then_some(group)
    }

    /// Its folder, for [`cpu_ns`] and [`processes`].
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn members(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..REMOVALS.0 {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    thread::sleep(REMOVALS.1);
                }
                // Removed, or never made; for anything else there is no remedy.
                _ => return,
            }
        }
    }
}

/// Moves this process into the group at `folder`.
///
/// # Errors
/// When the system refuses.
pub(crate) fn join(folder: &Path) -> io::Result<()> {
    fs::write(folder.join("cgroup.procs"), "0")
}

/// CPU time of all that ever ran in the group at `folder`, in nanoseconds.
///
/// # Errors
/// When the group is gone.
pub(crate) fn cpu_ns(folder: &Path) -> io::Result<u64> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "not a number");
    if let Ok(text) = fs::read_to_string(folder.join("cpuacct.usage")) {
        return text.trim().parse().map_err(|_| malformed());
    }
    let text = fs::read_to_string(folder.join("cpu.stat"))?;
    let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
    let micros: u64 = usage.and_then(|usage| usage.parse().ok()).ok_or_else(malformed)?;
    Ok(micros * 1000)
}

/// The processes in the group at `folder`.
///
/// # Errors
/// When the group is gone.
pub(crate) fn processes(folder: &Path) -> io::Result<Vec<i32>> {
    let text = fs::read_to_string(folder.join("cgroup.procs"))?;
    Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
}

fn counts_cpu(mount: &MountInfo, unified: bool) -> bool {
    if unified {
        mount.fs_type == "cgroup2"
    } else {
        mount.fs_type == "cgroup" && mount.super_options.contains_key("cpuacct")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_tell_nanoseconds() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cpu.stat"), "usage_usec 12\nuser_usec 7\n").unwrap();
        assert_eq!(cpu_ns(folder.path()).unwrap(), 12_000);
        fs::write(folder.path().join("cpuacct.usage"), "34\n").unwrap();
        assert_eq!(cpu_ns(folder.path()).unwrap(), 34);
        assert!(cpu_ns(&folder.path().join("gone")).is_err());
    }

    #[test]
    fn a_folder_that_counts_no_cpu_time_is_no_group_and_is_removed_again() {
        let parent = tempfile::tempdir().unwrap();
        assert!(Group::below(parent.path(), "role").is_none());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
