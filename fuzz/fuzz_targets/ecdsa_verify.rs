//! Verdicts about signatures, whole and damaged, by new and by known keys, are those of aws-lc-rs.
#![no_main]

use arbitrary::Arbitrary;
use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use libfuzzer_sys::fuzz_target;
use rustls_offload_fuzz::{Number, engines};
use rustls_offload_multibuffer::ecdsa::sign::SigningKey;
use rustls_offload_multibuffer::ecdsa::{KnownKeys, MAX_BATCH, Verdict, Verification, verify};

#[derive(Arbitrary, Debug)]
struct Case {
    key: Number,
    digest: Number,
    damage: Damage,
}

#[derive(Arbitrary, Debug)]
enum Damage {
    None,
    R(Number),
    S(Number),
    Digest(Number),
    X(Number),
    Y(Number),
}

/// The signature that aws-lc-rs makes, damaged; nothing if the number is no key.
fn job(case: &Case) -> Option<Verification> {
    let public = *SigningKey::from_scalar(&case.key.0).ok()?.public_key();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pair =
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, &case.key.0, &public).ok()?;
    let digest = Digest::import_less_safe(&case.digest.0, &SHA256).ok()?;
    let signature = pair.sign_digest(&digest).ok()?;
    let mut job = Verification {
        key: public[1..].try_into().ok()?,
        digest: case.digest.0,
        r: signature.as_ref()[..32].try_into().ok()?,
        s: signature.as_ref()[32..].try_into().ok()?,
    };
    match case.damage {
        Damage::None => {}
        Damage::R(Number(r)) => job.r = r,
        Damage::S(Number(s)) => job.s = s,
        Damage::Digest(Number(digest)) => job.digest = digest,
        Damage::X(Number(x)) => job.key[..32].copy_from_slice(&x),
        Damage::Y(Number(y)) => job.key[32..].copy_from_slice(&y),
    }
    Some(job)
}

fn reference(job: &Verification) -> bool {
    let key = [&[4], &job.key[..]].concat();
    let digest = Digest::import_less_safe(&job.digest, &SHA256).expect("32 bytes");
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
        .verify_digest(&digest, &[job.r, job.s].concat())
        .is_ok()
}

fuzz_target!(|cases: Vec<Case>| {
    let jobs: Vec<_> = cases.iter().take(MAX_BATCH).filter_map(job).collect();
    let expected: Vec<_> = jobs.iter().map(reference).collect();
    let holds = |verdict: Verdict, valid: bool| match verdict {
        Verdict::Valid => valid,
        Verdict::Invalid => !valid,
        Verdict::Undecided => true,
    };
    for engine in engines() {
        let known = KnownKeys::new(engine, MAX_BATCH);
        for _ in 0..2 {
            known.saw(&jobs.iter().map(|job| job.key).collect::<Vec<_>>());
        }
        let new = verify(engine, &jobs);
        // nothing if one of the keys is no point
        let by_tables = known.verify_known(&jobs).unwrap_or(new);
        for (i, &valid) in expected.iter().enumerate() {
            assert!(holds(new[i], valid), "{engine:?}: {:x?}: {:?}", jobs[i], new[i]);
            assert!(holds(by_tables[i], valid), "{engine:?}, tables: {:x?}", jobs[i]);
        }
    }
});
