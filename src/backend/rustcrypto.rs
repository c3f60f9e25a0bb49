//! RustCrypto's SHA-2 and HMAC for the transcript and the key schedule; nothing else.
//!
//! A TLS 1.3 handshake makes some thirty HMACs over a block or two. What they cost is not the
//! compression function but what is set up around it: here an HMAC key is its two chaining values on
//! the stack, cloned for each use. SHA extensions are detected at run time by the crate.
//!
//! A suite needs record protection as well, so the suites of this provider are those of another
//! backend with hash and key schedule replaced; only these parts are ever picked.

use std::marker::PhantomData;
use std::sync::LazyLock;

use hmac::{KeyInit, Mac};
use rustls::crypto::hash::{self, HashAlgorithm};
use rustls::crypto::hmac as rustls_hmac;
use rustls::crypto::tls12::{Prf, PrfUsingHmac};
use rustls::crypto::tls13::{Hkdf, HkdfUsingHmac};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use rustls::{SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite};
use sha2::{Digest, Sha256, Sha384};

use super::Adapter;
#[cfg(feature = "aws-lc-rs")]
use super::aws_lc::ADAPTER as BASE;
#[cfg(all(feature = "graviola", not(any(feature = "aws-lc-rs", feature = "ring"))))]
use super::graviola::ADAPTER as BASE;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
use super::ring::ADAPTER as BASE;
use crate::plan::Algorithm;

pub(super) static ADAPTER: Adapter = Adapter {
    requires: BASE.requires,
    serves: Some(&[
        Algorithm::Sha256,
        Algorithm::Sha384,
        Algorithm::HkdfSha256,
        Algorithm::HkdfSha384,
    ]),
    provider,
    ticketer: BASE.ticketer,
};

/// The base's suites with their hash and key schedule replaced; made once, for rustls wants statics.
fn provider() -> CryptoProvider {
    static PROVIDER: LazyLock<CryptoProvider> = LazyLock::new(|| {
        let base = (BASE.provider)();
        CryptoProvider {
            cipher_suites: base.cipher_suites.iter().filter_map(replaced).collect(),
            kx_groups: Vec::new(),
            ..base
        }
    });
    PROVIDER.clone()
}

fn replaced(suite: &SupportedCipherSuite) -> Option<SupportedCipherSuite> {
    Some(match *suite {
        SupportedCipherSuite::Tls13(suite) => {
            let (hash_provider, hkdf_provider): (&dyn hash::Hash, &dyn Hkdf) =
                match suite.common.hash_provider.algorithm() {
                    HashAlgorithm::SHA256 => (&Hash::<Sha256>::SHA_256, &HKDF_SHA_256),
                    HashAlgorithm::SHA384 => (&Hash::<Sha384>::SHA_384, &HKDF_SHA_384),
                    _ => return None,
                };
            let common = CipherSuiteCommon { hash_provider, ..suite.common };
            let suite = Tls13CipherSuite { common, hkdf_provider, ..*suite };
            SupportedCipherSuite::Tls13(Box::leak(Box::new(suite)))
        }
        SupportedCipherSuite::Tls12(suite) => {
            let (hash_provider, prf_provider): (&dyn hash::Hash, &dyn Prf) =
                match suite.common.hash_provider.algorithm() {
                    HashAlgorithm::SHA256 => (&Hash::<Sha256>::SHA_256, &PRF_SHA_256),
                    HashAlgorithm::SHA384 => (&Hash::<Sha384>::SHA_384, &PRF_SHA_384),
                    _ => return None,
                };
            let common = CipherSuiteCommon { hash_provider, ..suite.common };
            let suite = Tls12CipherSuite { common, prf_provider, ..*suite };
            SupportedCipherSuite::Tls12(Box::leak(Box::new(suite)))
        }
    })
}

static HKDF_SHA_256: HkdfUsingHmac<'static> = HkdfUsingHmac(&Hash::<Sha256>::SHA_256);
static HKDF_SHA_384: HkdfUsingHmac<'static> = HkdfUsingHmac(&Hash::<Sha384>::SHA_384);
static PRF_SHA_256: PrfUsingHmac<'static> = PrfUsingHmac(&Hash::<Sha256>::SHA_256);
static PRF_SHA_384: PrfUsingHmac<'static> = PrfUsingHmac(&Hash::<Sha384>::SHA_384);

/// The hash `D`, alone and in HMAC, as rustls wants it.
struct Hash<D> {
    algorithm: HashAlgorithm,
    digest: PhantomData<fn() -> D>,
}

impl Hash<Sha256> {
    const SHA_256: Self = Self { algorithm: HashAlgorithm::SHA256, digest: PhantomData };
}

impl Hash<Sha384> {
    const SHA_384: Self = Self { algorithm: HashAlgorithm::SHA384, digest: PhantomData };
}

/// The state of an incremental computation.
struct Context<D>(D);

/// A keyed HMAC, which each message starts from a copy of; its chaining values are zeroized.
struct Key<M>(M);

macro_rules! implement {
    ($digest:ty) => {
        impl hash::Hash for Hash<$digest> {
            fn start(&self) -> Box<dyn hash::Context> {
                Box::new(Context(<$digest>::new()))
            }

            fn hash(&self, data: &[u8]) -> hash::Output {
                hash::Output::new(&<$digest>::digest(data))
            }

            fn output_len(&self) -> usize {
                <$digest>::output_size()
            }

            fn algorithm(&self) -> HashAlgorithm {
                self.algorithm
            }
        }

        impl hash::Context for Context<$digest> {
            fn fork_finish(&self) -> hash::Output {
                hash::Output::new(&self.0.clone().finalize())
            }

            fn fork(&self) -> Box<dyn hash::Context> {
                Box::new(Self(self.0.clone()))
            }

            fn finish(self: Box<Self>) -> hash::Output {
                hash::Output::new(&self.0.finalize())
            }

            fn update(&mut self, data: &[u8]) {
                self.0.update(data);
            }
        }

        impl rustls_hmac::Hmac for Hash<$digest> {
            fn with_key(&self, key: &[u8]) -> Box<dyn rustls_hmac::Key> {
                match hmac::Hmac::<$digest>::new_from_slice(key) {
                    Ok(keyed) => Box::new(Key(keyed)),
                    Err(_) => unreachable!("HMAC takes keys of any length (RFC 2104, section 2)"),
                }
            }

            fn hash_output_len(&self) -> usize {
                <$digest>::output_size()
            }
        }

        impl rustls_hmac::Key for Key<hmac::Hmac<$digest>> {
            fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> rustls_hmac::Tag {
                let mut mac = self.0.clone();
                mac.update(first);
                for part in middle {
                    mac.update(part);
                }
                mac.update(last);
                rustls_hmac::Tag::new(&mac.finalize().into_bytes())
            }

            fn tag_len(&self) -> usize {
                <$digest>::output_size()
            }
        }
    };
}
implement!(Sha256);
implement!(Sha384);
