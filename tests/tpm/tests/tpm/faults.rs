//! What goes wrong with TPMs, and what is said and done about it.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use rustls::SignatureScheme::ECDSA_NISTP256_SHA256;
use rustls::sign::SigningKey;
use rustls_offload::tpm::{KeyFile, KeyType, Passphrase, Tpm, TpmError, TpmKey};

use crate::proxy::{Proxy, SIGN};
use crate::swtpm::Swtpm;

fn sign(key: &TpmKey) -> Result<Vec<u8>, rustls::Error> {
    key.choose_scheme(&[ECDSA_NISTP256_SHA256]).unwrap().sign(b"message")
}

fn new_key(tpm: &Tpm, passphrase: &Passphrase) -> (KeyFile, Arc<TpmKey>) {
    let file = tpm.create(KeyType::P256, passphrase).unwrap();
    let key = tpm.key(&file, passphrase).unwrap();
    (file, key)
}

#[test]
fn an_address_without_a_tpm() {
    assert!(matches!(Tpm::open("nonsense"), Err(TpmError::Address { .. })));
    let error = Tpm::open("device:/dev/no-such-tpm").unwrap_err();
    assert!(matches!(error, TpmError::Unreachable { .. }), "{error}");
}

#[test]
fn a_wrong_passphrase_is_told_and_the_right_one_still_works() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.open();
    let right = Passphrase::new("right");
    let (file, key) = new_key(&tpm, &right);
    for wrong in [Passphrase::new("wrong"), Passphrase::none()] {
        let error = tpm.key(&file, &wrong).unwrap_err();
        assert!(matches!(error, TpmError::Passphrase { .. }), "{error}");
    }
    sign(&key).unwrap();
    tpm.key(&file, &right).unwrap();
    assert_eq!(tpm.metrics().reopened, 0, "a wrong passphrase is no lost connection");
    tpm.close();
    assert_eq!(swtpm.leftovers(), "");
}

#[test]
fn a_key_of_another_tpm_is_told() {
    let (one, other) = (Swtpm::start(), Swtpm::start());
    let (file, _) = new_key(&one.open(), &Passphrase::none());
    let tpm = other.open();
    let error = tpm.key(&file, &Passphrase::none()).unwrap_err();
    assert!(matches!(error, TpmError::Foreign { parent: 0x4000_0001 }), "{error}");
    tpm.close();
    assert_eq!(other.leftovers(), "");
}

#[test]
fn a_persistent_parent_that_is_not_there_is_told() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.builder().parent(0x8100_0001).open().unwrap();
    let error = tpm.create(KeyType::P256, &Passphrase::none()).unwrap_err();
    assert!(matches!(error, TpmError::Absent { handle: 0x8100_0001 }), "{error}");
}

#[test]
fn damaged_files_are_told_and_do_no_harm() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.open();
    let (file, key) = new_key(&tpm, &Passphrase::none());
    let pem = file.to_pem().unwrap();
    assert!(KeyFile::from_pem(b"").is_err());
    for end in 0..pem.len() - 1 {
        if let Ok(cut) = KeyFile::from_pem(&pem.as_bytes()[..end]) {
            assert!(end > pem.len() - 3 && cut == file);
        }
    }
    let der = file.to_der().unwrap();
    let mut asked = 0;
    for place in 0..der.len() {
        for change in [1, 0x80] {
            let mut damaged = der.clone();
            damaged[place] ^= change;
            // where the format has no objection, the TPM has
            if let Ok(damaged) = KeyFile::from_der(&damaged)
                && place % 5 == 0
            {
                asked += 1;
                let same = damaged.public == file.public && damaged.private == file.private;
                if let Ok(key) = tpm.key(&damaged, &Passphrase::none()) {
                    assert!(same, "changed at {place}");
                    drop(key);
                }
            }
        }
    }
    assert!(asked > 30, "{asked}");
    sign(&key).unwrap();
    tpm.close();
    assert_eq!(swtpm.leftovers(), "");
}

#[test]
fn a_tpm_that_was_killed_is_found_again_without_anybody_noticing() {
    let mut swtpm = Swtpm::start();
    let tpm = swtpm.open();
    let (_, key) = new_key(&tpm, &Passphrase::new("secret"));
    for _ in 0..3 {
        sign(&key).unwrap();
        swtpm.kill();
        let error = sign(&key).unwrap_err().to_string();
        assert!(error.contains("can't be reached"), "{error}");
        swtpm.restart();
        sign(&key).unwrap();
    }
    // between two signatures: the first after it is as if nothing had been
    swtpm.kill();
    swtpm.restart();
    sign(&key).unwrap();
    assert!(tpm.metrics().reopened > 0);
    tpm.close();
    assert_eq!(swtpm.leftovers(), "");
}

/// The connection stays, but nothing is loaded any more.
#[test]
fn a_reset_costs_nothing_but_time() {
    let swtpm = Swtpm::start();
    let proxy = Proxy::start(&swtpm);
    let tpm = proxy.builder().open().unwrap();
    let (_, one) = new_key(&tpm, &Passphrase::new("secret"));
    let (_, two) = new_key(&tpm, &Passphrase::none());
    for round in 1..4 {
        sign(&one).and(sign(&two)).unwrap();
        let control = format!("127.0.0.1:{}", swtpm.port + 1);
        swtpm.run("swtpm_ioctl", &["--tcp", &control, "-i"]);
        // as a machine's firmware does
        swtpm.run("tpm2_startup", &["-T", &proxy.tcti(), "-c"]);
        sign(&one).and(sign(&two)).unwrap();
        assert_eq!(tpm.metrics().reopened, round);
    }
    tpm.close();
    assert_eq!(swtpm.run("tpm2_getcap", &["-T", &proxy.tcti(), "handles-transient"]), "");
}

#[test]
fn a_busy_tpm_is_asked_again_until_the_deadline() {
    let swtpm = Swtpm::start();
    let proxy = Proxy::start(&swtpm);
    let tpm = proxy.builder().open().unwrap();
    let (_, key) = new_key(&tpm, &Passphrase::none());
    let orders = &proxy.orders;
    orders.only.store(SIGN, SeqCst);
    orders.code.store(0x922, SeqCst);
    orders.refuse.store(20, SeqCst);
    sign(&key).unwrap();
    assert_eq!(orders.refuse.load(SeqCst), 0);
    tpm.close();
    let hurried = proxy.builder().deadline(Duration::from_secs(3)).open().unwrap();
    let (_, key) = new_key(&hurried, &Passphrase::none());
    orders.refuse.store(u32::MAX, SeqCst);
    let error = sign(&key).unwrap_err().to_string();
    assert!(error.contains("0x922") || error.contains("within"), "{error}");
    orders.refuse.store(0, SeqCst);
    sign(&key).unwrap();
}

#[test]
fn a_locked_tpm_is_told() {
    let swtpm = Swtpm::start();
    swtpm.run("tpm2_dictionarylockout", &["-s", "-n", "2", "-t", "1000", "-l", "1000"]);
    let attributes =
        "restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda";
    let primary = ["-C", "o", "-G", "ecc256:aes128cfb", "-a", attributes, "-c", "srk.ctx"];
    swtpm.run("tpm2_createprimary", &primary);
    swtpm.run("tpm2_flushcontext", &["-t"]);
    // wrong passphrases for this one count
    let counting = "sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth";
    let create = ["-C", "srk.ctx", "-G", "ecc256", "-a", counting, "-p", "right"];
    swtpm.run("tpm2_create", &[&create[..], &["-u", "key.pub", "-r", "key.priv"]].concat());
    swtpm.run("tpm2_flushcontext", &["-t"]);
    let tpm = swtpm.open();
    let mut file = tpm.create(KeyType::P256, &Passphrase::none()).unwrap();
    (file.public, file.private) = (swtpm.read("key.pub"), swtpm.read("key.priv"));
    let key = tpm.key(&file, &Passphrase::new("right")).unwrap();
    for _ in 0..2 {
        let error = tpm.key(&file, &Passphrase::new("wrong")).unwrap_err();
        assert!(matches!(error, TpmError::Passphrase { .. }), "each counts once: {error}");
    }
    let error = tpm.key(&file, &Passphrase::new("right")).unwrap_err();
    assert!(matches!(error, TpmError::Lockout), "{error}");
    assert!(sign(&key).unwrap_err().to_string().contains("tpm2_dictionarylockout"));
    // ours do not count, and are not locked
    sign(&new_key(&tpm, &Passphrase::new("other")).1).unwrap();
}
