//! Signatures by any key, of any digest, with any entropy, are valid for aws-lc-rs, and encoded as it wants.
#![no_main]

use std::sync::Arc;

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use libfuzzer_sys::fuzz_target;
use rustls_offload_fuzz::{Number, engines};
use rustls_offload_multibuffer::ecdsa::MAX_BATCH;
use rustls_offload_multibuffer::ecdsa::sign::{Signing, SigningKey, sign};

fuzz_target!(|cases: Vec<(Number, Number, [u8; 32])>| {
    let job = |&(key, digest, entropy): &(Number, Number, [u8; 32])| {
        let key = Arc::new(SigningKey::from_scalar(&key.0).ok()?);
        Some(Signing { key, digest: digest.0, entropy })
    };
    let jobs: Vec<_> = cases.iter().take(MAX_BATCH).filter_map(job).collect();
    for engine in engines() {
        let signatures = sign(engine, &jobs);
        for (job, signature) in jobs.iter().zip(signatures) {
            let signature = signature.expect("r and s are zero with a chance of 2^-255");
            let digest = Digest::import_less_safe(&job.digest, &SHA256).expect("32 bytes");
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, job.key.public_key())
                .verify_digest(&digest, &signature.to_der())
                .unwrap_or_else(|_| panic!("{engine:?}: {job:?} {signature:x?}"));
        }
    }
});
