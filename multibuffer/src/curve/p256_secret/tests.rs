//! Multiples against the curve's definition in big integers, one addition after another.

use std::sync::LazyLock;

use num_bigint::BigUint;
use proptest::prelude::*;

use super::base::{ENTRIES, TABLE};
use super::digits::{Digits, WINDOWS};
use super::*;
use crate::curve::p256::{Affine, B, G, Jacobian};
use crate::field::{Element, Integer, LIMBS, Modulus, N256, P256};
#[cfg(target_arch = "x86_64")]
use crate::lanes::Ifma;
use crate::lanes::{LIMB_BITS, Lanes, MAX_LANES, Mask, Portable, Single, Word};

type Bytes = [[u8; 32]; MAX_LANES];

fn big(limbs: [u64; LIMBS]) -> BigUint {
    limbs.iter().rev().fold(BigUint::ZERO, |sum, limb| (sum << LIMB_BITS) + limb)
}

fn p() -> BigUint {
    big(P256::PRIME)
}

fn n() -> BigUint {
    big(N256::PRIME)
}

fn bytes(integer: &BigUint) -> [u8; 32] {
    let mut bytes = [0; 32];
    let digits = integer.to_bytes_be();
    bytes[32 - digits.len()..].copy_from_slice(&digits);
    bytes
}

fn inverse(x: &BigUint) -> BigUint {
    x.modinv(&p()).expect("not a multiple of p")
}

/// A point by its affine coordinates; `None` is infinity.
type Plain = Option<[BigUint; 2]>;

fn base() -> Plain {
    Some(G.map(|bytes| BigUint::from_bytes_be(&bytes)))
}

/// The chord-and-tangent rule.
fn add(a: &Plain, b: &Plain) -> Plain {
    let (Some([x1, y1]), Some([x2, y2])) = (a, b) else {
        return a.clone().or(b.clone());
    };
    let p = p();
    let slope = if x1 != x2 {
        (y2 + &p - y1) * inverse(&((x2 + &p - x1) % &p))
    } else if y1 == y2 {
        (x1 * x1 * 3_u32 + &p - 3_u32) * inverse(&(y1 * 2_u32 % &p))
    } else {
        return None;
    } % &p;
    let x = (&slope * &slope + &p + &p - x1 - x2) % &p;
    let y = (slope * (x1 + &p - &x) + &p - y1) % &p;
    Some([x, y])
}

/// G, 2 G, 4 G, ... 2^255 G.
static DOUBLES: LazyLock<Vec<Plain>> = LazyLock::new(|| {
    std::iter::successors(Some(base()), |point| Some(add(point, point))).take(256).collect()
});

/// `scalar` times the base point.
fn times_base(scalar: &BigUint) -> Plain {
    let bits = (0..scalar.bits()).zip(&*DOUBLES).filter(|(bit, _)| scalar.bit(*bit));
    bits.fold(None, |sum, (_, power)| add(&sum, power))
}

fn plain<L: Lanes>(l: L, point: Jacobian<L>) -> [Bytes; 2] {
    let Affine { x, y } = point.to_affine_secret(l);
    [x, y].map(Element::to_bytes)
}

#[track_caller]
fn same(expected: &Plain, [x, y]: &[Bytes; 2], lane: usize, what: impl std::fmt::Debug) {
    let got = [x, y].map(|bytes| BigUint::from_bytes_be(&bytes[lane]));
    assert_eq!(expected.as_ref(), Some(&got), "lane {lane}: {what:?}");
}

/// Both functions in every lane against big integers.
fn check<L: Lanes>(l: L, scalars: &[BigUint; MAX_LANES], of: &[BigUint; MAX_LANES]) {
    let secret = Integer::from_bytes(l, &scalars.each_ref().map(bytes));
    let points = of.each_ref().map(times_base);
    let coordinates = [0, 1]
        .map(|i| points.each_ref().map(|point| bytes(&point.as_ref().expect("not infinity")[i])));
    let (point, valid) = Affine::from_bytes(l, &coordinates);
    assert_eq!(valid.bits(), (1_u16 << L::LANES).wrapping_sub(1) as u8);
    let of_base = plain(l, base_multiple(l, secret));
    let of_point = plain(l, multiple(l, secret, point));
    for lane in 0..L::LANES {
        same(&times_base(&scalars[lane]), &of_base, lane, &scalars[lane]);
        let expected = times_base(&(&scalars[lane] * &of[lane] % n()));
        same(&expected, &of_point, lane, (&scalars[lane], &of[lane]));
    }
}

fn check_everywhere(scalars: &[BigUint; MAX_LANES], of: &[BigUint; MAX_LANES]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(l) = Ifma::detect() {
        check(l, scalars, of);
    }
    check(Portable, scalars, of);
    check(Single, scalars, of);
}

/// Scalars whose digits, sums or limbs are at an edge.
fn edges() -> Vec<BigUint> {
    let n = n();
    let half: BigUint = &n >> 1;
    let mut edges: Vec<BigUint> = (1_u32..=32).flat_map(|i| [BigUint::from(i), &n - i]).collect();
    edges.extend([half.clone(), half.clone() + 1_u32, half.clone() - 1_u32, half + 2_u32]);
    for bit in (1..256_u64).filter(|bit| [0, 1].contains(&(bit % 10)) || bit % 52 == 0) {
        let power = BigUint::from(1_u32) << bit;
        edges.extend([&power - 1_u32, &power + 1_u32, power].map(|edge| edge % &n));
    }
    // k' whose windows are all 0, all 31, or all the same: 1 + 2 sum(w 32^i)
    let ones = ((BigUint::from(1_u32) << 255) - 1_u32) / 31_u32;
    edges.extend((0..32_u32).map(|window| (&ones * window * 2_u32 + 1_u32) % &n));
    edges.retain(|edge| *edge != BigUint::ZERO);
    edges
}

#[test]
fn edge_scalars_in_eight_lanes() {
    let edges = edges();
    let of: Vec<BigUint> = (1_u32..=8).map(|i| BigUint::from(i * i)).collect();
    for scalars in edges.chunks(MAX_LANES) {
        let scalars = std::array::from_fn(|lane| scalars[lane % scalars.len()].clone());
        let of = std::array::from_fn(|lane| of[lane].clone());
        #[cfg(target_arch = "x86_64")]
        if let Some(l) = Ifma::detect() {
            check(l, &scalars, &of);
            continue;
        }
        check(Portable, &scalars, &of);
    }
}

fn scalar() -> impl Strategy<Value = BigUint> {
    let edges = edges();
    let any = prop::array::uniform32(any::<u8>())
        .prop_map(|bytes| BigUint::from_bytes_be(&bytes) % (n() - 1_u32) + 1_u32);
    prop_oneof![prop::sample::select(edges), any]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn multiples_on_every_implementation(
        scalars in prop::array::uniform8(scalar()),
        of in prop::array::uniform8(scalar()),
    ) {
        check_everywhere(&scalars, &of);
    }
}

#[test]
fn the_base_point_s_table_holds_what_it_should() {
    let r = BigUint::from(1_u32) << 260;
    let montgomery = |x: BigUint| (x * &r) % p();
    let residue = |limbs: [u64; LIMBS]| {
        assert!(big(limbs) < p() * 2_u32);
        big(limbs) % p()
    };
    let mut point = base();
    assert_eq!(TABLE.windows.len(), WINDOWS);
    for window in &TABLE.windows {
        let twice = add(&point, &point);
        let mut multiple = point.clone();
        for entry in 0..ENTRIES {
            let expected = multiple.clone().expect("not infinity").map(montgomery);
            let got = [0, 1].map(|i| residue(window.0[i].map(|limb| limb[entry])));
            assert_eq!(got, expected);
            multiple = add(&multiple, &twice);
        }
        point = (0..5).fold(point, |point, _| add(&point, &point));
    }
    let start = point.expect("not infinity").map(montgomery);
    assert_eq!(TABLE.start.map(residue), start);
}

#[test]
fn digits_add_up_to_the_scalar_or_its_negative() {
    for scalar in edges() {
        let digits = Digits::new(Single, Integer::from_bytes(Single, &[bytes(&scalar); MAX_LANES]));
        // even more than what must be subtracted at most
        let mut sum = BigUint::from(1_u32) << 255;
        for i in (0..WINDOWS).rev() {
            let digit = digits.get(i);
            let magnitude = BigUint::from(digit.index.store()[0] % 16 * 2 + 1) << (5 * i);
            sum = if digit.negative.bits() == 1 { sum - magnitude } else { sum + magnitude };
        }
        let odd = if scalar.bit(0) { scalar.clone() } else { n() - &scalar };
        assert_eq!(sum, odd);
        assert_eq!(digits.negated().bits() == 1, !scalar.bit(0));
    }
}

/// The one step of the proof that is not general: n + 2 d does not end in the digit d.
#[test]
fn the_last_addition_is_never_a_doubling() {
    for d in (-31..=31_i32).step_by(2) {
        let two_d = BigUint::from(d.unsigned_abs() * 2);
        let k = if d < 0 { n() - two_d } else { n() + two_d };
        let window: u32 = ((k >> 1_u32) % 32_u32).try_into().expect("below 32");
        assert!(d > 0 || 2 * window.cast_signed() - 31 != d, "{d}");
    }
}

#[test]
fn points_off_the_curve_and_coordinates_beyond_p_are_refused() {
    let [x, y] = G;
    let beyond = |coordinate: &[u8; 32]| {
        let sum = BigUint::from_bytes_be(coordinate) + p();
        (sum.bits() <= 256).then(|| bytes(&sum))
    };
    // x = 0 is on the curve, and p + 0 fits into 32 bytes
    let b = BigUint::from_bytes_be(&B);
    let root = b.modpow(&((p() + 1_u32) >> 2), &p());
    assert_eq!(&root * &root % p(), b);
    let (zero, root) = ([0; 32], bytes(&root));
    let mut other = y;
    other[31] ^= 1;
    let cases = [
        (x, y, true),
        (zero, root, true),
        (x, other, false),
        (y, x, false),
        (zero, zero, false),
        (beyond(&zero).expect("p is below 2^256"), root, false),
        (bytes(&p()), root, false),
        ([0xff; 32], [0xff; 32], false),
    ];
    fn valid<L: Lanes>(l: L, coordinates: [Bytes; 2]) -> u8 {
        Affine::from_bytes(l, &coordinates).1.bits()
    }
    let coordinates = [cases.map(|case| case.0), cases.map(|case| case.1)];
    let expected = cases.iter().rev().fold(0, |bits, case| bits << 1 | u8::from(case.2));
    assert_eq!(valid(Portable, coordinates), expected);
    #[cfg(target_arch = "x86_64")]
    if let Some(l) = Ifma::detect() {
        assert_eq!(valid(l, coordinates), expected);
    }
    for (x, y, on_curve) in cases {
        assert_eq!(valid(Single, [[x; MAX_LANES], [y; MAX_LANES]]), u8::from(on_curve));
    }
}
