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
            mib_per_s: arm
                .operation_bytes
                .zip(rate)
                .map(|(bytes, rate)| bytes as f64 * rate.median / 1048576.0),
            tax: tax(result, arm, point),
        }
    }
}

fn tax(result: &RunResult, arm: &ArmResult, point: LoadPoint) -> Option<Spread> {
    arm.provider?;
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
