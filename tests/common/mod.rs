//! What the integration tests share.

#![allow(dead_code)] // each test file needs a part of it

pub(crate) mod pair;

use rustls::crypto::CryptoProvider;
use rustls_offload::plan::Backend;

/// rustls's own provider of `backend`, for comparison.
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
