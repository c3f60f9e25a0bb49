//! Detection on aarch64: the standard library for features, the kernel's `MIDR_EL1` for the model.
#![cfg(target_arch = "aarch64")]

use std::arch::is_aarch64_feature_detected as detected;
use std::collections::BTreeSet;

use super::Feature;

/// Where Linux shows the main ID register of the first CPU.
const MIDR: &str = "/sys/devices/system/cpu/cpu0/regs/identification/midr_el1";

pub(super) fn features() -> BTreeSet<Feature> {
    let found = [
        (Feature::Aes, detected!("aes")),
        (Feature::Pmull, detected!("pmull")),
        (Feature::Sha2, detected!("sha2")),
        (Feature::Sha512, detected!("sha3")),
        (Feature::Sha3, detected!("sha3")),
        (Feature::Neon, detected!("neon")),
    ];
    found.into_iter().filter_map(|(feature, has)| has.then_some(feature)).collect()
}

pub(super) fn model() -> String {
    match std::fs::read_to_string(MIDR) {
        Ok(midr) => format!("midr-{}", midr.trim()),
        Err(_) => "unknown".to_owned(),
    }
}
