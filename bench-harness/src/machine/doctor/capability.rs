//! Linux capabilities of this process.

use crate::machine::Root;

/// A capability, by its bit in the kernel's masks.
#[derive(Clone, Copy)]
pub(super) enum Capability {
    NetAdmin = 12,
    SysAdmin = 21,
    Perfmon = 38,
    Bpf = 39,
}

/// Whether this process has `capability` in effect.
///
/// In a user namespace the masks look full but count only inside it, so there the answer is no.
pub(super) fn has(root: &Root, capability: Capability) -> bool {
    !in_user_namespace(root) && effective(root) & (1 << capability as u32) != 0
}

fn effective(root: &Root) -> u64 {
    let status = root.text("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Only the first user namespace maps every user to itself.
fn in_user_namespace(root: &Root) -> bool {
    let map = root.text("/proc/self/uid_map").unwrap_or_default();
    !map.split_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::super::super::root::fixture::machine;
    use super::*;

    const STATUS: (&str, &str) = ("/proc/self/status", "Name:\tx\nCapEff:\t0000008000000000\n");

    #[test]
    fn the_mask_is_read_by_bit() {
        let map = ("/proc/self/uid_map", "         0          0 4294967295\n");
        let (_guard, root) = machine(&[STATUS, map]);
        assert!(has(&root, Capability::Bpf));
        assert!(!has(&root, Capability::Perfmon));
        assert!(!has(&root, Capability::SysAdmin));
    }

    #[test]
    fn a_mask_in_a_user_namespace_counts_for_nothing() {
        let (_guard, root) = machine(&[STATUS, ("/proc/self/uid_map", "0 100000 65536\n")]);
        assert!(!has(&root, Capability::Bpf));
    }
}
