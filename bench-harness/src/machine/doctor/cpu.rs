//! CPU features, and what the provider makes of them.

use std::collections::BTreeMap;

use rustls_offload::cpu::{Cpu, Feature};
use rustls_offload::plan::{Plan, Reason};

use super::{Check, Finding, Host};
use crate::machine::Processor;

/// The features that decide between implementations, and the mask in force.
pub(super) struct Features;

impl Check for Features {
    fn name(&self) -> &'static str {
        "cpu-features"
    }

    fn probe(&self, host: &Host) -> Finding {
        judge(host.plan.cpu(), &host.machine.processor)
    }
}

fn judge(cpu: &Cpu, processor: &Processor) -> Finding {
    let mask = match &processor.feature_mask {
        Some(mask) => format!("; masked by RUSTLS_OFFLOAD_CPU={mask}"),
        None => String::new(),
    };
    let features = processor.features.join(" ");
    let found = format!("class {}: {features}{mask}", processor.class);
    let multiplies = cpu.has(Feature::Pclmulqdq) || cpu.has(Feature::Pmull);
    if cpu.has(Feature::Aes) && multiplies {
        return Finding::available(found);
    }
    let fix = match processor.feature_mask {
        Some(_) => "unset RUSTLS_OFFLOAD_CPU",
        None => "choose a machine with AES-NI, or with Armv8's cryptographic extension",
    };
    Finding::missing(
        format!("no AES and carry-less multiplication, so ChaCha20 comes first; {found}"),
        fix,
    )
}

/// Whether the plan rests on measurements of this class of CPU.
pub(super) struct ChosenBackends;

impl Check for ChosenBackends {
    fn name(&self) -> &'static str {
        "plan"
    }

    fn probe(&self, host: &Host) -> Finding {
        summarise(&host.plan)
    }
}

fn summarise(plan: &Plan) -> Finding {
    let mut served = BTreeMap::new();
    for (_, choice) in plan.choices() {
        *served.entry(choice.backend).or_insert(0_u32) += 1;
    }
    let served = served.iter().map(|(backend, count)| format!("{backend} serves {count}"));
    let served = served.collect::<Vec<_>>().join(", ");
    if plan.choices().any(|(_, choice)| choice.reason == Reason::Unmeasured) {
        let class = plan.cpu().class();
        Finding::missing(
            format!("no measurements of class {class} are committed, so {served} by default"),
            "see `mtls-bench primitives`; a service can measure at start with \
             `rustls_offload::plan::calibrate`",
        )
    } else {
        Finding::available(served)
    }
}

#[cfg(test)]
mod tests {
    use rustls_offload::plan::{Algorithm, Backend};

    use super::super::fixture::host_of;
    use super::*;

    #[test]
    fn a_cpu_without_aes_is_reported() {
        let (_guard, host) = host_of(&[]);
        let cpu = Cpu::detect().unwrap().with_mask("-aes").unwrap();
        let finding = judge(&cpu, &host.machine.processor);
        assert!(matches!(finding, Finding::Missing { .. }), "{finding:?}");
    }

    #[test]
    fn a_plan_of_choices_made_by_hand_is_no_default() {
        let mut plan = Plan::for_cpu(&Cpu::detect().unwrap());
        for &algorithm in Algorithm::ALL {
            plan.choose(algorithm, Backend::AwsLcRs).unwrap();
        }
        let count = Algorithm::ALL.len();
        let expected = Finding::available(format!("aws-lc-rs serves {count}"));
        assert_eq!(summarise(&plan), expected);
    }
}
