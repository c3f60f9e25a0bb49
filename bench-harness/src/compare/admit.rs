//! Which results may be ranked against each other.
//!
//! A ranking of instances is only as good as the sameness of everything else, so each doubt is a
//! refusal, and all of them are told at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::report::RunResult;

/// Rounds without which the noise is not known.
const FEWEST_ROUNDS: u32 = 3;

/// Settings that are the machine's or that each figure carries for itself: numbers of CPUs, and
/// loads, for every load is measured on its own.
const FREE: [&str; 3] = ["client_cpus", "server_cpus", "load_points"];

/// Every reason why these results can't be ranked; none if they can.
pub(super) fn reasons(results: &[RunResult], labels: &[String]) -> Vec<String> {
    let each = results.iter().zip(labels);
    let mut reasons: Vec<String> = each
        .flat_map(|(result, label)| {
            unfit(result).into_iter().map(move |reason| format!("{label}: {reason}"))
        })
        .collect();
    reasons.extend(differences(results, labels));
    reasons
}

/// What makes one result unfit by itself.
fn unfit(result: &RunResult) -> Vec<String> {
    let mut reasons = Vec::new();
    let problems = result.problems();
    if let Some(first) = problems.first() {
        reasons.push(format!("the run was invalid for {} reasons: {first}, ..", problems.len()));
    }
    if let Some(why) = &result.ended_early {
        reasons.push(format!("the run ended early: {why}"));
    }
    if result.tool.profile != "release" {
        reasons.push("it was made by a debug build, whose figures mean nothing".to_owned());
    }
    if let Some(mask) = &result.machine.processor.feature_mask {
        reasons.push(format!("features of the CPU were hidden (RUSTLS_OFFLOAD_CPU={mask})"));
    }
    if let Some(model) = result.machine.processor.emulated() {
        reasons.push(format!("the CPU was emulated ({model})"));
    }
    let rounds = result.settings.rounds;
    if rounds < FEWEST_ROUNDS {
        reasons.push(format!(
            "{rounds} rounds don't tell the noise; measure with --rounds {FEWEST_ROUNDS} or more"
        ));
    }
    reasons
}

/// Settings and sidecars' programs that are not the same everywhere.
fn differences(results: &[RunResult], labels: &[String]) -> Vec<String> {
    let facts: Vec<BTreeMap<String, String>> = results.iter().map(facts).collect();
    let names: BTreeSet<&String> = facts.iter().flat_map(BTreeMap::keys).collect();
    let mut differences = Vec::new();
    for name in names {
        // A program that only some have is no difference: its arm is not common to all.
        let mut by_value: BTreeMap<&String, Vec<&str>> = BTreeMap::new();
        for (label, facts) in labels.iter().zip(&facts) {
            let Some(value) = facts.get(name) else { continue };
            by_value.entry(value).or_default().push(label);
        }
        if by_value.len() > 1 {
            let values = by_value.iter().map(|(value, of)| format!("{value} in {}", of.join(", ")));
            differences.push(format!("{name} differs: {}", values.collect::<Vec<_>>().join("; ")));
        }
    }
    differences
}

/// What must be the same, by name.
fn facts(result: &RunResult) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    if let Ok(Value::Object(settings)) = serde_json::to_value(&result.settings) {
        for (name, value) in settings.iter().filter(|(name, _)| !FREE.contains(&name.as_str())) {
            flatten(name, value, &mut facts);
        }
    }
    let (client, server) = (&result.settings.client_cpus, &result.settings.server_cpus);
    let shared = client.iter().any(|cpu| server.contains(cpu));
    facts.insert("client and server share CPUs".to_owned(), shared.to_string());
    for arm in &result.arms {
        if let Some(program) = &arm.program {
            facts.insert(format!("program of {}", arm.path), program.clone());
        }
    }
    facts
}

/// One entry a value that is no object, under the path to it.
fn flatten(name: &str, value: &Value, facts: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) if name == "tls" => {
            fields
                .iter()
                .for_each(|(field, value)| flatten(&format!("{name}.{field}"), value, facts));
        }
        other => {
            facts.insert(name.to_owned(), other.to_string());
        }
    }
}
