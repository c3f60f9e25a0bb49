//! Detection on x86_64: the standard library for features, CPUID for the model.
#![cfg(target_arch = "x86_64")]

use std::arch::is_x86_feature_detected as detected;
use std::collections::BTreeSet;

use super::Feature;

pub(super) fn features() -> BTreeSet<Feature> {
    let found = [
        (Feature::Aes, detected!("aes")),
        (Feature::Pclmulqdq, detected!("pclmulqdq")),
        (Feature::Vaes, detected!("vaes")),
        (Feature::Vpclmulqdq, detected!("vpclmulqdq")),
        (Feature::Ssse3, detected!("ssse3")),
        (Feature::Avx, detected!("avx")),
        (Feature::Avx2, detected!("avx2")),
        (Feature::Avx512f, detected!("avx512f")),
        (Feature::Avx512bw, detected!("avx512bw")),
        (Feature::Avx512vl, detected!("avx512vl")),
        (Feature::Avx512dq, detected!("avx512dq")),
        (Feature::Avx512ifma, detected!("avx512ifma")),
        (Feature::Avx512vbmi2, detected!("avx512vbmi2")),
        (Feature::Sha, detected!("sha")),
        (Feature::Adx, detected!("adx")),
        (Feature::Bmi1, detected!("bmi1")),
        (Feature::Bmi2, detected!("bmi2")),
    ];
    found.into_iter().filter_map(|(feature, has)| has.then_some(feature)).collect()
}

/// Vendor and signature in the form of perf's event maps: `GenuineIntel-6-55-7`.
pub(super) fn model() -> String {
    let (vendor, signature) = identification();
    let base_family = (signature >> 8) & 0xf;
    let extended_family = if base_family == 0xf { (signature >> 20) & 0xff } else { 0 };
    let extended_model =
        if matches!(base_family, 0x6 | 0xf) { (signature >> 12) & 0xf0 } else { 0 };
    let family = base_family + extended_family;
    let model = extended_model | ((signature >> 4) & 0xf);
    let stepping = signature & 0xf;
    format!("{}-{family:X}-{model:X}-{stepping:X}", String::from_utf8_lossy(&vendor))
}

/// The maker's twelve letters (CPUID leaf 0) and the signature (EAX of leaf 1).
#[allow(unsafe_code, unused_unsafe)] // newer compilers call `__cpuid` safe
fn identification() -> ([u8; 12], u32) {
    use std::arch::x86_64::__cpuid;

    // SAFETY: every x86_64 CPU has the CPUID instruction and its leaves 0 and 1
    let (maker, signature) = unsafe { (__cpuid(0), __cpuid(1).eax) };
    let mut vendor = [0; 12];
    for (letters, register) in vendor.chunks_exact_mut(4).zip([maker.ebx, maker.edx, maker.ecx]) {
        letters.copy_from_slice(&register.to_le_bytes());
    }
    (vendor, signature)
}
