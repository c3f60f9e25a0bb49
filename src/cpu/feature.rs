//! The CPU features that decide which implementations run, and how fast.
//!
//! Those of all architectures are one enumeration, because masks and plan files name them on any.

use crate::named::named_enum;

named_enum! {
    /// A CPU feature, by the name the Rust standard library gives it.
    pub enum Feature, "CPU feature" {
        /// AES rounds, on x86_64 and aarch64.
        Aes = "aes",
        /// Carry-less multiplication (x86_64), for GHASH.
        Pclmulqdq = "pclmulqdq",
        /// AES rounds on 256- and 512-bit vectors (x86_64).
        Vaes = "vaes",
        /// Carry-less multiplication on 256- and 512-bit vectors (x86_64).
        Vpclmulqdq = "vpclmulqdq",
        /// Byte shuffles (x86_64).
        Ssse3 = "ssse3",
        /// 256-bit floating-point vectors (x86_64).
        Avx = "avx",
        /// 256-bit integer vectors (x86_64).
        Avx2 = "avx2",
        /// AVX-512 foundation (x86_64).
        Avx512f = "avx512f",
        /// AVX-512 on bytes and words (x86_64).
        Avx512bw = "avx512bw",
        /// AVX-512 instructions on shorter vectors (x86_64).
        Avx512vl = "avx512vl",
        /// AVX-512 on double and quad words (x86_64).
        Avx512dq = "avx512dq",
        /// 52-bit multiply-add, eight lanes (x86_64).
        Avx512ifma = "avx512ifma",
        /// AVX-512 byte compress and expand, wide shifts (x86_64).
        Avx512vbmi2 = "avx512vbmi2",
        /// SHA-1 and SHA-256 rounds (x86_64, "SHA-NI").
        Sha = "sha",
        /// Two independent carry chains (x86_64).
        Adx = "adx",
        /// Bit manipulation, first set (x86_64).
        Bmi1 = "bmi1",
        /// Bit manipulation, second set, with flagless multiply (x86_64).
        Bmi2 = "bmi2",
        /// Polynomial multiplication (aarch64), for GHASH.
        Pmull = "pmull",
        /// SHA-1 and SHA-256 rounds (aarch64).
        Sha2 = "sha2",
        /// SHA-512 rounds (aarch64). Rust reports them together with `sha3`, and so do we.
        Sha512 = "sha512",
        /// SHA-3 instructions (aarch64).
        Sha3 = "sha3",
        /// Vectors (aarch64).
        Neon = "neon",
    }
}
