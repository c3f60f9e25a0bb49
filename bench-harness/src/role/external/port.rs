//! A port for a program that must be told where to listen.
//!
//! It lies below the ports that the system hands out, so no outgoing connection takes it meanwhile.
//! Proxies listen with `SO_REUSEPORT`, and two of one user can listen on the same port without
//! either noticing, so among runs of this command a port is held by a UDP socket of the same number.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use rand::Rng;

use crate::Error;
use crate::machine::{LocalPorts, Root};

/// Ports that are tried.
const TRIES: usize = 200;

/// The lowest port that is used, and the highest where the system does not tell its own.
const RANGE: (u16, u16) = (10_000, 32_000);

/// A port that nobody listens on, ours until dropped.
pub(super) struct Port {
    pub(super) address: SocketAddr,
    _hold: UdpSocket,
}

impl Port {
    /// A free one of `ip`.
    pub(super) fn find(ip: IpAddr) -> Result<Self, Error> {
        let system = LocalPorts::describe(&Root::host()).map_or(RANGE.1, |ports| ports.first);
        // A system that hands out nearly all ports leaves no others; then any will have to do.
        let last = if system > RANGE.0 + 1000 { system - 1 } else { RANGE.1 };
        let mut random = rand::rng();
        for _ in 0..TRIES {
            let address = SocketAddr::new(ip, random.random_range(RANGE.0..=last));
            let Ok(hold) = UdpSocket::bind(address) else { continue };
            if is_free(address) {
                return Ok(Self { address, _hold: hold });
            }
        }
        Err(Error::Usage(format!("no free port on {ip} in {TRIES} tries; choose another --listen")))
    }
}

/// Whether nobody listens on `address`.
pub(super) fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_port_is_free_below_the_systems_own_and_held_until_dropped() {
        let port = Port::find(Ipv4Addr::LOCALHOST.into()).unwrap();
        assert!(is_free(port.address));
        let system = LocalPorts::describe(&Root::host()).unwrap().first;
        assert!(port.address.port() < system || system < 11_002);
        assert!(UdpSocket::bind(port.address).is_err());
        let address = port.address;
        drop(port);
        assert!(UdpSocket::bind(address).is_ok());
    }
}
