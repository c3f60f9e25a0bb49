//! What this system lets a run have: CPUs, open files, local ports.

use std::fs;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use crate::Error;
use crate::experiment::Arm;
use crate::machine::{LocalPorts, Root};
use crate::path::TlsEnds;
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

/// Refuses more idle connections than this system has files and ports for on the paths of `arms`.
pub(super) fn room_for(connections: usize, arms: &[Arm]) -> Result<(), Error> {
    let files = raise_open_files()?;
    let through_sidecar = arms.iter().any(|arm| arm.path.tls_ends().is_some_and(TlsEnds::in_hops));
    let (sockets, role) = if through_sidecar { (2, "sidecar") } else { (1, "server") };
    let needed = sockets * connections as u64 + OTHER_FILES;
    if needed > files {
        let most = files.saturating_sub(OTHER_FILES) / sockets;
        return Err(Error::Usage(format!(
            "{connections} idle connections need {needed} open files in a {role}, and the limit is \
             {files}; raise it (ulimit -Hn) or hold fewer (--idle-connections {most})"
        )));
    }
    // What does not tell its ports can't be refused by them.
    let ports = LocalPorts::describe(&Root::host()).map_or(usize::MAX, |p| p.count() as usize);
    if connections > ports {
        return Err(Error::Usage(format!(
            "{connections} idle connections need as many local ports, and there are {ports}; widen \
             net.ipv4.ip_local_port_range or hold fewer (--idle-connections {ports})"
        )));
    }
    Ok(())
}
