//! `mtls-bench run`: arguments to settings, settings to a result, the result to file and tables.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, Parser, ValueEnum};
use rustls_offload::Offload;
use tokio::signal::unix::{SignalKind, signal};

use super::limits::{self, room_for};
use super::{parse, progress};
use crate::Error;
use crate::experiment::{self, Arm, Progress};
use crate::machine::{Machine, instance};
use crate::path::{self, Path};
use crate::report::{self, RunResult};
use crate::settings::{
    HandshakeMix, Identities, IdentityCount, IdentitySource, KeyType, Popularity, ProviderName,
    Settings, TlsParameters, Workload,
};
use crate::tls::check_parameters;

/// Arguments of `mtls-bench run`.
#[derive(Args)]
pub(super) struct RunArgs {
    /// Data paths, separated by commas; `all` for every one.
    #[arg(long, value_delimiter = ',', default_value = "plaintext,in-process,sidecar")]
    path: Vec<String>,
    /// Envoy's program [default: as installed by ci/setup, else `envoy` on PATH].
    #[arg(long, value_name = "PROGRAM")]
    envoy: Option<PathBuf>,
    /// A further path, through the proxy that this file describes; the documentation of
    /// `path::external::described` says how. Can be given several times.
    #[arg(long, value_name = "FILE.toml")]
    sidecar_command: Vec<PathBuf>,
    /// Crypto providers to compare; ratios are of the first to each other one.
    #[arg(long, value_delimiter = ',', default_value = "offload")]
    provider: Vec<ProviderName>,
    /// Workloads.
    #[arg(long, value_delimiter = ',', default_value = "handshake,request")]
    workload: Vec<WorkloadName>,
    /// Kinds of handshake for the handshake workload: full, resumed, mix=F (F resumed, 0 < F < 1).
    #[arg(long, value_delimiter = ',', default_value = "full,resumed", value_parser = HandshakeMix::from_str)]
    handshake: Vec<HandshakeMix>,
    /// Handshakes that resume, in percent: short for the handshake kind mix=F.
    #[arg(long, value_name = "PERCENT", conflicts_with = "handshake", value_parser = parse::percent)]
    resume: Option<HandshakeMix>,
    /// Who issues both ends' certificates: test-pki, made for the run; or workload-api[:ENDPOINT], the SPIFFE
    /// Workload API there or where SPIFFE_ENDPOINT_SOCKET says. Only `offload` has the latter; both ends are then the
    /// workload that the API takes this program for.
    #[arg(
        long,
        value_name = "SOURCE",
        default_value_t,
        conflicts_with_all = ["identities", "key", "rotate"]
    )]
    identity: IdentitySource,
    /// Replace both ends' certificates and trust bundles so often, in seconds, while they are under load. Only
    /// `offload` can; the certificates of many client identities stay.
    #[arg(long, value_name = "SECONDS", value_parser = parse::rotation)]
    rotate: Option<f64>,
    /// Rounds; every arm is measured once in each, in random order.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Length of one measured window in seconds.
    #[arg(long, default_value_t = 1.0, value_parser = parse::seconds)]
    window: f64,
    /// Load before each window that is not measured, in seconds.
    #[arg(long, default_value_t = 0.2, value_parser = parse::seconds)]
    warmup: f64,
    /// Connections or handshakes in flight.
    #[arg(long, default_value_t = 64, value_parser = parse::in_flight)]
    concurrency: usize,
    /// Fractions of the saturation rate at which latency is measured.
    #[arg(long, value_delimiter = ',', default_value = "0.5,0.8", value_parser = parse::fraction)]
    load: Vec<f64>,
    /// Measure at this rate only, in operations a second, and do not look for saturation.
    #[arg(long, value_parser = parse::positive, conflicts_with = "load")]
    rate: Option<f64>,
    /// Cipher suite by its rustls name; it fixes the protocol version.
    #[arg(long, default_value = "TLS13_AES_128_GCM_SHA256")]
    suite: String,
    /// Key exchange group by its rustls name.
    #[arg(long, default_value = "X25519")]
    group: String,
    /// Key type of all certificates.
    #[arg(long, value_enum, default_value_t = KeyType::P256)]
    key: KeyType,
    /// TLS 1.3 session tickets that the server sends after each handshake.
    #[arg(long, default_value_t = 2)]
    tickets: usize,
    /// Client identities, each with a leaf and a key of its own; `fresh`: one for each connection.
    #[arg(long, value_name = "N|fresh", default_value = "1", value_parser = IdentityCount::from_str)]
    identities: IdentityCount,
    /// How often each identity is drawn: uniform, or zipf=S with S the exponent [default: uniform].
    #[arg(long, value_parser = Popularity::from_str)]
    popularity: Option<Popularity>,
    /// Bytes of a request body.
    #[arg(long, default_value_t = 0)]
    request_bytes: usize,
    /// Bytes of a response body.
    #[arg(long, default_value_t = 1024)]
    response_bytes: usize,
    /// Connections held by the idle workload.
    #[arg(long, default_value_t = 10_000, value_parser = parse::at_least_one)]
    idle_connections: usize,
    /// CPUs for generator and client sidecar [default: half of those allowed, by whole cores].
    #[arg(long, value_delimiter = ',')]
    client_cpus: Option<Vec<usize>>,
    /// CPUs for server and server sidecar [default: the others].
    #[arg(long, value_delimiter = ',')]
    server_cpus: Option<Vec<usize>>,
    /// Seed of arm order, arrival times and draws of identities.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where servers listen; each arm's server takes the next port, any free one if it is 0.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Folder for results; a folder for the kind of machine is made in it.
    #[arg(long, default_value = "results")]
    results: PathBuf,
    /// Name of the kind of machine [default: as the machine tells, else `unknown`].
    #[arg(long)]
    instance: Option<String>,
    /// Print the result document on standard output, and nothing else there.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WorkloadName {
    /// A new connection each time.
    Handshake,
    /// HTTP/1.1 requests on connections that stay open.
    Request,
    /// Bulk data on connections that stay open.
    Stream,
    /// Connections that do nothing.
    Idle,
}

/// Carries out `mtls-bench run`.
pub(super) fn run(args: &RunArgs) -> Result<(), Error> {
    let settings = args.settings()?;
    let arms = args.arms()?;
    if args.workload.contains(&WorkloadName::Idle) {
        room_for(args.idle_connections, &arms)?;
    }
    for provider in &args.provider {
        check_parameters(*provider, &settings.tls)?;
    }
    let instance = instance::name(args.instance.as_deref())?;
    report::check_writable(&args.results)?;
    let plan = serde_json::from_str(&Offload::new()?.plan().to_json()?)?;
    let mut result = RunResult::new(instance, Machine::describe()?, settings, plan);
    let ended = measure(&arms, args.listen, &mut result);
    if let Err(error) = &ended {
        result.ended_early = Some(error.to_string());
    }
    if result.has_measurements() || result.nothing_available() {
        let file = if result.has_measurements() {
            Some(report::write(&result, &args.results)?)
        } else {
            None
        };
        let text =
            if args.json { serde_json::to_string(&result)? } else { report::render(&result) };
        super::print(&text)?;
        if let Some(file) = file {
            super::say(&format!("result: {}", file.display()));
        }
    }
    ended?;
    if result.nothing_available() {
        return Err(Error::NothingAvailable);
    }
    let problems = result.problems();
    if problems.is_empty() {
        return Ok(());
    }
    for problem in &problems {
        super::say(&format!("invalid: {problem}"));
    }
    Err(Error::Invalid { count: problems.len() })
}

fn measure(arms: &[Arm], listen: SocketAddr, result: &mut RunResult) -> Result<(), Error> {
    let progress = progress::watcher();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("starting the runtime"))?;
    runtime.block_on(until_interrupted(arms, listen, result, progress.as_ref()))
}

/// Runs the experiment; an interrupt drops it, and with it every role process.
async fn until_interrupted(
    arms: &[Arm],
    listen: SocketAddr,
    result: &mut RunResult,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let listen_for = |kind| signal(kind).map_err(Error::io("listening for signals"));
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let mut terminate = listen_for(SignalKind::terminate())?;
    let settings = result.settings.clone();
    tokio::select! {
        ended = experiment::run(arms, &settings, listen, result, progress) => ended,
        _ = interrupt.recv() => Err(Error::Interrupted),
        _ = terminate.recv() => Err(Error::Interrupted),
    }
}

impl RunArgs {
    fn settings(&self) -> Result<Settings, Error> {
        self.check_lists()?;
        let (client_cpus, server_cpus) = self.cpus()?;
        Ok(Settings {
            rounds: self.rounds,
            window_s: self.window,
            warmup_s: self.warmup,
            concurrency: self.concurrency,
            load_points: if self.rate.is_some() { Vec::new() } else { self.load.clone() },
            rate: self.rate,
            tls: TlsParameters {
                suite: self.suite.clone(),
                group: self.group.clone(),
                key_type: self.key,
                chain_length: 2,
                tickets: self.tickets,
            },
            identities: self.identities()?,
            identity: self.identity.clone(),
            rotate_s: self.rotate,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            idle_connections: self.idle_connections,
            client_cpus,
            server_cpus,
            seed: self.seed,
        })
    }

    fn identities(&self) -> Result<Identities, Error> {
        let resumes = self.workload.contains(&WorkloadName::Handshake)
            && self.handshakes().iter().any(|mix| *mix != HandshakeMix::Full);
        match (self.identities, self.popularity) {
            (IdentityCount::Fixed(count), popularity) => {
                Ok(Identities::Drawn { count, popularity: popularity.unwrap_or_default() })
            }
            (IdentityCount::Fresh, Some(_)) => Err(Error::Usage(
                "--popularity means nothing with --identities fresh; leave one of them out"
                    .to_owned(),
            )),
            (IdentityCount::Fresh, None) if resumes => Err(Error::Usage(
                "a fresh identity has no session to resume; with --identities fresh, give \
                 --handshake full"
                    .to_owned(),
            )),
            (IdentityCount::Fresh, None) => Ok(Identities::Fresh),
        }
    }

    fn arms(&self) -> Result<Vec<Arm>, Error> {
        let paths = self.paths()?;
        let workloads: Vec<Workload> = self
            .workload
            .iter()
            .flat_map(|name| match name {
                WorkloadName::Handshake => {
                    self.handshakes().iter().copied().map(Workload::Handshake).collect()
                }
                WorkloadName::Request => vec![Workload::Request],
                WorkloadName::Stream => vec![Workload::Stream],
                WorkloadName::Idle => vec![Workload::Idle],
            })
            .collect();
        let arms = experiment::arms(&paths, &self.provider, &workloads);
        let replaced = self.rotate.is_some() || self.identity != IdentitySource::TestPki;
        match arms.iter().find(|arm| replaced && !arm.can_rotate()) {
            Some(fixed) => Err(Error::Usage(format!(
                "credentials can't be replaced in `{fixed}`; with --rotate or --identity workload-api, choose paths \
                 and providers that can (--path in-process,sidecar --provider offload)"
            ))),
            None => Ok(arms),
        }
    }

    fn handshakes(&self) -> &[HandshakeMix] {
        self.resume.as_ref().map_or(&self.handshake, std::slice::from_ref)
    }

    /// The paths that were named, and those that files describe.
    fn paths(&self) -> Result<Vec<Arc<dyn Path>>, Error> {
        let options =
            path::Options { envoy: self.envoy.clone(), described: self.sidecar_command.clone() };
        let all = path::all(&options)?;
        if self.path.iter().any(|name| name == "all") {
            return Ok(all);
        }
        let mut paths: Vec<_> =
            self.path.iter().map(|name| path::named(&all, name)).collect::<Result<_, _>>()?;
        for described in &all[all.len() - self.sidecar_command.len()..] {
            if !paths.iter().any(|path| path.name() == described.name()) {
                paths.push(described.clone());
            }
        }
        Ok(paths)
    }

    /// The CPUs of the two nodes: as told, else what the other one leaves, else half each.
    fn cpus(&self) -> Result<(Vec<usize>, Vec<usize>), Error> {
        let allowed = limits::allowed_cpus()?;
        let chosen = [&self.client_cpus, &self.server_cpus].into_iter().flatten().flatten();
        if let Some(cpu) = chosen.into_iter().find(|cpu| !allowed.contains(cpu)) {
            return Err(Error::Usage(format!(
                "CPU {cpu} is not available to this process; available are {allowed:?}"
            )));
        }
        let all_but = |taken: &[usize]| {
            let rest: Vec<_> = allowed.iter().copied().filter(|cpu| !taken.contains(cpu)).collect();
            if rest.is_empty() { allowed.clone() } else { rest }
        };
        Ok(match (self.client_cpus.clone(), self.server_cpus.clone()) {
            (Some(client), Some(server)) => (client, server),
            (None, Some(server)) => (all_but(&server), server),
            (client, None) => {
                let half = || allowed[..allowed.len().div_ceil(2)].to_vec();
                let client = client.unwrap_or_else(half);
                let server = all_but(&client);
                (client, server)
            }
        })
    }

    /// Refuses what is given twice: it would be measured twice and shown as one.
    fn check_lists(&self) -> Result<(), Error> {
        once("--path", &self.path)?;
        once("--provider", &self.provider)?;
        once("--workload", &self.workload)?;
        once("--handshake", &self.handshake)?;
        once("--load", &self.load)?;
        once("--client-cpus", self.client_cpus.as_deref().unwrap_or_default())?;
        once("--server-cpus", self.server_cpus.as_deref().unwrap_or_default())
    }
}

/// The settings of a run without arguments.
///
/// # Errors
/// When this process's CPUs can't be told.
pub(super) fn default_settings() -> Result<Settings, Error> {
    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        run: RunArgs,
    }
    Alone::parse_from(["run"]).run.settings()
}

fn once<T: PartialEq>(flag: &str, values: &[T]) -> Result<(), Error> {
    let twice = values.iter().enumerate().any(|(index, value)| values[..index].contains(value));
    if twice {
        Err(Error::Usage(format!("{flag} names something twice; name it once")))
    } else {
        Ok(())
    }
}
