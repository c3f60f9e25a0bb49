//! What a role consists of, and its CPU time and memory: one process, or whatever a supervisor of
//! ours has started.
//!
//! A process of our own is read by its CPU clock. A proxy that is not ours may have threads and
//! processes that come and go, so it is given a control group where this process may make one: the
//! group counts all that ever ran in it, whoever started it, to the scheduler's tick (a few
//! milliseconds of each window, as often too much as too little). Elsewhere the clocks of all
//! processes below the supervisor are added up, and what their ended children used, which the system
//! tells in hundredths of a second; a process that has been waited for by nobody we see is missed.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use procfs::process::{Process, all_processes};
use serde::{Deserialize, Serialize};

use crate::machine::group;

/// The processes of a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watched {
    /// One process.
    Process(i32),
    /// All that a supervisor has started; not the supervisor itself.
    Below {
        /// The supervisor.
        supervisor: i32,
        /// Folder of the control group that the processes are in, if they have one.
        group: Option<PathBuf>,
    },
}

impl Watched {
    /// CPU time used so far, in nanoseconds.
    ///
    /// # Errors
    /// When no process is left.
    pub(super) fn cpu_ns(&self) -> io::Result<u64> {
        match self {
            Self::Process(pid) => clock_ns(*pid),
            Self::Below { group: Some(group), .. } => {
                // A group outlives its processes.
                if group::processes(group)?.is_empty() {
                    return Err(ended());
                }
                group::cpu_ns(group)
            }
            Self::Below { supervisor, group: None } => {
                let all = below(*supervisor)?;
                if all.is_empty() {
                    return Err(ended());
                }
                // A process that ends meanwhile is counted by its parent.
                Ok(all.into_iter().map(|pid| clock_ns(pid).unwrap_or(0) + reaped_ns(pid)).sum())
            }
        }
    }

    /// Resident memory, in bytes; pages that processes share are counted in each.
    ///
    /// # Errors
    /// When no process is left.
    pub fn resident_bytes(&self) -> io::Result<u64> {
        let pids = match self {
            Self::Process(pid) => vec![*pid],
            Self::Below { supervisor, .. } => below(*supervisor)?,
        };
        let resident = |pid| {
            let pages = Process::new(pid).and_then(|process| process.statm());
            pages.map(|pages| pages.resident * procfs::page_size()).map_err(io::Error::other)
        };
        if pids.is_empty() { Err(ended()) } else { pids.into_iter().map(resident).sum() }
    }
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "all its processes have ended")
}

fn clock_ns(pid: i32) -> io::Result<u64> {
    let time = clock_getcpuclockid(Pid::from_raw(pid)).and_then(ClockId::now)?;
    Ok(Duration::from(time).as_nanos() as u64)
}

/// What children that have ended and been waited for used, and theirs.
fn reaped_ns(pid: i32) -> u64 {
    let Ok(stat) = Process::new(pid).and_then(|process| process.stat()) else { return 0 };
    let ticks = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
    ticks * 1_000_000_000 / procfs::ticks_per_second()
}

/// Every process below `ancestor`, children before grandchildren.
///
/// # Errors
/// When the processes of this machine can't be listed.
pub(crate) fn below(ancestor: i32) -> io::Result<Vec<i32>> {
    let all: Vec<(i32, i32)> = all_processes()
        .map_err(io::Error::other)?
        .filter_map(|process| process.ok()?.stat().ok())
        .map(|stat| (stat.pid, stat.ppid))
        .collect();
    let mut known = BTreeSet::from([ancestor]);
    let mut found = Vec::new();
    loop {
        let next: Vec<i32> = all
            .iter()
            .filter(|(pid, parent)| known.contains(parent) && !known.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if next.is_empty() {
            return Ok(found);
        }
        known.extend(&next);
        found.extend(next);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::machine::group::Group;

    /// A shell, in `group` if there is one, that keeps a child, has burnt CPU time in others that
    /// ended, and tells when.
    fn shell(group: Option<&Group>) -> std::process::Child {
        let script = "[ -z \"$GROUP\" ] || echo 0 >\"$GROUP/cgroup.procs\"; \
                      for n in 1 2 3 4; do sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done'; done; \
                      sleep 600 & echo; wait";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .env("GROUP", group.map_or(Path::new(""), Group::folder))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        shell
    }

    fn end(mut shell: std::process::Child) {
        for child in below(i32::try_from(shell.id()).unwrap()).unwrap() {
            nix::sys::signal::kill(Pid::from_raw(child), nix::sys::signal::SIGKILL).unwrap();
        }
        shell.wait().unwrap();
    }

    /// By the group where this process may make one, or else by the tree: what children used that
    /// ended long before anybody looked is there, to the ticks that the system tells it in.
    #[test]
    fn children_that_have_ended_are_counted() {
        let name = format!("mtls-bench-test-{}", std::process::id());
        let group = Group::make(&name);
        let shell = shell(group.as_ref());
        let pid = i32::try_from(shell.id()).unwrap();
        let supervisor = i32::try_from(std::process::id()).unwrap();
        let folder = group.as_ref().map(|group| group.folder().to_owned());
        let counted = Watched::Below { supervisor, group: folder }.cpu_ns().unwrap();
        let used = clock_ns(pid).unwrap() + reaped_ns(pid);
        assert!(used > 40_000_000, "{used}");
        // Ticks are cut off for each child; a group is late by one for each running task.
        assert!(counted as f64 > 0.8 * used as f64, "{counted} of {used}");
        if group.is_some() {
            assert!((counted as f64) < 1.3 * used as f64 + 1e8, "{counted} of {used}");
        }
        end(shell);
        let folder = group.as_ref().map(|group| group.folder().to_owned());
        drop(group);
        assert!(folder.is_none_or(|folder| !folder.exists()));
    }

    #[test]
    fn the_tree_has_children_and_what_ended_ones_used() {
        let shell = shell(None);
        let own = i32::try_from(std::process::id()).unwrap();
        let pid = i32::try_from(shell.id()).unwrap();
        let tree = below(own).unwrap();
        assert!(tree.contains(&pid));
        let children = below(pid).unwrap();
        assert_eq!(children.len(), 1, "the sleeping one");
        let watched = Watched::Below { supervisor: own, group: None };
        assert!(watched.cpu_ns().unwrap() >= clock_ns(pid).unwrap() + 10_000_000);
        assert!(watched.resident_bytes().unwrap() > 100_000);
        end(shell);
        let nobody = Watched::Below { supervisor: pid, group: None };
        assert!(nobody.cpu_ns().is_err() && nobody.resident_bytes().is_err());
    }
}
