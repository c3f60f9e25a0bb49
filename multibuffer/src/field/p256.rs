//! Modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1, the field of the curve P-256 (FIPS 186-5, SP 800-186).

use super::{Element, LIMBS, Modulus, constants};
use crate::lanes::{LIMB_BITS, Lanes, Word};

/// The prime p.
#[derive(Clone, Copy)]
pub(crate) struct P256;

impl Modulus for P256 {
    const PRIME: [u64; LIMBS] =
        constants::limbs([0xffff_ffff_0000_0001, 0, 0xffff_ffff, 0xffff_ffff_ffff_ffff]);

    /// p's limbs are 2^52 - 1, 2^44 - 1, 0, 2^36 and 2^48 - 2^16, so -1/p is 1 modulo 2^52, and q
    /// is the lowest limb itself. Of q p, the lowest limb's q 2^52 - q cancels that limb and carries
    /// q, and q + q (2^44 - 1) is q 2^44. The lowest limb's own carry is its bits from 52 up, with
    /// its sign; multiplications see the 52 bits below, which are q.
    ///
    /// To a column, at most 6 halves below 2^52 and one carry below 2^8 are added.
    #[inline(always)]
    fn reduce<L: Lanes>(l: L, columns: [L::Word; 2 * LIMBS]) -> [L::Word; LIMBS] {
        let [b, d, e] = [1 << 44, 1 << 36, Self::PRIME[4]].map(|limb| l.splat(limb));
        let mut t = columns;
        for i in 0..LIMBS {
            let q = t[i];
            t[i + 1] = t[i + 1].add(q.sar::<LIMB_BITS>()).madd_lo(q, b);
            t[i + 2] = t[i + 2].madd_hi(q, b);
            t[i + 3] = t[i + 3].madd_lo(q, d);
            t[i + 4] = t[i + 4].madd_hi(q, d).madd_lo(q, e);
            t[i + 5] = t[i + 5].madd_hi(q, e);
        }
        [t[5], t[6], t[7], t[8], t[9]]
    }

    /// p - 2 is, in words of 32 bits, ffffffff 00000001 00000000 00000000 00000000 ffffffff ffffffff
    /// fffffffd.
    #[inline(always)]
    fn invert<L: Lanes>(x: Element<L, Self, 2>) -> Element<L, Self, 2> {
        // xN is x to the power of N ones
        let x2 = x.sqr_times_mul(1, x);
        let x3 = x2.sqr_times_mul(1, x);
        let x6 = x3.sqr_times_mul(3, x3);
        let x12 = x6.sqr_times_mul(6, x6);
        let x15 = x12.sqr_times_mul(3, x3);
        let x30 = x15.sqr_times_mul(15, x15);
        let x32 = x30.sqr_times_mul(2, x2);
        x32.sqr_times_mul(32, x)
            .sqr_times_mul(128, x32)
            .sqr_times_mul(32, x32)
            .sqr_times_mul(30, x30)
            .sqr_times_mul(2, x)
    }
}
