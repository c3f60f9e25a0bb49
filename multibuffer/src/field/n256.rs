//! Modulo n, the order of the group of P-256: the field of ECDSA's scalars.

use super::{Element, LIMBS, Modulus, constants};
use crate::lanes::{LIMB_BITS, Lanes, Word};

/// The prime n.
#[derive(Clone, Copy)]
pub(crate) struct N256;

/// The lower 128 bits of n - 2; those above are ffffffff00000000 ffffffffffffffff.
const EXPONENT: u128 = 0xbce6_faad_a717_9e84_f3b9_cac2_fc63_254f;

/// Bits of the windows in which [`EXPONENT`] is read.
const WINDOW: u32 = 4;

impl Modulus for N256 {
    const PRIME: [u64; LIMBS] = constants::limbs([
        0xffff_ffff_0000_0000,
        0xffff_ffff_ffff_ffff,
        0xbce6_faad_a717_9e84,
        0xf3b9_cac2_fc63_2551,
    ]);

    /// Montgomery's reduction, limb by limb: q makes the lowest limb a multiple of 2^52.
    ///
    /// To a column, at most 10 halves below 2^52 and one carry below 2^8 are added.
    #[inline(always)]
    fn reduce<L: Lanes>(l: L, columns: [L::Word; 2 * LIMBS]) -> [L::Word; LIMBS] {
        let inverse = l.splat(const { constants::negative_inverse(Self::PRIME[0]) });
        let prime = Self::PRIME.map(|limb| l.splat(limb));
        let mut t = columns;
        for i in 0..LIMBS {
            let q = l.splat(0).madd_lo(t[i], inverse);
            for (j, limb) in prime.into_iter().enumerate() {
                t[i + j] = t[i + j].madd_lo(q, limb);
                t[i + j + 1] = t[i + j + 1].madd_hi(q, limb);
            }
            t[i + 1] = t[i + 1].add(t[i].sar::<LIMB_BITS>());
        }
        [t[5], t[6], t[7], t[8], t[9]]
    }

    #[inline(always)]
    fn invert<L: Lanes>(x: Element<L, Self, 2>) -> Element<L, Self, 2> {
        let mut powers = [Element::one(x.l); 1 << WINDOW];
        for i in 1..powers.len() {
            powers[i] = powers[i - 1].sqr_times_mul(0, x);
        }
        let x4 = powers[15];
        let x8 = x4.sqr_times_mul(4, x4);
        let x16 = x8.sqr_times_mul(8, x8);
        let x32 = x16.sqr_times_mul(16, x16);
        let mut power = x32.sqr_times_mul(64, x32).sqr_times_mul(32, x32);
        for position in (0..u128::BITS / WINDOW).rev() {
            let digit = (EXPONENT >> (position * WINDOW)) as usize % powers.len();
            power = power.sqr_times_mul(WINDOW, powers[digit]);
        }
        power
    }
}
