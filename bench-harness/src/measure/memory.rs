//! Memory of a role process, and of the kernel behind its sockets.

use procfs::process::Process;
use procfs::{Current, Meminfo};

use crate::Error;

/// Resident memory of the process, in bytes.
///
/// # Errors
/// When the process has ended.
pub fn resident_bytes(pid: i32) -> Result<u64, Error> {
    let pages = Process::new(pid).and_then(|process| process.statm()).map_err(unreadable)?.resident;
    Ok(pages * procfs::page_size())
}

/// The kernel's slab memory on the whole machine, in bytes: where sockets live.
///
/// # Errors
/// When `/proc/meminfo` can't be read.
pub fn kernel_slab_bytes() -> Result<u64, Error> {
    Ok(Meminfo::current().map_err(unreadable)?.slab)
}

fn unreadable(error: procfs::ProcError) -> Error {
    Error::io("reading memory use from /proc")(std::io::Error::other(error))
}
