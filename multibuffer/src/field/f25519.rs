//! Integers modulo p = 2^255 - 19, the field of Curve25519 and of its Edwards form.
//!
//! An element is five limbs of 52 bits, least significant first: 260 bits, so 2^260 = 32 * 19 = 608
//! folds what a product has above them, and the top limb has room for a few sums. Limbs are not
//! kept unique: an element stands for its value modulo p, and only [`Field::store`] reduces it fully.
//!
//! # Bounds
//! | type | limbs 0 to 3 | limb 4 | from |
//! |---|---|---|---|
//! | [`Fe`] | < 2^52 | < 2^47 + 2^5 | products, constants, bytes |
//! | [`Sum`] | < 3 * 2^52 | < 3 * (2^47 + 2^5) | up to three [`Fe`] added limb by limb |
//! | [`Factor`] | low 52 bits count, the rest is ignored | < 6 * 2^47 < 2^50 | anything, to be multiplied |
//!
//! A `Factor` may have rubbish above bit 52 of its lower limbs because `madd_lo` and `madd_hi` do not
//! read it; that saves the masks after a sum. Every function says why its result is within bounds.
//! `T` below is 2^47 + 2^5, the bound of the top limb of an [`Fe`].
//!
//! # Constant time
//! Every function is a fixed sequence of [`Word`] operations.

#[cfg(test)]
pub(crate) mod tests;

use crate::lanes::{Lanes, MAX_LANES, Word};

/// An element, reduced enough to be added.
#[derive(Clone, Copy)]
pub(crate) struct Fe<W>([W; 5]);

/// Up to three elements added without carries.
#[derive(Clone, Copy)]
pub(crate) struct Sum<W>([W; 5]);

/// An element, reduced enough to be multiplied.
#[derive(Clone, Copy)]
pub(crate) struct Factor<W>([W; 5]);

impl<W: Word> Fe<W> {
    /// Both, limb by limb.
    #[inline(always)]
    pub(crate) fn plus(self, other: Self) -> Sum<W> {
        Sum(zip(self.0, other.0, W::add))
    }

    /// The limbs of lane 0.
    pub(crate) fn lane_0(self) -> [u64; 5] {
        self.0.map(|limb| limb.store()[0])
    }
}

impl<W: Word> Sum<W> {
    /// A third element to two.
    #[inline(always)]
    pub(crate) fn plus(self, third: Fe<W>) -> Self {
        Self(zip(self.0, third.0, W::add))
    }
}

impl<W: Word> Factor<W> {
    /// `self` where `mask` is set, `other` elsewhere.
    #[inline(always)]
    pub(crate) fn select(self, mask: W::Mask, other: Self) -> Self {
        Self(zip(self.0, other.0, |a, b| a.select(mask, b)))
    }
}

impl<W> From<Fe<W>> for Sum<W> {
    #[inline(always)]
    fn from(element: Fe<W>) -> Self {
        Self(element.0)
    }
}

impl<W> From<Fe<W>> for Factor<W> {
    #[inline(always)]
    fn from(element: Fe<W>) -> Self {
        Self(element.0)
    }
}

/// Limb by limb. (`array::map` and its like are not always inlined, which would be slow here.)
#[inline(always)]
fn zip<W: Word>(a: [W; 5], b: [W; 5], f: impl Fn(W, W) -> W) -> [W; 5] {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3]), f(a[4], b[4])]
}

const LIMB: u64 = (1 << 52) - 1;
/// The bits of the top limb below 2^255.
const TOP: u64 = (1 << 47) - 1;

/// The arithmetic, on lanes of kind `L`.
#[derive(Clone, Copy)]
pub(crate) struct Field<L>(pub(crate) L);

impl<L: Lanes> Field<L> {
    /// The element of these limbs, each < 2^52 and the top one < 2^47, in every lane.
    #[inline(always)]
    pub(crate) fn splat(self, limbs: [u64; 5]) -> Fe<L::Word> {
        let [a, b, c, d, e] = limbs;
        let l = self.0;
        Fe([l.splat(a), l.splat(b), l.splat(c), l.splat(d), l.splat(e)])
    }

    /// The small number `value` < 2^52 in every lane.
    #[inline(always)]
    pub(crate) fn small(self, value: u64) -> Fe<L::Word> {
        self.splat([value, 0, 0, 0, 0])
    }

    /// Entry `index % 16` of each limb's table, whose entries are bounded as in [`Field::splat`].
    #[inline(always)]
    pub(crate) fn pick(self, table: &[[u64; 16]; 5], index: L::Word) -> Fe<L::Word> {
        let [a, b, c, d, e] = table;
        Fe([index.pick(a), index.pick(b), index.pick(c), index.pick(d), index.pick(e)])
    }

    /// The low 255 bits of four little-endian words a lane (`words[i]` holds word `i` of all
    /// lanes), as RFC 7748, section 5 reads a coordinate: values from p up are taken modulo p.
    #[inline(always)]
    pub(crate) fn load(self, words: &[[u64; MAX_LANES]; 4]) -> Fe<L::Word> {
        let l = self.0;
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| l.load(&words[i]));
        let limb = l.splat(LIMB);
        Fe([
            a.and(limb),
            a.shr::<52>().or(b.shl::<12>()).and(limb),
            b.shr::<40>().or(c.shl::<24>()).and(limb),
            c.shr::<28>().or(d.shl::<36>()).and(limb),
            d.shr::<16>().and(l.splat(TOP)),
        ])
    }

    /// The value in 0..p, as four little-endian words a lane.
    ///
    /// An [`Fe`] is < 2^255 + 2^213 < 2p. It is at least p just if adding 19 reaches 2^255; then
    /// what is left of the sum without bit 255 is the value less p.
    #[inline(always)]
    pub(crate) fn store(self, a: Fe<L::Word>) -> [L::Word; 4] {
        let l = self.0;
        let limb = l.splat(LIMB);
        let mut r = a.0;
        let mut q = r[0].add(l.splat(19));
        q = r[1].add(q.shr::<52>());
        q = r[2].add(q.shr::<52>());
        q = r[3].add(q.shr::<52>());
        q = r[4].add(q.shr::<52>()).shr::<47>();
        r[0] = r[0].madd_lo(q, l.splat(19));
        for i in 0..4 {
            r[i + 1] = r[i + 1].add(r[i].shr::<52>());
            r[i] = r[i].and(limb);
        }
        r[4] = r[4].and(l.splat(TOP));
        [
            r[0].or(r[1].shl::<52>()),
            r[1].shr::<12>().or(r[2].shl::<40>()),
            r[2].shr::<24>().or(r[3].shl::<28>()),
            r[3].shr::<36>().or(r[4].shl::<16>()),
        ]
    }

    /// a + b, of which at most four [`Fe`] are part: limb sums < 4 * 2^52 carry at most 3, and the
    /// top limb comes to < 4 * T + 4 < 6 * 2^47.
    #[inline(always)]
    pub(crate) fn add(self, a: impl Into<Sum<L::Word>>, b: Fe<L::Word>) -> Factor<L::Word> {
        ripple(zip(a.into().0, b.0, L::Word::add))
    }

    /// a - b, computed as a + 2p - b = a + (2^256 - 38) - b.
    ///
    /// b < 2^255 + 2^213 < 2p, so the value is positive, and so is its top limb once all limbs
    /// below are in 0..2^52 (carries are signed, -1 to 2). It comes to < 3 * T + 2^48 + 3 < 6 * 2^47.
    #[inline(always)]
    pub(crate) fn sub(self, a: impl Into<Sum<L::Word>>, b: Fe<L::Word>) -> Factor<L::Word> {
        let mut r = zip(a.into().0, b.0, L::Word::sub);
        r[0] = r[0].sub(self.0.splat(38));
        r[4] = r[4].add(self.0.splat(1 << 48));
        ripple(r)
    }

    /// a * b.
    #[inline(always)]
    pub(crate) fn mul(
        self,
        a: impl Into<Factor<L::Word>>,
        b: impl Into<Factor<L::Word>>,
    ) -> Fe<L::Word> {
        let (a, b) = (a.into().0, b.into().0);
        let mut z = [self.0.splat(0); 10];
        for i in 0..5 {
            for j in 0..5 {
                z[i + j] = z[i + j].madd_lo(a[i], b[j]);
                z[i + j + 1] = z[i + j + 1].madd_hi(a[i], b[j]);
            }
        }
        self.reduce(z)
    }

    /// a * a: products of different limbs once, doubled.
    #[inline(always)]
    pub(crate) fn square(self, a: impl Into<Factor<L::Word>>) -> Fe<L::Word> {
        let a = a.into().0;
        let mut z = [self.0.splat(0); 10];
        for i in 0..5 {
            for j in i + 1..5 {
                z[i + j] = z[i + j].madd_lo(a[i], a[j]);
                z[i + j + 1] = z[i + j + 1].madd_hi(a[i], a[j]);
            }
        }
        for z in &mut z[1..9] {
            *z = z.add(*z);
        }
        for i in 0..5 {
            z[2 * i] = z[2 * i].madd_lo(a[i], a[i]);
            z[2 * i + 1] = z[2 * i + 1].madd_hi(a[i], a[i]);
        }
        self.reduce(z)
    }

    /// The columns of a product of two [`Factor`]s, folded into five limbs.
    ///
    /// A column is at most nine halves of products, < 9 * 2^52 < 2^56. Column 9 is the high half of
    /// the product of the top limbs: < 36 * 2^94 / 2^52 = 36 * 2^42, so 19 times that is < 2^52,
    /// what `madd_lo` gives whole. Columns 5 to 8 times 608 are added in three parts: low and high
    /// half for the low 52 bits, and 608 times what is above these (< 9). Limbs 0 to 3 come to
    /// < 9 * 2^52 + 2^52 + 2^10 + 2^13 < 11 * 2^52, limb 4 to < 9 * 2^52 + 2^52 * 32 + 2^13 < 2^58.
    /// Its bits from 47 up, < 2^11, have weight 2^255 = 19 and go to limb 0. Then the carries from
    /// limb to limb are < 2^4, and the top limb is < 2^47 + 2^4.
    #[inline(always)]
    fn reduce(self, z: [L::Word; 10]) -> Fe<L::Word> {
        let l = self.0;
        let fold = l.splat(608);
        let mut r = [z[0], z[1], z[2], z[3], z[4]];
        for i in 0..4 {
            let high = z[i + 5];
            r[i] = r[i].madd_lo(high, fold);
            r[i + 1] = r[i + 1].madd_hi(high, fold).madd_lo(high.shr::<52>(), fold);
        }
        r[4] = r[4].add(l.splat(0).madd_lo(z[9], l.splat(19)).shl::<5>());
        self.carry(r)
    }

    /// a + factor * b, for a `factor` < 2^17.
    ///
    /// Limbs of products < 2^52 and high halves < 2^17 are added to those of `a`: < 2^54. The high
    /// half for the top limb is < 2^50 * 2^17 / 2^52 = 2^15 and has weight 2^260 = 608.
    #[inline(always)]
    pub(crate) fn scale_add(self, a: Fe<L::Word>, factor: u64, b: Factor<L::Word>) -> Fe<L::Word> {
        let l = self.0;
        let (mut r, b, factor) = (a.0, b.0, l.splat(factor));
        for i in 0..5 {
            r[i] = r[i].madd_lo(b[i], factor);
        }
        for i in 0..4 {
            r[i + 1] = r[i + 1].madd_hi(b[i], factor);
        }
        r[0] = r[0].madd_lo(l.splat(0).madd_hi(b[4], factor), l.splat(608));
        self.carry(r)
    }

    /// Limbs below 2^58 made an [`Fe`]: what is above 2^255, < 2^11, times 19 goes to limb 0 (then
    /// < 2^59), and each limb's bits from 52 up to the next. Of limbs 0 to 3 < 2^56, as they are in
    /// all callers, these are < 2^5, and the top limb is < 2^47 + 2^5 = T.
    #[inline(always)]
    fn carry(self, mut r: [L::Word; 5]) -> Fe<L::Word> {
        let l = self.0;
        r[0] = r[0].madd_lo(r[4].shr::<47>(), l.splat(19));
        r[4] = r[4].and(l.splat(TOP));
        let limb = l.splat(LIMB);
        for i in 0..4 {
            r[i + 1] = r[i + 1].add(r[i].shr::<52>());
            r[i] = r[i].and(limb);
        }
        Fe(r)
    }

    /// 1/a of several elements at once, side by side because each waits for itself; 0 for 0.
    ///
    /// a^(p-2), p - 2 = 2^255 - 21, by 254 squarings and 11 products: `x_n` is a^(2^n - 1).
    pub(crate) fn invert<const N: usize>(self, a: [Fe<L::Word>; N]) -> [Fe<L::Word>; N] {
        let a2 = self.square_times(a, 1);
        let a9 = self.mul_each(self.square_times(a2, 2), a);
        let a11 = self.mul_each(a9, a2);
        let x5 = self.mul_each(self.square_times(a11, 1), a9);
        let x10 = self.mul_each(self.square_times(x5, 5), x5);
        let x20 = self.mul_each(self.square_times(x10, 10), x10);
        let x40 = self.mul_each(self.square_times(x20, 20), x20);
        let x50 = self.mul_each(self.square_times(x40, 10), x10);
        let x100 = self.mul_each(self.square_times(x50, 50), x50);
        let x200 = self.mul_each(self.square_times(x100, 100), x100);
        let x250 = self.mul_each(self.square_times(x200, 50), x50);
        self.mul_each(self.square_times(x250, 5), a11)
    }

    /// a^(2^times) of each.
    fn square_times<const N: usize>(self, a: [Fe<L::Word>; N], times: u32) -> [Fe<L::Word>; N] {
        self.0.run(
            #[inline(always)]
            || {
                let mut a = a;
                for _ in 0..times {
                    for a in &mut a {
                        *a = self.square(*a);
                    }
                }
                a
            },
        )
    }

    /// The products of each pair.
    fn mul_each<const N: usize>(
        self,
        a: [Fe<L::Word>; N],
        b: [Fe<L::Word>; N],
    ) -> [Fe<L::Word>; N] {
        self.0.run(
            #[inline(always)]
            || {
                let mut a = a;
                for (a, b) in a.iter_mut().zip(b) {
                    *a = self.mul(*a, b);
                }
                a
            },
        )
    }
}

/// Carries between signed limbs of a value >= 0, each between -2^54 and 2^54: what is above bit 52 of
/// each goes to the next, and stays where a [`Factor`] ignores it.
#[inline(always)]
fn ripple<W: Word>(mut r: [W; 5]) -> Factor<W> {
    for i in 0..4 {
        r[i + 1] = r[i + 1].add(r[i].sar::<52>());
    }
    Factor(r)
}
