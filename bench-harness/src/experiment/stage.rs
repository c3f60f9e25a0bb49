//! A stage: the processes of one arm, from generator to server.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::memory::{self, Memory};
use super::{Arm, verify};
use crate::Error;
use crate::load::{Load, LoadOrder, OPEN_HANDSHAKE_SLOTS, Window};
use crate::path::{Ground, Hops, TlsEnds};
use crate::pki::Pki;
use crate::report::{LoadPoint, MeasuredWindow};
use crate::role::Role;
use crate::role::generator::NAME as GENERATOR;
use crate::role::protocol::{Fault, GeneratorSpec, RoleSpec, ServerSpec, Service};
use crate::settings::{HandshakeMix, Identities, ProviderName, Settings, Workload};
use crate::tls::Observations;

const SERVER: &str = "server";

/// Handshakes a second that a client's CPU can't exceed: 50 us each.
const FASTEST_CLIENT: f64 = 20_000.0;

/// A running arm.
pub(super) struct Stage {
    workload: Workload,
    generator: Role,
    server: Role,
    hops: Hops,
    ends: Option<TlsEnds>,
    expected: verify::Expected,
    identities: Identities,
    /// Handshakes a second that the client can't exceed.
    fastest: f64,
}

impl Stage {
    /// Starts the arm's processes, the server first and the generator last.
    pub(super) async fn start(
        arm: &Arm,
        settings: &Settings,
        pki: &Pki,
        listen: SocketAddr,
    ) -> Result<Self, Error> {
        let mix = match arm.workload {
            Workload::Handshake(mix) => mix,
            _ => HandshakeMix::Full,
        };
        let provider = arm.provider.unwrap_or(ProviderName::Offload);
        let ground = Ground { settings, pki, provider, mix };
        let ends = arm.path.tls_ends();
        let server = ServerSpec {
            cpus: settings.server_cpus.clone(),
            listen,
            tls: ends.filter(|ends| ends.server == SERVER).map(|_| ground.server_end()),
            service: Service::for_workload(arm.workload, settings.response_bytes),
            fault: Fault::default(),
        };
        let server_tls = server.tls.clone();
        let server = Role::start(SERVER, &RoleSpec::Server(server)).await?;
        let hops = arm.path.start(&ground, server.address()?).await?;
        let generator = GeneratorSpec {
            cpus: settings.client_cpus.clone(),
            target: hops.entry,
            tls: ends.filter(|ends| ends.client == GENERATOR).map(|_| ground.client_end()),
            sink: server_tls,
            workload: arm.workload,
            request_bytes: settings.request_bytes,
            response_bytes: settings.response_bytes,
            watch: watched(&server, &hops),
            watch_cpus: settings.cpus(),
        };
        let generator = Role::start(GENERATOR, &RoleSpec::Generator(Box::new(generator))).await?;
        Ok(Self {
            workload: arm.workload,
            generator,
            server,
            hops,
            ends,
            expected: verify::Expected::new(&settings.tls, settings.identities, pki, mix),
            identities: settings.identities,
            fastest: FASTEST_CLIENT * settings.client_cpus.len() as f64,
        })
    }

    pub(super) fn workload(&self) -> Workload {
        self.workload
    }

    /// The generator's ceiling in operations a second.
    pub(super) async fn calibrate(&mut self, seconds: f64) -> Result<f64, Error> {
        let ceiling = self.generator.calibrate(seconds).await?;
        // Where a sidecar speaks TLS, the generator's own ceiling is far above it.
        self.fastest = self.fastest.min(ceiling);
        Ok(ceiling)
    }

    /// Fills the pool of sessions, where the workload resumes; none of it is measured or counted.
    pub(super) async fn prime(&mut self, settings: &Settings) -> Result<(), Error> {
        let (Workload::Handshake(mix), Some(ends)) = (self.workload, self.ends) else {
            return Ok(());
        };
        if mix.resumed_fraction() == 0.0 {
            return Ok(());
        }
        // A resumed handshake takes a ticket out and brings new ones only at its end, so there must
        // be one for every handshake that may be in flight.
        let in_flight = settings.concurrency.max(OPEN_HANDSHAKE_SLOTS);
        let handshakes = in_flight.div_ceil(settings.tls.tickets.max(1)) + 1;
        let callers = match self.identities {
            Identities::Drawn { count, .. } => count,
            Identities::Fresh => 0,
        };
        let handshakes = handshakes.max(callers);
        self.role(ends.client)?.set_priming(true).await?;
        self.generator.prime(handshakes as u64).await?;
        self.role(ends.client)?.set_priming(false).await?;
        self.observe().await.map(drop)
    }

    /// Measures one window and checks every connection made in it.
    pub(super) async fn measure(
        &mut self,
        round: u32,
        point: LoadPoint,
        order: LoadOrder,
    ) -> Result<MeasuredWindow, Error> {
        self.supply(connections_of(self.workload, &order, self.fastest)).await?;
        let window = match self.generator.load(&order).await {
            Ok(window) => window,
            Err(error) => return Err(self.cause(error).await),
        };
        let (client_end, server_end) = self.observe().await?;
        let mut problems = self.expected.check(&window.failures, &client_end, &server_end);
        problems.extend(self.unbelievable(&window, &client_end));
        Ok(MeasuredWindow { round, point, window, client_end, server_end, problems })
    }

    /// Opens idle connections and tells what they cost in memory.
    pub(super) async fn hold(
        &mut self,
        connections: usize,
    ) -> Result<(Memory, Vec<String>), Error> {
        self.supply(connections as u64).await?;
        let before = memory::Reading::take(self.pids())?;
        self.generator.hold(connections).await?;
        let after = memory::Reading::take(self.pids())?;
        let (client_end, server_end) = self.observe().await?;
        let mut problems = self.expected.check(&BTreeMap::new(), &client_end, &server_end);
        let seen = client_end.total();
        if self.ends.is_some() && seen != connections as u64 {
            problems.push(format!("{seen} handshakes seen for {connections} idle connections"));
        }
        Ok((before.to(&after, connections), problems))
    }

    /// Has leaves issued where each connection needs one of its own, so that no window pays for it.
    async fn supply(&mut self, connections: u64) -> Result<(), Error> {
        match self.ends {
            Some(ends) if self.identities == Identities::Fresh => {
                self.role(ends.client)?.supply(connections).await
            }
            _ => Ok(()),
        }
    }

    /// What is wrong with a window in which no handshake was wrong.
    fn unbelievable(&self, window: &Window, client_end: &Observations) -> Vec<String> {
        let mut problems = Vec::new();
        if window.operations == 0 {
            problems.push("no operation completed in the window".to_owned());
        }
        if window.listen_overflows > 0 {
            problems.push(format!(
                "{} connections found an accept queue full and waited for a retransmission; raise net.core.somaxconn",
                window.listen_overflows
            ));
        }
        if window.throttled_periods > 0 {
            problems.push(format!(
                "a CPU quota of the control group stopped the roles in {} periods; lift it (`mtls-bench doctor` says how)",
                window.throttled_periods
            ));
        }
        let (made, seen) = (window.load_operations, client_end.total());
        let each_has_one = matches!(self.workload, Workload::Handshake(_)) && self.ends.is_some();
        if each_has_one && window.failures.is_empty() && made != seen {
            problems.push(format!("{made} operations completed but {seen} handshakes were seen"));
        }
        problems
    }

    /// What is behind a failed window: a role that ended explains more than what the generator saw.
    async fn cause(&mut self, error: Error) -> Error {
        for role in [&mut self.server].into_iter().chain(&mut self.hops.roles) {
            if let Some(ended) = role.ended().await {
                return ended;
            }
        }
        error
    }

    /// Ends all processes and waits until they are gone.
    pub(super) async fn stop(self) {
        self.generator.stop().await;
        self.server.stop().await;
        for role in self.hops.roles {
            role.stop().await;
        }
    }

    /// What the two ends of TLS saw since the last time; nothing on a path without TLS.
    async fn observe(&mut self) -> Result<(Observations, Observations), Error> {
        let Some(ends) = self.ends else { return Ok(Default::default()) };
        Ok((self.role(ends.client)?.observe().await?, self.role(ends.server)?.observe().await?))
    }

    fn role(&mut self, name: &str) -> Result<&mut Role, Error> {
        let own = [&mut self.generator, &mut self.server];
        let mut all = own.into_iter().chain(&mut self.hops.roles);
        all.find(|role| role.name() == name).ok_or_else(|| {
            Error::Usage(format!(
                "the path names `{name}` as an end of TLS but starts no such role"
            ))
        })
    }

    fn pids(&self) -> BTreeMap<String, i32> {
        let mut pids = watched(&self.server, &self.hops);
        pids.insert(self.generator.name().to_owned(), self.generator.pid());
        pids
    }
}

/// Connections that a window will make at most, amply: what remains is there for the next one.
fn connections_of(workload: Workload, order: &LoadOrder, fastest: f64) -> u64 {
    let in_flight = 2 * order.slots as u64;
    if !matches!(workload, Workload::Handshake(_)) {
        return in_flight;
    }
    let rate = match order.load {
        Load::Closed => fastest,
        Load::Open { rate } => rate,
    };
    in_flight + (rate * order.length().as_secs_f64() * 1.25).ceil() as u64
}

fn watched(server: &Role, hops: &Hops) -> BTreeMap<String, i32> {
    std::iter::once(server)
        .chain(&hops.roles)
        .map(|role| (role.name().to_owned(), role.pid()))
        .collect()
}
