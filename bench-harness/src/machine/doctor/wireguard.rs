//! WireGuard: encryption between hosts instead of between services.

use super::kernel_module::{KernelModule, Presence};
use super::{Check, Finding, Host};

const MODULE: KernelModule = KernelModule { name: "wireguard", option: "CONFIG_WIREGUARD" };

/// Whether the kernel has WireGuard.
pub(super) struct WireGuard;

impl Check for WireGuard {
    fn name(&self) -> &'static str {
        "wireguard"
    }

    fn probe(&self, host: &Host) -> Finding {
        match MODULE.presence(&host.root) {
            Presence::Active => Finding::available("in the kernel"),
            _ => MODULE.missing(&host.root),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::host_of;
    use super::*;

    #[test]
    fn a_loaded_module_is_available_and_an_absent_one_has_a_command() {
        let (_guard, host) = host_of(&[("/sys/module/wireguard/version", "1.0.0\n")]);
        assert!(matches!(WireGuard.probe(&host), Finding::Available { .. }));
        let (_guard, host) = host_of(&[]);
        let Finding::Missing { fix, .. } = WireGuard.probe(&host) else { panic!() };
        assert!(fix.contains("modprobe wireguard"), "{fix}");
    }
}
