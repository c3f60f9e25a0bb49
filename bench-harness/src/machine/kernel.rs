//! The kernel, and the settings of it that change what cryptography and system calls cost.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;

use flate2::read::GzDecoder;
use procfs::{ConfigSetting, FromRead, KernelConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Root;

const VULNERABILITIES: &str = "/sys/devices/system/cpu/vulnerabilities";

/// Boot parameters that switch mitigations on or off, by name or by prefix of the name.
const MITIGATION_PARAMETERS: [&str; 19] = [
    "gather_data_sampling",
    "indirect_target_selection",
    "kpti",
    "kvm.nx_huge_pages",
    "l1tf",
    "mds",
    "mitigations",
    "mmio_stale_data",
    "nopti",
    "nosmt",
    "nospec",
    "pti",
    "reg_file_data_sampling",
    "retbleed",
    "spec",
    "srbds",
    "tsa",
    "tsx",
    "vmscape",
];

/// The running kernel. What the system does not tell is `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Kernel {
    /// Release, as `uname -r` prints it.
    pub release: Option<String>,
    /// Clock source; anything but `tsc`, `kvm-clock` or `arch_sys_counter` makes timestamps slow.
    pub clocksource: Option<String>,
    /// The words of the kernel command line that concern CPU vulnerabilities; empty if none does.
    pub mitigation_parameters: Option<Vec<String>>,
    /// Whether interrupts are accounted apart from the process that they interrupt
    /// (`CONFIG_IRQ_TIME_ACCOUNTING`): TCP input is then in no process's CPU time.
    pub irq_time_accounting: Option<bool>,
    /// State of each CPU vulnerability as the kernel words it, those that do not affect this CPU
    /// left out.
    pub vulnerabilities: BTreeMap<String, String>,
}

impl Kernel {
    pub(super) fn describe(root: &Root) -> Self {
        Self {
            release: root.text("/proc/sys/kernel/osrelease"),
            clocksource: root
                .text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            mitigation_parameters: mitigation_parameters(root),
            irq_time_accounting: irq_time_accounting(root),
            vulnerabilities: vulnerabilities(root),
        }
    }
}

fn mitigation_parameters(root: &Root) -> Option<Vec<String>> {
    let words = command_line(root)?;
    Some(words.into_iter().filter(|word| concerns_mitigations(word)).collect())
}

/// The words of the kernel command line that are the kernel's; what follows `--` is for init.
pub(super) fn command_line(root: &Root) -> Option<Vec<String>> {
    let text = root.text("/proc/cmdline")?;
    Some(text.split_whitespace().take_while(|&word| word != "--").map(str::to_owned).collect())
}

/// How the running kernel was built: what it says itself, else what lies in `/boot`.
pub(super) fn build_options(root: &Root) -> Option<HashMap<String, ConfigSetting>> {
    let parse = |reader: &mut dyn Read| KernelConfig::from_read(reader).ok().map(|config| config.0);
    if let Ok(file) = File::open(root.path("/proc/config.gz")) {
        return parse(&mut GzDecoder::new(file));
    }
    let release = root.text("/proc/sys/kernel/osrelease")?;
    parse(&mut File::open(root.path(format!("/boot/config-{release}"))).ok()?)
}

fn irq_time_accounting(root: &Root) -> Option<bool> {
    let built_in = build_options(root)?.contains_key("CONFIG_IRQ_TIME_ACCOUNTING");
    let switched_off = command_line(root)?.iter().any(|word| word == "tsc=noirqtime");
    Some(built_in && !switched_off)
}

fn concerns_mitigations(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or(word);
    MITIGATION_PARAMETERS.iter().any(|parameter| name.starts_with(parameter))
}

fn vulnerabilities(root: &Root) -> BTreeMap<String, String> {
    let state = |name: String| {
        let state = root.text(format!("{VULNERABILITIES}/{name}"))?;
        (state != "Not affected").then_some((name, state))
    };
    root.names(VULNERABILITIES).into_iter().filter_map(state).collect()
}

#[cfg(test)]
mod tests {
    use super::super::root::fixture::machine;
    use super::*;

    #[test]
    fn only_words_about_mitigations_are_kept_and_init_is_left_alone() {
        let (_guard, root) = machine(&[(
            "/proc/cmdline",
            "console=ttyS0 mitigations=auto,nosmt spectre_v2=off quiet -- mds=full\n",
        )]);
        let parameters = Kernel::describe(&root).mitigation_parameters.unwrap();
        assert_eq!(parameters, ["mitigations=auto,nosmt", "spectre_v2=off"]);
    }

    #[test]
    fn an_unreadable_command_line_is_not_an_empty_one() {
        let (_guard, root) = machine(&[]);
        assert_eq!(Kernel::describe(&root).mitigation_parameters, None);
        let (_guard, root) = machine(&[("/proc/cmdline", "quiet\n")]);
        assert_eq!(Kernel::describe(&root).mitigation_parameters, Some(Vec::new()));
    }

    #[test]
    fn interrupts_are_accounted_apart_if_built_so_and_not_switched_off() {
        let release = ("/proc/sys/kernel/osrelease", "6.1.0\n");
        let built = |options| ("/boot/config-6.1.0", options);
        let with = built("CONFIG_IRQ_TIME_ACCOUNTING=y\n");
        let without = built("# CONFIG_IRQ_TIME_ACCOUNTING is not set\nCONFIG_NET=y\n");
        for (config, words, expected) in [
            (with, "quiet\n", true),
            (with, "quiet tsc=noirqtime\n", false),
            (without, "quiet\n", false),
        ] {
            let (_guard, root) = machine(&[release, config, ("/proc/cmdline", words)]);
            assert_eq!(Kernel::describe(&root).irq_time_accounting, Some(expected));
        }
        let (_guard, root) = machine(&[release]);
        assert_eq!(Kernel::describe(&root).irq_time_accounting, None);
    }

    #[test]
    fn vulnerabilities_that_do_not_affect_are_left_out() {
        let (_guard, root) = machine(&[
            ("/sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n"),
            ("/sys/devices/system/cpu/vulnerabilities/retbleed", "Mitigation: Enhanced IBRS\n"),
        ]);
        let found = Kernel::describe(&root).vulnerabilities;
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [("retbleed".to_owned(), "Mitigation: Enhanced IBRS".to_owned())]
        );
    }
}
