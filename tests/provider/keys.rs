//! Private keys go to the backend that is to sign with them, and sign there.

use crate::common::{own_provider, whole_backends};
use rustls::SignatureScheme;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls_offload::Offload;
use rustls_offload::cpu::Cpu;
use rustls_offload::plan::{Algorithm, Backend};

const RSA: &str = include_str!("../common/rfc9500-rsa2048.pem");
#[cfg(feature = "aws-lc-rs")]
const P521: &str = include_str!("../common/rfc9500-p521.pem");

fn der(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn generated(algorithm: &'static rcgen::SignatureAlgorithm) -> PrivateKeyDer<'static> {
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    PrivateKeyDer::try_from(key.serialize_der()).unwrap()
}

fn offload(choices: &[(Algorithm, Backend)]) -> CryptoProvider {
    let start = Offload::builder();
    let builder =
        choices.iter().fold(start, |b, &(algorithm, backend)| b.choose(algorithm, backend));
    builder.build().unwrap().provider()
}

/// The signer's own words; backends tell themselves apart by them, if by anything.
fn signer(
    provider: &CryptoProvider,
    key: PrivateKeyDer<'static>,
    scheme: SignatureScheme,
) -> String {
    let key = provider.key_provider.load_private_key(key).unwrap();
    let signer = key.choose_scheme(&[scheme]).unwrap();
    assert_eq!(signer.scheme(), scheme);
    assert!(!signer.sign(b"message").unwrap().is_empty());
    format!("{signer:?}")
}

#[test]
fn each_kind_of_key_signs_with_the_chosen_backends_signer() {
    let kinds: [(_, _, fn() -> PrivateKeyDer<'static>); 5] = [
        (Algorithm::EcdsaP256Sign, SignatureScheme::ECDSA_NISTP256_SHA256, || {
            generated(&rcgen::PKCS_ECDSA_P256_SHA256)
        }),
        (Algorithm::EcdsaP384Sign, SignatureScheme::ECDSA_NISTP384_SHA384, || {
            generated(&rcgen::PKCS_ECDSA_P384_SHA384)
        }),
        (Algorithm::Ed25519Sign, SignatureScheme::ED25519, || generated(&rcgen::PKCS_ED25519)),
        (Algorithm::RsaPkcs1Sign, SignatureScheme::RSA_PKCS1_SHA256, || der(RSA)),
        (Algorithm::RsaPssSign, SignatureScheme::RSA_PSS_SHA256, || der(RSA)),
    ];
    for backend in whole_backends(&Cpu::detect().unwrap()) {
        for (algorithm, scheme, key) in kinds {
            let composed = signer(&offload(&[(algorithm, backend)]), key(), scheme);
            assert_eq!(composed, signer(&own_provider(backend), key(), scheme), "{backend}");
        }
    }
}

#[test]
fn the_two_paddings_of_an_rsa_key_can_be_served_by_different_backends() {
    let backends = whole_backends(&Cpu::detect().unwrap());
    for &pss in &backends {
        for &pkcs1 in &backends {
            let choices = [(Algorithm::RsaPssSign, pss), (Algorithm::RsaPkcs1Sign, pkcs1)];
            let key = offload(&choices).key_provider.load_private_key(der(RSA)).unwrap();
            assert_eq!(key.algorithm(), rustls::SignatureAlgorithm::RSA);
            let own = own_provider(backends[0]).key_provider.load_private_key(der(RSA)).unwrap();
            assert_eq!(key.public_key(), own.public_key());
            let chosen = |offered: &[_]| key.choose_scheme(offered).map(|signer| signer.scheme());
            for offered in [
                &[SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::RSA_PSS_SHA256][..],
                &[SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::RSA_PKCS1_SHA512],
                &[SignatureScheme::RSA_PSS_SHA384, SignatureScheme::RSA_PSS_SHA512],
                &[SignatureScheme::ED25519],
                &[],
            ] {
                let expected = own.choose_scheme(offered).map(|signer| signer.scheme());
                assert_eq!(chosen(offered), expected, "{pss} {pkcs1} {offered:?}");
            }
        }
    }
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn what_the_chosen_backend_cannot_load_stays_with_aws_lc_rs() {
    for backend in whole_backends(&Cpu::detect().unwrap()) {
        let signing = [
            Algorithm::EcdsaP256Sign,
            Algorithm::EcdsaP384Sign,
            Algorithm::Ed25519Sign,
            Algorithm::RsaPkcs1Sign,
            Algorithm::RsaPssSign,
        ];
        let provider = offload(&signing.map(|algorithm| (algorithm, backend)));
        signer(&provider, der(P521), SignatureScheme::ECDSA_NISTP521_SHA512);
    }
}

#[test]
fn a_key_that_no_backend_takes_is_an_error() {
    let nonsense = || PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(vec![0x30, 0x00]));
    let provider = Offload::new().unwrap().provider();
    assert!(provider.key_provider.load_private_key(nonsense()).is_err());
}
