//! What tests compare with: the curve in big integers, from the textbook.

use num_bigint::BigUint;

/// The prime of the field.
pub(crate) fn p() -> BigUint {
    hex(b"ffffffff00000001000000000000000000000000ffffffffffffffffffffffff")
}

/// The order of the group.
pub(crate) fn n() -> BigUint {
    hex(b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
}

/// The base point.
pub(crate) fn g() -> Point {
    Some((
        hex(b"6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
        hex(b"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"),
    ))
}

fn hex(digits: &[u8]) -> BigUint {
    BigUint::parse_bytes(digits, 16).unwrap()
}

/// A point, or infinity.
pub(crate) type Point = Option<(BigUint, BigUint)>;

/// The sum.
pub(crate) fn add(a: &Point, b: &Point) -> Point {
    let p = p();
    let (Some((x1, y1)), Some((x2, y2))) = (a, b) else {
        return a.clone().or_else(|| b.clone());
    };
    let slope = if x1 != x2 {
        (&p + y2 - y1) * (&p + x2 - x1).modinv(&p)?
    } else if y1 == y2 {
        (x1 * x1 + &p - 1_u32) * 3_u32 * (y1 * 2_u32).modinv(&p)?
    } else {
        return None;
    };
    let x3 = (&slope * &slope + &p * 2_u32 - x1 - x2) % &p;
    let y3 = (slope * (&p + x1 - &x3) + &p - y1) % &p;
    Some((x3, y3))
}

/// `scalar` times the point.
pub(crate) fn mul(scalar: &BigUint, point: &Point) -> Point {
    (0..scalar.bits()).rev().fold(None, |sum, bit| {
        let sum = add(&sum, &sum);
        if scalar.bit(bit) { add(&sum, point) } else { sum }
    })
}

/// 32 big-endian bytes of an integer below 2^256.
pub(crate) fn bytes(integer: &BigUint) -> [u8; 32] {
    let short = integer.to_bytes_be();
    let mut bytes = [0; 32];
    bytes[32 - short.len()..].copy_from_slice(&short);
    bytes
}

/// x and y of a point other than infinity.
pub(crate) fn key(point: &Point) -> [u8; 64] {
    let (x, y) = point.as_ref().unwrap();
    [bytes(x), bytes(y)].concat().try_into().unwrap()
}
