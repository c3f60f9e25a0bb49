//! Signatures with nonces that are chosen: NIST's examples, and edges that no key and digest lead to.

use num_bigint::BigUint;

use super::*;
use crate::curve::p256::Affine;
#[cfg(target_arch = "x86_64")]
use crate::lanes::Ifma;
use crate::lanes::{Portable, Single};

/// d, k, the digest, r and s: the first of P-256 with SHA-256 in SigGen.txt of NIST's
/// 186-4ecdsatestvectors, whose messages are hashed here.
const CAVP: [[&str; 5]; 8] = [
    [
        "519b423d715f8b581f4fa8ee59f4771a5b44c8130b4e3eacca54a56dda72b464",
        "94a1bbb14b906a61a280f245f9e93c7f3b4a6247824f5d33b9670787642a68de",
        "44acf6b7e36c1342c2c5897204fe09504e1e2efb1a900377dbc4e7a6a133ec56",
        "f3ac8061b514795b8843e3d6629527ed2afd6b1f6a555a7acabb5e6f79c8c2ac",
        "8bf77819ca05a6b2786c76262bf7371cef97b218e96f175a3ccdda2acc058903",
    ],
    [
        "0f56db78ca460b055c500064824bed999a25aaf48ebb519ac201537b85479813",
        "6d3e71882c3b83b156bb14e0ab184aa9fb728068d3ae9fac421187ae0b2f34c6",
        "9b2db89cb0e8fa3cc7608b4d6cc1dec0114e0b9ff4080bea12b134f489ab2bbc",
        "976d3a4e9d23326dc0baa9fa560b7c4e53f42864f508483a6473b6a11079b2db",
        "1b766e9ceb71ba6c01dcd46e0af462cd4cfa652ae5017d4555b8eeefe36e1932",
    ],
    [
        "e283871239837e13b95f789e6e1af63bf61c918c992e62bca040d64cad1fc2ef",
        "ad5e887eb2b380b8d8280ad6e5ff8a60f4d26243e0124c2f31a297b5d0835de2",
        "b804cf88af0c2eff8bbbfb3660ebb3294138e9d3ebd458884e19818061dacff0",
        "35fb60f5ca0f3ca08542fb3cc641c8263a2cab7a90ee6a5e1583fac2bb6f6bd1",
        "ee59d81bc9db1055cc0ed97b159d8784af04e98511d0a9a407b99bb292572e96",
    ],
    [
        "a3d2d3b7596f6592ce98b4bfe10d41837f10027a90d7bb75349490018cf72d07",
        "24fc90e1da13f17ef9fe84cc96b9471ed1aaac17e3a4bae33a115df4e5834f18",
        "85b957d92766235e7c880ac5447cfbe97f3cb499f486d1e43bcb5c2ff9608a1a",
        "d7c562370af617b581c84a2468cc8bd50bb1cbf322de41b7887ce07c0e5884ca",
        "b46d9f2d8c4bf83546ff178f1d78937c008d64e8ecc5cbb825cb21d94d670d89",
    ],
    [
        "53a0e8a8fe93db01e7ae94e1a9882a102ebd079b3a535827d583626c272d280d",
        "5d833e8d24cc7a402d7ee7ec852a3587cddeb48358cea71b0bedb8fabe84e0c4",
        "3360d699222f21840827cf698d7cb635bee57dc80cd7733b682d41b55b666e22",
        "18caaf7b663507a8bcd992b836dec9dc5703c080af5e51dfa3a9a7c387182604",
        "77c68928ac3b88d985fb43fb615fb7ff45c18ba5c81af796c613dfa98352d29c",
    ],
    [
        "4af107e8e2194c830ffb712a65511bc9186a133007855b49ab4b3833aefc4a1d",
        "e18f96f84dfa2fd3cdfaec9159d4c338cd54ad314134f0b31e20591fc238d0ab",
        "c413c4908cd0bc6d8e32001aa103043b2cf5be7fcbd61a5cec9488c3a577ca57",
        "8524c5024e2d9a73bde8c72d9129f57873bbad0ed05215a372a84fdbc78f2e68",
        "d18c2caf3b1072f87064ec5e8953f51301cada03469c640244760328eb5a05cb",
    ],
    [
        "78dfaa09f1076850b3e206e477494cddcfb822aaa0128475053592c48ebaf4ab",
        "295544dbb2da3da170741c9b2c6551d40af7ed4e891445f11a02b66a5c258a77",
        "88fc1e7d849794fc51b135fa135deec0db02b86c3cd8cebdaa79e8689e5b2898",
        "c5a186d72df452015480f7f338970bfe825087f05c0088d95305f87aacc9b254",
        "84a58f9e9d9e735344b316b1aa1ab5185665b85147dc82d92e969d7bee31ca30",
    ],
    [
        "80e692e3eb9fcd8c7d44e7de9f7a5952686407f90025a1d87e52c7096a62618a",
        "7c80fd66d62cc076cef2d030c17c0a69c99611549cb32c4ff662475adbe84b22",
        "41fa8d8b4cd0a5fdf021f4e4829d6d1e996bab6b4a19dcb85585fe76c582d2bc",
        "9d0c6afb6df3bced455b459cc21387e14929392664bb8741a3693a1795ca6902",
        "d7f9ddd191f1f412869429209ee3814c75c72fa46a9cccf804a2f5cc0b7e739f",
    ],
];

fn hex(digits: &str) -> [u8; 32] {
    std::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).expect("hex"))
}

fn bytes(integer: &BigUint) -> [u8; 32] {
    let mut bytes = [0; 32];
    let digits = integer.to_bytes_be();
    bytes[32 - digits.len()..].copy_from_slice(&digits);
    bytes
}

fn big(bytes: &[u8; 32]) -> BigUint {
    BigUint::from_bytes_be(bytes)
}

fn n() -> BigUint {
    N256::PRIME.iter().rev().fold(BigUint::ZERO, |sum, limb| (sum << 52) + limb)
}

/// A signature with everything that goes into it.
#[derive(Clone, Debug)]
struct Case {
    scalar: [u8; 32],
    nonce: [u8; 32],
    digest: [u8; 32],
    r: [u8; 32],
    s: [u8; 32],
}

/// All lanes, filled with the cases from the first on.
#[track_caller]
fn check<L: Lanes>(l: L, cases: &[Case]) {
    let mut batch = Batch::new();
    for (lane, case) in cases.iter().enumerate() {
        batch.scalars[lane] = case.scalar;
        batch.nonces[lane] = case.nonce;
        batch.digests[lane] = case.digest;
    }
    let (r, s, usable) = batch.sign(l);
    for (lane, case) in cases.iter().enumerate().take(L::LANES) {
        assert_eq!((r[lane], s[lane]), (case.r, case.s), "lane {lane}: {case:x?}");
        let zero = case.r == [0; 32] || case.s == [0; 32];
        assert_eq!(usable >> lane & 1 == 1, !zero, "lane {lane}: {case:x?}");
    }
}

/// Every case in every lane, with the cases that follow it.
#[track_caller]
fn check_everywhere(cases: &[Case]) {
    let around: Vec<_> = cases.iter().cycle().take(cases.len() + 7).cloned().collect();
    for cases in around.windows(8) {
        #[cfg(target_arch = "x86_64")]
        if let Some(l) = Ifma::detect() {
            check(l, cases);
        }
        check(Single, cases);
    }
    check(Portable, &around[..8]);
}

#[test]
fn nist_s_examples() {
    let cases = CAVP.map(|case| {
        let [scalar, nonce, digest, r, s] = case.map(hex);
        Case { scalar, nonce, digest, r, s }
    });
    check_everywhere(&cases);
}

/// s by FIPS 186-5, section 6.4.1, for an r that is known.
fn case(scalar: &BigUint, nonce: &BigUint, digest: [u8; 32], r: &BigUint) -> Case {
    let n = n();
    let inverse = nonce.modinv(&n).expect("not a multiple of n");
    let s = (big(&digest) + r * scalar) % &n * inverse % &n;
    Case { scalar: bytes(scalar), nonce: bytes(nonce), digest, r: bytes(r), s: bytes(&s) }
}

#[test]
fn keys_nonces_and_digests_at_the_edges() {
    let n = n();
    let one = BigUint::from(1_u32);
    // x(G) is below n, so it is the r of the nonces 1 and n - 1
    let g = Affine::base(Single).to_uncompressed(Single)[0];
    let r = BigUint::from_bytes_be(&g[1..33]);
    let digests = [[0; 32], bytes(&one), bytes(&(&n - 1_u32)), bytes(&n), [0xff; 32]];
    let mut cases = Vec::new();
    for scalar in [one.clone(), BigUint::from(2_u32), &n >> 1, &n - 1_u32] {
        for nonce in [one.clone(), &n - 1_u32] {
            cases.extend(digests.map(|digest| case(&scalar, &nonce, digest, &r)));
        }
    }
    // s = 0: the digest is -r d
    let no_signature = bytes(&((&n - &r) * 3_u32 % &n));
    cases.push(case(&BigUint::from(3_u32), &one, no_signature, &r));
    assert_eq!(cases.last().expect("just pushed").s, [0; 32]);
    check_everywhere(&cases);
}
