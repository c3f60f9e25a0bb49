//! ECDSA (186-4ecdsatestvectors): signatures to be verified, and keys to sign with.
//!
//! That the right nonce gives NIST's signature is a test of the module that signs, for no caller can choose
//! nonces.

use std::sync::Arc;

use aws_lc_rs::digest::{
    self, Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA224, SHA256, SHA384, SHA512,
};
use rustls_offload_multibuffer::Engine;
use rustls_offload_multibuffer::ecdsa::sign::{Signing, SigningKey, sign};
use rustls_offload_multibuffer::ecdsa::{KnownKeys, Verdict, Verification, verify};

use super::file::{Record, records};
use super::{batches, checks, engines};
use crate::tally::Tally;

const HASHES: [(&str, &Algorithm); 5] = [
    ("[P-256,SHA-1]", &SHA1_FOR_LEGACY_USE_ONLY),
    ("[P-256,SHA-224]", &SHA224),
    ("[P-256,SHA-256]", &SHA256),
    ("[P-256,SHA-384]", &SHA384),
    ("[P-256,SHA-512]", &SHA512),
];

/// The vectors of a file with the hash of their messages, as a number of 32 bytes (FIPS 186-5, 6.4.1).
fn hashed(file: &str) -> Vec<([u8; 32], Record)> {
    let of = |(section, algorithm): (&str, &'static Algorithm)| {
        let hashed = move |record: Record| {
            let hash = digest::digest(algorithm, &record.bytes("Msg"));
            let hash = &hash.as_ref()[..hash.as_ref().len().min(32)];
            let mut number = [0; 32];
            number[32 - hash.len()..].copy_from_slice(hash);
            (number, record)
        };
        records(file, section).into_iter().map(hashed)
    };
    HASHES.into_iter().flat_map(of).collect()
}

fn verification(digest: [u8; 32], record: &Record) -> Option<Verification> {
    let point = record.point("Qx", "Qy")?;
    let key = point[1..].try_into().unwrap();
    Some(Verification { key, digest, r: record.number("R")?, s: record.number("S")? })
}

/// The signatures of both files: what is asked, and whether it is valid.
fn signatures() -> Vec<(Verification, bool)> {
    let judged = hashed("ECDSA/FIPS_186-3/SigVer.rsp");
    let made = hashed("ECDSA/FIPS_186-3/SigGen.txt");
    assert_eq!((judged.len(), made.len()), (75, 75));
    let judged = judged
        .iter()
        .map(|(digest, record)| (verification(*digest, record).unwrap(), record.fails().is_none()));
    let made = made.iter().map(|(digest, record)| (verification(*digest, record).unwrap(), true));
    judged.chain(made).collect()
}

fn verifies(engine: Engine) {
    let cases = signatures();
    assert_eq!(cases.iter().filter(|(_, valid)| !valid).count(), 60);
    let known = KnownKeys::new(engine, cases.len());
    for (job, _) in &cases {
        known.saw(&[job.key]);
        known.saw(&[job.key]);
    }
    let mut tally = Tally::new(format!("CAVP verification on {engine:?}"));
    for batch in batches(engine, &cases) {
        let jobs: Vec<_> = batch.iter().map(|(job, _)| *job).collect();
        let verdicts = [verify(engine, &jobs), known.verify_known(&jobs).unwrap()];
        for (lane, (job, valid)) in batch.iter().enumerate() {
            let right = if *valid { Verdict::Valid } else { Verdict::Invalid };
            for verdicts in verdicts {
                tally.check(verdicts[lane] == right, format_args!("{job:?} in lane {lane}"));
            }
        }
    }
    tally.at_least(2 * checks(engine, cases.len()));
}

#[test]
fn signatures_are_judged_as_nist_says() {
    engines().into_iter().for_each(verifies);
}

fn signs(engine: Engine) {
    let cases: Vec<_> = hashed("ECDSA/FIPS_186-3/SigGen.txt")
        .into_iter()
        .map(|(digest, record)| {
            let key = SigningKey::from_scalar(&record.number("d").unwrap()).unwrap();
            assert_eq!(Some(*key.public_key()), record.point("Qx", "Qy"), "{record:?}");
            Signing { key: Arc::new(key), digest, entropy: [0; 32] }
        })
        .collect();
    let mut tally = Tally::new(format!("CAVP signatures on {engine:?}"));
    for batch in batches(engine, &cases) {
        let jobs: Vec<_> = batch.into_iter().cloned().collect();
        let signatures = sign(engine, &jobs);
        for (lane, job) in jobs.iter().enumerate() {
            let signature = signatures[lane].unwrap();
            let valid = aws_lc_rs_accepts(job, &[signature.r, signature.s]);
            tally.check(valid, format_args!("{job:?} in lane {lane}"));
        }
    }
    tally.at_least(checks(engine, cases.len()));
}

/// What another implementation says of a signature.
fn aws_lc_rs_accepts(job: &Signing, signature: &[[u8; 32]; 2]) -> bool {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    let digest = digest::Digest::import_less_safe(&job.digest, &SHA256).unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, job.key.public_key())
        .verify_digest(&digest, signature.as_flattened())
        .is_ok()
}

#[test]
fn nist_s_keys_sign() {
    engines().into_iter().for_each(signs);
}
