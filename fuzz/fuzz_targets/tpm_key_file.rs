//! Key files of TPMs, which come from anybody: read or refused, and what is read is written as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rustls_offload::tpm::{KeyFile, PolicyStep};

fuzz_target!(|data: &[u8]| {
    let _refused = KeyFile::from_pem(data);
    let Ok(file) = KeyFile::from_der(data) else { return };
    // TPM2B_PUBLIC is unmarshalled by libtss2
    let _ = (file.public_key(), file.is_native());
    let _described: Vec<_> = file.policy.iter().map(PolicyStep::describe).collect();
    let written = file.to_der().expect("what was read can be written");
    let mut read = KeyFile::from_der(&written).expect("what was written can be read");
    // not written
    read.signed_policies = file.signed_policies;
    assert!(read == file);
    let pem = file.to_pem().expect("also as PEM");
    read = KeyFile::from_pem(pem.as_bytes()).expect("and read again");
    read.signed_policies = file.signed_policies;
    assert!(read == file);
});
