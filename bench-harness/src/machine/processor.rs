//! The CPU: what it calls itself, how many there are, and which features the provider uses.

use std::collections::BTreeSet;

use procfs::CpuInfo;
use rustls_offload::cpu::Cpu;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Root;

const CPUS: &str = "/sys/devices/system/cpu";

/// The CPU of a machine. What the system does not tell is `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Processor {
    /// Architecture as Rust names it: `x86_64` or `aarch64`.
    pub architecture: String,
    /// Model name of `/proc/cpuinfo`. aarch64 has none there.
    pub model: Option<String>,
    /// `vendor_id` on x86_64, the implementer's code on aarch64 (`0x41` is Arm).
    pub vendor: Option<String>,
    /// CPU family on x86_64, architecture version on aarch64.
    pub family: Option<u32>,
    /// Model number on x86_64, part number on aarch64.
    pub model_number: Option<u32>,
    /// Stepping on x86_64, revision on aarch64.
    pub stepping: Option<u32>,
    /// Microcode revision as the kernel prints it; guests often see a made-up one.
    pub microcode: Option<String>,
    /// CPUs online.
    pub logical_cpus: Option<u32>,
    /// CPUs this process may use, after affinity and cgroup quota.
    pub usable_cpus: Option<u32>,
    /// Cores behind the online CPUs, as far as the hypervisor shows them.
    pub physical_cores: Option<u32>,
    /// The most CPUs that share one core: 2 with simultaneous multithreading, else 1.
    pub threads_per_core: Option<u32>,
    /// Features that decide between implementations, after the mask, by the provider's names.
    pub features: Vec<String>,
    /// The mask in `RUSTLS_OFFLOAD_CPU`, if one is in force.
    pub feature_mask: Option<String>,
    /// The class the provider files measurements of this CPU under.
    pub class: String,
    /// Whether the CPU says it is a guest's; only x86_64 tells.
    pub hypervisor: Option<bool>,
    /// Frequency governors of the online CPUs, joined by `,` if they differ. Guests have none.
    pub governor: Option<String>,
}

impl Processor {
    /// The model's name if the CPU is made up by software, as far as it tells: QEMU's emulator does so in that
    /// name. No time measured on it means anything.
    pub fn emulated(&self) -> Option<&str> {
        self.model.as_deref().filter(|model| model.contains("QEMU TCG"))
    }

    pub(super) fn describe(root: &Root, cpu: &Cpu) -> Self {
        let info: Option<CpuInfo> = root.parsed("/proc/cpuinfo");
        let field = |names: [&str; 2]| {
            let info = info.as_ref()?;
            names.iter().find_map(|name| info.get_field(0, name)).map(str::to_owned)
        };
        let topology = Topology::read(root);
        Self {
            architecture: std::env::consts::ARCH.to_owned(),
            model: field(["model name", "Model"]),
            vendor: field(["vendor_id", "CPU implementer"]),
            family: field(["cpu family", "CPU architecture"]).and_then(number),
            model_number: field(["model", "CPU part"]).and_then(number),
            stepping: field(["stepping", "CPU revision"]).and_then(number),
            microcode: field(["microcode", "microcode"]),
            logical_cpus: topology.logical,
            usable_cpus: std::thread::available_parallelism()
                .ok()
                .and_then(|count| u32::try_from(count.get()).ok()),
            physical_cores: topology.cores,
            threads_per_core: topology.threads_per_core,
            features: cpu.features().map(|feature| feature.to_string()).collect(),
            feature_mask: std::env::var("RUSTLS_OFFLOAD_CPU").ok().filter(|mask| !mask.is_empty()),
            class: cpu.class().to_owned(),
            hypervisor: field(["flags", "flags"])
                .map(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            governor: governor(root),
        }
    }
}

/// A number as `/proc/cpuinfo` writes it: decimal, or hexadecimal after `0x`.
fn number(text: String) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// How CPUs share cores.
struct Topology {
    logical: Option<u32>,
    cores: Option<u32>,
    threads_per_core: Option<u32>,
}

impl Topology {
    fn read(root: &Root) -> Self {
        let online = online(root);
        let logical = online.as_ref().and_then(|cpus| u32::try_from(cpus.len()).ok());
        let siblings: Option<BTreeSet<Vec<u32>>> =
            online.unwrap_or_default().into_iter().map(|cpu| siblings(root, cpu)).collect();
        let Some(siblings) = siblings.filter(|siblings| !siblings.is_empty()) else {
            return Self { logical, cores: None, threads_per_core: None };
        };
        let widest = siblings.iter().map(Vec::len).max();
        Self {
            logical,
            cores: u32::try_from(siblings.len()).ok(),
            threads_per_core: widest.and_then(|count| u32::try_from(count).ok()),
        }
    }
}

/// The numbers of the CPUs online.
fn online(root: &Root) -> Option<Vec<u32>> {
    cpu_list(&root.text(format!("{CPUS}/online"))?)
}

/// The CPUs that share `cpu`'s core, itself included.
fn siblings(root: &Root, cpu: u32) -> Option<Vec<u32>> {
    let topology = format!("{CPUS}/cpu{cpu}/topology");
    let list = root
        .text(format!("{topology}/core_cpus_list"))
        .or_else(|| root.text(format!("{topology}/thread_siblings_list")))?;
    cpu_list(&list)
}

/// The kernel's list format: `0-2,4` is 0, 1, 2, 4.
fn cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cpus.extend(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?);
    }
    Some(cpus)
}

/// The frequency governors in use, each once.
fn governor(root: &Root) -> Option<String> {
    let of_cpu = |cpu| root.text(format!("{CPUS}/cpu{cpu}/cpufreq/scaling_governor"));
    let governors: BTreeSet<String> = online(root)?.into_iter().filter_map(of_cpu).collect();
    (!governors.is_empty()).then(|| governors.into_iter().collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::super::root::fixture::machine;
    use super::*;

    const XEON: &str = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n\
        model\t\t: 207\nmodel name\t: Xeon\nstepping\t: 2\nmicrocode\t: 0x21000290\n\
        flags\t\t: fpu aes hypervisor\n\nprocessor\t: 1\nvendor_id\t: GenuineIntel\n\n";
    const GRAVITON: &str = "processor\t: 0\nBogoMIPS\t: 2100.00\nFeatures\t: fp asimd aes\n\
        CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: 0xd40\n\
        CPU revision\t: 1\n\n";

    fn describe(files: &[(&str, &str)]) -> Processor {
        let (_guard, root) = machine(files);
        Processor::describe(&root, &Cpu::detect().unwrap())
    }

    #[test]
    fn x86_64_fields_are_read() {
        let cpu = describe(&[("/proc/cpuinfo", XEON)]);
        assert_eq!(cpu.model.as_deref(), Some("Xeon"));
        assert_eq!(cpu.vendor.as_deref(), Some("GenuineIntel"));
        assert_eq!((cpu.family, cpu.model_number, cpu.stepping), (Some(6), Some(207), Some(2)));
        assert_eq!(cpu.microcode.as_deref(), Some("0x21000290"));
        assert_eq!(cpu.hypervisor, Some(true));
    }

    #[test]
    fn aarch64_fields_are_read_and_absent_ones_stay_absent() {
        let cpu = describe(&[("/proc/cpuinfo", GRAVITON)]);
        assert_eq!(cpu.vendor.as_deref(), Some("0x41"));
        assert_eq!((cpu.family, cpu.model_number, cpu.stepping), (Some(8), Some(0xd40), Some(1)));
        assert_eq!((cpu.model, cpu.microcode, cpu.hypervisor), (None, None, None));
    }

    #[test]
    fn hyperthreads_share_cores() {
        let cpu = describe(&[
            ("/sys/devices/system/cpu/online", "0-3"),
            ("/sys/devices/system/cpu/cpu0/topology/core_cpus_list", "0,2"),
            ("/sys/devices/system/cpu/cpu1/topology/core_cpus_list", "1,3"),
            ("/sys/devices/system/cpu/cpu2/topology/core_cpus_list", "0,2"),
            ("/sys/devices/system/cpu/cpu3/topology/core_cpus_list", "1,3"),
        ]);
        assert_eq!(cpu.logical_cpus, Some(4));
        assert_eq!(cpu.physical_cores, Some(2));
        assert_eq!(cpu.threads_per_core, Some(2));
    }

    #[test]
    fn without_topology_files_cores_are_unknown() {
        let cpu = describe(&[("/sys/devices/system/cpu/online", "0-3")]);
        assert_eq!(cpu.logical_cpus, Some(4));
        assert_eq!((cpu.physical_cores, cpu.threads_per_core), (None, None));
    }

    #[test]
    fn governors_that_differ_are_all_named() {
        let cpu = describe(&[
            ("/sys/devices/system/cpu/online", "0,2"),
            ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
            ("/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "performance\n"),
        ]);
        assert_eq!(cpu.governor.as_deref(), Some("performance,powersave"));
    }

    #[test]
    fn lists_of_cpus_have_ranges() {
        assert_eq!(cpu_list("0-2,4"), Some(vec![0, 1, 2, 4]));
        assert_eq!(cpu_list("7"), Some(vec![7]));
        assert_eq!(cpu_list("x"), None);
    }

    #[test]
    fn features_are_the_providers() {
        let cpu = Cpu::detect().unwrap();
        let (_guard, root) = machine(&[]);
        let described = Processor::describe(&root, &cpu);
        assert_eq!(described.class, cpu.class());
        assert_eq!(described.features.len(), cpu.features().count());
    }
}
