//! Tables of affine points: how they are stored, and how each lane reads one of its own.

use super::{Affine, Coordinate};
use crate::field::Integer;
use crate::lanes::{Lanes, MAX_LANES, Word};

/// An affine point other than infinity, in one cache line: x, then y, in Montgomery form, below p, as
/// four 64-bit words each, the least significant first.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Entry([u64; MAX_LANES]);

impl Entry {
    /// To be filled.
    pub(super) const EMPTY: Self = Self([0; MAX_LANES]);

    /// The entries of `point`, lane by lane.
    #[inline(always)]
    pub(super) fn from_affine<L: Lanes>(l: L, point: Affine<L>) -> [Self; MAX_LANES] {
        let words = [words(l, point.x), words(l, point.y)];
        std::array::from_fn(|lane| {
            Self(std::array::from_fn(|word| words[word / 4][word % 4][lane]))
        })
    }

    /// Entry i's point in lane i.
    #[inline(always)]
    fn to_affine<L: Lanes>(l: L, entries: [&Self; MAX_LANES]) -> Affine<L> {
        let [a, b, c, d, e, f, g, h] = l.transpose(entries.map(|entry| &entry.0));
        let coordinate = |words| {
            Coordinate::<L, 1>::from_limbs(l, Integer::from_words(l, words).limbs()).widen()
        };
        Affine { x: coordinate([a, b, c, d]), y: coordinate([e, f, g, h]) }
    }

    /// In each lane, the point of that lane's table that its signed `digit` names.
    ///
    /// A digit is a number of as many bits as make 2 N. Its upper half names entries 0 to N - 1 in
    /// order, its lower half their negatives in reverse: bits are signs, and the top bit the sign of the
    /// whole. Variable time: digits are addresses.
    #[inline(always)]
    pub(super) fn look_up<L: Lanes, const N: usize>(
        l: L,
        tables: &[&[Self; N]; MAX_LANES],
        digit: L::Word,
    ) -> Affine<L> {
        const { assert!(N.is_power_of_two()) };
        let negative = digit.less(l.splat(N as u64));
        let ones = l.splat(N as u64 - 1);
        let index = digit.xor(ones.select(negative, l.splat(0))).and(ones).store();
        let entries = std::array::from_fn(|lane| &tables[lane][index[lane] as usize % N]);
        Self::to_affine(l, entries).negated_where(negative)
    }
}

/// The words of a coordinate, as they are stored.
#[inline(always)]
fn words<L: Lanes>(l: L, coordinate: Coordinate<L>) -> [[u64; MAX_LANES]; 4] {
    let limbs = coordinate.loose().canonical().limbs();
    Integer::from_limbs(l, limbs).to_words().map(Word::store)
}
