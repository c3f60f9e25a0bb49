//! The messages between the command and its role processes, one JSON line each.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::load::{LoadOrder, Window};
use crate::measure::Watched;
use crate::settings::{HandshakeMix, Identities, Workload};
use crate::tls::{Observations, TlsEnd};

use super::external::ExternalSpec;

/// What a role is to be; the first line it reads.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleSpec {
    /// Answers the generator.
    Server(ServerSpec),
    /// Forwards between generator and server, with TLS on one of its sides.
    Proxy(ProxySpec),
    /// Forwards by means of a proxy that is not ours.
    External(Box<ExternalSpec>),
    /// Makes the load and times it.
    Generator(Box<GeneratorSpec>),
}

impl RoleSpec {
    /// Client certificates that the role issues before it is ready.
    pub(super) fn leaves_to_issue(&self) -> u32 {
        let end = match self {
            Self::Server(_) | Self::External(_) => None,
            Self::Proxy(proxy) => Some(&proxy.tls),
            Self::Generator(generator) => generator.tls.as_ref(),
        };
        match end.and_then(|end| end.population.as_ref()).map(|many| many.identities) {
            Some(Identities::Drawn { count, .. }) => u32::try_from(count).unwrap_or(u32::MAX),
            Some(Identities::Fresh) | None => 0,
        }
    }
}

/// The server's task.
#[derive(Clone, Serialize, Deserialize)]
pub struct ServerSpec {
    /// CPUs it may use.
    pub cpus: Vec<usize>,
    /// Where it listens; port 0 for any free one.
    pub listen: SocketAddr,
    /// Its end of TLS, if the service speaks TLS itself.
    pub tls: Option<TlsEnd>,
    /// What it does on each connection.
    pub service: Service,
    /// Deliberate misbehaviour, by which tests check the measurement.
    pub fault: Fault,
}

/// What a server does on each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Sends every byte back.
    Echo,
    /// HTTP/1.1 with bodies of this many bytes.
    Http {
        /// Bytes of each response body.
        response_bytes: usize,
    },
    /// Sends one MiB for each byte received.
    Source,
}

impl Service {
    /// The service that a workload needs.
    pub fn for_workload(workload: Workload, response_bytes: usize) -> Self {
        match workload {
            Workload::Handshake(_) | Workload::Idle => Self::Echo,
            Workload::Request => Self::Http { response_bytes },
            Workload::Stream => Self::Source,
        }
    }
}

/// Known truths put into a server, against which the harness itself is tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// CPU time burnt for each operation, in microseconds.
    pub burn_us: u64,
    /// Time slept for each operation, in microseconds.
    pub sleep_us: u64,
    /// Stops answering for a while, again and again.
    pub stall: Option<Stall>,
}

/// A periodic stall of the whole server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// From the beginning of one stall to the next, in milliseconds.
    pub every_ms: u64,
    /// Length of a stall, in milliseconds.
    pub for_ms: u64,
}

/// A sidecar's task.
#[derive(Clone, Serialize, Deserialize)]
pub struct ProxySpec {
    /// CPUs it may use.
    pub cpus: Vec<usize>,
    /// Where it forwards to.
    pub upstream: SocketAddr,
    /// On which side it speaks TLS.
    pub side: ProxySide,
    /// Its end of TLS.
    pub tls: TlsEnd,
}

/// The side on which a sidecar speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxySide {
    /// Plaintext in, mutual TLS out: the client's sidecar.
    Originate(HandshakeMix),
    /// Mutual TLS in, plaintext out: the server's sidecar.
    Terminate,
}

/// The generator's task.
#[derive(Clone, Serialize, Deserialize)]
pub struct GeneratorSpec {
    /// CPUs it may use; one worker thread a CPU.
    pub cpus: Vec<usize>,
    /// The first hop of the path.
    pub target: SocketAddr,
    /// Its end of TLS, if the client speaks TLS itself.
    pub tls: Option<TlsEnd>,
    /// The server's end, for the in-memory sink of the self-calibration.
    pub sink: Option<TlsEnd>,
    /// What one operation is.
    pub workload: Workload,
    /// Bytes of a request body.
    pub request_bytes: usize,
    /// Bytes expected in a response body.
    pub response_bytes: usize,
    /// Whose CPU time is read at the edges of every window, by role name.
    pub watch: BTreeMap<String, Watched>,
    /// CPUs of both nodes, whose busy time is read with it.
    pub watch_cpus: Vec<usize>,
}

/// A command to a role.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Hand out the observations since the last time.
    Observe,
    /// Generator: find its own ceiling against an in-memory sink.
    Calibrate {
        /// How long, in seconds.
        seconds: f64,
    },
    /// The end that originates TLS: from now on keep new sessions and use none, or end that.
    Priming(bool),
    /// The end that originates TLS: have fresh identities for so many connections, if each is to have
    /// one of its own.
    Supply {
        /// How many.
        connections: u64,
    },
    /// Generator: make this many operations that are not measured.
    Prime {
        /// How many.
        operations: u64,
    },
    /// Generator: apply load and measure one window.
    Load(LoadOrder),
    /// Generator: open this many connections and keep them.
    Hold {
        /// How many.
        connections: usize,
    },
}

/// The answer to a command.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// The role is up; where it listens, if it does.
    Ready {
        /// Address to connect to.
        address: Option<SocketAddr>,
        /// Of what its CPU time is to be read; of its own process if it does not say.
        watched: Option<Watched>,
    },
    /// What was seen.
    Observed(Observations),
    /// The generator's ceiling.
    Calibrated {
        /// Operations a second that the generator could make if the other side cost nothing.
        ceiling: f64,
    },
    /// Done, nothing to tell.
    Done,
    /// One measured window.
    Measured(Box<Window>),
    /// The role could not do it.
    Failed {
        /// Why, in one line.
        message: String,
    },
}
