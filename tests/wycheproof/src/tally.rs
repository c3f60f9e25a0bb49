//! Counting what was checked, so that a test can't pass by checking nothing.

use rustls::crypto::CryptoProvider;
use rustls_offload::Offload;
use rustls_offload::cpu::Cpu;
use rustls_offload::plan::{Algorithm, Backend};

/// The checks of one algorithm on one backend.
pub(crate) struct Tally {
    what: String,
    checks: usize,
}

impl Tally {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), checks: 0 }
    }

    /// Counts one check that holds; fails with the name of the vector otherwise.
    #[track_caller]
    pub(crate) fn check(&mut self, holds: bool, vector: impl std::fmt::Display) {
        assert!(holds, "{}: {vector}", self.what);
        self.checks += 1;
    }

    /// Says how many checks were made, and fails if there were fewer than `minimum`.
    #[track_caller]
    pub(crate) fn at_least(self, minimum: usize) {
        println!("{}: {} checks", self.what, self.checks);
        assert!(
            self.checks >= minimum,
            "{}: {} checks, at least {minimum} expected",
            self.what,
            self.checks
        );
    }
}

/// For each backend that can serve `algorithm` here: a provider in which it does, and a tally.
///
/// None only where that is known and said: two algorithms in the FIPS module, one in *ring*.
pub(crate) fn implementations(algorithm: Algorithm) -> Vec<(Backend, CryptoProvider, Tally)> {
    let candidates = algorithm.candidates(&Cpu::detect().unwrap());
    if candidates.is_empty() {
        let missing = match algorithm {
            Algorithm::X25519 | Algorithm::ChaCha20Poly1305 => cfg!(feature = "fips"),
            Algorithm::X25519MlKem768 => {
                cfg!(not(any(feature = "aws-lc-rs", feature = "graviola")))
            }
            _ => false,
        };
        assert!(missing, "no implementation of {algorithm}");
        println!("{algorithm}: no backend that is compiled in has it");
    }
    let providers = candidates.into_iter().map(|backend| {
        let offload = Offload::builder().choose(algorithm, backend).build().unwrap();
        assert_eq!(offload.plan().backend(algorithm), Some(backend));
        (backend, offload.provider(), Tally::new(format!("{algorithm} on {backend}")))
    });
    providers.collect()
}
