//! What the integration tests share.

#![allow(dead_code)] // each test file needs a part of it

pub(crate) mod pair;

use rustls::crypto::CryptoProvider;
use rustls_offload::cpu::Cpu;
use rustls_offload::plan::Backend;

/// The backends that are providers in their own right on this CPU, most preferred first.
pub(crate) fn whole_backends(cpu: &Cpu) -> Vec<Backend> {
    let mut whole = Backend::available(cpu);
    whole.retain(|&backend| backend != Backend::RustCrypto);
    whole
}

/// rustls's own provider of `backend`, which must be a whole one, for comparison.
pub(crate) fn own_provider(backend: Backend) -> CryptoProvider {
    match backend {
        #[cfg(feature = "aws-lc-rs")]
        Backend::AwsLcRs => rustls::crypto::aws_lc_rs::default_provider(),
        #[cfg(feature = "ring")]
        Backend::Ring => rustls::crypto::ring::default_provider(),
        #[cfg(feature = "graviola")]
        Backend::Graviola => rustls_graviola::default_provider(),
        other => panic!("{other} is not compiled in"),
    }
}
