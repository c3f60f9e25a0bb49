//! Memory of the kernel behind the sockets.

use procfs::{Current, Meminfo};

use crate::Error;

/// The kernel's slab memory on the whole machine, in bytes: where sockets live.
///
/// # Errors
/// When `/proc/meminfo` can't be read.
pub fn kernel_slab_bytes() -> Result<u64, Error> {
    let memory = Meminfo::current();
    let unreadable = |error| Error::io("reading /proc/meminfo")(std::io::Error::other(error));
    Ok(memory.map_err(unreadable)?.slab)
}
