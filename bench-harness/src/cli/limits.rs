//! What this system lets a run have: CPUs, open files, local ports.

use std::fs;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use crate::Error;
use crate::machine::{LocalPorts, Root};
use crate::role::raise_open_files;

/// Open files of a role besides its connections, generously.
const OTHER_FILES: u64 = 256;

/// The CPUs this process may use, the hardware threads of one core side by side, so that halving
/// the list keeps client and server on different cores.
pub(super) fn allowed_cpus() -> Result<Vec<usize>, Error> {
    let set = sched_getaffinity(Pid::from_raw(0))
        .map_err(|errno| Error::io("reading this process's CPUs")(errno.into()))?;
    let mut cpus: Vec<usize> =
        (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect();
    cpus.sort_by_cached_key(|cpu| (first_sibling(*cpu).unwrap_or(*cpu), *cpu));
    Ok(cpus)
}

/// The lowest-numbered hardware thread of the CPU's core.
fn first_sibling(cpu: usize) -> Option<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    let siblings = fs::read_to_string(path).ok()?;
    siblings.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Refuses more idle connections than this system has files and ports for.
pub(super) fn room_for(connections: usize) -> Result<(), Error> {
    let files = raise_open_files()?;
    // A sidecar has two sockets for each connection.
    let needed = 2 * connections as u64 + OTHER_FILES;
    if needed > files {
        return Err(Error::Usage(format!(
            "{connections} idle connections need {needed} open files in a sidecar, and the limit is \
             {files}; raise it (ulimit -Hn) or lower --idle-connections"
        )));
    }
    // What does not tell its ports can't be refused by them.
    let ports = LocalPorts::describe(&Root::host()).map_or(usize::MAX, |p| p.count() as usize);
    if connections > ports {
        return Err(Error::Usage(format!(
            "{connections} idle connections need as many local ports, and there are {ports}; widen \
             net.ipv4.ip_local_port_range or lower --idle-connections"
        )));
    }
    Ok(())
}
