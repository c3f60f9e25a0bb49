//! Constants of a modulus, computed by the compiler from the prime alone.

use super::{LIMB_BITS, LIMB_MASK, LIMBS};

/// `a + b`, below 2^260.
const fn add(a: [u64; LIMBS], b: [u64; LIMBS]) -> [u64; LIMBS] {
    let mut sum = [0; LIMBS];
    let (mut i, mut carry) = (0, 0);
    while i < LIMBS {
        let column = a[i] + b[i] + carry;
        sum[i] = column & LIMB_MASK;
        carry = column >> LIMB_BITS;
        i += 1;
    }
    assert!(carry == 0, "more than 260 bits");
    sum
}

/// `a - b`, or `a` if that is less.
const fn sub_once(a: [u64; LIMBS], b: [u64; LIMBS]) -> [u64; LIMBS] {
    let mut difference = [0; LIMBS];
    let (mut i, mut borrow) = (0, 0);
    while i < LIMBS {
        let column = a[i].wrapping_sub(b[i]).wrapping_sub(borrow);
        difference[i] = column & LIMB_MASK;
        borrow = column >> 63;
        i += 1;
    }
    if borrow == 0 { difference } else { a }
}

/// `factor` times `prime`.
pub(super) const fn multiple(prime: [u64; LIMBS], factor: u32) -> [u64; LIMBS] {
    let (mut product, mut i) = ([0; LIMBS], 0);
    while i < factor {
        product = add(product, prime);
        i += 1;
    }
    product
}

/// 2^`exponent` modulo `prime`.
pub(super) const fn power_of_two(prime: [u64; LIMBS], exponent: u32) -> [u64; LIMBS] {
    let (mut power, mut i) = ([1, 0, 0, 0, 0], 0);
    while i < exponent {
        power = sub_once(add(power, power), prime);
        i += 1;
    }
    power
}

/// -1 / `limb` modulo 2^52, for an odd limb, by Newton's iteration.
pub(super) const fn negative_inverse(limb: u64) -> u64 {
    let (mut inverse, mut i) = (1_u64, 0);
    while i < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(limb.wrapping_mul(inverse)));
        i += 1;
    }
    inverse.wrapping_neg() & LIMB_MASK
}

/// The limbs of four 64-bit words, the most significant first, as standards print them.
pub(super) const fn limbs(words: [u64; 4]) -> [u64; LIMBS] {
    let [d, c, b, a] = words;
    [
        a & LIMB_MASK,
        (a >> 52 | b << 12) & LIMB_MASK,
        (b >> 40 | c << 24) & LIMB_MASK,
        (c >> 28 | d << 36) & LIMB_MASK,
        d >> 16,
    ]
}
