//! The table and its constants against the curve's definition, in big integers.

use num_bigint::BigUint;

use super::super::table25519::{BASE, START, WINDOWS};
use super::*;
use crate::field::f25519::tests::{p, value};

/// The order of the base point, RFC 8032, section 5.1.
fn order() -> BigUint {
    (BigUint::from(1_u8) << 252) + 27_742_317_777_372_353_535_851_937_790_883_648_493_u128
}

/// X / Z and Y / Z.
#[derive(Clone)]
struct Projective([BigUint; 3]);

impl Projective {
    /// The addition law: x3 = (x1 y2 + y1 x2) / (1 + e), y3 = (y1 y2 + x1 x2) / (1 - e),
    /// e = d x1 x2 y1 y2.
    fn plus(&self, other: &Self) -> Self {
        let ([x1, y1, z1], [x2, y2, z2]) = (&self.0, &other.0);
        let zz = z1 * z2 % p();
        let e = d() * (x1 * x2 % p()) % p() * (y1 * y2 % p()) % p();
        let square = &zz * &zz % p();
        let (plus, minus) = (&square + &e, &square + p() - e);
        Self([
            &zz * (x1 * y2 + y1 * x2) % p() * &minus % p(),
            &zz * (y1 * y2 + x1 * x2) % p() * &plus % p(),
            plus * minus % p(),
        ])
    }

    fn times(&self, scalar: &BigUint) -> Self {
        let mut result = neutral();
        for bit in (0..scalar.bits()).rev() {
            result = result.plus(&result);
            if scalar.bit(bit) {
                result = result.plus(self);
            }
        }
        result
    }

    /// Whether y + x, y - x and 2dxy are those of this point.
    fn is(&self, [plus, minus, product]: &[BigUint; 3]) -> bool {
        let [x, y, z] = &self.0;
        (plus * z + p() - x + p() - y) % p() == BigUint::ZERO
            && (minus * z + x + p() - y) % p() == BigUint::ZERO
            && product * z % p() * z % p() == d() * 2_u8 * x % p() * y % p()
    }
}

fn inverse(a: u32) -> BigUint {
    BigUint::from(a).modpow(&(p() - 2_u8), &p())
}

fn d() -> BigUint {
    (p() - 121_665_u32) * inverse(121_666) % p()
}

fn neutral() -> Projective {
    Projective([BigUint::ZERO, 1_u8.into(), 1_u8.into()])
}

fn base() -> Projective {
    Projective([value(BASE[0]), value(BASE[1]), 1_u8.into()])
}

#[test]
fn the_base_point_is_that_of_rfc_8032() {
    let [x, y, _] = base().0;
    assert_eq!(y, 4_u8 * inverse(5) % p());
    assert!(!x.bit(0));
    let (xx, yy) = (&x * &x % p(), &y * &y % p());
    assert_eq!((&yy + p() - &xx) % p(), (1_u8 + d() * xx % p() * yy) % p());
    // it corresponds to u = 9, RFC 7748, section 4.1
    assert_eq!((1_u8 + &y) % p(), (1_u8 + p() - &y) * 9_u8 % p());
    assert_eq!(value(TWO_D), d() * 2_u8 % p());
    let [x, y, z] = base().times(&order()).0;
    assert_eq!((x, y), (BigUint::ZERO, z));
}

#[test]
fn every_entry_is_the_multiple_that_it_should_be() {
    let table = &*TABLE;
    let mut point = base().times(&4_u8.into());
    for (index, window) in table.windows.iter().enumerate() {
        let twice = point.plus(&point);
        let mut multiple = point.clone();
        for entry in 0..16 {
            let limbs = window.0.each_ref().map(|coordinate| coordinate.map(|limb| limb[entry]));
            for limbs in limbs {
                assert!(limbs[..4].iter().all(|limb| limb >> 52 == 0), "{limbs:x?}");
                assert!(limbs[4] < (1 << 47) + (1 << 5), "{limbs:x?}");
            }
            assert!(multiple.is(&limbs.map(value)), "window {index}, entry {entry}");
            multiple = multiple.plus(&twice);
        }
        point = (0..10).fold(point, |point, _| point.plus(&point));
    }
    assert_eq!(table.windows.len(), WINDOWS);
}

#[test]
fn the_start_is_what_the_digits_fall_short_by() {
    let start = START.iter().rev().fold(BigUint::ZERO, |start, &word| (start << 64) + word);
    assert_eq!(&start * 8_u8 % order(), ((BigUint::from(1_u8) << 255) - 1_u8) % order());
    let [x, y, z, t] = TABLE.start.map(value);
    assert_eq!(&x * &y % p(), &z * t % p());
    let [x2, y2, z2] = base().times(&start).0;
    assert_eq!((&x * &z2 % p(), &y * &z2 % p()), (x2 * &z % p(), y2 * &z % p()));
}
