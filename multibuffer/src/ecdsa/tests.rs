//! Verification where it is most likely to be wrong: keys, digests and signatures made for the purpose.

use num_bigint::BigUint;

use super::*;
use crate::curve::p256::reference::{Point, add, bytes, g, key, mul, n, p};
use crate::lanes::{Portable, Single};

/// Every engine there is on this CPU.
fn engines() -> Vec<Engine> {
    let mut engines = vec![Engine(Kind::Portable(Portable)), Engine(Kind::Single(Single))];
    #[cfg(target_arch = "x86_64")]
    engines.extend(crate::lanes::Ifma::detect().map(|l| Engine(Kind::Ifma(l))));
    engines
}

/// The engine with eight lanes that takes least time.
fn eight_lanes() -> Engine {
    engines().into_iter().rfind(|engine| engine.lanes() == MAX_BATCH).unwrap()
}

/// The verdicts with tables; `Invalid` for keys that can't have any.
fn verify_known(engine: Engine, jobs: &[Verification]) -> Vec<Verdict> {
    let combs = tables(engine, &jobs.iter().map(|job| job.key).collect::<Vec<_>>());
    let verdict = |(job, comb): (&Verification, &Option<Box<Comb>>)| match comb {
        Some(comb) => verify_by_tables(engine, &[(job, comb)])[0],
        None => Verdict::Invalid,
    };
    jobs.iter().zip(&combs).map(verdict).collect()
}

/// u1 and u2 as they are, with s = 1.
fn job(point: &Point, [u1, u2]: [&BigUint; 2]) -> Verification {
    let one = bytes(&BigUint::from(1_u8));
    Verification { key: key(point), digest: bytes(u1), r: bytes(u2), s: one }
}

/// The signature of `digest` by the private key d with the nonce k.
fn signed(d: &BigUint, k: &BigUint, digest: &BigUint) -> Verification {
    let r = mul(k, &g()).unwrap().0 % n();
    let s = (digest + &r * d) * k.modinv(&n()).unwrap() % n();
    Verification { key: key(&mul(d, &g())), digest: bytes(digest), r: bytes(&r), s: bytes(&s) }
}

/// A number below n like any other.
fn any(seed: u32) -> BigUint {
    BigUint::from(seed + 2).modpow(&BigUint::from(1_000_003_u32), &n())
}

/// Asserts each verdict, with and without tables, of each engine; `Undecided` is right only if allowed.
#[track_caller]
fn assert_verdicts(jobs: &[Verification], expected: &[Verdict], undecided: bool) {
    for engine in engines() {
        for (jobs, expected) in jobs.chunks(MAX_BATCH).zip(expected.chunks(MAX_BATCH)) {
            let got = verify(engine, jobs)[..jobs.len()].to_vec();
            for got in [got, verify_known(engine, jobs)] {
                for ((got, expected), job) in got.iter().zip(expected).zip(jobs) {
                    let allowed = undecided && *got == Verdict::Undecided;
                    assert!(got == expected || allowed, "{got:?}: {engine:?} {job:x?}");
                }
            }
        }
    }
}

/// u1 and u2 as signed digits, and from them what each addition adds to what: pairs (a, b) stand for a
/// Q + b G. Written from the documentation of the digits, without the code's help.
fn additions(u1: &BigUint, u2: &BigUint, windows: bool) -> Vec<[[BigUint; 2]; 2]> {
    let power = |exponent: u32| BigUint::from(1_u8) << exponent;
    let halved = |scalar: &BigUint, bits: u32| {
        (scalar + power(bits) + n() - 1_u8) * BigUint::from(2_u8).modinv(&n()).unwrap() % n()
    };
    let sum_of_signs = |scalar: &BigUint, places: Vec<(u32, u32)>| {
        places.into_iter().fold(BigUint::ZERO, |sum, (bit, weight)| {
            let sign = scalar.bit(u64::from(bit));
            (if sign { sum + power(weight) } else { sum + n() - power(weight) % n() }) % n()
        })
    };
    let columns = |scalar: &BigUint, position: u32| {
        let places = |block: u32| {
            (0..8).map(move |t| (32 * t + 16 * block + position, 32 * t + 16 * block)).collect()
        };
        [0, 1].map(|block| sum_of_signs(scalar, places(block)))
    };
    let (base, key) = (halved(u1, 256), halved(u2, if windows { 260 } else { 256 }));
    let mut sum = [BigUint::ZERO, BigUint::ZERO];
    let mut additions = Vec::new();
    for position in (0..if windows { 256 } else { 16 }).rev() {
        sum = sum.map(|factor| factor * 2_u8 % n());
        let mut terms = Vec::new();
        if windows && position % 5 == 0 {
            let places = (0..5).map(|bit| (position + bit, bit)).collect();
            terms.push([sum_of_signs(&key, places), BigUint::ZERO]);
        } else if !windows {
            terms.extend(columns(&key, position).map(|factor| [factor, BigUint::ZERO]));
        }
        if position < 16 {
            terms.extend(columns(&base, position).map(|factor| [BigUint::ZERO, factor]));
        }
        for term in terms {
            let next = [0, 1].map(|i| (&sum[i] + &term[i]) % n());
            if sum != [BigUint::ZERO, BigUint::ZERO] {
                additions.push([sum, term]);
            }
            sum = next;
        }
    }
    assert_eq!(sum, [u2.clone(), u1.clone()]);
    additions
}

/// Keys for which one certain addition of the sum is of equal or opposite points, for additions all along.
#[test]
fn every_exceptional_addition_is_noticed() {
    let engine = eight_lanes();
    for windows in [true, false] {
        let (u1, u2) = (any(1), any(2));
        let mut jobs = Vec::new();
        let step = if cfg!(debug_assertions) { 7 } else { 1 };
        for [[a, b], [c, d]] in additions(&u1, &u2, windows).into_iter().rev().step_by(step) {
            // a q + b = +-(c q + d)
            for [c, d] in [[c.clone(), d.clone()], [n() - &c, n() - &d]] {
                let Some(inverse) = ((&a + n() - &c) % n()).modinv(&n()) else { continue };
                let q = (d + n() - &b) * inverse % n();
                if q != BigUint::ZERO {
                    jobs.push(job(&mul(&q, &g()), [&u1, &u2]));
                }
            }
        }
        assert!(jobs.len() * step > 60, "{} jobs", jobs.len());
        for jobs in jobs.chunks(MAX_BATCH) {
            let verdicts = if windows {
                verify(engine, jobs)[..jobs.len()].to_vec()
            } else {
                verify_known(engine, jobs)
            };
            assert!(verdicts.iter().all(|&verdict| verdict == Verdict::Undecided), "{verdicts:?}");
        }
    }
}

#[test]
fn a_sum_at_infinity_is_undecided() {
    let (u1, u2) = (any(3), any(4));
    let d = (n() - &u1) * u2.modinv(&n()).unwrap() % n();
    let jobs = [job(&mul(&d, &g()), [&u1, &u2])];
    for engine in engines() {
        assert_eq!(verify(engine, &jobs)[0], Verdict::Undecided);
        assert_eq!(verify_known(engine, &jobs), [Verdict::Undecided]);
    }
}

#[test]
fn keys_and_nonces_and_digests_at_the_edges() {
    let small = |number: u32| BigUint::from(number);
    let half = small(2).modinv(&n()).unwrap();
    let numbers =
        [small(1), n() - 1_u8, small(2), n() - 2_u8, small(31), n() - 33_u8, half, any(5)];
    let limit = BigUint::from(1_u8) << 256;
    let digests = [BigUint::ZERO, small(1), n() - 1_u8, n(), n() + 1_u8, limit - 1_u8, any(6)];
    let (mut jobs, mut expected) = (Vec::new(), Vec::new());
    for (i, d) in numbers.iter().enumerate() {
        for (j, k) in numbers.iter().enumerate() {
            if cfg!(debug_assertions) && (i + j) % 4 != 0 {
                continue;
            }
            let good = signed(d, k, &digests[(i + j) % digests.len()]);
            if good.s != [0; 32] {
                let mut bad = good;
                bad.digest[31] ^= 1;
                jobs.extend([good, bad]);
                expected.extend([Verdict::Valid, Verdict::Invalid]);
            }
        }
    }
    assert_verdicts(&jobs, &expected, true);
    let decided = verify(eight_lanes(), &jobs[jobs.len() - 2..]);
    assert_eq!(decided[..2], [Verdict::Valid, Verdict::Invalid]);
}

#[test]
fn numbers_out_of_range_are_invalid() {
    let good = signed(&any(7), &any(8), &any(9));
    let mut jobs = vec![good];
    for wrong in [BigUint::ZERO, n(), n() + 1_u8, (BigUint::from(1_u8) << 256) - 1_u8] {
        jobs.push(Verification { r: bytes(&wrong), ..good });
        jobs.push(Verification { s: bytes(&wrong), ..good });
    }
    // the opposite signature is as good, and s + n is out of range
    let s = BigUint::from_bytes_be(&good.s);
    jobs.push(Verification { s: bytes(&(n() - s)), ..good });
    // with small r and s, r + n and s + n have 32 bytes
    let small = job(&g(), [&any(10), &BigUint::from(5_u8)]);
    jobs.push(Verification { s: bytes(&(n() + 1_u8)), ..small });
    jobs.push(Verification { r: bytes(&(n() + 5_u8)), ..small });
    // keys: no point, the other half, and off by one
    jobs.push(Verification { key: [0; 64], ..good });
    jobs.push(Verification { key: [0xff; 64], ..good });
    for byte in [0, 31, 32, 63] {
        let mut key = good.key;
        key[byte] ^= 1;
        jobs.push(Verification { key, ..good });
    }
    let mut expected = vec![Verdict::Invalid; jobs.len()];
    (expected[0], expected[9]) = (Verdict::Valid, Verdict::Valid);
    assert_verdicts(&jobs, &expected, false);
}

/// The curve's point with the given x and an even or odd y, if there is one.
fn with_x(x: &BigUint) -> Point {
    // G's equation gives b
    let (gx, gy) = g()?;
    let right = |x: &BigUint| (x * x * x + (p() - x) * 3_u8) % p();
    let b = (&gy * &gy + p() - right(&gx)) % p();
    let square = (right(x) + b) % p();
    let y = square.modpow(&((p() + 1_u8) >> 2), &p());
    (&y * &y % p() == square).then(|| (x.clone(), y))
}

/// A key for which u1 G + u2 Q is `sum`, with the r that is to be claimed.
fn with_sum(sum: &Point, r: &BigUint) -> Verification {
    let (u1, s) = (any(11), any(12));
    let u2_inverse = &s * r.modinv(&n()).unwrap() % n();
    let rest = add(sum, &mul(&(n() - &u1), &g()));
    let digest = bytes(&(&u1 * &s % n()));
    Verification { key: key(&mul(&u2_inverse, &rest)), digest, r: bytes(r), s: bytes(&s) }
}

#[test]
fn x_is_compared_modulo_n() {
    // x = r + n, which is below p
    let above = (0..64_u32).map(|r| (BigUint::from(r + 1), BigUint::from(r + 1) + n()));
    let mut jobs: Vec<_> =
        above.filter_map(|(r, x)| Some(with_sum(&Some(with_x(&x)?), &r))).collect();
    jobs.truncate(4);
    let mut expected = vec![Verdict::Valid; 4];
    // x = r + n - p, which must not be taken for it
    let below = (0..64_u32).map(|x| (BigUint::from(x) + p() - n(), BigUint::from(x)));
    let wrong: Vec<_> =
        below.filter_map(|(r, x)| Some(with_sum(&Some(with_x(&x)?), &r))).take(4).collect();
    expected.extend([Verdict::Invalid; 4]);
    jobs.extend(wrong);
    assert_eq!(jobs.len(), 8);
    assert_verdicts(&jobs, &expected, false);
}

#[test]
fn verdicts_stay_with_their_jobs_in_every_position_and_size() {
    let good: Vec<_> = (0..8).map(|i| signed(&any(20 + i), &any(30 + i), &any(40 + i))).collect();
    for engine in engines() {
        let combs = tables(engine, &good.iter().map(|job| job.key).collect::<Vec<_>>());
        let sizes = if cfg!(debug_assertions) { vec![1, 3, 8] } else { (1..=8).collect() };
        for size in sizes {
            for position in 0..size {
                let mut jobs = good[..size].to_vec();
                jobs[position].digest[0] ^= 1;
                let mut expected = [Verdict::Undecided; MAX_BATCH];
                expected[..size].fill(Verdict::Valid);
                expected[position] = Verdict::Invalid;
                assert_eq!(verify(engine, &jobs), expected);
                let known: Vec<_> = jobs
                    .iter()
                    .zip(&combs)
                    .map(|(job, comb)| (job, &**comb.as_ref().unwrap()))
                    .collect();
                assert_eq!(verify_by_tables(engine, &known), expected);
            }
        }
        assert_eq!(verify(engine, &[]), [Verdict::Undecided; MAX_BATCH]);
    }
}

#[test]
#[should_panic(expected = "9 jobs")]
fn more_than_a_batch_is_refused() {
    verify(Engine::single(), &[job(&g(), [&any(1), &any(2)]); 9]);
}

#[test]
fn keys_become_known_at_the_second_sighting() {
    let jobs: Vec<_> = (0..3).map(|i| signed(&any(50 + i), &any(60), &any(70))).collect();
    let known = KnownKeys::new(Engine::single(), 2);
    assert_eq!(known.verify(&jobs[..1])[0], Verdict::Valid);
    assert!(known.is_empty() && known.verify_known(&jobs[..1]).is_none());
    assert_eq!(known.verify(&jobs[..1])[0], Verdict::Valid);
    assert_eq!(known.len(), 1);
    assert_eq!(known.verify_known(&jobs[..1]).unwrap()[0], Verdict::Valid);
    assert!(known.verify_known(&jobs[..2]).is_none());
    // what isn't valid is no sighting
    let mut bad = jobs[1];
    bad.digest[0] ^= 1;
    for _ in 0..3 {
        assert_eq!(known.verify(&[bad])[0], Verdict::Invalid);
    }
    assert_eq!(known.len(), 1);
    // the bound holds, and a third key takes the place of another
    for key in [jobs[1].key, jobs[2].key] {
        // one after the other: keys that share a place forget each other's first sighting
        known.saw(&[key]);
        known.saw(&[key]);
    }
    assert_eq!(known.len(), 2);
    assert!(known.verify_known(&jobs[2..]).is_some());
    assert_eq!(known.verify(&jobs)[..3], [Verdict::Valid; 3]);
    assert!(format!("{known:?}").contains("len: 2"));
}

#[test]
fn without_capacity_nothing_becomes_known() {
    let job = signed(&any(80), &any(81), &any(82));
    let known = KnownKeys::new(Engine::single(), 0);
    for _ in 0..3 {
        assert_eq!(known.verify(&[job])[0], Verdict::Valid);
    }
    assert!(known.is_empty());
}

#[test]
fn keys_off_the_curve_never_become_known() {
    let known = KnownKeys::new(Engine::single(), 4);
    for _ in 0..3 {
        known.saw(&[[1; 64]]);
    }
    assert!(known.is_empty());
}
