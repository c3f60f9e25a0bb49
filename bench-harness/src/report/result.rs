//! The result document: everything that was set, seen and measured, raw histograms included.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

use crate::experiment::{Arm, Memory};
use crate::load::Window;
use crate::machine::{Machine, instance::Instance};
use crate::path::{Availability, Node};
use crate::settings::{ProviderName, Settings, Workload};
use crate::stats::Spread;
use crate::tls::Observations;

/// Version of the document; raised whenever a reader of the last one could misread it.
pub const SCHEMA_VERSION: u32 = 1;

/// One run of `mtls-bench run`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// Version of this document's schema.
    pub schema_version: u32,
    /// What measured.
    pub tool: Tool,
    /// When the run began, RFC 3339, UTC.
    pub started_at: String,
    /// The kind of machine, which names the folder that results are kept in.
    pub instance: Instance,
    /// The machine in detail.
    pub machine: Machine,
    /// How the run was made.
    pub settings: Settings,
    /// The implementations that the provider `offload` chose, and why.
    pub plan: serde_json::Value,
    /// Busy time of both nodes' CPUs with every role up and no load, in nanoseconds a second.
    pub machine_idle_ns_per_s: f64,
    /// What was measured, arm by arm.
    pub arms: Vec<ArmResult>,
    /// Why the run ended before its time, if it did.
    pub ended_early: Option<String>,
}

/// The program that measured.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Version of `mtls-bench`.
    pub version: String,
    /// Cargo profile it was built with; only `release` figures mean anything.
    pub profile: String,
    /// Git revision it was built from, `-dirty` appended if the work tree had changes.
    pub git_revision: String,
    /// Versions of the libraries that matter for the figures.
    pub dependencies: BTreeMap<String, String>,
}

impl Tool {
    fn this() -> Self {
        let dependencies = env!("MTLS_BENCH_DEPENDENCIES").split(' ');
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
            git_revision: env!("MTLS_BENCH_GIT_REVISION").to_owned(),
            dependencies: dependencies
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, version)| (name.to_owned(), version.to_owned()))
                .collect(),
        }
    }
}

impl RunResult {
    /// A document without measurements.
    pub fn new(
        instance: Instance,
        machine: Machine,
        settings: Settings,
        plan: serde_json::Value,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool::this(),
            started_at: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            instance,
            machine,
            settings,
            plan,
            machine_idle_ns_per_s: 0.0,
            arms: Vec::new(),
            ended_early: None,
        }
    }

    /// Whether there is anything to keep.
    pub fn has_measurements(&self) -> bool {
        self.arms.iter().any(|arm| !arm.windows.is_empty() || arm.memory.is_some())
    }

    /// Whether no path that was asked for could run.
    pub fn nothing_available(&self) -> bool {
        !self.arms.is_empty() && self.arms.iter().all(|arm| !arm.availability.is_available())
    }

    /// Everything that makes the run invalid, with the arm it happened in.
    pub fn problems(&self) -> Vec<String> {
        let of_arm = |arm: &ArmResult| {
            let windows = arm.windows.iter().flat_map(|window| &window.problems);
            let all: Vec<_> = arm.problems.iter().chain(windows).collect();
            all.into_iter().map(|problem| format!("{}: {problem}", arm.label())).collect::<Vec<_>>()
        };
        self.arms.iter().flat_map(of_arm).collect()
    }
}

/// What one arm came to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ArmResult {
    /// Name of the path.
    pub path: String,
    /// The provider; none on a path without TLS.
    pub provider: Option<ProviderName>,
    /// What was done over and over.
    pub workload: Workload,
    /// Whether the path could run here.
    pub availability: Availability,
    /// The program of the sidecars and its version, where it is not this one.
    #[serde(default)]
    pub program: Option<String>,
    /// Operations a second that the generator could make against a peer that costs nothing.
    pub generator_ceiling: Option<f64>,
    /// The saturation rate over the rounds, in operations a second.
    pub saturation: Option<Spread>,
    /// Memory of idle connections.
    pub memory: Option<Memory>,
    /// Every measured window.
    pub windows: Vec<MeasuredWindow>,
    /// What makes the arm invalid, apart from what its windows tell.
    pub problems: Vec<String>,
    /// Bytes moved by one operation, where it moves a known number of them.
    pub operation_bytes: Option<u64>,
}

impl ArmResult {
    /// An arm without measurements.
    pub fn new(arm: &Arm, settings: &Settings) -> Self {
        let operation_bytes = match arm.workload {
            Workload::Request => Some((settings.request_bytes + settings.response_bytes) as u64),
            Workload::Stream => Some(crate::load::STREAM_OPERATION as u64),
            Workload::Handshake(_) | Workload::Idle => None,
        };
        Self {
            path: arm.path.name().to_owned(),
            provider: arm.provider,
            workload: arm.workload,
            availability: arm.path.availability(settings, arm.workload),
            program: arm.path.program(),
            generator_ceiling: None,
            saturation: None,
            memory: None,
            windows: Vec::new(),
            problems: Vec::new(),
            operation_bytes,
        }
    }

    /// A name for people.
    pub fn label(&self) -> String {
        let provider = self.provider.map(|name| format!(", {name}")).unwrap_or_default();
        format!("{}, {}{provider}", self.workload, self.path)
    }

    /// The windows measured at `point`.
    pub fn at(&self, point: LoadPoint) -> impl Iterator<Item = &MeasuredWindow> {
        self.windows.iter().filter(move |window| window.point == point)
    }

    /// Operations a second in each round at `point`.
    pub fn rates(&self, point: LoadPoint) -> Vec<f64> {
        self.at(point).map(|window| window.window.rate()).collect()
    }

    /// A figure in the rounds that both arms were measured in at `point`, own and other's.
    pub fn paired<'a>(
        &'a self,
        other: &'a Self,
        point: LoadPoint,
        figure: impl Fn(&MeasuredWindow) -> f64 + 'a,
    ) -> impl Iterator<Item = (f64, f64)> + 'a {
        self.at(point).filter_map(move |own| {
            let theirs = other.at(point).find(|theirs| theirs.round == own.round)?;
            Some((figure(own), figure(theirs)))
        })
    }
}

/// One window, and what the two ends of TLS saw in it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MeasuredWindow {
    /// In which round, from zero.
    pub round: u32,
    /// Under which load.
    pub point: LoadPoint,
    /// The measurement.
    pub window: Window,
    /// Handshakes as the connecting end saw them, warm-up included.
    pub client_end: Observations,
    /// Handshakes as the accepting end saw them, warm-up included.
    pub server_end: Observations,
    /// What makes this window invalid.
    pub problems: Vec<String>,
}

impl MeasuredWindow {
    /// CPU time an operation, in microseconds, of the roles that `wanted` picks by name.
    pub fn cpu_us(&self, wanted: impl Fn(&str) -> bool) -> f64 {
        let roles = self.window.cpu_ns.iter().filter(|(role, _)| wanted(role));
        roles.map(|(_, ns)| *ns as f64).sum::<f64>() / self.window.operations as f64 / 1e3
    }

    /// CPU time an operation of everything on the server's node, in microseconds.
    pub fn server_node_cpu_us(&self) -> f64 {
        self.cpu_us(|role| Node::of(role) == Node::Server)
    }

    /// Share of a node's CPU time that its roles used, from 0 to 1.
    pub fn utilisation(&self, node: Node, cpus: usize) -> f64 {
        let roles = self.window.cpu_ns.iter().filter(|(role, _)| Node::of(role) == node);
        let used: u64 = roles.map(|(_, ns)| ns).sum();
        used as f64 / 1e9 / self.window.seconds / cpus.max(1) as f64
    }

    /// Busy time of both nodes' CPUs an operation, less their idle baseline, in microseconds.
    pub fn machine_us(&self, idle_ns_per_s: f64) -> f64 {
        let busy = self.window.machine_busy_ns as f64 - idle_ns_per_s * self.window.seconds;
        busy / self.window.operations as f64 / 1e3
    }
}

/// The load of a window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LoadPoint {
    /// Closed loop, every slot busy.
    Saturation,
    /// Open loop at this fraction of the arm's own saturation rate.
    Fraction(f64),
    /// Open loop at this rate, in operations a second.
    Rate(f64),
}

impl LoadPoint {
    /// The arrival rate, given the arm's saturation rate.
    pub fn rate(self, saturation: Option<f64>) -> Option<f64> {
        match self {
            Self::Saturation => None,
            Self::Fraction(fraction) => saturation.map(|rate| rate * fraction),
            Self::Rate(rate) => Some(rate),
        }
    }
}

impl fmt::Display for LoadPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Saturation => f.write_str("saturation"),
            Self::Fraction(fraction) => write!(f, "{:.0} % of saturation", fraction * 100.0),
            Self::Rate(rate) => write!(f, "{rate:.0} /s"),
        }
    }
}

/// The JSON schema of [`RunResult`].
pub fn schema() -> Schema {
    schema_for!(RunResult)
}
