//! Local ports for outgoing connections: how many there are, and for how long one is taken after
//! its connection has ended. From one address to another, that bounds new connections a second.

use std::time::Duration;

use super::Root;

/// Linux keeps a socket in TIME_WAIT for so long, whatever the settings.
const TIME_WAIT: Duration = Duration::from_secs(60);

/// When a port may be taken out of TIME_WAIT: once a second has passed by TCP's timestamps.
const REUSED_AFTER: Duration = Duration::from_secs(1);

/// The ports of `net.ipv4.ip_local_port_range`, and what `net.ipv4.tcp_tw_reuse` makes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalPorts {
    /// The lowest port.
    pub(crate) first: u16,
    /// The highest port.
    pub(crate) last: u16,
    tw_reuse: u32,
}

impl LocalPorts {
    /// Those of the system at `root`; `None` if it does not tell.
    pub(crate) fn describe(root: &Root) -> Option<Self> {
        let range = root.text("/proc/sys/net/ipv4/ip_local_port_range")?;
        let mut bounds = range.split_whitespace().map(str::parse);
        let (first, last) = (bounds.next()?.ok()?, bounds.next()?.ok()?);
        let tw_reuse = root.value("/proc/sys/net/ipv4/tcp_tw_reuse").unwrap_or(0);
        Some(Self { first, last, tw_reuse })
    }

    /// How many there are.
    pub(crate) fn count(self) -> u32 {
        (u32::from(self.last) + 1).saturating_sub(self.first.into())
    }

    /// For how long a port stays taken after its connection, to an address on the loopback.
    pub(crate) fn taken_for(self) -> Duration {
        if self.tw_reuse == 0 { TIME_WAIT } else { REUSED_AFTER }
    }

    /// New connections a second that one address can go on making to another on the loopback.
    pub(crate) fn connections_per_second(self) -> u32 {
        self.count() / self.taken_for().as_secs() as u32
    }

    /// Whether a port comes out of TIME_WAIT early, on the loopback at least.
    pub(crate) fn reused(self) -> bool {
        self.taken_for() == REUSED_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::super::root::fixture::machine;
    use super::*;

    fn ports(range: &str, reuse: &str) -> Option<LocalPorts> {
        let (_guard, root) = machine(&[
            ("/proc/sys/net/ipv4/ip_local_port_range", range),
            ("/proc/sys/net/ipv4/tcp_tw_reuse", reuse),
        ]);
        LocalPorts::describe(&root)
    }

    #[test]
    fn with_reuse_a_port_serves_once_a_second_and_without_once_a_minute() {
        for (reuse, rate) in [("0", 470), ("1", 28232), ("2", 28232)] {
            assert_eq!(ports("32768\t60999\n", reuse).unwrap().connections_per_second(), rate);
        }
    }

    #[test]
    fn what_is_not_a_range_of_ports_is_not_told() {
        assert_eq!(ports("many", "2"), None);
        assert_eq!(ports("1024 70000", "2"), None);
        assert_eq!(ports("1024 65535", "2").unwrap().count(), 64512);
    }
}
