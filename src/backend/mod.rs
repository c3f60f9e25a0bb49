//! The implementations a plan can choose from: one thin adapter each, and no cryptography of ours.
//!
//! An adapter names the rustls provider whose parts we use, its ticketer, and the CPU features
//! without which it must not be called. Which adapters exist is settled here, by cargo features;
//! with `fips` on, only the aws-lc-rs FIPS module exists.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(all(feature = "graviola", not(feature = "fips")))]
mod graviola;
#[cfg(all(feature = "graviola", feature = "pool", not(feature = "fips")))]
mod ml_kem;
#[cfg(all(feature = "ring", not(feature = "fips")))]
mod ring;
#[cfg(not(feature = "fips"))]
mod rustcrypto;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::SignatureVerificationAlgorithm;
use rustls::server::ProducesTickets;
use rustls::{CipherSuite, NamedGroup, SupportedCipherSuite, Tls13CipherSuite};

use crate::Error;
use crate::cpu::{Cpu, Feature};
use crate::named::{self, named_enum};
use crate::plan::Algorithm;

#[cfg(not(any(feature = "aws-lc-rs", feature = "ring", feature = "graviola")))]
compile_error!(
    "rustls-offload needs a backend: enable at least one of its features aws-lc-rs (the default), ring, graviola"
);

named_enum! {
    /// An implementation of cryptography for rustls, in the order they are preferred in.
    pub enum Backend, "backend" {
        /// AWS-LC through `rustls::crypto::aws_lc_rs`: complete, and the default.
        AwsLcRs = "aws-lc-rs",
        /// *ring* through `rustls::crypto::ring`.
        Ring = "ring",
        /// Graviola through the crate `rustls-graviola`.
        Graviola = "graviola",
        /// RustCrypto's SHA-2 and HMAC, for transcript hash and key schedule only.
        RustCrypto = "rustcrypto",
    }
}

/// What we need to know of a backend.
pub(crate) struct Adapter {
    /// The CPU features without which this backend panics or faults.
    requires: &'static [Feature],
    /// The only algorithms that it may be chosen for; `None` if it is a provider in its own right.
    serves: Option<&'static [Algorithm]>,
    /// rustls's provider of this backend, the source of all parts.
    pub(crate) provider: fn() -> CryptoProvider,
    /// A fresh ticketer with random keys.
    pub(crate) ticketer: fn() -> Result<Arc<dyn ProducesTickets>, rustls::Error>,
}

impl Backend {
    /// The backends that are compiled in and run on `cpu`, most preferred first.
    pub fn available(cpu: &Cpu) -> Vec<Self> {
        Self::compiled().filter(|backend| backend.usable(cpu).is_ok()).collect()
    }

    /// The backends that are compiled in.
    pub(crate) fn compiled() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|backend| backend.adapter().is_some())
    }

    /// The backends that are providers in their own right, with the adapters of those that run on
    /// `cpu`, most preferred first.
    pub(crate) fn whole(cpu: &Cpu) -> impl Iterator<Item = (Self, &'static Adapter)> {
        let usable =
            Self::compiled().filter_map(|backend| Some((backend, backend.usable(cpu).ok()?)));
        usable.filter(|(_, adapter)| adapter.serves.is_none())
    }

    /// The adapter, if this backend is compiled in and runs on `cpu`.
    pub(crate) fn usable(self, cpu: &Cpu) -> Result<&'static Adapter, Error> {
        let adapter =
            self.adapter().ok_or(Error::NotCompiled { backend: self, fix: self.fix() })?;
        let missing: Vec<_> =
            adapter.requires.iter().filter(|&&feature| !cpu.has(feature)).collect();
        if missing.is_empty() {
            Ok(adapter)
        } else {
            Err(Error::NotRunnable { backend: self, missing: named::list(missing) })
        }
    }

    fn adapter(self) -> Option<&'static Adapter> {
        match self {
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLcRs => Some(&aws_lc::ADAPTER),
            #[cfg(all(feature = "ring", not(feature = "fips")))]
            Self::Ring => Some(&ring::ADAPTER),
            #[cfg(all(feature = "graviola", not(feature = "fips")))]
            Self::Graviola => Some(&graviola::ADAPTER),
            #[cfg(not(feature = "fips"))]
            Self::RustCrypto => Some(&rustcrypto::ADAPTER),
            #[allow(unreachable_patterns)] // reached unless every backend is compiled in
            _ => None,
        }
    }

    /// Its ML-KEM-768 by itself, the half of X25519MLKEM768 that has no lanes.
    #[cfg(all(feature = "pool", not(feature = "fips")))]
    pub(crate) fn ml_kem_768(self) -> Option<&'static dyn SupportedKxGroup> {
        match self {
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLcRs => Some(rustls::crypto::aws_lc_rs::kx_group::MLKEM768),
            #[cfg(feature = "graviola")]
            Self::Graviola => Some(&ml_kem::MlKem768),
            _ => None,
        }
    }

    fn fix(self) -> &'static str {
        if cfg!(feature = "fips") {
            return "with the cargo feature `fips` only the aws-lc-rs FIPS module is";
        }
        match self {
            Self::AwsLcRs => "enable the cargo feature `aws-lc-rs` of rustls-offload",
            Self::Ring => "enable the cargo feature `ring` of rustls-offload",
            Self::Graviola => "enable the cargo feature `graviola` of rustls-offload",
            Self::RustCrypto => "it is compiled in unless the cargo feature `fips` is on",
        }
    }
}

impl Adapter {
    /// Whether it may be chosen for `algorithm`.
    pub(crate) fn may_serve(&self, algorithm: Algorithm) -> bool {
        self.serves.is_none_or(|served| served.contains(&algorithm))
    }
}

/// Finding the parts of a provider by their protocol identifiers.
pub(crate) trait Parts {
    /// The suite `id`, of either protocol version.
    fn suite(&self, id: CipherSuite) -> Option<SupportedCipherSuite>;
    /// The key-exchange group `name`.
    fn group(&self, name: NamedGroup) -> Option<&'static dyn SupportedKxGroup>;
    /// The verification algorithm for the same keys and signatures as `like`.
    fn verifier(
        &self,
        like: &dyn SignatureVerificationAlgorithm,
    ) -> Option<&'static dyn SignatureVerificationAlgorithm>;

    /// The TLS 1.3 suite `id`.
    fn tls13(&self, id: CipherSuite) -> Option<&'static Tls13CipherSuite> {
        self.suite(id).and_then(|suite| suite.tls13())
    }
}

impl Parts for CryptoProvider {
    fn suite(&self, id: CipherSuite) -> Option<SupportedCipherSuite> {
        self.cipher_suites.iter().copied().find(|suite| suite.suite() == id)
    }

    fn group(&self, name: NamedGroup) -> Option<&'static dyn SupportedKxGroup> {
        self.kx_groups.iter().copied().find(|group| group.name() == name)
    }

    fn verifier(
        &self,
        like: &dyn SignatureVerificationAlgorithm,
    ) -> Option<&'static dyn SignatureVerificationAlgorithm> {
        self.signature_verification_algorithms.all.iter().copied().find(|algorithm| {
            algorithm.public_key_alg_id() == like.public_key_alg_id()
                && algorithm.signature_alg_id() == like.signature_alg_id()
        })
    }
}
