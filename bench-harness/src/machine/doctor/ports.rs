//! Ports for outgoing connections: each new connection takes one and leaves it in TIME_WAIT.

use super::{Check, Finding, Host};
use crate::machine::Root;

/// Linux keeps a socket in TIME_WAIT for this many seconds, whatever the settings.
const TIME_WAIT_SECONDS: u32 = 60;

/// Fewest ports that hold the 10,000 connections of the workload `idle` with room to spare.
const NEEDED: u32 = 12_000;

/// Whether connections can be opened fast enough and often enough.
pub(super) struct EphemeralPorts;

impl Check for EphemeralPorts {
    fn name(&self) -> &'static str {
        "ephemeral-ports"
    }

    fn probe(&self, host: &Host) -> Finding {
        let Some((first, last)) = range(&host.root) else {
            return Finding::missing(
                "net.ipv4.ip_local_port_range can't be read",
                "mount /proc with the network settings of this namespace",
            );
        };
        let ports = (last + 1).saturating_sub(first);
        let reuse: Option<u32> = host.root.value("/proc/sys/net/ipv4/tcp_tw_reuse");
        let found = format!("{ports} ports ({first}-{last})");
        if ports < NEEDED {
            return Finding::missing(
                format!("{found}; 10,000 idle connections need {NEEDED}"),
                "sysctl -w net.ipv4.ip_local_port_range='10000 65535'",
            );
        }
        match reuse {
            Some(1) => Finding::available(format!("{found}, reused from TIME_WAIT")),
            Some(2) => Finding::available(format!("{found}, reused from TIME_WAIT on loopback")),
            _ => Finding::missing(
                format!(
                    "{found}, not reused from TIME_WAIT: past {} new connections/s to one \
                     address they run out",
                    ports / TIME_WAIT_SECONDS
                ),
                "sysctl -w net.ipv4.tcp_tw_reuse=2",
            ),
        }
    }
}

fn range(root: &Root) -> Option<(u32, u32)> {
    let text = root.text("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut bounds = text.split_whitespace().map(str::parse);
    Some((bounds.next()?.ok()?, bounds.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::host_of;
    use super::*;

    fn probe(range: &str, reuse: &str) -> Finding {
        let (_guard, host) = host_of(&[
            ("/proc/sys/net/ipv4/ip_local_port_range", range),
            ("/proc/sys/net/ipv4/tcp_tw_reuse", reuse),
        ]);
        EphemeralPorts.probe(&host)
    }

    #[test]
    fn the_defaults_of_linux_will_do() {
        assert!(matches!(probe("32768\t60999\n", "2\n"), Finding::Available { .. }));
    }

    #[test]
    fn without_reuse_the_sustained_rate_is_named() {
        let Finding::Missing { reason, .. } = probe("32768\t60999\n", "0\n") else { panic!() };
        assert!(reason.contains("past 470 new connections/s"), "{reason}");
    }

    #[test]
    fn too_few_ports_are_reported() {
        let Finding::Missing { fix, .. } = probe("60000\t60999\n", "2\n") else { panic!() };
        assert!(fix.contains("ip_local_port_range"), "{fix}");
    }
}
