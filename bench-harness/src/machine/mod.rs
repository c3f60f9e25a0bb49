//! The machine under test: what it is ([`Machine`]), what to call it ([`instance`]) and what can
//! run on it ([`doctor`]).
//!
//! Everything is read from the system and nothing is assumed: a fact that can't be found is absent.

mod cgroup;
pub mod doctor;
mod error;
pub(crate) mod group;
pub mod instance;
mod kernel;
mod ports;
pub mod primitives;
mod processor;
mod root;
mod steal;

pub(crate) use cgroup::Throttling;
use cgroup::mounts;
pub use cgroup::{Cgroup, CgroupVersion};
pub use error::Error;
pub use kernel::Kernel;
pub(crate) use ports::LocalPorts;
pub use processor::Processor;
use procfs::Meminfo;
pub use root::Root;
use rustls_offload::cpu::Cpu;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use steal::Steal;

/// What a result must say about the machine it was measured on. Absent facts are `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// The CPU.
    pub processor: Processor,
    /// The kernel.
    pub kernel: Kernel,
    /// Distribution, the `PRETTY_NAME` of `os-release`.
    pub os: Option<String>,
    /// Memory the kernel can use, in bytes.
    pub memory_bytes: Option<u64>,
    /// Control groups.
    pub cgroup: Cgroup,
    /// Time the hypervisor took since boot; `null` if the kernel does not count it.
    pub steal: Option<Steal>,
}

impl Machine {
    /// Describes this machine, with the CPU as the provider sees it.
    ///
    /// # Errors
    /// [`Error::Cpu`] if the mask in `RUSTLS_OFFLOAD_CPU` is malformed.
    pub fn describe() -> Result<Self, Error> {
        Ok(Self::describe_at(&Root::host(), &Cpu::detect()?))
    }

    /// Describes the machine whose files lie below `root`, with `cpu` for a CPU.
    pub fn describe_at(root: &Root, cpu: &Cpu) -> Self {
        Self {
            processor: Processor::describe(root, cpu),
            kernel: Kernel::describe(root),
            os: os(root),
            memory_bytes: root.parsed::<Meminfo>("/proc/meminfo").map(|memory| memory.mem_total),
            cgroup: Cgroup::describe(root),
            steal: Steal::describe(root),
        }
    }
}

/// `PRETTY_NAME` of `/etc/os-release`, or of the vendor's copy when `/etc` has none.
fn os(root: &Root) -> Option<String> {
    let text = root.text("/etc/os-release").or_else(|| root.text("/usr/lib/os-release"))?;
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::root::fixture::machine;
    use super::*;

    #[test]
    fn this_machine_is_described_and_survives_json() {
        let machine = Machine::describe().unwrap();
        assert!(machine.kernel.release.is_some());
        assert!(machine.memory_bytes.is_some_and(|bytes| bytes > 1 << 20));
        assert!(machine.processor.logical_cpus >= machine.processor.physical_cores);
        let json = serde_json::to_string(&machine).unwrap();
        assert_eq!(serde_json::from_str::<Machine>(&json).unwrap(), machine);
    }

    #[test]
    fn a_machine_without_any_file_is_described_by_absent_facts() {
        let (_guard, root) = machine(&[]);
        let machine = Machine::describe_at(&root, &Cpu::detect().unwrap());
        assert_eq!(machine.os, None);
        assert_eq!(machine.memory_bytes, None);
        assert_eq!(machine.steal, None);
        assert_eq!(machine.kernel.release, None);
        assert_eq!(machine.processor.model, None);
    }

    #[test]
    fn the_pretty_name_loses_its_quotes() {
        let release = "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        let (_guard, root) = machine(&[("/usr/lib/os-release", release)]);
        assert_eq!(os(&root).as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
    }

    #[test]
    fn every_field_of_the_schema_says_what_it_is() {
        let schema = schemars::schema_for!(Machine);
        let mut objects = vec![schema.as_value()];
        objects.extend(schema.get("$defs").unwrap().as_object().unwrap().values());
        for object in objects {
            let Some(fields) = object.get("properties") else { continue };
            for (name, field) in fields.as_object().unwrap() {
                assert!(field.get("description").is_some(), "{name} has no description");
            }
        }
    }
}
