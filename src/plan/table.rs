//! Committed measurements, by class of CPU.
//!
//! Written by `cargo run --release --features ring,graviola --example measure_table` on the machine
//! named in each block; edit nothing by hand. A class that nobody measured has no block.

use super::{Algorithm, Backend};

/// What was measured on one machine.
struct Block {
    class: &'static str,
    /// The machine, the versions and the day.
    machine: &'static str,
    /// Nanoseconds per operation.
    rows: &'static [(Algorithm, Backend, f64)],
}

/// The machine that stands for `class`.
pub(super) fn machine(class: &str) -> Option<&'static str> {
    block(class).map(|block| block.machine)
}

/// Nanoseconds per operation on the machine that stands for `class`.
pub(super) fn nanoseconds(class: &str, algorithm: Algorithm, backend: Backend) -> Option<f64> {
    let row = |row: &&(Algorithm, Backend, f64)| row.0 == algorithm && row.1 == backend;
    block(class)?.rows.iter().find(row).map(|row| row.2)
}

fn block(class: &str) -> Option<&'static Block> {
    BLOCKS.iter().find(|block| block.class == class)
}

const BLOCKS: &[Block] = &[
    Block {
        class: "x86_64-avx512",
        machine: "Cascade Lake VM, 2.5 GHz, 2 vCPU 2026-11-22; rustls 0.23.46, aws-lc-rs 1.19.0, ring 0.17.14, graviola 0.4.4 (GenuineIntel-6-55-7)",
        rows: &[
            (Algorithm::Aes128Gcm, Backend::AwsLcRs, 1448.6),
            (Algorithm::Aes128Gcm, Backend::Ring, 1340.6),
            (Algorithm::Aes128Gcm, Backend::Graviola, 1791.0),
            (Algorithm::Aes256Gcm, Backend::AwsLcRs, 1744.8),
            (Algorithm::Aes256Gcm, Backend::Ring, 1595.3),
            (Algorithm::Aes256Gcm, Backend::Graviola, 2077.9),
            (Algorithm::ChaCha20Poly1305, Backend::AwsLcRs, 2705.7),
            (Algorithm::ChaCha20Poly1305, Backend::Ring, 2588.3),
            (Algorithm::ChaCha20Poly1305, Backend::Graviola, 4732.7),
            (Algorithm::Sha256, Backend::AwsLcRs, 3739.8),
            (Algorithm::Sha256, Backend::Ring, 3608.2),
            (Algorithm::Sha256, Backend::Graviola, 7880.9),
            (Algorithm::Sha384, Backend::AwsLcRs, 3094.2),
            (Algorithm::Sha384, Backend::Ring, 2925.6),
            (Algorithm::Sha384, Backend::Graviola, 3578.7),
            (Algorithm::HkdfSha256, Backend::AwsLcRs, 25245.9),
            (Algorithm::HkdfSha256, Backend::Ring, 15639.6),
            (Algorithm::HkdfSha256, Backend::Graviola, 31686.1),
            (Algorithm::HkdfSha384, Backend::AwsLcRs, 32551.5),
            (Algorithm::HkdfSha384, Backend::Ring, 20209.7),
            (Algorithm::HkdfSha384, Backend::Graviola, 26175.6),
            (Algorithm::X25519, Backend::AwsLcRs, 76138.8),
            (Algorithm::X25519, Backend::Ring, 156634.0),
            (Algorithm::X25519, Backend::Graviola, 73503.4),
            (Algorithm::P256, Backend::AwsLcRs, 133472.0),
            (Algorithm::P256, Backend::Ring, 137325.0),
            (Algorithm::P256, Backend::Graviola, 133225.0),
            (Algorithm::P384, Backend::AwsLcRs, 493421.0),
            (Algorithm::P384, Backend::Ring, 2038267.0),
            (Algorithm::P384, Backend::Graviola, 703078.0),
            (Algorithm::X25519MlKem768, Backend::AwsLcRs, 159171.0),
            (Algorithm::X25519MlKem768, Backend::Graviola, 134977.5),
            (Algorithm::EcdsaP256Sign, Backend::AwsLcRs, 20607.2),
            (Algorithm::EcdsaP256Sign, Backend::Ring, 21408.2),
            (Algorithm::EcdsaP256Sign, Backend::Graviola, 29936.3),
            (Algorithm::EcdsaP256Verify, Backend::AwsLcRs, 62918.4),
            (Algorithm::EcdsaP256Verify, Backend::Ring, 64644.6),
            (Algorithm::EcdsaP256Verify, Backend::Graviola, 65699.7),
            (Algorithm::EcdsaP384Sign, Backend::AwsLcRs, 111572.1),
            (Algorithm::EcdsaP384Sign, Backend::Ring, 540487.0),
            (Algorithm::EcdsaP384Sign, Backend::Graviola, 188207.5),
            (Algorithm::EcdsaP384Verify, Backend::AwsLcRs, 250928.0),
            (Algorithm::EcdsaP384Verify, Backend::Ring, 984793.0),
            (Algorithm::EcdsaP384Verify, Backend::Graviola, 347791.5),
            (Algorithm::Ed25519Sign, Backend::AwsLcRs, 10949.5),
            (Algorithm::Ed25519Sign, Backend::Ring, 31314.5),
            (Algorithm::Ed25519Sign, Backend::Graviola, 10517.0),
            (Algorithm::Ed25519Verify, Backend::AwsLcRs, 43834.1),
            (Algorithm::Ed25519Verify, Backend::Ring, 57234.6),
            (Algorithm::Ed25519Verify, Backend::Graviola, 43647.4),
            (Algorithm::RsaPkcs1Sign, Backend::AwsLcRs, 637811.0),
            (Algorithm::RsaPkcs1Sign, Backend::Ring, 625876.0),
            (Algorithm::RsaPkcs1Sign, Backend::Graviola, 653110.0),
            (Algorithm::RsaPkcs1Verify, Backend::AwsLcRs, 23059.1),
            (Algorithm::RsaPkcs1Verify, Backend::Ring, 25656.1),
            (Algorithm::RsaPkcs1Verify, Backend::Graviola, 28952.4),
            (Algorithm::RsaPssSign, Backend::AwsLcRs, 640733.0),
            (Algorithm::RsaPssSign, Backend::Ring, 628598.0),
            (Algorithm::RsaPssSign, Backend::Graviola, 656735.0),
            (Algorithm::RsaPssVerify, Backend::AwsLcRs, 25136.1),
            (Algorithm::RsaPssVerify, Backend::Ring, 27888.9),
            (Algorithm::RsaPssVerify, Backend::Graviola, 32775.4),
        ],
    },
    Block {
        class: "x86_64-avx512-vaes-ifma-sha",
        machine: "Xeon VM with Sapphire Rapids features, 2.6 GHz, 2 vCPU 2026-11-25; rustls 0.23.46, aws-lc-rs 1.19.0, ring 0.17.14, graviola 0.4.4, sha2 0.11.1 (GenuineIntel-6-A7-1)",
        rows: &[
            (Algorithm::Aes128Gcm, Backend::AwsLcRs, 519.0),
            (Algorithm::Aes128Gcm, Backend::Ring, 608.4),
            (Algorithm::Aes128Gcm, Backend::Graviola, 609.4),
            (Algorithm::Aes256Gcm, Backend::AwsLcRs, 565.0),
            (Algorithm::Aes256Gcm, Backend::Ring, 659.5),
            (Algorithm::Aes256Gcm, Backend::Graviola, 665.3),
            (Algorithm::ChaCha20Poly1305, Backend::AwsLcRs, 1911.0),
            (Algorithm::ChaCha20Poly1305, Backend::Ring, 1836.6),
            (Algorithm::ChaCha20Poly1305, Backend::Graviola, 3341.1),
            (Algorithm::Sha256, Backend::AwsLcRs, 761.1),
            (Algorithm::Sha256, Backend::Ring, 767.8),
            (Algorithm::Sha256, Backend::Graviola, 694.0),
            (Algorithm::Sha256, Backend::RustCrypto, 699.8),
            (Algorithm::Sha384, Backend::AwsLcRs, 1931.6),
            (Algorithm::Sha384, Backend::Ring, 1918.8),
            (Algorithm::Sha384, Backend::Graviola, 2350.4),
            (Algorithm::Sha384, Backend::RustCrypto, 1944.7),
            (Algorithm::HkdfSha256, Backend::AwsLcRs, 6590.9),
            (Algorithm::HkdfSha256, Backend::Ring, 5056.3),
            (Algorithm::HkdfSha256, Backend::Graviola, 4797.3),
            (Algorithm::HkdfSha256, Backend::RustCrypto, 4492.1),
            (Algorithm::HkdfSha384, Backend::AwsLcRs, 20498.6),
            (Algorithm::HkdfSha384, Backend::Ring, 13344.1),
            (Algorithm::HkdfSha384, Backend::Graviola, 17032.3),
            (Algorithm::HkdfSha384, Backend::RustCrypto, 13858.3),
            (Algorithm::X25519, Backend::AwsLcRs, 50212.9),
            (Algorithm::X25519, Backend::Ring, 91644.4),
            (Algorithm::X25519, Backend::Graviola, 50025.6),
            (Algorithm::P256, Backend::AwsLcRs, 89046.6),
            (Algorithm::P256, Backend::Ring, 106906.8),
            (Algorithm::P256, Backend::Graviola, 95037.1),
            (Algorithm::P384, Backend::AwsLcRs, 308816.0),
            (Algorithm::P384, Backend::Ring, 1009454.0),
            (Algorithm::P384, Backend::Graviola, 492485.0),
            (Algorithm::X25519MlKem768, Backend::AwsLcRs, 85264.6),
            (Algorithm::X25519MlKem768, Backend::Graviola, 80955.0),
            (Algorithm::EcdsaP256Sign, Backend::AwsLcRs, 14134.9),
            (Algorithm::EcdsaP256Sign, Backend::Ring, 15661.4),
            (Algorithm::EcdsaP256Sign, Backend::Graviola, 13671.3),
            (Algorithm::EcdsaP256Verify, Backend::AwsLcRs, 47133.7),
            (Algorithm::EcdsaP256Verify, Backend::Ring, 49281.4),
            (Algorithm::EcdsaP256Verify, Backend::Graviola, 46014.0),
            (Algorithm::EcdsaP384Sign, Backend::AwsLcRs, 63483.5),
            (Algorithm::EcdsaP384Sign, Backend::Ring, 272172.0),
            (Algorithm::EcdsaP384Sign, Backend::Graviola, 131418.1),
            (Algorithm::EcdsaP384Verify, Backend::AwsLcRs, 158997.2),
            (Algorithm::EcdsaP384Verify, Backend::Ring, 489188.0),
            (Algorithm::EcdsaP384Verify, Backend::Graviola, 246122.3),
            (Algorithm::Ed25519Sign, Backend::AwsLcRs, 7170.5),
            (Algorithm::Ed25519Sign, Backend::Ring, 18588.1),
            (Algorithm::Ed25519Sign, Backend::Graviola, 6933.1),
            (Algorithm::Ed25519Verify, Backend::AwsLcRs, 28949.0),
            (Algorithm::Ed25519Verify, Backend::Ring, 32273.0),
            (Algorithm::Ed25519Verify, Backend::Graviola, 28737.0),
            (Algorithm::RsaPkcs1Sign, Backend::AwsLcRs, 248350.3),
            (Algorithm::RsaPkcs1Sign, Backend::Ring, 456656.0),
            (Algorithm::RsaPkcs1Sign, Backend::Graviola, 475110.0),
            (Algorithm::RsaPkcs1Verify, Backend::AwsLcRs, 15241.3),
            (Algorithm::RsaPkcs1Verify, Backend::Ring, 18313.1),
            (Algorithm::RsaPkcs1Verify, Backend::Graviola, 19828.0),
            (Algorithm::RsaPssSign, Backend::AwsLcRs, 249533.0),
            (Algorithm::RsaPssSign, Backend::Ring, 461989.5),
            (Algorithm::RsaPssSign, Backend::Graviola, 476656.0),
            (Algorithm::RsaPssVerify, Backend::AwsLcRs, 15887.6),
            (Algorithm::RsaPssVerify, Backend::Ring, 19204.2),
            (Algorithm::RsaPssVerify, Backend::Graviola, 20459.2),
        ],
    },
];
