//! Ports for outgoing connections: each new connection takes one and leaves it in TIME_WAIT.

use super::{Check, Finding, Host};
use crate::machine::LocalPorts;

/// Fewest ports that hold the 10,000 connections of the workload `idle` with room to spare.
const NEEDED: u32 = 12_000;

/// Whether connections can be opened fast enough and often enough.
pub(super) struct EphemeralPorts;

impl Check for EphemeralPorts {
    fn name(&self) -> &'static str {
        "ephemeral-ports"
    }

    fn probe(&self, host: &Host) -> Finding {
        let Some(ports) = LocalPorts::describe(&host.root) else {
            return Finding::missing(
                "net.ipv4.ip_local_port_range can't be read",
                "mount /proc with the network settings of this namespace",
            );
        };
        let (first, last, count) = (ports.first, ports.last, ports.count());
        let found = format!("{count} ports ({first}-{last})");
        if count < NEEDED {
            return Finding::missing(
                format!("{found}; 10,000 idle connections need {NEEDED}"),
                "sysctl -w net.ipv4.ip_local_port_range='10000 65535'",
            );
        }
        // A run leaves half of the ports free, and takes further addresses of 127.0.0.0/8 for the rest.
        let rate = ports.connections_per_second();
        let rates = format!(
            "from one address to another {rate} new connections/s; a run takes further source \
             addresses past {}",
            rate / 2
        );
        if ports.reused() {
            Finding::available(format!("{found}, reused from TIME_WAIT after a second: {rates}"))
        } else {
            Finding::missing(
                format!("{found}, not reused from TIME_WAIT: {rates}"),
                "sysctl -w net.ipv4.tcp_tw_reuse=2",
            )
        }
    }
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
        let Finding::Available { detail } = probe("32768\t60999\n", "2\n") else { panic!() };
        assert!(detail.contains("28232 new connections/s"), "{detail}");
    }

    #[test]
    fn without_reuse_the_sustained_rate_is_named() {
        let Finding::Missing { reason, .. } = probe("32768\t60999\n", "0\n") else { panic!() };
        assert!(reason.contains("470 new connections/s"), "{reason}");
    }

    #[test]
    fn too_few_ports_are_reported() {
        let Finding::Missing { fix, .. } = probe("60000\t60999\n", "2\n") else { panic!() };
        assert!(fix.contains("ip_local_port_range"), "{fix}");
    }
}
