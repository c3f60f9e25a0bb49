//! Where connections come from: one address, or several when one has too few ports.
//!
//! The side that closes first keeps the connection's port in TIME_WAIT, a minute or, where the
//! kernel reuses ports, a second. From one address to another there are some 28,000 ports; past half
//! of them in use, the kernel's search for a free one would show in the measurement, and past all of
//! them connections fail. So connections beyond half come from further addresses of 127.0.0.0/8,
//! which all belong to the loopback. Elsewhere than there, one address is all there is.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use tokio::net::{TcpSocket, TcpStream};

use crate::machine::{LocalPorts, Root};

/// The first further address: far from what anybody would use by hand.
const FURTHER: Ipv4Addr = Ipv4Addr::new(127, 64, 0, 0);

/// Addresses that there may be in all.
const MOST: u32 = 1 << 16;

/// Opens connections to one target.
pub(crate) struct Sources {
    target: SocketAddr,
    budget: Option<Budget>,
    turn: Mutex<Turn>,
}

/// What one address may be used for.
#[derive(Clone, Copy)]
struct Budget {
    /// Connections from one address in one period.
    connections: u32,
    /// For so long a port is taken.
    period: Duration,
}

/// Connections begun in the current period, and the most addresses that any period took.
struct Turn {
    since: Instant,
    begun: u32,
    most: u32,
}

impl Sources {
    /// Connections to `target`, from as many addresses as the ports of this system ask for.
    pub(crate) fn to(target: SocketAddr) -> Self {
        let budget = LocalPorts::describe(&Root::host())
            .filter(|_| has_further_addresses(target.ip()))
            .map(|ports| Budget { connections: ports.count() / 2, period: ports.taken_for() });
        Self::with(target, budget)
    }

    fn with(target: SocketAddr, budget: Option<Budget>) -> Self {
        let turn = Turn { since: Instant::now(), begun: 0, most: 1 };
        Self { target, budget, turn: Mutex::new(turn) }
    }

    /// Opens a connection, with Nagle's algorithm off.
    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        let tcp = match self.next() {
            0 => TcpStream::connect(self.target).await?,
            index => from(further(index))?.connect(self.target).await?,
        };
        tcp.set_nodelay(true)?;
        Ok(tcp)
    }

    /// The most addresses that were in use at once since the last time this was asked.
    pub(crate) fn take_used(&self) -> u32 {
        std::mem::replace(&mut self.turn().most, 1)
    }

    /// The address of the next connection: zero for the system's choice, else a further one.
    fn next(&self) -> u32 {
        let Some(budget) = self.budget else { return 0 };
        let mut turn = self.turn();
        if turn.since.elapsed() >= budget.period {
            (turn.since, turn.begun) = (Instant::now(), 0);
        }
        let index = (turn.begun / budget.connections.max(1)).min(MOST - 1);
        turn.begun = turn.begun.saturating_add(1);
        turn.most = turn.most.max(index + 1);
        index
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `target` is on the loopback, and the loopback has all of its 127.0.0.0/8.
fn has_further_addresses(target: IpAddr) -> bool {
    target.is_loopback() && target.is_ipv4() && std::net::UdpSocket::bind((further(1), 0)).is_ok()
}

fn further(index: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(FURTHER.to_bits() + index)
}

/// A socket bound to `address`, whose port the kernel picks when it knows the other end: picked now,
/// it would have to be free towards everybody.
fn from(address: Ipv4Addr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    setsockopt(&socket, IpBindAddressNoPort, &true)?;
    socket.bind((address, 0).into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn origins(budget: Option<Budget>) -> (Vec<u32>, Sources) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sources = Sources::with(listener.local_addr().unwrap(), budget);
        let mut origins = Vec::new();
        for _ in 0..5 {
            let own = sources.connect().await.unwrap().local_addr().unwrap();
            let (_, seen) = listener.accept().await.unwrap();
            assert_eq!(own, seen);
            let IpAddr::V4(address) = seen.ip() else { panic!("{seen}") };
            origins.push(address.to_bits().wrapping_sub(FURTHER.to_bits()));
        }
        (origins, sources)
    }

    /// The address that the system chooses for connections to 127.0.0.1, counted as the others are.
    const SYSTEMS: u32 = Ipv4Addr::LOCALHOST.to_bits().wrapping_sub(FURTHER.to_bits());

    #[tokio::test]
    async fn what_is_too_much_for_one_address_comes_from_the_next() {
        let budget = Budget { connections: 2, period: Duration::MAX };
        let (origins, sources) = origins(Some(budget)).await;
        assert_eq!(origins, [SYSTEMS, SYSTEMS, 1, 1, 2]);
        assert_eq!((sources.take_used(), sources.take_used()), (3, 1));
    }

    #[tokio::test]
    async fn a_new_period_begins_with_the_first_address() {
        let budget = Budget { connections: 1, period: Duration::ZERO };
        assert_eq!(origins(Some(budget)).await.0, [SYSTEMS; 5]);
    }

    #[tokio::test]
    async fn without_a_budget_the_system_chooses() {
        let (origins, sources) = origins(None).await;
        assert_eq!((origins, sources.take_used()), (vec![SYSTEMS; 5], 1));
    }

    #[test]
    fn only_the_loopback_of_ipv4_has_further_addresses() {
        assert!(has_further_addresses("127.0.0.1".parse().unwrap()));
        for address in ["::1", "10.0.0.1"] {
            assert!(!has_further_addresses(address.parse().unwrap()), "{address}");
        }
    }
}
