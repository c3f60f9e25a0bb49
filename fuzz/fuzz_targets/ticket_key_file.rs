//! A file of ticket keys, whatever is in it, gives keys or an error.
#![no_main]

use std::io::Write;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rustls::crypto::CryptoProvider;
use rustls_offload::resume::KeyRing;

static PROVIDER: LazyLock<CryptoProvider> = LazyLock::new(rustls_offload::default_provider);

fuzz_target!(|content: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(content).expect("written");
    let _ = KeyRing::from_file(&PROVIDER, file.path());
});
