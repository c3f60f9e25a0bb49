//! What this machine can run: one check a capability, and for what is missing the reason and the
//! fix.
//!
//! A check looks, and at most opens sockets on the loopback or asks a program for its version; it
//! changes nothing. One thing can change by itself: on a kernel with TLS as a module, asking for it
//! loads it, if this process may. A capability that is missing is a finding, never an error.

mod bpf;
mod capability;
mod cgroup;
mod cores;
mod counters;
mod cpu;
mod frequency;
mod kernel_module;
pub(crate) mod kernel_tls;
mod limits;
mod ports;
pub(crate) mod program;
mod proxies;
mod steal;
mod tpm;
mod wireguard;

use rustls_offload::plan::Plan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Machine, Root};

/// A capability that this machine has or lacks.
pub trait Check {
    /// Its name, in tables and in JSON.
    fn name(&self) -> &'static str;

    /// Looks for it.
    fn probe(&self, host: &Host) -> Finding;
}

/// The machine under examination.
pub struct Host {
    /// Where its files lie.
    pub root: Root,
    /// What it is.
    pub machine: Machine,
    /// What the provider made of its CPU.
    pub plan: Plan,
}

impl Host {
    /// This machine, with `plan` for the plan in force.
    pub fn new(plan: Plan) -> Self {
        Self::at(Root::host(), plan)
    }

    /// The machine whose files lie below `root`.
    pub fn at(root: Root, plan: Plan) -> Self {
        Self { machine: Machine::describe_at(&root, plan.cpu()), root, plan }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Finding {
    /// The capability is there.
    Available {
        /// What exactly was found.
        detail: String,
    },
    /// The capability is not there, or would spoil a measurement as it is.
    Missing {
        /// What was looked for and not found.
        reason: String,
        /// What to do about it, most often a command.
        fix: String,
    },
}

impl Finding {
    fn available(detail: impl Into<String>) -> Self {
        Self::Available { detail: detail.into() }
    }

    fn missing(reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Missing { reason: reason.into(), fix: fix.into() }
    }
}

/// A check's name with its finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Examined {
    /// Name of the check.
    pub check: String,
    /// What it found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// Every check, in the order of the report.
pub fn checks() -> Vec<Box<dyn Check>> {
    let mut checks: Vec<Box<dyn Check>> = vec![
        Box::new(cpu::Features),
        Box::new(cpu::ChosenBackends),
        Box::new(cores::Cores),
        Box::new(cgroup::Quota),
        Box::new(steal::Stolen),
        Box::new(frequency::Governor),
        Box::new(limits::FileDescriptors),
        Box::new(ports::EphemeralPorts),
        Box::new(kernel_tls::KernelTls),
        Box::new(kernel_tls::Rekey),
        Box::new(bpf::TypeInformation),
        Box::new(bpf::FileSystem),
        Box::new(bpf::Permission),
        Box::new(bpf::CgroupV2),
        Box::new(wireguard::WireGuard),
        Box::new(counters::HardwareCounters),
        Box::new(tpm::Tpm),
        Box::new(tpm::SoftwareTpm),
    ];
    for proxy in proxies::ALL {
        checks.push(Box::new(proxy));
    }
    checks
}

/// Runs every check on `host`.
pub fn examine(host: &Host) -> Vec<Examined> {
    let examined = |check: Box<dyn Check>| Examined {
        check: check.name().to_owned(),
        finding: check.probe(host),
    };
    checks().into_iter().map(examined).collect()
}

#[cfg(test)]
mod fixture {
    //! Hosts made of files.

    use rustls_offload::cpu::Cpu;
    use tempfile::TempDir;

    use super::super::root::fixture::machine;
    use super::{Host, Plan};

    /// The machine that `files` describe, with this one's CPU.
    pub(super) fn host_of(files: &[(&str, &str)]) -> (TempDir, Host) {
        let (folder, root) = machine(files);
        let plan = Plan::for_cpu(&Cpu::detect().unwrap());
        (folder, Host::at(root, plan))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::fixture::host_of;
    use super::*;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = checks().iter().map(|check| check.name()).collect();
        assert_eq!(names.len(), checks().len());
    }

    #[test]
    fn every_check_copes_with_a_machine_without_files_and_says_something() {
        let (_guard, host) = host_of(&[]);
        for Examined { check, finding } in examine(&host) {
            let texts = match finding {
                Finding::Available { detail } => vec![detail],
                Finding::Missing { reason, fix } => vec![reason, fix],
            };
            assert!(texts.iter().all(|text| !text.is_empty()), "{check}: {texts:?}");
        }
    }

    #[test]
    fn a_finding_in_json_is_flat_and_can_be_read_back() {
        let examined =
            Examined { check: "tpm".to_owned(), finding: Finding::missing("no TPM", "buy one") };
        let json = serde_json::to_value(&examined).unwrap();
        let expected = serde_json::json!({
            "check": "tpm", "state": "missing", "reason": "no TPM", "fix": "buy one",
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Examined>(json).unwrap(), examined);
    }
}
