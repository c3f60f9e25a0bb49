//! Sums against the textbook's arithmetic in big integers.

use num_bigint::BigUint;
use proptest::prelude::*;

use super::reference::{bytes, g, key, mul, n, p};
use super::*;
use crate::field::Integer;
#[cfg(target_arch = "x86_64")]
use crate::lanes::Ifma;
use crate::lanes::{Lanes, MAX_LANES, Mask, Portable, Single};

/// Scalars at the edges of 0..n, and of rows, windows and words.
fn scalars() -> impl Strategy<Value = BigUint> {
    let near = (0..257_u32, -2..3_i8).prop_map(|(bit, offset)| {
        ((BigUint::from(1_u8) << bit) + n() * 2_u32 + 2_u32 - (2 - offset).unsigned_abs()) % n()
    });
    let any = prop::array::uniform32(any::<u8>()).prop_map(|b| BigUint::from_bytes_be(&b) % n());
    prop_oneof![near, any]
}

/// k' = (k + 2^bits - 1) / 2 modulo n, lane by lane.
fn signed<L: Lanes>(l: L, scalars: &[BigUint], offset: i32) -> Integer<L> {
    let half = BigUint::from(2_u8).modinv(&n()).unwrap();
    let lanes = std::array::from_fn(|lane| {
        let sum =
            &scalars[lane] + (BigUint::from(1_u8) << (offset + 1).unsigned_abs()) + n() - 1_u8;
        bytes(&(sum * &half % n()))
    });
    Integer::from_bytes(l, &lanes)
}

fn affine<L: Lanes>(l: L, point: &Jacobian<L>) -> [[[u8; 32]; 2]; MAX_LANES] {
    let inverse = point.z.invert_public();
    let (x, y) = l.run(|| {
        let point = point.to_affine(inverse);
        (point.x.to_bytes(), point.y.to_bytes())
    });
    std::array::from_fn(|lane| [x[lane], y[lane]])
}

/// u1 G + u2 Q both ways, Q = d G, lane by lane.
fn sums<L: Lanes>(l: L, [u1, u2, d]: [&[BigUint]; 3]) {
    let points: Vec<_> = d.iter().map(|d| mul(d, &g())).collect();
    let coordinate = |of: usize| {
        let bytes = std::array::from_fn(|lane| key(&points[lane]).as_chunks().0[of]);
        Integer::from_bytes(l, &bytes)
    };
    let (q, on_curve) = l.run(|| Affine::from_integers(l, [coordinate(0), coordinate(1)]));
    assert_eq!(u32::from(on_curve.bits()), (1 << L::LANES) - 1);
    let base = CombDigits::new(l, signed(l, u1, COMB_OFFSET));
    let windows = WindowDigits::new(l, signed(l, u2, WINDOW_OFFSET));
    let by_windows = sum_by_windows(l, &base, (&windows, &Odd::new(l, q)));
    let combs = Comb::build(l, q, L::LANES);
    let combs: [&Comb; MAX_LANES] =
        std::array::from_fn(|lane| combs[lane % L::LANES].as_deref().unwrap());
    let digits = CombDigits::new(l, signed(l, u2, COMB_OFFSET));
    let by_combs = sum_by_combs(l, &base, (&digits, &combs));
    let infinite = [by_windows.z.is_zero().bits(), by_combs.z.is_zero().bits()];
    let sums = [affine(l, &by_windows), affine(l, &by_combs)];
    for lane in 0..L::LANES {
        let expected = mul(&((&u1[lane] + &u2[lane] * &d[lane]) % n()), &g());
        for (infinite, sum) in infinite.iter().zip(&sums) {
            // with scalars at the edges, sums on the way may be exceptional; that must show
            if infinite >> lane & 1 == 0 {
                assert_eq!(sum[lane].as_flattened(), key(&expected), "lane {lane}");
            }
        }
        if expected.is_none() {
            assert!(infinite.iter().all(|infinite| infinite >> lane & 1 == 1), "lane {lane}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 2 } else { 50 }))]
    #[test]
    fn sums_are_those_of_the_textbook(
        u1 in prop::collection::vec(scalars(), MAX_LANES),
        u2 in prop::collection::vec(scalars(), MAX_LANES),
        d in prop::collection::vec(scalars().prop_filter("not infinity", |d| d.bits() > 0), MAX_LANES),
    ) {
        sums(Portable, [&u1, &u2, &d]);
        sums(Single, [&u1, &u2, &d]);
        #[cfg(target_arch = "x86_64")]
        if let Some(l) = Ifma::detect() {
            sums(l, [&u1, &u2, &d]);
        }
    }
}

/// With scalars and points at random, nothing is exceptional: results are there to be compared.
#[test]
fn ordinary_sums_are_not_exceptional() {
    let number = |seed: u32| BigUint::from(seed).modpow(&BigUint::from(1_000_003_u32), &n());
    let numbers = |seed| (seed..seed + 8).map(number).collect::<Vec<_>>();
    let (u1, u2, d) = (numbers(2), numbers(102), numbers(202));
    let points: [_; MAX_LANES] = std::array::from_fn(|lane| key(&mul(&d[lane], &g())));
    let coordinate =
        |of: usize| Integer::from_bytes(Portable, &points.map(|point| point.as_chunks().0[of]));
    let (q, _) = Affine::from_integers(Portable, [coordinate(0), coordinate(1)]);
    let base = CombDigits::new(Portable, signed(Portable, &u1, COMB_OFFSET));
    let windows = WindowDigits::new(Portable, signed(Portable, &u2, WINDOW_OFFSET));
    let sum = sum_by_windows(Portable, &base, (&windows, &Odd::new(Portable, q)));
    assert_eq!(sum.z.is_zero().bits(), 0);
    sums(Portable, [&u1, &u2, &d]);
}

#[test]
fn only_points_of_the_curve_pass() {
    let (x, y) = g().unwrap();
    let on_curve = |x: &BigUint, y: &BigUint| {
        let [x, y] = [x, y].map(|c| Integer::from_bytes(Single, &[bytes(c); MAX_LANES]));
        Affine::from_integers(Single, [x, y]).1.bits() == 1
    };
    assert!(on_curve(&x, &y) && on_curve(&x, &(p() - &y)));
    assert!(!on_curve(&x, &(&y + 1_u8)) && !on_curve(&(&x + 1_u8), &y));
    assert!(!on_curve(&BigUint::ZERO, &BigUint::ZERO) && !on_curve(&y, &x));
    // points whose coordinates are small enough to have p added to them
    let root = (p() + 1_u8) >> 2;
    let b = BigUint::from_bytes_be(&point::B);
    let mut found = 0;
    for x in (0..20_u32).map(BigUint::from) {
        let square = (&x * &x * &x + (p() - &x) * 3_u32 + &b) % p();
        let y = square.modpow(&root, &p());
        if &y * &y % p() == square {
            assert!(on_curve(&x, &y) && !on_curve(&(&x + p()), &y), "{x}");
            found += 1;
        }
    }
    assert!(found > 4);
}
