//! Limits of this process.

use nix::sys::resource::{Resource, getrlimit};

use super::{Check, Finding, Host};

/// File descriptors that a sidecar holds for the workload `idle`: two for each of 10,000
/// connections, and some for itself.
const NEEDED: u64 = 20_000 + 256;

/// Whether a role can hold the connections of the workload `idle`.
pub(super) struct FileDescriptors;

impl Check for FileDescriptors {
    fn name(&self) -> &'static str {
        "file-descriptors"
    }

    fn probe(&self, _host: &Host) -> Finding {
        match getrlimit(Resource::RLIMIT_NOFILE) {
            Ok((soft, hard)) => judge(soft, hard),
            Err(errno) => Finding::missing(
                format!("RLIMIT_NOFILE can't be read: {errno}"),
                "allow getrlimit in the seccomp profile",
            ),
        }
    }
}

/// A role raises its soft limit to the hard one, so the hard one decides.
fn judge(soft: u64, hard: u64) -> Finding {
    if hard >= NEEDED {
        Finding::available(format!("{hard} at most ({soft} until a role raises its limit)"))
    } else {
        Finding::missing(
            format!("{hard} at most; 10,000 idle connections through a sidecar take {NEEDED}"),
            "`ulimit -Hn 65536` as root in the shell that starts the run, `LimitNOFILE=65536` in a \
             systemd unit, or `docker run --ulimit nofile=65536`",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hard_limit_decides() {
        assert!(matches!(judge(1024, 1 << 20), Finding::Available { .. }));
        assert!(matches!(judge(20_000, 20_000), Finding::Missing { .. }));
    }
}
