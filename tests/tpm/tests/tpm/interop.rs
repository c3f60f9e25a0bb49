//! Key files that others wrote, and ours as others read them.

use std::sync::Arc;

use rustls::SignatureScheme::ECDSA_NISTP256_SHA256;
use rustls::sign::SigningKey;
use rustls::version::{TLS12, TLS13};
use rustls_offload::tpm::{KeyFile, KeyType, Passphrase, TpmKey};

use crate::ends::{GREETING, Server, connect};
use crate::pki::{Pki, certificate_pem, software_key};
use crate::swtpm::Swtpm;
use crate::tool::Tool;

/// Signs with `key`, and has openssl verify it.
fn check(swtpm: &Swtpm, key: &TpmKey) {
    let scheme = key.schemes()[0];
    assert_eq!(scheme, ECDSA_NISTP256_SHA256);
    let signature = key.choose_scheme(&[scheme]).unwrap().sign(b"message").unwrap();
    let spki = key.public_key().unwrap();
    swtpm.write("public.pem", pem::encode(&pem::Pem::new("PUBLIC KEY", spki.as_ref())));
    swtpm.write("message", b"message");
    swtpm.write("signature", signature);
    let args = ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message"];
    assert!(swtpm.run("openssl", &args).contains("Verified OK"));
}

#[test]
fn openssl_reads_ours() {
    let swtpm = Swtpm::start();
    for kind in [KeyType::P256, KeyType::P384, KeyType::Rsa2048] {
        let tpm = swtpm.open();
        let file = tpm.create(kind, &Passphrase::none()).unwrap();
        let key = tpm.key(&file, &Passphrase::none()).unwrap();
        let spki = key.public_key().unwrap().to_vec();
        tpm.close();
        swtpm.write("ours.pem", file.to_pem().unwrap());
        let public = swtpm.openssl(&["pkey", "-in", "ours.pem", "-pubout"]);
        assert_eq!(pem::parse(public).unwrap().contents(), spki);
        let request = ["req", "-new", "-key", "ours.pem", "-subj", "/CN=ours", "-verify", "-noout"];
        swtpm.openssl(&request);
    }
}

#[test]
fn we_read_openssls() {
    let swtpm = Swtpm::start();
    let group = ["-algorithm", "EC", "-pkeyopt", "group:P-256"];
    swtpm.openssl(&[&["genpkey"], &group[..], &["-out", "theirs.pem"]].concat());
    let auth = ["-pkeyopt", "user-auth:abc", "-out", "locked.pem"];
    swtpm.openssl(&[&["genpkey"], &group[..], &auth].concat());
    let theirs = KeyFile::from_pem(&swtpm.read("theirs.pem")).unwrap();
    let locked = KeyFile::from_pem(&swtpm.read("locked.pem")).unwrap();
    assert!(theirs.empty_auth && !locked.empty_auth);
    let tpm = swtpm.open();
    check(&swtpm, &tpm.key(&theirs, &Passphrase::none()).unwrap());
    check(&swtpm, &tpm.key(&locked, &Passphrase::new("abc")).unwrap());
}

#[test]
fn we_read_what_the_tools_encode() {
    let swtpm = Swtpm::start();
    let attributes =
        "restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda";
    let primary = ["-C", "o", "-G", "ecc256:aes128cfb", "-a", attributes, "-c", "srk.ctx"];
    swtpm.run("tpm2_createprimary", &primary);
    swtpm.run("tpm2_flushcontext", &["-t"]);
    swtpm.run("tpm2_evictcontrol", &["-C", "o", "-c", "srk.ctx", "0x81000001"]);
    swtpm.run("tpm2_flushcontext", &["-t"]);
    let parts = ["-u", "key.pub", "-r", "key.priv"];
    let create = ["-C", "0x81000001", "-G", "ecc256:ecdsa-sha256"];
    swtpm.run("tpm2_create", &[&create[..], &parts].concat());
    swtpm.run("tpm2_flushcontext", &["-t"]);
    let encode = ["-C", "0x81000001", "-o", "theirs.pem"];
    swtpm.run("tpm2_encodeobject", &[&encode[..], &parts].concat());
    let theirs = KeyFile::from_pem(&swtpm.read("theirs.pem")).unwrap();
    assert_eq!(theirs.parent, 0x8100_0001);
    let tpm = swtpm.open();
    check(&swtpm, &tpm.key(&theirs, &Passphrase::none()).unwrap());
}

#[test]
fn the_tools_read_ours() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.open();
    let file = tpm.create(KeyType::P256, &Passphrase::new("abc")).unwrap();
    tpm.close();
    let attributes =
        "restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda";
    let primary = ["-C", "o", "-G", "ecc256:aes128cfb", "-a", attributes, "-c", "srk.ctx"];
    swtpm.run("tpm2_createprimary", &primary);
    swtpm.run("tpm2_flushcontext", &["-t"]);
    swtpm.write("key.pub", &file.public);
    swtpm.write("key.priv", &file.private);
    let load = ["-C", "srk.ctx", "-u", "key.pub", "-r", "key.priv", "-c", "key.ctx"];
    swtpm.run("tpm2_load", &load);
    swtpm.run("tpm2_flushcontext", &["-t"]);
    swtpm.write("message", b"message");
    let sign = ["-c", "key.ctx", "-p", "abc", "-g", "sha256", "-o", "signature", "message"];
    swtpm.run("tpm2_sign", &sign);
    swtpm.run("tpm2_flushcontext", &["-t"]);
    let verify = ["-c", "key.ctx", "-g", "sha256", "-m", "message", "-s", "signature"];
    swtpm.run("tpm2_verifysignature", &verify);
}

#[test]
fn our_server_with_a_key_that_openssl_made() {
    let swtpm = Swtpm::start();
    let group = ["-algorithm", "EC", "-pkeyopt", "group:P-256"];
    swtpm.openssl(&[&["genpkey"], &group[..], &["-out", "theirs.pem"]].concat());
    let theirs = KeyFile::from_pem(&swtpm.read("theirs.pem")).unwrap();
    let tpm = swtpm.open();
    let key: Arc<dyn SigningKey> = tpm.key(&theirs, &Passphrase::none()).unwrap();
    let pki = Pki::new();
    for version in [&TLS13, &TLS12] {
        let server = Server::start(pki.server(&key, version), 1);
        let client = Arc::new(pki.client(&software_key(), version));
        connect(&client, server.port, GREETING).unwrap();
        server.reports().remove(0).unwrap();
    }
}

#[test]
fn openssls_server_with_a_key_that_we_made() {
    let swtpm = Swtpm::start();
    let tpm = swtpm.open();
    let file = tpm.create(KeyType::P256, &Passphrase::none()).unwrap();
    let key = tpm.key(&file, &Passphrase::none()).unwrap();
    tpm.close();
    let pki = Pki::new();
    let path = |name, content: String| swtpm.write(name, content).display().to_string();
    let key = [
        path("ours.pem", file.to_pem().unwrap()),
        path("chain.pem", certificate_pem(&pki.certify(&*key))),
    ];
    let tcti = swtpm.tcti();
    let providers = ["-provider", "default", "-provider", "tpm2"];
    // hashes are not for the TPM, which has no room for them
    let what = ["-propquery", "?provider=tpm2,tpm2.digest!=yes,tpm2.cipher!=yes"];
    // nor are clients' certificates asked for: their signatures would be for the TPM to verify
    let keys = ["-key", &key[0], "-cert", &key[1]];
    // tpm2-openssl 1.1.1 finds no cipher suite of TLS 1.2 for a key in a TPM, be it its own
    let listen = ["-accept", "127.0.0.1:0", "-rev", "-tls1_3"];
    let args = [&["s_server"], &providers[..], &what, &keys, &listen].concat();
    let tcti = Some(("TPM2OPENSSL_TCTI", &*tcti));
    let mut server = Tool::start_with("openssl", "tpm2-openssl", &args, tcti);
    let client = Arc::new(pki.client(&software_key(), &TLS13));
    let reversed: String = GREETING.chars().rev().collect();
    let report = connect(&client, server.listening_port(), &reversed).unwrap();
    assert_eq!(report.version, TLS13.version);
}
