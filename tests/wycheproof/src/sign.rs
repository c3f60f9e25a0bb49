//! Signing: known answers where the scheme is deterministic, and every backend verifies every other.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaKeyPair};
use rcgen::KeyPair;
use rustls::SignatureScheme;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls_offload::plan::Algorithm;

use crate::implementations::implementations;
use crate::tally::Tally;

/// Secret key, message and signature of RFC 8032, section 7.1.
const ED25519: [(&str, &str, &str); 4] = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
         d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c\
         387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659\
         4a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd\
         454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030\
         3dca179c138ac17ad9bef1177331a704",
    ),
];

const RSA_KEY: &str = include_str!("../../common/rfc9500-rsa2048.pem");

#[test]
fn ed25519_by_known_answers() {
    for (_, provider, mut tally) in implementations(Algorithm::Ed25519Sign) {
        for (secret, message, signature) in ED25519 {
            // RFC 8410, section 7: the key as PKCS#8
            let pkcs8 = [&unhex("302e020100300506032b657004220420")[..], &unhex(secret)].concat();
            let key = load(&provider, PrivateKeyDer::Pkcs8(pkcs8.into()));
            let signed = sign(&*key, SignatureScheme::ED25519, &unhex(message));
            tally.check(signed == unhex(signature), message);
        }
        tally.at_least(4);
    }
}

#[test]
fn rsa_pkcs1_like_the_reference() {
    let der = KeyPair::from_pem(RSA_KEY).unwrap().serialize_der();
    let reference = RsaKeyPair::from_pkcs8(&der).unwrap();
    for (_, provider, mut tally) in implementations(Algorithm::RsaPkcs1Sign) {
        let key = load(&provider, PrivateKeyDer::Pkcs8(der.clone().into()));
        for (scheme, padding) in [
            (SignatureScheme::RSA_PKCS1_SHA256, &RSA_PKCS1_SHA256),
            (SignatureScheme::RSA_PKCS1_SHA384, &RSA_PKCS1_SHA384),
            (SignatureScheme::RSA_PKCS1_SHA512, &RSA_PKCS1_SHA512),
        ] {
            for message in messages() {
                let mut expected = vec![0; reference.public_modulus_len()];
                reference.sign(padding, &SystemRandom::new(), &message, &mut expected).unwrap();
                tally.check(sign(&*key, scheme, &message) == expected, message.len());
            }
        }
        tally.at_least(24);
    }
}

#[test]
fn ecdsa_p256_by_everyone() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let schemes = [SignatureScheme::ECDSA_NISTP256_SHA256];
    check(Algorithm::EcdsaP256Sign, Algorithm::EcdsaP256Verify, &key, &schemes);
}

#[test]
fn ecdsa_p384_by_everyone() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let schemes = [SignatureScheme::ECDSA_NISTP384_SHA384];
    check(Algorithm::EcdsaP384Sign, Algorithm::EcdsaP384Verify, &key, &schemes);
}

#[test]
fn ed25519_by_everyone() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let schemes = [SignatureScheme::ED25519];
    check(Algorithm::Ed25519Sign, Algorithm::Ed25519Verify, &key, &schemes);
}

#[test]
fn rsa_by_everyone() {
    let key = KeyPair::from_pem(RSA_KEY).unwrap();
    let pkcs1 = [
        SignatureScheme::RSA_PKCS1_SHA256,
        SignatureScheme::RSA_PKCS1_SHA384,
        SignatureScheme::RSA_PKCS1_SHA512,
    ];
    check(Algorithm::RsaPkcs1Sign, Algorithm::RsaPkcs1Verify, &key, &pkcs1);
    let pss = [
        SignatureScheme::RSA_PSS_SHA256,
        SignatureScheme::RSA_PSS_SHA384,
        SignatureScheme::RSA_PSS_SHA512,
    ];
    check(Algorithm::RsaPssSign, Algorithm::RsaPssVerify, &key, &pss);
}

/// What one backend signs every backend verifies, and nothing else.
fn check(signs: Algorithm, verifies: Algorithm, pair: &KeyPair, schemes: &[SignatureScheme]) {
    for (signer, ours, _) in implementations(signs) {
        let key = load(&ours, PrivateKeyDer::Pkcs8(pair.serialize_der().into()));
        for (verifier, theirs, _) in implementations(verifies) {
            let mut tally = Tally::new(format!("{signs} by {signer}, verified by {verifier}"));
            for &scheme in schemes {
                for message in messages() {
                    let mut signature = sign(&*key, scheme, &message);
                    let name = format!("{scheme:?}, {} bytes", message.len());
                    tally.check(verify(&theirs, scheme, pair, &message, &signature), &name);
                    let other = [&message[..], b"!"].concat();
                    tally.check(!verify(&theirs, scheme, pair, &other, &signature), &name);
                    *signature.last_mut().unwrap() ^= 1;
                    tally.check(!verify(&theirs, scheme, pair, &message, &signature), &name);
                }
            }
            tally.at_least(24 * schemes.len());
        }
    }
}

fn load(provider: &CryptoProvider, der: PrivateKeyDer<'static>) -> Arc<dyn SigningKey> {
    provider.key_provider.load_private_key(der).unwrap()
}

fn sign(key: &dyn SigningKey, scheme: SignatureScheme, message: &[u8]) -> Vec<u8> {
    let signer = key.choose_scheme(&[scheme]).unwrap();
    assert_eq!(signer.scheme(), scheme);
    signer.sign(message).unwrap()
}

fn verify(
    provider: &CryptoProvider,
    scheme: SignatureScheme,
    pair: &KeyPair,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let mapping = provider.signature_verification_algorithms.mapping;
    let (_, algorithms) = mapping.iter().find(|(known, _)| *known == scheme).unwrap();
    // the first one is what TLS 1.3 uses for the scheme
    algorithms[0].verify_signature(pair.public_key_raw(), message, signature).is_ok()
}

/// Of eight lengths, as a CertificateVerify's are around 130 bytes.
fn messages() -> impl Iterator<Item = Vec<u8>> {
    [0, 1, 63, 64, 65, 130, 200, 1000].into_iter().map(|length| vec![0x20; length])
}

fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}
