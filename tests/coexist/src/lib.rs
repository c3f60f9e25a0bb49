//! An application that was using rustls before rustls-offload came, with both of rustls's own
//! providers compiled in.
//!
//! Its tests are processes of their own, because a process-wide default can be set only once:
//! `installed` makes ours the default, `explicit` gives it to one configuration and leaves the
//! default to the application.

use rustls::crypto::{CryptoProvider, aws_lc_rs, ring};

/// What a provider consists of: the addresses of its parts, in order.
pub type Fingerprint = Vec<*const ()>;

/// Tells whether two providers have the same parts in the same order.
pub fn fingerprint(provider: &CryptoProvider) -> Fingerprint {
    let suites = provider.cipher_suites.iter().map(|suite| match suite {
        rustls::SupportedCipherSuite::Tls12(suite) => address(*suite),
        rustls::SupportedCipherSuite::Tls13(suite) => address(*suite),
    });
    let groups = provider.kx_groups.iter().map(|group| address(*group));
    let verifiers = provider.signature_verification_algorithms.all.iter().map(|v| address(*v));
    let single = [address(provider.secure_random), address(provider.key_provider)];
    suites.chain(groups).chain(verifiers).chain(single).collect()
}

/// The fingerprints of rustls's own providers.
pub fn bystanders() -> [Fingerprint; 2] {
    [aws_lc_rs::default_provider(), ring::default_provider()].map(|p| fingerprint(&p))
}

fn address<T: ?Sized>(part: &T) -> *const () {
    std::ptr::from_ref(part).cast()
}
