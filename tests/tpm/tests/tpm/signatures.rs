//! Keys that are made, brought in and used: what they sign, others verify, and nothing is left in the TPM.

use std::sync::Arc;

use aws_lc_rs::signature as aws;
use p256::ecdsa::signature::Verifier;
use rcgen::KeyPair;
use ring::signature as ring;
use rustls::SignatureScheme as Scheme;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer, pem::PemObject};
use rustls::sign::SigningKey;
use rustls_offload::tpm::{KeyFile, KeyType, OWNER, Passphrase, TpmError, TpmKey};

use crate::proxy::Proxy;
use crate::swtpm::Swtpm;

fn sign(key: &TpmKey, scheme: Scheme, message: &[u8]) -> Vec<u8> {
    key.choose_scheme(&[scheme]).unwrap().sign(message).unwrap()
}

/// The bits of a public key in a SubjectPublicKeyInfo, of which they are the end.
fn bits<'a>(spki: &'a SubjectPublicKeyInfoDer<'_>, length: usize) -> &'a [u8] {
    &spki.as_ref()[spki.as_ref().len() - length..]
}

/// X.690, 8.3.2: the first nine bits are not all the same. And X.690, 10.1: lengths in as few bytes.
fn is_minimal(der: &[u8]) -> bool {
    let [0x30, length, rest @ ..] = der else { return false };
    let mut rest = (usize::from(*length) == rest.len() && *length < 0x80).then_some(rest);
    for _ in 0..2 {
        rest = rest.and_then(|rest| match rest {
            [2, length, number @ ..] if (1..=33).contains(length) => {
                let (number, after) = number.split_at_checked((*length).into())?;
                let padded = number.len() > 1 && number[0] == 0 && number[1] < 0x80;
                (!padded && number[0] < 0x80).then_some(after)
            }
            _ => None,
        });
    }
    rest == Some(&[])
}

/// Whether r or s has fewer than 32 bytes.
fn has_leading_zero(der: &[u8]) -> bool {
    let (r, s) = der[4..].split_at(der[3].into());
    let short = |number: &[u8]| number.iter().skip_while(|&&byte| byte == 0).count() < 32;
    short(r) || short(&s[2..])
}

#[test]
fn ten_thousand_signatures_are_accepted_by_everybody_and_leave_nothing_behind() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.open();
    let file = tpm.create(KeyType::P256, &Passphrase::none()).unwrap();
    let key = tpm.key(&file, &Passphrase::none()).unwrap();
    let spki = key.public_key().unwrap();
    let point = bits(&spki, 65);
    let aws = aws::UnparsedPublicKey::new(&aws::ECDSA_P256_SHA256_ASN1, point);
    let ring = ring::UnparsedPublicKey::new(&ring::ECDSA_P256_SHA256_ASN1, point);
    let rust_crypto = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).unwrap();
    let signer = key.choose_scheme(&[Scheme::ECDSA_NISTP256_SHA256]).unwrap();
    let mut unusual = Vec::new();
    for number in 0..10_000_u32 {
        let message = number.to_be_bytes().repeat(33);
        let signature = signer.sign(&message).unwrap();
        assert!(is_minimal(&signature), "{signature:02x?}");
        aws.verify(&message, &signature).unwrap();
        ring.verify(&message, &signature).unwrap();
        let parsed = p256::ecdsa::DerSignature::from_bytes(&signature).unwrap();
        rust_crypto.verify(&message, &parsed).unwrap();
        if has_leading_zero(&signature) || number % 500 == 0 {
            unusual.push((message, signature));
        }
    }
    // those in which a number is shorter than the curve's, for which the encoding matters
    assert!(unusual.len() > 50, "of 128 signatures, one has such a number: {}", unusual.len());
    let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", spki.as_ref()));
    swtpm.write("public.pem", pem);
    for (message, signature) in unusual {
        swtpm.write("message", message);
        swtpm.write("signature", signature);
        let args =
            ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message"];
        assert!(swtpm.run("openssl", &args).contains("Verified OK"));
    }
    assert_eq!(tpm.metrics().reopened, 0);
    tpm.close();
    assert_eq!(swtpm.leftovers(), "");
}

#[test]
fn every_kind_of_key_signs_by_every_scheme_that_it_says_it_has() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.open();
    let kinds: [(KeyType, &[Scheme]); 3] = [
        (KeyType::P256, &[Scheme::ECDSA_NISTP256_SHA256]),
        (KeyType::P384, &[Scheme::ECDSA_NISTP384_SHA384]),
        (
            KeyType::Rsa2048,
            &[
                Scheme::RSA_PSS_SHA256,
                Scheme::RSA_PSS_SHA384,
                Scheme::RSA_PSS_SHA512,
                Scheme::RSA_PKCS1_SHA256,
                Scheme::RSA_PKCS1_SHA384,
                Scheme::RSA_PKCS1_SHA512,
            ],
        ),
    ];
    for (kind, schemes) in kinds {
        let file = tpm.create(kind, &Passphrase::none()).unwrap();
        assert!(file.empty_auth && file.parent == OWNER);
        let read = KeyFile::from_pem(file.to_pem().unwrap().as_bytes()).unwrap();
        assert!(read == file);
        let key = tpm.key(&read, &Passphrase::none()).unwrap();
        assert_eq!(key.schemes(), schemes);
        for &scheme in schemes {
            verify(&key, scheme);
        }
        assert!(key.choose_scheme(&[Scheme::ED25519]).is_none());
    }
    tpm.close();
    assert_eq!(swtpm.leftovers(), "");
}

/// By aws-lc-rs, through rustls's provider.
fn verify(key: &TpmKey, scheme: Scheme) {
    let (spki, message) = (key.public_key().unwrap(), b"message");
    let signature = sign(key, scheme, message);
    let algorithm: &'static dyn aws::VerificationAlgorithm = match scheme {
        Scheme::ECDSA_NISTP256_SHA256 => &aws::ECDSA_P256_SHA256_ASN1,
        Scheme::ECDSA_NISTP384_SHA384 => &aws::ECDSA_P384_SHA384_ASN1,
        Scheme::RSA_PSS_SHA256 => &aws::RSA_PSS_2048_8192_SHA256,
        Scheme::RSA_PSS_SHA384 => &aws::RSA_PSS_2048_8192_SHA384,
        Scheme::RSA_PSS_SHA512 => &aws::RSA_PSS_2048_8192_SHA512,
        Scheme::RSA_PKCS1_SHA256 => &aws::RSA_PKCS1_2048_8192_SHA256,
        Scheme::RSA_PKCS1_SHA384 => &aws::RSA_PKCS1_2048_8192_SHA384,
        Scheme::RSA_PKCS1_SHA512 => &aws::RSA_PKCS1_2048_8192_SHA512,
        other => panic!("{other:?}"),
    };
    let length = match scheme {
        Scheme::ECDSA_NISTP256_SHA256 => 65,
        Scheme::ECDSA_NISTP384_SHA384 => 97,
        _ => 270, // RSAPublicKey of 2,048 bits and an exponent of 65537
    };
    let public = aws::UnparsedPublicKey::new(algorithm, bits(&spki, length));
    public.verify(message, &signature).unwrap();
}

#[test]
fn keys_from_outside_are_the_same_inside_and_never_bare_on_the_bus() {
    let swtpm = Swtpm::start();
    let proxy = Proxy::start(&swtpm);
    let tpm = proxy.builder().open().unwrap();
    let passphrase = Passphrase::new("correct horse battery staple");
    let rsa = include_str!("../../../common/rfc9500-rsa2048.pem");
    let keys = [
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap(),
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap(),
        KeyPair::from_pem(rsa).unwrap(),
    ];
    for key in keys {
        let der = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let file = tpm.import(&der, &passphrase).unwrap();
        assert!(!file.empty_auth);
        let inside = tpm.key(&file, &passphrase).unwrap();
        let outside = rustls_offload::default_provider().key_provider.load_private_key(der);
        assert_eq!(inside.public_key(), outside.unwrap().public_key());
        verify(&inside, inside.schemes()[0]);
        let seen = proxy.orders.seen.lock().unwrap();
        // no 16 bytes of the private key that are not of the public one went over the bus in a row
        let secret = key.serialize_der();
        let public = inside.public_key().unwrap();
        let mut compared = 0;
        for window in secret.windows(16) {
            let is_public = public.as_ref().windows(16).any(|known| known == window);
            let is_structure = window.iter().filter(|&&byte| byte == 0).count() > 4;
            if !is_public && !is_structure {
                compared += 1;
                assert!(!seen.windows(16).any(|sent| sent == window), "{window:02x?}");
            }
        }
        assert!(compared > 16, "something secret was looked for");
    }
    let seen = proxy.orders.seen.lock().unwrap();
    assert!(!seen.windows(7).any(|sent| sent == b"correct"), "the passphrase went over the bus");
}

#[test]
fn what_is_no_key_for_a_tpm_is_not_brought_in() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.open();
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let der = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let error = tpm.import(&der, &Passphrase::none()).unwrap_err();
    assert!(matches!(&error, TpmError::Import { why } if why.contains("neither ECDSA nor RSA")));
    swtpm.run("openssl", &["ecparam", "-name", "secp521r1", "-genkey", "-noout", "-out", "p521"]);
    let der = PrivateKeyDer::from_pem_slice(&swtpm.read("p521")).unwrap();
    let error = tpm.import(&der, &Passphrase::none()).unwrap_err();
    assert!(matches!(&error, TpmError::Import { why } if why.contains("P-384")), "{error}");
}

#[test]
fn keys_below_a_persistent_parent_and_persistent_keys() {
    let swtpm = Swtpm::start();
    let primary = ["-C", "o", "-G", "ecc256:aes128cfb", "-c", "srk.ctx"];
    swtpm.run("tpm2_createprimary", &primary);
    swtpm.run("tpm2_flushcontext", &["-t"]);
    swtpm.run("tpm2_evictcontrol", &["-C", "o", "-c", "srk.ctx", "0x81000001"]);
    swtpm.run("tpm2_flushcontext", &["-t"]);
    let tpm = swtpm.builder().parent(0x8100_0001).open().unwrap();
    let name = tpm.parent_name().unwrap();
    let passphrase = Passphrase::new("open sesame");
    let file = tpm.create(KeyType::P256, &passphrase).unwrap();
    assert_eq!(file.parent, 0x8100_0001);
    let key = tpm.key(&file, &passphrase).unwrap();
    verify(&key, Scheme::ECDSA_NISTP256_SHA256);
    tpm.close();
    drop(key);
    // as the tools have it
    swtpm.write("key.pub", &file.public);
    swtpm.write("key.priv", &file.private);
    let load = ["-C", "0x81000001", "-u", "key.pub", "-r", "key.priv", "-c", "key.ctx"];
    swtpm.run("tpm2_load", &load);
    swtpm.run("tpm2_flushcontext", &["-t"]);
    swtpm.run("tpm2_evictcontrol", &["-C", "o", "-c", "key.ctx", "0x81000010"]);
    swtpm.run("tpm2_flushcontext", &["-t"]);
    let tpm = swtpm.builder().parent(0x8100_0001).pin_parent(&name).unwrap().open().unwrap();
    assert_eq!(tpm.parent_name().unwrap(), name);
    let error = tpm.create(KeyType::P256, &Passphrase::none()).err();
    assert!(error.is_none(), "{error:?}");
    tpm.close();
    let tpm = swtpm.open();
    let key = tpm.persistent_key(0x8100_0010, &passphrase).unwrap();
    verify(&key, Scheme::ECDSA_NISTP256_SHA256);
    let wrong = tpm.persistent_key(0x8100_0010, &Passphrase::new("wrong"));
    assert!(matches!(wrong, Err(TpmError::Passphrase { .. })), "{wrong:?}");
    let absent = tpm.persistent_key(0x8100_0011, &passphrase);
    assert!(matches!(absent, Err(TpmError::Absent { handle: 0x8100_0011 })), "{absent:?}");
    // another parent than was pinned
    let pinned = swtpm.builder().pin_parent(&name).unwrap().open().unwrap();
    let error = pinned.create(KeyType::P256, &Passphrase::none()).unwrap_err();
    assert!(matches!(error, TpmError::OtherParent { .. }), "{error}");
    tpm.close();
    pinned.close();
    assert_eq!(swtpm.leftovers(), "");
}

#[test]
fn more_keys_than_the_tpm_has_room_for_take_turns() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.open();
    let keys: Vec<Arc<TpmKey>> = (0..5)
        .map(|_| {
            let file = tpm.create(KeyType::P256, &Passphrase::none()).unwrap();
            tpm.key(&file, &Passphrase::none()).unwrap()
        })
        .collect();
    for _ in 0..3 {
        keys.iter().for_each(|key| verify(key, Scheme::ECDSA_NISTP256_SHA256));
    }
    tpm.close();
    assert_eq!(swtpm.leftovers(), "");
}

#[test]
fn debug_output_tells_no_secret() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.open();
    let passphrase = Passphrase::new("hunter2hunter2");
    let file = tpm.create(KeyType::P256, &passphrase).unwrap();
    let key = tpm.key(&file, &passphrase).unwrap();
    let text = format!("{passphrase:?} {file:?} {key:?} {tpm:?} {:?}", swtpm.builder());
    assert!(!text.contains("hunter2") && text.len() < 1000, "{text}");
    let _ = PrivateKeyDer::from_pem_slice(file.to_pem().unwrap().as_bytes()).unwrap_err();
}
