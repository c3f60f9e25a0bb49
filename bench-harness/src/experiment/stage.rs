//! A stage: the processes of one arm, from generator to server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::memory::{self, Memory};
use super::{Arm, verify};
use crate::Error;
use crate::load::{Load, LoadOrder, OPEN_HANDSHAKE_SLOTS, Window};
use crate::measure::Watched;
use crate::path::{Ground, Hops, Tells, TlsEnds};
use crate::pki::Pki;
use crate::report::{LoadPoint, MeasuredWindow};
use crate::role::Role;
use crate::role::generator::NAME as GENERATOR;
use crate::role::protocol::{Fault, GeneratorSpec, RoleSpec, ServerSpec, Service};
use crate::settings::{HandshakeMix, Identities, ProviderName, Settings, Workload};
use crate::tls::{Observations, TlsEnd};

const SERVER: &str = "server";

/// Handshakes a second that a client's CPU can't exceed: 50 us each.
const FASTEST_CLIENT: f64 = 20_000.0;

/// How long a proxy's account of connections that have ended may lag behind their end.
const LAG: Duration = Duration::from_secs(3);

/// How often it is asked meanwhile.
const ASKING: Duration = Duration::from_millis(20);

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
    /// Connections of the workload that stay open.
    kept: u64,
    /// Connections that proxies have told of, where they do so when it suits them.
    told: u64,
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
        let (ends, records) = (arm.path.tls_ends(), arm.path.records());
        let server = ServerSpec {
            cpus: settings.server_cpus.clone(),
            listen,
            tls: ends
                .filter(|ends| ends.server == SERVER)
                .map(|_| TlsEnd { records, ..ground.server_end() }),
            service: Service::for_workload(arm.workload, settings.response_bytes),
            fault: Fault::default(),
        };
        let server_tls = server.tls.clone();
        let server = Role::start(SERVER, &RoleSpec::Server(server)).await?;
        let hops = arm.path.start(&ground, server.address()?).await?;
        let generator = GeneratorSpec {
            cpus: settings.client_cpus.clone(),
            target: hops.entry,
            tls: ends
                .filter(|ends| ends.client == GENERATOR)
                .map(|_| TlsEnd { records, ..ground.client_end() }),
            sink: server_tls.map(|end| end.with_one_identity()),
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
            expected: verify::Expected::new(settings, pki, mix),
            identities: settings.identities,
            fastest: FASTEST_CLIENT * settings.client_cpus.len() as f64,
            kept: 0,
            told: 0,
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
        // A proxy resumes as soon as it can: each handshake then brings one more than it takes.
        let gain = if ends.tells == Tells::OwnEnds { settings.tls.tickets.max(1) } else { 1 };
        let handshakes = in_flight.div_ceil(gain) + 1;
        let callers = match self.identities {
            Identities::Drawn { count, .. } => count,
            Identities::Fresh => 0,
        };
        let handshakes = handshakes.max(callers);
        self.role(ends.client)?.set_priming(true).await?;
        self.generator.prime(handshakes as u64).await?;
        self.role(ends.client)?.set_priming(false).await?;
        self.observe(handshakes as u64).await.map(drop)
    }

    /// Measures one window and checks every connection made in it.
    pub(super) async fn measure(
        &mut self,
        round: u32,
        point: LoadPoint,
        order: LoadOrder,
    ) -> Result<MeasuredWindow, Error> {
        self.supply(connections_of(self.workload, &order, self.fastest)).await?;
        let slots = order.slots as u64;
        let window = match self.generator.load(&order).await {
            Ok(window) => window,
            Err(error) => return Err(self.cause(error).await),
        };
        let is_handshake = matches!(self.workload, Workload::Handshake(_));
        let ended = if is_handshake { window.load_operations } else { 0 };
        let (client_end, server_end) = self.observe(ended).await?;
        if !is_handshake {
            self.kept = self.kept.max(slots);
        }
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
        let before = memory::Reading::take(self.all())?;
        self.generator.hold(connections).await?;
        self.kept = connections as u64;
        let after = memory::Reading::take(self.all())?;
        let (client_end, server_end) = self.observe(0).await?;
        let mut problems = self.expected.check(&BTreeMap::new(), &client_end, &server_end);
        let seen = client_end.total();
        if self.tells_at_once() && seen != connections as u64 {
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
        let told = self.ends.is_some_and(|ends| ends.tells != Tells::Nothing);
        let each_has_one = matches!(self.workload, Workload::Handshake(_)) && told;
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

    /// Ends all processes and waits until they are gone. Returns what is wrong with the connections
    /// that stayed open till now, where only their end tells of them.
    pub(super) async fn finish(mut self) -> Result<Vec<String>, Error> {
        self.generator.stop().await;
        let mut problems = Vec::new();
        let told_late = self.ends.is_some_and(|ends| ends.tells == Tells::ServerEndAtClose);
        if told_late && self.kept > 0 {
            let missing = self.kept.saturating_sub(self.told);
            let (client_end, server_end) = self.observe(missing).await?;
            problems = self.expected.check(&BTreeMap::new(), &client_end, &server_end);
            if self.told < self.kept {
                problems.push(format!(
                    "{} connections stayed open to the end, and the proxy told of {}",
                    self.kept, self.told
                ));
            }
        }
        for role in [&mut self.server].into_iter().chain(&mut self.hops.roles) {
            role.stop().await;
        }
        Ok(problems)
    }

    /// What the two ends of TLS saw since the last time; nothing on a path without TLS. Where only the
    /// end of a connection tells of it, `ended` of them are waited for.
    async fn observe(&mut self, ended: u64) -> Result<(Observations, Observations), Error> {
        let Some(ends) = self.ends else { return Ok(Default::default()) };
        match ends.tells {
            Tells::Nothing => Ok(Default::default()),
            Tells::OwnEnds | Tells::BothEnds => {
                let client_end = self.role(ends.client)?.observe().await?;
                Ok((client_end, self.role(ends.server)?.observe().await?))
            }
            Tells::ServerEnd => {
                let server_end = self.role(ends.server)?.observe().await?;
                Ok((self.expected.of_client(&server_end), server_end))
            }
            Tells::ServerEndAtClose => {
                let deadline = Instant::now() + LAG;
                let mut server_end = self.role(ends.server)?.observe().await?;
                while server_end.total() < ended && Instant::now() < deadline {
                    tokio::time::sleep(ASKING).await;
                    server_end.add(self.role(ends.server)?.observe().await?);
                }
                self.told += server_end.total();
                Ok((self.expected.of_client(&server_end), server_end))
            }
        }
    }

    fn tells_at_once(&self) -> bool {
        self.ends
            .is_some_and(|ends| !matches!(ends.tells, Tells::Nothing | Tells::ServerEndAtClose))
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

    fn all(&self) -> BTreeMap<String, Watched> {
        let mut all = watched(&self.server, &self.hops);
        all.insert(self.generator.name().to_owned(), self.generator.watched());
        all
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

fn watched(server: &Role, hops: &Hops) -> BTreeMap<String, Watched> {
    std::iter::once(server)
        .chain(&hops.roles)
        .map(|role| (role.name().to_owned(), role.watched()))
        .collect()
}
