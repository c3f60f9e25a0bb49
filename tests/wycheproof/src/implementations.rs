//! The implementations of an algorithm that a plan can choose here, each as a provider of its own.

use rustls::crypto::CryptoProvider;
use rustls_offload::Offload;
use rustls_offload::cpu::Cpu;
use rustls_offload::plan::{Algorithm, Backend};

use crate::tally::Tally;

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
