//! What is taken for a signature is its only encoding in DER.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustls_offload_multibuffer::ecdsa::parse_signature;
use rustls_offload_multibuffer::ecdsa::sign::Signature;

fuzz_target!(|der: &[u8]| {
    if let Some((r, s)) = parse_signature(der) {
        assert_eq!(Signature { r, s }.to_der(), der);
    }
});
