//! What is taken for a P-256 private key, aws-lc-rs takes as well, and for the same one.
#![no_main]

use arbitrary::Arbitrary;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
};
use libfuzzer_sys::fuzz_target;
use rustls::pki_types::{PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use rustls_offload_fuzz::Number;
use rustls_offload_multibuffer::ecdsa::sign::SigningKey;

#[derive(Arbitrary, Debug)]
enum Key {
    Bytes(Vec<u8>),
    /// In PKCS#8, with bytes changed.
    Damaged(Number, Vec<(u8, u8)>),
}

/// In PKCS#8; nothing if the number is no key.
fn damaged(number: Number, changes: &[(u8, u8)]) -> Option<Vec<u8>> {
    let public = *SigningKey::from_scalar(&number.0).ok()?.public_key();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &number.0, &public).ok()?;
    let mut der = pair.to_pkcs8v1().ok()?.as_ref().to_vec();
    for &(place, change) in changes {
        let place = usize::from(place) % der.len();
        der[place] ^= change;
    }
    Some(der)
}

fuzz_target!(|key: Key| {
    let der = match key {
        Key::Bytes(bytes) => bytes,
        Key::Damaged(number, changes) => damaged(number, &changes).unwrap_or_default(),
    };
    let _ = SigningKey::from_der(&PrivateSec1KeyDer::from(&*der).into());
    if let Ok(key) = SigningKey::from_der(&PrivatePkcs8KeyDer::from(&*der).into()) {
        let theirs = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).expect("key");
        assert_eq!(theirs.public_key().as_ref(), key.public_key());
    }
});
