//! Integers modulo the primes of P-256, a lane each, in five limbs of 52 bits. ([`f25519`] is another
//! prime, with limbs and rules of its own.)
//!
//! | type | is | its limbs |
//! |---|---|---|
//! | [`Integer`] | a plain integer below 2^260 | each below 2^52 |
//! | [`Element<L, M, K>`] | a residue modulo `M` in Montgomery form (R = 2^260), **below K times `M`** | each below 2^52 |
//! | [`Loose<L, K>`] | a sum modulo p on its way to become an element, **between -K p and K p** | signed, each below K 2^55 in magnitude |
//!
//! # Why no carry is lost
//! `madd_lo` and `madd_hi` see only the low 52 bits of what they multiply, so what they multiply must
//! have been carried. Only [`Element`] and [`Integer`] can be multiplied, and both are carried.
//! A carried value below 2^260 loses nothing, for the five limbs hold 260 bits; every prime here is
//! below 2^256, so an element below 16 times the prime has that property.
//!
//! A Montgomery product of a and b is (a b + q m) / R with q < R. If a b <= 16 m^2, it is below
//! 16 m^2 / 2^260 + m, and with m < 2^256 below 2 m. That a b <= 16 m^2 is checked by the compiler:
//! `K` is part of the type, and a product of `Element<_, _, A>` and `Element<_, _, B>` is an error
//! at compile time unless `A * B <= 16`. So are sums and differences that promise less than they give.
//!
//! Inside a product, a column collects at most 5 low and 5 high halves of limb products, and in the
//! reduction 5 low and 5 high halves more and one carry, below 2^12 each time: less than 21 * 2^52 <
//! 2^57 in all, so no 64-bit word overflows. For squares, the doubled half columns obey the same bound.
//!
//! # Why this is constant time
//! No function here branches on, or addresses by, the value of a limb. The exponents of inversions are
//! constants.

mod constants;
mod divsteps;
mod element;
pub(super) mod f25519;
mod integer;
mod inverse;
mod loose;
mod n256;
mod p256;
#[cfg(test)]
mod tests;

pub(crate) use element::Element;
pub(crate) use integer::Integer;
pub(crate) use n256::N256;
pub(crate) use p256::P256;

use super::lanes::{LIMB_BITS, Lanes};

/// Limbs of an integer: 260 bits.
pub(crate) const LIMBS: usize = 5;

/// The bits of one limb.
const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;

/// A prime between 2^255 and 2^256, and how to reduce modulo it.
pub(crate) trait Modulus: Copy + Send + Sync + 'static {
    /// The prime.
    const PRIME: [u64; LIMBS];

    /// Divides the ten `columns` by R = 2^260 modulo the prime (Montgomery's reduction).
    ///
    /// Columns are signed words of magnitudes below 2^59, and stand for the sum of column i times
    /// 2^(52 i). The result stands for (that sum + q m) / R with 0 <= q < R. Its limbs are the last five
    /// columns, changed by less than 11 * 2^52.
    fn reduce<L: Lanes>(l: L, columns: [L::Word; 2 * LIMBS]) -> [L::Word; LIMBS];

    /// The inverse, by Fermat's theorem: `element` to the power of the prime less 2. Zero for zero.
    fn invert<L: Lanes>(element: Element<L, Self, 2>) -> Element<L, Self, 2>;
}
