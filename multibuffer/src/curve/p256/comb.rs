//! Multiplication of a point that is seen often: a comb, which needs few doublings.
//!
//! The scalar's 256 bits, as signs, make eight rows of 32 (teeth): bit 32 t + c is in row t. A column
//! is a digit, and its table entry the sum of +-2^(32 t) Q. The columns make two blocks of 16, each
//! with a table of its own, so that 15 doublings serve all 32 additions (Lim and Lee 1994).

use super::{Affine, Coordinate, Entry, Jacobian};
use crate::field::Integer;
use crate::lanes::{Lanes, MAX_LANES, Mask, Word};

/// Rows of bits: bits of a digit.
const TEETH: usize = 8;

/// Tables, and columns that are added at the same position.
const BLOCKS: usize = 2;

/// Columns of a block.
const COLUMNS: u32 = 256 / (TEETH * BLOCKS) as u32;

/// Entries of a table: the top tooth's sign is the sign of the whole.
const ENTRIES: usize = 1 << (TEETH - 1);

/// Digits for k are those of k' = k / 2 + 2^`COMB_OFFSET` - 1 / 2 modulo n.
pub(crate) const COMB_OFFSET: i32 = 256 - 1;

/// The position of the highest digits, in doublings.
pub(super) const COMB_TOP: u32 = COLUMNS - 1;

/// A scalar as signed digits, one a column.
///
/// The integer k' with bits c_i stands for the sum of (2 c_i - 1) 2^i over 256 bits, which is
/// 2 k' - (2^256 - 1).
pub(crate) struct CombDigits<L: Lanes>([L::Word; COLUMNS as usize * BLOCKS]);

impl<L: Lanes> CombDigits<L> {
    /// The digits of `integer` < 2^256.
    #[inline(always)]
    pub(crate) fn new(l: L, integer: Integer<L>) -> Self {
        let [mut a, mut b, mut c, mut d] = integer.to_words();
        let bits: [L::Word; TEETH] = std::array::from_fn(|position| l.splat(1 << position));
        let mut digits = [a; COLUMNS as usize * BLOCKS];
        // each word has two rows, its lower 32 bits and its upper
        for digit in &mut digits {
            let lower = a.and(bits[0]).or(a.shr::<31>().and(bits[1]));
            let lower = lower.or(b.shl::<2>().and(bits[2])).or(b.shr::<29>().and(bits[3]));
            let upper = c.shl::<4>().and(bits[4]).or(c.shr::<27>().and(bits[5]));
            let upper = upper.or(d.shl::<6>().and(bits[6])).or(d.shr::<25>().and(bits[7]));
            (a, b, c, d) = (a.shr::<1>(), b.shr::<1>(), c.shr::<1>(), d.shr::<1>());
            *digit = lower.or(upper);
        }
        Self(digits)
    }

    /// The highest digits.
    #[inline(always)]
    pub(super) fn top(&self) -> [L::Word; BLOCKS] {
        std::array::from_fn(|block| self.0[(COMB_TOP + COLUMNS * block as u32) as usize])
    }

    /// The digits to be added at `position`, one a block, if that is at most [`COMB_TOP`].
    #[inline(always)]
    pub(super) fn at(&self, position: u32) -> Option<[L::Word; BLOCKS]> {
        let digit = |block| self.0[(position + COLUMNS * block as u32) as usize];
        (position < COLUMNS).then(|| std::array::from_fn(digit))
    }
}

/// A point's tables: 16 KiB.
#[derive(Debug)]
pub(crate) struct Comb([[Entry; ENTRIES]; BLOCKS]);

impl Comb {
    /// The tables of a point a lane, for the first `count` lanes. Nothing where the point is not one of
    /// the curve, as far as that shows in a sum at infinity; callers check their points before.
    ///
    /// # Panics
    /// If `count` is more than there are lanes.
    pub(crate) fn build<L: Lanes>(l: L, point: Affine<L>, count: usize) -> Vec<Option<Box<Self>>> {
        assert!(count <= L::LANES, "{count} points in {} lanes", L::LANES);
        let mut powers = vec![Jacobian::from_affine(l, point)];
        while powers.len() < TEETH * BLOCKS {
            powers.push(powers[powers.len() - 1].double_times(l, COLUMNS));
        }
        let doubled: Vec<_> = powers.iter().map(|power| power.double_times(l, 1)).collect();
        let (powers, doubled) = (normalized(l, &powers).0, normalized(l, &doubled).0);
        let mut combs: Vec<_> =
            (0..count).map(|_| Box::new(Self([[Entry::EMPTY; ENTRIES]; BLOCKS]))).collect();
        let mut complete = u8::MAX;
        for block in 0..BLOCKS {
            let teeth = |points: &[Affine<L>]| -> [Affine<L>; TEETH] {
                std::array::from_fn(|tooth| points[tooth * BLOCKS + block])
            };
            let (points, finite) = normalized(l, &signed_sums(l, teeth(&powers), teeth(&doubled)));
            complete &= finite;
            for (position, point) in points.iter().enumerate() {
                let entries = l.run(
                    #[inline(always)]
                    || Entry::from_affine(l, *point),
                );
                for (comb, entry) in combs.iter_mut().zip(entries) {
                    comb.0[block][position] = entry;
                }
            }
        }
        let built = |(lane, comb)| (complete >> lane & 1 == 1).then_some(comb);
        combs.into_iter().enumerate().map(built).collect()
    }

    /// In each lane, the sum in that lane's tables that `digit` of `block` names.
    #[inline(always)]
    pub(super) fn look_up<L: Lanes>(
        l: L,
        combs: &[&Self; MAX_LANES],
        block: usize,
        digit: L::Word,
    ) -> Affine<L> {
        Entry::look_up(l, &combs.map(|comb| &comb.0[block]), digit)
    }
}

/// Entry i: the top tooth's point, plus or minus each other one, plus where i has that tooth's bit.
fn signed_sums<L: Lanes>(
    l: L,
    teeth: [Affine<L>; TEETH],
    doubled: [Affine<L>; TEETH],
) -> Vec<Jacobian<L>> {
    let lowest =
        teeth[..TEETH - 1].iter().fold(Jacobian::from_affine(l, teeth[TEETH - 1]), |sum, tooth| {
            sum.add_affine(l, tooth.negated())
        });
    let mut sums = vec![lowest];
    for doubled in &doubled[..TEETH - 1] {
        for i in 0..sums.len() {
            sums.push(sums[i].add_affine(l, *doubled));
        }
    }
    sums
}

/// The affine points, with one inversion for all (Montgomery's trick), and a bit for each lane that
/// has none at infinity.
fn normalized<L: Lanes>(l: L, points: &[Jacobian<L>]) -> (Vec<Affine<L>>, u8) {
    let mut product = Coordinate::one(l);
    let mut before = Vec::with_capacity(points.len());
    for point in points {
        before.push(product);
        product = product.sqr_times_mul(0, point.z);
    }
    let finite = l.run(
        #[inline(always)]
        || product.is_zero().not(),
    );
    let mut inverse = product.invert();
    let mut affine = Vec::with_capacity(points.len());
    for (point, before) in points.iter().zip(before).rev() {
        let (normalized, rest) = l.run(
            #[inline(always)]
            || (point.to_affine(inverse.mul(before)), inverse.mul(point.z)),
        );
        affine.push(normalized);
        inverse = rest;
    }
    affine.reverse();
    (affine, finite.bits())
}
