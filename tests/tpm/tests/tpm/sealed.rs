//! Secrets that come out of the TPM again: to this machine, in this state, for who knows the passphrase.

use rcgen::KeyPair;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls_offload::resume::KeyRing;
use rustls_offload::tpm::{KeyFile, KeyType, MAX_SEALED, Passphrase, Pcrs, TpmError, TpmKey};
use zeroize::Zeroizing;

use crate::proxy::Proxy;
use crate::swtpm::Swtpm;

fn secret() -> Zeroizing<Vec<u8>> {
    (0..MAX_SEALED as u8).map(|byte| byte.wrapping_mul(37) ^ 0x5A).collect::<Vec<_>>().into()
}

fn pcrs(numbers: &[u8]) -> Pcrs {
    Pcrs::new(numbers.iter().copied()).unwrap()
}

fn through_pem(file: &KeyFile) -> KeyFile {
    let read = KeyFile::from_pem(file.to_pem().unwrap().as_bytes()).unwrap();
    assert!(read == *file);
    read
}

#[test]
fn what_was_sealed_comes_out_and_is_not_read_on_the_bus() {
    let swtpm = Swtpm::start();
    let proxy = Proxy::start(&swtpm);
    let tpm = proxy.builder().open().unwrap();
    for (pcrs, passphrase) in [
        (pcrs(&[]), Passphrase::none()),
        (pcrs(&[]), Passphrase::new("open sesame")),
        (pcrs(&[0, 7]), Passphrase::none()),
        (pcrs(&[7]), Passphrase::new("open sesame")),
    ] {
        let file = through_pem(&tpm.seal(secret(), &pcrs, &passphrase).unwrap());
        assert_eq!(*tpm.unseal(&file, &passphrase).unwrap(), *secret());
        let error = tpm.unseal(&file, &Passphrase::new("wrong")).err();
        // a policy without a passphrase asks for none
        let asked = !file.empty_auth || file.policy.is_empty();
        assert_eq!(matches!(error, Some(TpmError::Passphrase { .. })), asked, "{error:?}");
    }
    let seen = proxy.orders.seen.lock().unwrap();
    assert!(!seen.windows(16).any(|sent| secret().windows(16).any(|part| part == sent)));
    assert!(!seen.windows(6).any(|sent| sent == b"sesame"));
    drop(seen);
    tpm.close();
    let left = swtpm.run("tpm2_getcap", &["-T", &proxy.tcti(), "handles-transient"]);
    let sessions = swtpm.run("tpm2_getcap", &["-T", &proxy.tcti(), "handles-loaded-session"]);
    assert_eq!(left + &sessions, "");
}

#[test]
fn a_pcr_that_changed_is_named_and_one_that_is_as_it_was_opens_again() {
    let swtpm = Swtpm::start();
    let sealing = swtpm.open();
    let passphrase = Passphrase::new("right");
    let file = sealing.seal(secret(), &pcrs(&[7, 16, 23]), &passphrase).unwrap();
    assert_eq!(file.policy.len(), 4);
    sealing.close();
    let digest = format!("16:sha256={}", "ab".repeat(32));
    swtpm.run("tpm2_pcrextend", &[&digest]);
    let tpm = swtpm.open();
    let error = tpm.unseal(&file, &passphrase).unwrap_err();
    assert!(matches!(&error, TpmError::Policy { what } if what.contains("PCR 16 ")), "{error}");
    tpm.close();
    swtpm.run("tpm2_pcrreset", &["16"]);
    let tpm = swtpm.open();
    let error = tpm.unseal(&file, &Passphrase::new("wrong")).unwrap_err();
    assert!(matches!(error, TpmError::Passphrase { .. }), "{error}");
    assert_eq!(*tpm.unseal(&file, &passphrase).unwrap(), *secret());
    tpm.close();
    assert_eq!(swtpm.leftovers(), "");
}

#[test]
fn private_keys_and_seeds_are_of_use_when_they_come_out() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.open();
    let provider = rustls_offload::default_provider();
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let der = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let file = tpm.seal_key(&der, &pcrs(&[7]), &Passphrase::none()).unwrap();
        let unsealed = tpm.unseal_key(&through_pem(&file), &Passphrase::none()).unwrap();
        let load = |der: &PrivateKeyDer<'_>| {
            provider.key_provider.load_private_key(der.clone_key()).unwrap()
        };
        assert_eq!(load(&unsealed).public_key(), load(&der).public_key());
    }
    let seed = secret()[..32].to_vec();
    let file = tpm.seal(seed.into(), &pcrs(&[7]), &Passphrase::none()).unwrap();
    let seed = tpm.unseal_seed(&file, &Passphrase::none()).unwrap();
    KeyRing::derived(&provider, &seed, std::time::Duration::from_secs(3600)).unwrap();
    let not_random = tpm.seal(vec![7; 32].into(), &pcrs(&[]), &Passphrase::none()).unwrap();
    let error = tpm.unseal_seed(&not_random, &Passphrase::none()).unwrap_err();
    assert!(matches!(&error, TpmError::Unsuited { what } if what.contains("random")), "{error}");
}

#[test]
fn what_does_not_fit_or_is_something_else_is_told() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.open();
    for length in [0, MAX_SEALED + 1] {
        let sealed = tpm.seal(vec![1; length].into(), &pcrs(&[]), &Passphrase::none());
        assert!(matches!(sealed, Err(TpmError::Import { .. })), "{sealed:?}");
    }
    let rsa = KeyPair::from_pem(include_str!("../../../common/rfc9500-rsa2048.pem")).unwrap();
    let rsa = PrivateKeyDer::try_from(rsa.serialize_der()).unwrap();
    let error = tpm.seal_key(&rsa, &pcrs(&[]), &Passphrase::none()).unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    let key = tpm.create(KeyType::P256, &Passphrase::none()).unwrap();
    let error = tpm.unseal(&key, &Passphrase::none()).unwrap_err();
    assert!(matches!(error, TpmError::Unsuited { .. }), "{error}");
    let sealed = tpm.seal(secret(), &pcrs(&[]), &Passphrase::none()).unwrap();
    let error = tpm.key(&sealed, &Passphrase::none()).unwrap_err();
    assert!(matches!(error, TpmError::Unsuited { .. }), "{error}");
}

#[test]
fn the_tools_unseal_ours() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.open();
    let file = tpm.seal(secret(), &pcrs(&[16]), &Passphrase::none()).unwrap();
    tpm.close();
    let attributes =
        "restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda";
    let primary = ["-C", "o", "-G", "ecc256:aes128cfb", "-a", attributes, "-c", "srk.ctx"];
    swtpm.run("tpm2_createprimary", &primary);
    swtpm.run("tpm2_flushcontext", &["-t"]);
    swtpm.write("data.pub", &file.public);
    swtpm.write("data.priv", &file.private);
    let load = ["-C", "srk.ctx", "-u", "data.pub", "-r", "data.priv", "-c", "data.ctx"];
    swtpm.run("tpm2_load", &load);
    swtpm.run("tpm2_flushcontext", &["-t"]);
    swtpm.run("tpm2_unseal", &["-c", "data.ctx", "-p", "pcr:sha256:16", "-o", "data"]);
    assert_eq!(swtpm.read("data"), **secret());
}

#[test]
fn a_key_under_a_policy_signs_only_while_it_holds() {
    let swtpm = Swtpm::start();
    let proxy = Proxy::start(&swtpm);
    let tpm = proxy.builder().open().unwrap();
    let scheme = rustls::SignatureScheme::ECDSA_NISTP256_SHA256;
    let sign = |key: &TpmKey| key.choose_scheme(&[scheme]).unwrap().sign(b"message");
    let passphrase = Passphrase::new("right");
    for (pcrs, passphrase) in
        [(pcrs(&[7, 16]), Passphrase::none()), (pcrs(&[16]), passphrase.clone())]
    {
        let file = tpm.create_under(KeyType::P256, &pcrs, &passphrase).unwrap();
        let key = tpm.key(&through_pem(&file), &passphrase).unwrap();
        let other = tpm.create(KeyType::P256, &Passphrase::none()).unwrap();
        let other = tpm.key(&other, &Passphrase::none()).unwrap();
        for _ in 0..3 {
            sign(&key).and(sign(&other)).and(sign(&key)).unwrap();
        }
        let digest = format!("16:sha256={}", "ab".repeat(32));
        swtpm.run("tpm2_pcrextend", &["-T", &proxy.tcti(), &digest]);
        for _ in 0..2 {
            let error = sign(&key).unwrap_err().to_string();
            assert!(error.contains("PCR 16 is not what it was"), "{error}");
        }
        sign(&other).unwrap();
        swtpm.run("tpm2_pcrreset", &["-T", &proxy.tcti(), "16"]);
        sign(&key).unwrap();
        if !file.empty_auth {
            let wrong = tpm.key(&file, &Passphrase::new("wrong"));
            assert!(matches!(wrong, Err(TpmError::Passphrase { .. })), "{wrong:?}");
            sign(&key).unwrap();
        }
    }
    tpm.close();
    for kind in ["handles-transient", "handles-loaded-session"] {
        assert_eq!(swtpm.run("tpm2_getcap", &["-T", &proxy.tcti(), kind]), "");
    }
}
