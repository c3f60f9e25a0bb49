//! The command as it is typed, on a software TPM.

#![allow(clippy::unwrap_used, reason = "what fails to unwrap is a failed test")]

use std::process::Output;
use std::time::Duration;

use rustls_offload::tpm::{KeyFile, Passphrase};
use swtpm::Swtpm;

#[path = "../../tests/tpm/tests/tpm/swtpm.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod swtpm;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn output(swtpm: &Swtpm, arguments: &str) -> Output {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    swtpm.output(env!("CARGO_BIN_EXE_offload-key"), &arguments)
}

/// What it prints; it must succeed.
#[track_caller]
fn run(swtpm: &Swtpm, arguments: &str) -> String {
    let output = output(swtpm, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it says; it must fail.
#[track_caller]
fn fail(swtpm: &Swtpm, arguments: &str) -> String {
    let output = output(swtpm, arguments);
    assert!(!output.status.success(), "{arguments}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_key_is_made_inspected_and_asks_for_its_certificate() {
    let swtpm = Swtpm::start();
    swtpm.write("passphrase", "open sesame\n");
    for kind in ["p256", "p384", "rsa2048"] {
        run(&swtpm, &format!("create --type {kind} --passphrase-file passphrase --out {kind}.tpm"));
        let said = run(&swtpm, &format!("inspect {kind}.tpm"));
        assert!(
            said.contains("holds: Loadable\nparent: 0x40000001\npassphrase: perhaps"),
            "{said}"
        );
        assert!(said.contains("for that TPM only: true"), "{said}");
        let csr = format!(
            "csr --key {kind}.tpm --passphrase-file passphrase --common-name orders --name \
             spiffe://one.test/orders --name localhost"
        );
        swtpm.write("request.pem", run(&swtpm, &csr));
        let request = ["req", "-in", "request.pem", "-verify", "-noout", "-text", "-pubkey"];
        let request = swtpm.run("openssl", &request);
        for name in ["CN = orders", "URI:spiffe://one.test/orders", "DNS:localhost"] {
            assert!(request.contains(name), "{request}");
        }
        let public = &said[said.find("-----BEGIN").unwrap()..];
        let (ours, theirs) = (pem::parse(public).unwrap(), &request);
        assert!(pem::parse_many(theirs).unwrap().contains(&ours), "the key that was inspected");
    }
    let said = fail(&swtpm, "csr --key p256.tpm --common-name orders");
    assert!(said.contains("passphrase is not the key's"), "{said}");
    let before = swtpm.read("p256.tpm");
    let said = fail(&swtpm, "create --out p256.tpm");
    assert!(said.contains("does not exist yet") && swtpm.read("p256.tpm") == before, "{said}");
    assert_eq!(swtpm.leftovers(), "");
}

#[test]
fn openssls_key_is_brought_in_and_is_the_same() {
    let swtpm = Swtpm::start();
    swtpm.run("openssl", &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key"]);
    run(&swtpm, "import --key key --out key.tpm");
    let said = run(&swtpm, "inspect key.tpm");
    assert!(
        said.contains("passphrase: none") && said.contains("for that TPM only: false"),
        "{said}"
    );
    let public = swtpm.run("openssl", &["ec", "-in", "key", "-pubout"]);
    let inspected = pem::parse(&said[said.find("-----BEGIN").unwrap()..]).unwrap();
    assert_eq!(pem::parse(public).unwrap(), inspected);
    swtpm.write("garbage", "garbage");
    let said = fail(&swtpm, "import --key garbage --out other.tpm");
    assert!(said.contains("no private key"), "{said}");
}

#[test]
fn secrets_are_sealed_and_say_under_what() {
    let swtpm = Swtpm::start();
    swtpm.run("openssl", &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key"]);
    swtpm.write("data", [7, 8, 9]);
    run(&swtpm, "seal --input key --pcrs 7,16 --out key.sealed");
    run(&swtpm, "seal --random-seed --pcrs 7 --out seed.sealed");
    run(&swtpm, "seal --input data --out data.sealed");
    let said = run(&swtpm, "inspect key.sealed");
    assert!(said.contains("policy: PCR 7 (SHA-256) as then\npolicy: PCR 16 "), "{said}");
    assert!(!said.contains("BEGIN"), "{said}");
    let tpm = swtpm.open();
    let file = |name| KeyFile::from_pem(&swtpm.read(name)).unwrap();
    let none = Passphrase::none();
    let key = tpm.unseal_key(&file("key.sealed"), &none).unwrap();
    rustls_offload::default_provider().key_provider.load_private_key(key.clone_key()).unwrap();
    tpm.unseal_seed(&file("seed.sealed"), &none).unwrap();
    assert_eq!(**tpm.unseal(&file("data.sealed"), &none).unwrap(), [7, 8, 9]);
    let said = fail(&swtpm, "seal --input data --pcrs 24 --out other");
    assert!(said.contains("0 to 23"), "{said}");
}

#[test]
fn without_a_tpm_it_says_so() {
    let swtpm = Swtpm::start();
    let said = fail(&swtpm, "create --tpm device:/dev/no-such-tpm --out key.tpm");
    assert!(said.contains("can't be reached"), "{said}");
    assert!(!swtpm.path("key.tpm").exists());
}
