//! The figures of one arm, computed from its windows: what tables show and ratios compare.

use super::{ArmResult, LoadPoint, MeasuredWindow, RunResult};
use crate::path::Node;
use crate::settings::Workload;
use crate::stats::Spread;

/// One arm at one load, summarised over the rounds.
pub struct Figures {
    /// Operations a second.
    pub rate: Option<Spread>,
    /// CPU time an operation of the server role, in microseconds.
    pub server_us: Option<Spread>,
    /// CPU time an operation of the server and its sidecar, in microseconds.
    pub server_node_us: Option<Spread>,
    /// CPU time an operation of all roles, in microseconds.
    pub all_roles_us: Option<Spread>,
    /// Busy time of the machine an operation, less the idle baseline, in microseconds.
    pub machine_us: Option<Spread>,
    /// What of the machine's time no role accounts for, in microseconds an operation.
    pub residual_us: Option<Spread>,
    /// Share of the client node's CPUs in use, from 0 to 1: near 1, the rate is the client's limit.
    pub client_busy: Option<Spread>,
    /// Share of the server node's CPUs in use, from 0 to 1.
    pub server_busy: Option<Spread>,
    /// What the server's chain cache did.
    pub chain_cache: ChainCache,
    /// MiB moved a second.
    pub mib_per_s: Option<f64>,
    /// (CPU time of all roles - that of plaintext) / that of plaintext, round by round.
    pub tax: Option<Spread>,
}

impl Figures {
    /// The figures of `arm` at `point`.
    pub fn of(result: &RunResult, arm: &ArmResult, point: LoadPoint) -> Self {
        let idle = result.machine_idle_ns_per_s;
        let over = |figure: &dyn Fn(&MeasuredWindow) -> f64| Spread::of(arm.at(point).map(figure));
        let (clients, servers) = (&result.settings.client_cpus, &result.settings.server_cpus);
        let rate = Spread::of(arm.rates(point));
        Self {
            rate,
            server_us: over(&|w| w.cpu_us(|role| role == "server")),
            server_node_us: over(&MeasuredWindow::server_node_cpu_us),
            all_roles_us: over(&|w| w.cpu_us(|_| true)),
            machine_us: over(&|w| w.machine_us(idle)),
            residual_us: over(&|w| w.machine_us(idle) - w.cpu_us(|_| true)),
            client_busy: over(&|w| w.utilisation(Node::Client, clients.len())),
            server_busy: over(&|w| w.utilisation(Node::Server, servers.len())),
            chain_cache: ChainCache::of(arm, point),
            mib_per_s: arm
                .operation_bytes
                .zip(rate)
                .map(|(bytes, rate)| bytes as f64 * rate.median / 1048576.0),
            tax: tax(result, arm, point),
        }
    }
}

/// How often the end that terminates TLS found a client's chain in its cache, instead of verifying it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ChainCache {
    /// No chain had to be verified: there is no TLS, every handshake resumed, or connections stayed.
    Unused,
    /// It has none, and verified every chain.
    Absent,
    /// Found chains, as a share of all from 0 to 1, over all rounds.
    Hits(f64),
}

impl ChainCache {
    fn of(arm: &ArmResult, point: LoadPoint) -> Self {
        let ends = || arm.at(point).map(|window| &window.server_end);
        let full: u64 = ends().map(|end| end.total() - end.of_kind("Resumed")).sum();
        let uses: Vec<_> = ends().filter_map(|end| end.chain_cache).collect();
        let hits: u64 = uses.iter().map(|used| used.hits).sum();
        let chains = hits + uses.iter().map(|used| used.misses).sum::<u64>();
        match (uses.is_empty(), full.max(chains)) {
            (_, 0) => Self::Unused,
            (true, _) => Self::Absent,
            (false, _) => Self::Hits(hits as f64 / chains.max(1) as f64),
        }
    }
}

fn tax(result: &RunResult, arm: &ArmResult, point: LoadPoint) -> Option<Spread> {
    if arm.path == "plaintext" {
        return None;
    }
    let baseline = result.arms.iter().find(|candidate| is_baseline_of(candidate, arm))?;
    let all_roles = |window: &MeasuredWindow| window.cpu_us(|_| true);
    let rounds = arm.paired(baseline, point, all_roles);
    Spread::of(rounds.map(|(own, plaintext)| (own - plaintext) / plaintext))
}

fn is_baseline_of(candidate: &ArmResult, arm: &ArmResult) -> bool {
    let same_work = match (candidate.workload, arm.workload) {
        (Workload::Handshake(_), Workload::Handshake(_)) => true,
        (theirs, ours) => theirs == ours,
    };
    candidate.path == "plaintext" && same_work
}
