//! What a reader must know before believing the tables.

use std::collections::BTreeSet;

use super::{ArmResult, Figures, LoadPoint, RunResult, table};
use crate::path::Availability;
use crate::settings::{ProviderName, Workload};

/// Share of CPU time above which what else happened on the machine is told.
const DISTURBED: f64 = 0.02;

/// Use of the client's CPUs above which a saturation rate may be the client's.
const CLIENT_BOUND: f64 = 0.85;

/// Lateness of the generator, as a share of latency at the same percentile, above which it is told.
const LATE: f64 = 0.25;

/// Remarks, warnings and the verdict on the handshakes, a line each.
pub(super) fn render(result: &RunResult) -> String {
    lines(result).join("\n")
}

/// What casts doubt on a result's figures, a line each.
pub fn warnings(result: &RunResult) -> Vec<String> {
    lines(result).into_iter().filter(|line| line.starts_with("warning: ")).collect()
}

/// Each of them by itself.
pub(super) fn lines(result: &RunResult) -> Vec<String> {
    let problems = result.problems();
    let mut lines = Vec::new();
    lines.extend(emulated(result));
    lines.extend(build(result));
    lines.extend(placement(result));
    lines.extend(programs(result));
    lines.extend(interrupts(result));
    lines.extend(chain_caches(result));
    lines.extend(disturbances(result));
    lines.extend(result.arms.iter().filter_map(|arm| client_bound(result, arm)));
    lines.extend(late(result));
    lines.extend(problems.iter().map(|problem| format!("INVALID: {problem}")));
    match &result.ended_early {
        Some(why) => lines.push(format!("ended early: {why}")),
        None if problems.is_empty() => lines.extend(verified(result)),
        None => {}
    }
    lines
}

fn emulated(result: &RunResult) -> Option<String> {
    result.machine.processor.emulated().map(|model| {
        format!(
            "warning: the CPU was emulated ({model}): this shows what works, and no figure here says \
             anything about performance"
        )
    })
}

fn build(result: &RunResult) -> Option<String> {
    (result.tool.profile != "release").then(|| {
        "warning: this is a debug build, whose figures mean nothing; build with --release"
            .to_owned()
    })
}

fn placement(result: &RunResult) -> Option<String> {
    let (client, server) = (&result.settings.client_cpus, &result.settings.server_cpus);
    client.iter().any(|cpu| server.contains(cpu)).then(|| {
        "warning: client and server share CPUs; compare CPU time an operation, not rates or latency"
            .to_owned()
    })
}

/// What the sidecars are that are not this program, what could not run, and how handshakes are known
/// where this program has neither end.
fn programs(result: &RunResult) -> Vec<String> {
    let mut lines = BTreeSet::new();
    for arm in &result.arms {
        if let Availability::Unavailable { reason, fix } = &arm.availability {
            lines.insert(format!("unavailable: {}: {reason}; {fix}", arm.label()));
        } else if let Some(program) = &arm.program {
            lines.insert(format!("note: {} is {program}", arm.path));
            lines.extend(known_how(arm));
        }
    }
    lines.into_iter().collect()
}

fn known_how(arm: &ArmResult) -> Option<String> {
    let ends = || arm.windows.iter().flat_map(|window| [&window.client_end, &window.server_end]);
    let implied: BTreeSet<&str> = ends().flat_map(|end| &end.implied).map(String::as_str).collect();
    if matches!(arm.workload, Workload::Handshake(_)) && ends().all(|end| end.total() == 0) {
        return Some(format!(
            "warning: {} tells nothing of its handshakes, so nobody checked them",
            arm.path
        ));
    }
    let told = implied.iter().filter(|what| **what != "other end");
    let follows: Vec<&str> = told.copied().collect();
    let mut line = format!("note: {}: handshakes are as its counters tell", arm.path);
    if implied.contains("other end") {
        line.push_str(", at the accepting end");
    }
    if !follows.is_empty() {
        line.push_str(&format!("; {} by its configuration, which admits one", follows.join(", ")));
    }
    arm.windows.iter().any(|window| window.server_end.total() > 0).then_some(line)
}

/// Loopback TCP does its input in soft interrupts of the sender; who is charged is the kernel's choice.
fn interrupts(result: &RunResult) -> Option<String> {
    (result.machine.kernel.irq_time_accounting == Some(true)).then(|| {
        "note: this kernel charges interrupts to no process (CONFIG_IRQ_TIME_ACCOUNTING): TCP input \
         is in the residual and in `machine us`, but neither in the roles nor in the CPU tax"
            .to_owned()
    })
}

/// Arms that differ in more than the cryptography.
fn chain_caches(result: &RunResult) -> Option<String> {
    let windows = || result.arms.iter().flat_map(|arm| arm.windows.iter().map(move |w| (arm, w)));
    let with = |cached: bool| {
        let of_kind = windows().filter(|(_, window)| {
            window.server_end.total() > 0 && window.server_end.chain_cache.is_some() == cached
        });
        let providers: BTreeSet<_> = of_kind.filter_map(|(arm, _)| arm.provider).collect();
        providers.iter().map(ProviderName::to_string).collect::<Vec<_>>().join(", ")
    };
    let (cached, uncached) = (with(true), with(false));
    (!cached.is_empty() && !uncached.is_empty()).then(|| {
        format!(
            "note: {cached} remembers verified chains at both ends, as its users get it; others have no \
             such cache and verify the peer's chain in every full handshake: {uncached}"
        )
    })
}

/// What else the CPUs were busy with: a reader's first suspicion.
fn disturbances(result: &RunResult) -> Vec<String> {
    let mut lines = Vec::new();
    if disturbed(result) {
        lines.push(format!(
            "warning: the CPUs were {:.0} % busy before any load was applied; end what else runs there",
            busy(result) * 100.0
        ));
    }
    let windows = || result.arms.iter().flat_map(|arm| &arm.windows);
    let stolen: u64 = windows().map(|window| window.window.machine_steal_ns).sum();
    let used: u64 = windows().map(|window| window.window.machine_busy_ns).sum();
    // Of the time that was wanted, so that idling does not dilute it.
    let steal = stolen as f64 / (used + stolen).max(1) as f64;
    if steal > DISTURBED {
        lines.push(format!(
            "warning: the hypervisor took {:.0} % of the CPU time away, and some of that is counted \
             as used; trust ratios, not absolute figures",
            steal * 100.0
        ));
    }
    lines
}

/// Share of the CPUs that was in use before the run, from 0 to 1.
fn busy(result: &RunResult) -> f64 {
    result.machine_idle_ns_per_s / 1e9 / result.settings.cpus().len() as f64
}

/// Whether so much else ran before the run that what the roles don't account for means nothing.
pub(super) fn disturbed(result: &RunResult) -> bool {
    busy(result) > DISTURBED
}

fn client_bound(result: &RunResult, arm: &ArmResult) -> Option<String> {
    let figures = Figures::of(result, arm, LoadPoint::Saturation);
    let (client, server) = (figures.client_busy?.median, figures.server_busy?.median);
    (client > CLIENT_BOUND && client > server).then(|| {
        format!(
            "note: {}: the client's CPUs were {:.0} % busy and the server's {:.0} %, so this saturation \
             rate is the client's; compare CPU time",
            arm.label(),
            client * 100.0,
            server * 100.0
        )
    })
}

/// Open-loop rows in which much of the latency is the generator's own lateness.
fn late(result: &RunResult) -> Vec<String> {
    let mut lines = Vec::new();
    for (arm, point, latency, lateness) in table::open_rows(result) {
        if let (Some(latency), Some(lateness)) = (latency.quantile(0.99), lateness.quantile(0.99))
            && lateness.as_secs_f64() > LATE * latency.as_secs_f64()
        {
            lines.push(format!(
                "note: {} at {point}: at p99 the generator itself was {:.0} us late, of {:.0} us",
                arm.label(),
                lateness.as_secs_f64() * 1e6,
                latency.as_secs_f64() * 1e6
            ));
        }
    }
    lines
}

fn verified(result: &RunResult) -> Option<String> {
    let ends = result.arms.iter().flat_map(|arm| &arm.windows).map(|window| &window.server_end);
    let (full, resumed) = ends.fold((0, 0), |(full, resumed), end| {
        (full + end.of_kind("Full"), resumed + end.of_kind("Resumed"))
    });
    (full + resumed > 0).then(|| {
        // Where proxies have the ends, how is in a note on each.
        let proxies = result.arms.iter().any(|arm| arm.program.is_some());
        let ends = if proxies { "" } else { " at both ends" };
        format!(
            "handshakes verified{ends}: {full} full, {resumed} resumed, all of the declared kind, \
             suite, group and peer identity"
        )
    })
}
