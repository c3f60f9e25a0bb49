//! Sums modulo p that have not been carried: how curve formulas add and subtract.
//!
//! Carrying costs as much as a third of a product. A formula therefore adds up what it has, products
//! before their own carry included, and carries once. Where something was subtracted, the carry also
//! folds the sum back to just over p, so that bounds do not grow from step to step.

use super::integer::carried;
use super::{Element, Integer, LIMBS, Modulus, P256};
use crate::lanes::{Lanes, Word};

/// A sum modulo p in Montgomery form, between `-K` p and `K` p.
///
/// Limbs are signed and of magnitudes below `K` 2^55. `K` is at most 64. So no limb reaches 2^61, and
/// the lower four limbs together stay below 2^218 in magnitude.
#[derive(Clone, Copy)]
pub(crate) struct Loose<L: Lanes, const K: u32> {
    l: L,
    limbs: [L::Word; LIMBS],
}

/// The magnitude up to which [`Loose::fold`] is right.
const MOST: u32 = 64;

impl<L: Lanes, const K: u32> Element<L, P256, K> {
    /// The same, to be added to.
    #[inline(always)]
    pub(crate) fn loose(self) -> Loose<L, K> {
        Loose { l: self.l, limbs: self.limbs }
    }

    /// The product, not carried. Limbs are below 2^57, which the bound 2 * 2^55 does not cover: hence 4.
    #[inline(always)]
    pub(crate) fn mul_loose<const B: u32>(self, other: Element<L, P256, B>) -> Loose<L, 4> {
        Loose::from_columns(self.l, self.columns(other))
    }

    /// `self * b - c * d`, not carried: one reduction instead of two.
    ///
    /// Columns are differences of two column sums, each below 10 * 2^52, so their magnitudes are. The
    /// value is (`self * b - c * d` + q p) / R with q < R: above -16 p^2 / R > -p and below 2 p.
    #[inline(always)]
    pub(crate) fn mul_sub_mul<const B: u32, const C: u32, const D: u32>(
        self,
        b: Element<L, P256, B>,
        (c, d): (Element<L, P256, C>, Element<L, P256, D>),
    ) -> Loose<L, 4> {
        let (ab, cd) = (self.columns(b), c.columns(d));
        Loose::from_columns(self.l, std::array::from_fn(|i| ab[i].sub(cd[i])))
    }

    /// `self * b - 8 * c * c`, not carried, for `c` below 2 p.
    ///
    /// Columns are of magnitudes below 8 * 10 * 2^52, the limbs after reduction below 2^59. The value
    /// is above -8 * 4 p^2 / R > -3 p and below 2 p. The limbs' magnitude is what makes it a `Loose<16>`.
    #[inline(always)]
    pub(crate) fn mul_sub_8_sqr<const B: u32>(
        self,
        b: Element<L, P256, B>,
        c: Element<L, P256, 2>,
    ) -> Loose<L, 16> {
        let (ab, cc) = (self.columns(b), c.square_columns());
        Loose::from_columns(self.l, std::array::from_fn(|i| ab[i].sub(cc[i].shl::<3>())))
    }

    /// The square, not carried.
    #[inline(always)]
    pub(crate) fn sqr_loose(self) -> Loose<L, 4> {
        Loose::from_columns(self.l, self.square_columns())
    }
}

impl<L: Lanes, const K: u32> Loose<L, K> {
    /// A product's columns, reduced; the caller says how large that may be.
    #[inline(always)]
    fn from_columns(l: L, columns: [L::Word; 2 * LIMBS]) -> Self {
        Self { l, limbs: P256::reduce(l, columns) }
    }

    /// The sum, with `C >= K + B`.
    #[inline(always)]
    pub(crate) fn plus<const B: u32, const C: u32>(self, other: Loose<L, B>) -> Loose<L, C> {
        const { assert!(K + B <= C && C <= MOST) };
        Loose { l: self.l, limbs: std::array::from_fn(|i| self.limbs[i].add(other.limbs[i])) }
    }

    /// The difference, with `C >= K + B`.
    #[inline(always)]
    pub(crate) fn minus<const B: u32, const C: u32>(self, other: Loose<L, B>) -> Loose<L, C> {
        const { assert!(K + B <= C && C <= MOST) };
        Loose { l: self.l, limbs: std::array::from_fn(|i| self.limbs[i].sub(other.limbs[i])) }
    }

    /// 2^`BITS` times it, with `C >= K * 2^BITS`.
    #[inline(always)]
    pub(crate) fn shl<const BITS: u32, const C: u32>(self) -> Loose<L, C> {
        const { assert!(K << BITS <= C && C <= MOST) };
        Loose { l: self.l, limbs: self.limbs.map(Word::shl::<BITS>) }
    }

    /// As an integer below p, for tables.
    #[inline(always)]
    pub(crate) fn canonical(self) -> Element<L, P256, 1> {
        let folded = Integer { l: self.l, limbs: self.fold().limbs };
        let limbs = folded.sub_once(Integer::splat(self.l, P256::PRIME)).limbs;
        Element::from_limbs(self.l, limbs)
    }

    /// As an element below p + 2^233, which is less than 1.0000002 p.
    ///
    /// Let h be the last limb less 2^24, over 2^48, rounded down; subtract h p. What remains of the
    /// last limb is in 2^24..2^48 + 2^24, which is 2^232..2^256 + 2^232 of the value. The lower
    /// limbs change that by less than 2^218. Subtracting p = 2^256 - c instead of 2^256 adds h c,
    /// where c < 2^224 and -65 <= h <= 65 (the value is below 64 p in magnitude, the lower limbs are
    /// negligible), so less than 2^231 in magnitude. The result is positive and below
    /// 2^256 + 2^232 + 2^231 + 2^218 < p + 2^224 + 2^232 + 2^231 + 2^218 < p + 2^233.
    #[inline(always)]
    pub(crate) fn fold(self) -> Element<L, P256, 2> {
        const { assert!(K <= MOST) };
        let [a, b, c, d, e] = self.limbs;
        let h = e.sub(self.l.splat(1 << 24)).sar::<48>();
        // h p = h 2^256 - h 2^224 + h 2^192 + h 2^96 - h, limb by limb
        let limbs = [
            a.add(h),
            b.sub(h.shl::<44>()),
            c,
            d.sub(h.shl::<36>()),
            e.sub(h.shl::<48>()).add(h.shl::<16>()),
        ];
        Element::from_limbs(self.l, carried(self.l, limbs))
    }
}
