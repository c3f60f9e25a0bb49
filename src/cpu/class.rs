//! Classes of CPU: within one, the same implementations win by about the same margin.
//!
//! A class is the widest vector level the public-key code can use, then the extensions that change
//! which symmetric implementation wins. Older CPUs that lack part of a level fall to `baseline`.

use std::collections::BTreeSet;

use super::Feature::{self, *};

/// What every implementation tuned for x86_64 since Broadwell and Zen expects.
const AVX2: &[Feature] = &[Aes, Pclmulqdq, Ssse3, Avx, Avx2, Bmi1, Bmi2, Adx];
const AVX512: &[Feature] = &[Avx512f, Avx512bw, Avx512vl, Avx512dq];
const CRYPTO: &[Feature] = &[Neon, Aes, Pmull, Sha2];

/// The class of a CPU of architecture `arch` with `features`.
pub(super) fn of(arch: &str, features: &BTreeSet<Feature>) -> String {
    let has = |wanted: &[Feature]| wanted.iter().all(|feature| features.contains(feature));
    let mut class = vec![arch];
    match arch {
        "x86_64" if has(AVX2) => {
            class.push(if has(AVX512) { "avx512" } else { "avx2" });
            let wide_aes = has(&[Vaes, Vpclmulqdq]);
            let extensions = [
                ("vaes", wide_aes),
                ("ifma", has(AVX512) && has(&[Avx512ifma])),
                ("sha", has(&[Sha])),
            ];
            class.extend(extensions.iter().filter(|(_, found)| *found).map(|(name, _)| name));
        }
        "aarch64" if has(CRYPTO) => {
            class.push("crypto");
            class.extend(has(&[Sha512, Sha3]).then_some("sha3"));
        }
        _ => class.push("baseline"),
    }
    class.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(arch: &str, groups: &[&[Feature]]) -> String {
        of(arch, &groups.concat().into_iter().collect())
    }

    #[test]
    fn known_machines_fall_into_the_expected_classes() {
        let haswell: Vec<_> = AVX2.iter().copied().filter(|&feature| feature != Adx).collect();
        assert_eq!(class("x86_64", &[&haswell]), "x86_64-baseline");
        assert_eq!(class("x86_64", &[AVX2]), "x86_64-avx2"); // Broadwell
        assert_eq!(class("x86_64", &[AVX2, &[Sha]]), "x86_64-avx2-sha"); // Zen
        assert_eq!(class("x86_64", &[AVX2, AVX512]), "x86_64-avx512"); // Skylake-SP, Cascade Lake
        let zen3 = [AVX2, &[Vaes, Vpclmulqdq, Sha][..]];
        assert_eq!(class("x86_64", &zen3), "x86_64-avx2-vaes-sha");
        let ice_lake = [AVX2, AVX512, &[Vaes, Vpclmulqdq, Avx512ifma, Avx512vbmi2, Sha][..]];
        assert_eq!(class("x86_64", &ice_lake), "x86_64-avx512-vaes-ifma-sha");
        assert_eq!(class("aarch64", &[CRYPTO]), "aarch64-crypto"); // Neoverse N1
        assert_eq!(class("aarch64", &[CRYPTO, &[Sha512, Sha3]]), "aarch64-crypto-sha3"); // V1, M1
        assert_eq!(class("aarch64", &[&[Neon]]), "aarch64-baseline"); // Cortex-A72 of a Raspberry Pi 4
        assert_eq!(class("riscv64", &[]), "riscv64-baseline");
    }
}
