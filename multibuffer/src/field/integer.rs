//! Plain integers: what bytes become, and what residues become again.

use super::{LIMB_MASK, LIMBS, constants};
use crate::lanes::{LIMB_BITS, Lanes, MAX_LANES, Mask, Word};

/// A non-negative integer below 2^260 a lane; every limb is below 2^52.
#[derive(Clone, Copy)]
pub(crate) struct Integer<L: Lanes> {
    pub(super) l: L,
    pub(super) limbs: [L::Word; LIMBS],
}

impl<L: Lanes> Integer<L> {
    /// `bytes[i]`, big-endian, in lane `i`.
    #[inline(always)]
    pub(crate) fn from_bytes(l: L, bytes: &[[u8; 32]; MAX_LANES]) -> Self {
        let mut columns = [[0; MAX_LANES]; LIMBS];
        for (lane, bytes) in bytes.iter().enumerate().take(L::LANES) {
            for (column, limb) in columns.iter_mut().zip(constants::limbs(words(bytes))) {
                column[lane] = limb;
            }
        }
        Self { l, limbs: columns.map(|column| l.load(&column)) }
    }

    /// The integer of `limbs` below 2^52.
    #[inline(always)]
    pub(crate) fn from_limbs(l: L, limbs: [L::Word; LIMBS]) -> Self {
        Self { l, limbs }
    }

    /// The same integer in every lane. Limbs are below 2^52.
    #[inline(always)]
    pub(crate) fn splat(l: L, limbs: [u64; LIMBS]) -> Self {
        Self { l, limbs: limbs.map(|limb| l.splat(limb)) }
    }

    /// Big-endian bytes, lane by lane, of integers below 2^256; zeros beyond the last lane.
    #[inline(always)]
    pub(crate) fn to_bytes(self) -> [[u8; 32]; MAX_LANES] {
        let words = self.to_words().map(Word::store);
        std::array::from_fn(|lane| {
            let mut bytes = [0; 32];
            for (chunk, word) in bytes.as_chunks_mut().0.iter_mut().zip(words.iter().rev()) {
                *chunk = word[lane].to_be_bytes();
            }
            bytes
        })
    }

    /// The integer whose 64-bit `words`, the least significant first, are given.
    #[inline(always)]
    pub(crate) fn from_words(l: L, words: [L::Word; 4]) -> Self {
        let [a, b, c, d] = words;
        let mask = l.splat(LIMB_MASK);
        let limbs = [
            a.and(mask),
            a.shr::<52>().or(b.shl::<12>()).and(mask),
            b.shr::<40>().or(c.shl::<24>()).and(mask),
            c.shr::<28>().or(d.shl::<36>()).and(mask),
            d.shr::<16>(),
        ];
        Self { l, limbs }
    }

    /// The 64-bit words of an integer below 2^256, the least significant first.
    #[inline(always)]
    pub(crate) fn to_words(self) -> [L::Word; 4] {
        let [a, b, c, d, e] = self.limbs;
        [
            a.or(b.shl::<52>()),
            b.shr::<12>().or(c.shl::<40>()),
            c.shr::<24>().or(d.shl::<28>()),
            d.shr::<36>().or(e.shl::<16>()),
        ]
    }

    /// Limb `i` of every lane.
    #[inline(always)]
    pub(crate) fn limbs(self) -> [L::Word; LIMBS] {
        self.limbs
    }

    /// Where it is zero.
    #[inline(always)]
    pub(crate) fn is_zero(self) -> <L::Word as Word>::Mask {
        let [a, b, c, d, e] = self.limbs;
        a.or(b).or(c.or(d)).or(e).equals(self.l.splat(0))
    }

    /// Where it equals `other`.
    #[inline(always)]
    pub(crate) fn equals(self, other: Self) -> <L::Word as Word>::Mask {
        let [a, b, c, d, e] = std::array::from_fn(|i| self.limbs[i].equals(other.limbs[i]));
        a.and(b).and(c.and(d)).and(e)
    }

    /// Where it is less than `other`.
    #[inline(always)]
    pub(crate) fn less(self, other: Self) -> <L::Word as Word>::Mask {
        self.difference(other).1
    }

    /// `self` where `mask` is set, `other` elsewhere.
    #[inline(always)]
    pub(crate) fn select(self, mask: <L::Word as Word>::Mask, other: Self) -> Self {
        let limbs = std::array::from_fn(|i| self.limbs[i].select(mask, other.limbs[i]));
        Self { l: self.l, limbs }
    }

    /// `self - other` where that is not negative, `self` elsewhere.
    #[inline(always)]
    pub(crate) fn sub_once(self, other: Self) -> Self {
        let (difference, negative) = self.difference(other);
        self.select(negative, difference)
    }

    /// `self - other` modulo 2^260, and where it is negative.
    #[inline(always)]
    fn difference(self, other: Self) -> (Self, <L::Word as Word>::Mask) {
        let limbs = std::array::from_fn(|i| self.limbs[i].sub(other.limbs[i]));
        let mut limbs = carried(self.l, limbs);
        let negative = self.l.splat(0).equals(limbs[LIMBS - 1].sar::<LIMB_BITS>()).not();
        limbs[LIMBS - 1] = limbs[LIMBS - 1].and(self.l.splat(LIMB_MASK));
        (Self { l: self.l, limbs }, negative)
    }
}

/// Brings `limbs` below 2^52. They may be signed, of magnitudes below 2^62.
///
/// The last limb keeps what is beyond: it ends in 0..2^52 if the integer is in 0..2^260, and has the
/// sign of a negative one.
#[inline(always)]
pub(super) fn carried<L: Lanes>(l: L, mut limbs: [L::Word; LIMBS]) -> [L::Word; LIMBS] {
    let mask = l.splat(LIMB_MASK);
    for i in 0..LIMBS - 1 {
        limbs[i + 1] = limbs[i + 1].add(limbs[i].sar::<LIMB_BITS>());
        limbs[i] = limbs[i].and(mask);
    }
    limbs
}

/// The 64-bit words of a big-endian integer, the most significant first.
fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_be_bytes(*chunk);
    }
    words
}
