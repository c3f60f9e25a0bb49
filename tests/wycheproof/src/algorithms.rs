//! Where a provider keeps the part that an algorithm of a plan stands for.

use rustls::crypto::cipher::AeadKey;
use rustls::crypto::tls13::{HkdfExpander, OkmBlock, OutputLengthError};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::{CipherSuite, NamedGroup, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite};
use rustls_offload::plan::Algorithm;

/// The TLS 1.3 suite that uses `algorithm`.
pub(crate) fn tls13(provider: &CryptoProvider, algorithm: Algorithm) -> &'static Tls13CipherSuite {
    let id = match algorithm {
        Algorithm::Aes128Gcm => CipherSuite::TLS13_AES_128_GCM_SHA256,
        Algorithm::Aes256Gcm | Algorithm::Sha384 | Algorithm::HkdfSha384 => {
            CipherSuite::TLS13_AES_256_GCM_SHA384
        }
        Algorithm::Sha256 | Algorithm::HkdfSha256 => CipherSuite::TLS13_AES_128_GCM_SHA256,
        Algorithm::ChaCha20Poly1305 => CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        other => panic!("{other} is not part of a suite"),
    };
    suite(provider, id).unwrap().tls13().unwrap()
}

/// The TLS 1.2 suites that use `algorithm`, for ECDSA and for RSA certificates.
pub(crate) fn tls12(
    provider: &CryptoProvider,
    algorithm: Algorithm,
) -> impl Iterator<Item = &'static Tls12CipherSuite> + '_ {
    use CipherSuite as Id;
    let ids = match algorithm {
        Algorithm::Aes128Gcm | Algorithm::HkdfSha256 => {
            [Id::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, Id::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
        }
        Algorithm::Aes256Gcm | Algorithm::HkdfSha384 => {
            [Id::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, Id::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]
        }
        Algorithm::ChaCha20Poly1305 => [
            Id::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            Id::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        other => panic!("{other} is not part of a TLS 1.2 suite"),
    };
    ids.into_iter().filter_map(|id| match suite(provider, id)? {
        SupportedCipherSuite::Tls12(suite) => Some(suite),
        SupportedCipherSuite::Tls13(_) => None,
    })
}

/// The group that `algorithm` stands for.
pub(crate) fn group(
    provider: &CryptoProvider,
    algorithm: Algorithm,
) -> &'static dyn SupportedKxGroup {
    let name = match algorithm {
        Algorithm::X25519 => NamedGroup::X25519,
        Algorithm::P256 => NamedGroup::secp256r1,
        Algorithm::P384 => NamedGroup::secp384r1,
        Algorithm::X25519MlKem768 => NamedGroup::X25519MLKEM768,
        other => panic!("{other} is not a key exchange"),
    };
    provider.kx_groups.iter().copied().find(|group| group.name() == name).unwrap()
}

fn suite(provider: &CryptoProvider, id: CipherSuite) -> Option<SupportedCipherSuite> {
    provider.cipher_suites.iter().copied().find(|suite| suite.suite() == id)
}

/// `key` as rustls passes it to the record protection of `suite`.
///
/// An `AeadKey` shorter than 32 bytes comes out of rustls's key derivation only, so that is given
/// an expander that always "derives" this key.
pub(crate) fn aead_key(suite: &Tls13CipherSuite, key: &[u8]) -> AeadKey {
    assert_eq!(suite.aead_alg.key_len(), key.len());
    rustls::internal::derive_traffic_key(&Fixed(key), suite.aead_alg)
}

struct Fixed<'a>(&'a [u8]);

impl HkdfExpander for Fixed<'_> {
    fn expand_slice(&self, _: &[&[u8]], output: &mut [u8]) -> Result<(), OutputLengthError> {
        output[..self.0.len()].copy_from_slice(self.0);
        Ok(())
    }

    fn expand_block(&self, _: &[&[u8]]) -> OkmBlock {
        OkmBlock::new(self.0)
    }

    fn hash_len(&self) -> usize {
        self.0.len()
    }
}
