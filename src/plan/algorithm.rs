//! The algorithms a plan chooses an implementation for, and where TLS meets each of them.

use rustls::pki_types::{SignatureVerificationAlgorithm, alg_id};
use rustls::{CipherSuite, NamedGroup, SignatureScheme};

use crate::backend::{Backend, Parts};
use crate::cpu::Cpu;
use crate::named::named_enum;

named_enum! {
    /// A slot of a plan: one algorithm, served by one backend.
    pub enum Algorithm, "algorithm" {
        /// Record protection with AES-128-GCM, TLS 1.2 and 1.3.
        Aes128Gcm = "aes-128-gcm",
        /// Record protection with AES-256-GCM, TLS 1.2 and 1.3.
        Aes256Gcm = "aes-256-gcm",
        /// Record protection with ChaCha20-Poly1305 (RFC 8439), TLS 1.2 and 1.3.
        ChaCha20Poly1305 = "chacha20-poly1305",
        /// Transcript hash of the SHA-256 suites.
        Sha256 = "sha-256",
        /// Transcript hash of the SHA-384 suites.
        Sha384 = "sha-384",
        /// Key schedule of the SHA-256 suites: HKDF (TLS 1.3) and PRF (TLS 1.2).
        HkdfSha256 = "hkdf-sha-256",
        /// Key schedule of the SHA-384 suites: HKDF (TLS 1.3) and PRF (TLS 1.2).
        HkdfSha384 = "hkdf-sha-384",
        /// Key exchange on Curve25519 (RFC 7748).
        X25519 = "x25519",
        /// Key exchange on NIST P-256 (secp256r1).
        P256 = "p-256",
        /// Key exchange on NIST P-384 (secp384r1).
        P384 = "p-384",
        /// Hybrid post-quantum key exchange, ML-KEM-768 with X25519.
        X25519MlKem768 = "x25519mlkem768",
        /// Signing with ECDSA on P-256.
        EcdsaP256Sign = "ecdsa-p256-sign",
        /// Verifying ECDSA on P-256.
        EcdsaP256Verify = "ecdsa-p256-verify",
        /// Signing with ECDSA on P-384.
        EcdsaP384Sign = "ecdsa-p384-sign",
        /// Verifying ECDSA on P-384.
        EcdsaP384Verify = "ecdsa-p384-verify",
        /// Signing with Ed25519 (RFC 8032).
        Ed25519Sign = "ed25519-sign",
        /// Verifying Ed25519 (RFC 8032).
        Ed25519Verify = "ed25519-verify",
        /// Signing with RSA PKCS#1 v1.5 (TLS 1.2 only).
        RsaPkcs1Sign = "rsa-pkcs1-sign",
        /// Verifying RSA PKCS#1 v1.5 (certificates, and TLS 1.2).
        RsaPkcs1Verify = "rsa-pkcs1-verify",
        /// Signing with RSA-PSS.
        RsaPssSign = "rsa-pss-sign",
        /// Verifying RSA-PSS.
        RsaPssVerify = "rsa-pss-verify",
    }
}

impl Algorithm {
    /// The backends that are compiled in, run on `cpu` and implement this algorithm, most
    /// preferred first.
    pub fn candidates(self, cpu: &Cpu) -> Vec<Backend> {
        let mut candidates = Backend::available(cpu);
        candidates.retain(|backend| {
            backend.usable(cpu).is_ok_and(|adapter| {
                if !adapter.may_serve(self) {
                    return false;
                }
                let provider = (adapter.provider)();
                let group = self.named_group().is_none_or(|id| provider.group(id).is_some());
                group && self.record_suite().is_none_or(|id| provider.suite(id).is_some())
            })
        });
        candidates
    }

    /// The TLS 1.3 suite that protects records with this algorithm, if it does that.
    pub(crate) fn record_suite(self) -> Option<CipherSuite> {
        match self {
            Self::Aes128Gcm => Some(CipherSuite::TLS13_AES_128_GCM_SHA256),
            Self::Aes256Gcm => Some(CipherSuite::TLS13_AES_256_GCM_SHA384),
            Self::ChaCha20Poly1305 => Some(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
            _ => None,
        }
    }

    /// The group, if this is a key exchange. *ring* lacks one, the FIPS module two.
    pub(crate) fn named_group(self) -> Option<NamedGroup> {
        match self {
            Self::X25519 => Some(NamedGroup::X25519),
            Self::P256 => Some(NamedGroup::secp256r1),
            Self::P384 => Some(NamedGroup::secp384r1),
            Self::X25519MlKem768 => Some(NamedGroup::X25519MLKEM768),
            _ => None,
        }
    }

    /// The slot that serves key exchange in `group`.
    pub(crate) fn key_exchange(group: NamedGroup) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.named_group() == Some(group))
    }

    /// The slots of a suite: record protection, transcript hash, key schedule.
    pub(crate) fn of_suite(suite: CipherSuite) -> Option<[Self; 3]> {
        match suite {
            CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => {
                Some([Self::Aes128Gcm, Self::Sha256, Self::HkdfSha256])
            }
            CipherSuite::TLS13_AES_256_GCM_SHA384
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => {
                Some([Self::Aes256Gcm, Self::Sha384, Self::HkdfSha384])
            }
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => {
                Some([Self::ChaCha20Poly1305, Self::Sha256, Self::HkdfSha256])
            }
            _ => None,
        }
    }

    /// The slot that verifies what `algorithm` verifies; `None` for P-521 and ML-DSA.
    pub(crate) fn verifying(algorithm: &dyn SignatureVerificationAlgorithm) -> Option<Self> {
        const PSS: [rustls::pki_types::AlgorithmIdentifier; 3] =
            [alg_id::RSA_PSS_SHA256, alg_id::RSA_PSS_SHA384, alg_id::RSA_PSS_SHA512];
        let key = algorithm.public_key_alg_id();
        if key == alg_id::ECDSA_P256 {
            Some(Self::EcdsaP256Verify)
        } else if key == alg_id::ECDSA_P384 {
            Some(Self::EcdsaP384Verify)
        } else if key == alg_id::ED25519 {
            Some(Self::Ed25519Verify)
        } else if key == alg_id::RSA_ENCRYPTION {
            let pss = PSS.contains(&algorithm.signature_alg_id());
            Some(if pss { Self::RsaPssVerify } else { Self::RsaPkcs1Verify })
        } else {
            None
        }
    }

    /// The slot that signs with `scheme`; `None` for P-521 and ML-DSA.
    pub(crate) fn signing(scheme: SignatureScheme) -> Option<Self> {
        match scheme {
            SignatureScheme::ECDSA_NISTP256_SHA256 => Some(Self::EcdsaP256Sign),
            SignatureScheme::ECDSA_NISTP384_SHA384 => Some(Self::EcdsaP384Sign),
            SignatureScheme::ED25519 => Some(Self::Ed25519Sign),
            SignatureScheme::RSA_PKCS1_SHA256
            | SignatureScheme::RSA_PKCS1_SHA384
            | SignatureScheme::RSA_PKCS1_SHA512 => Some(Self::RsaPkcs1Sign),
            SignatureScheme::RSA_PSS_SHA256
            | SignatureScheme::RSA_PSS_SHA384
            | SignatureScheme::RSA_PSS_SHA512 => Some(Self::RsaPssSign),
            _ => None,
        }
    }
}
