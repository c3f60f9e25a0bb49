//! Residues modulo a prime, in Montgomery form: what does not depend on which prime it is.

use std::marker::PhantomData;

use super::integer::carried;
use super::{Integer, LIMBS, Modulus, constants};
use crate::lanes::{Lanes, MAX_LANES, Mask, Word};

/// A residue a lane: x R modulo `M`, with R = 2^260, as an integer **below `K` times `M`**.
///
/// Every limb is below 2^52. `K` is at most 16, for a multiple of 16 fits into the limbs.
#[derive(Clone, Copy)]
pub(crate) struct Element<L: Lanes, M, const K: u32 = 2> {
    pub(super) l: L,
    pub(super) limbs: [L::Word; LIMBS],
    modulus: PhantomData<M>,
}

impl<L: Lanes, M: Modulus, const K: u32> Element<L, M, K> {
    /// Limbs below 2^52 of an integer below `K` times the prime, which is a residue times R.
    #[inline(always)]
    pub(crate) fn from_limbs(l: L, limbs: [L::Word; LIMBS]) -> Self {
        Self { l, limbs, modulus: PhantomData }
    }

    /// The limbs, each below 2^52.
    #[inline(always)]
    pub(crate) fn limbs(self) -> [L::Word; LIMBS] {
        self.limbs
    }

    /// The same under a weaker promise.
    #[inline(always)]
    pub(crate) fn widen<const C: u32>(self) -> Element<L, M, C> {
        const { assert!(K <= C && C <= 16) };
        Element::from_limbs(self.l, self.limbs)
    }

    /// The product; `K * B <= 16` gives less than 2 times the prime.
    #[inline(always)]
    pub(crate) fn mul<const B: u32>(self, other: Element<L, M, B>) -> Element<L, M, 2> {
        let limbs = M::reduce(self.l, self.columns(other));
        Element::from_limbs(self.l, carried(self.l, limbs))
    }

    /// The square; `K * K <= 16` gives less than 2 times the prime.
    #[inline(always)]
    pub(crate) fn sqr(self) -> Element<L, M, 2> {
        let limbs = M::reduce(self.l, self.square_columns());
        Element::from_limbs(self.l, carried(self.l, limbs))
    }

    /// The sum, with `C >= K + B`.
    #[inline(always)]
    pub(crate) fn add<const B: u32, const C: u32>(
        self,
        other: Element<L, M, B>,
    ) -> Element<L, M, C> {
        const { assert!(K + B <= C && C <= 16) };
        let limbs = std::array::from_fn(|i| self.limbs[i].add(other.limbs[i]));
        Element::from_limbs(self.l, carried(self.l, limbs))
    }

    /// The difference, made positive by adding `B` times the prime, with `C >= K + B`.
    #[inline(always)]
    pub(crate) fn sub<const B: u32, const C: u32>(
        self,
        other: Element<L, M, B>,
    ) -> Element<L, M, C> {
        const { assert!(K + B <= C && C <= 16) };
        let positive = const { constants::multiple(M::PRIME, B) };
        let limbs = std::array::from_fn(|i| {
            self.limbs[i].add(self.l.splat(positive[i])).sub(other.limbs[i])
        });
        Element::from_limbs(self.l, carried(self.l, limbs))
    }

    /// 2^`BITS` times it, with `C >= K * 2^BITS`.
    #[inline(always)]
    pub(crate) fn shl<const BITS: u32, const C: u32>(self) -> Element<L, M, C> {
        const { assert!(K << BITS <= C && C <= 16) };
        Element::from_limbs(self.l, carried(self.l, self.limbs.map(Word::shl::<BITS>)))
    }

    /// The negative, which is not canonical for zero: at most `K` times the prime, with `C > K`.
    #[inline(always)]
    pub(crate) fn neg<const C: u32>(self) -> Element<L, M, C> {
        const { assert!(K < C && C <= 16) };
        let positive = const { constants::multiple(M::PRIME, K) };
        let limbs = std::array::from_fn(|i| self.l.splat(positive[i]).sub(self.limbs[i]));
        Element::from_limbs(self.l, carried(self.l, limbs))
    }

    /// `self` where `mask` is set, `other` elsewhere.
    #[inline(always)]
    pub(crate) fn select(self, mask: <L::Word as Word>::Mask, other: Self) -> Self {
        let limbs = std::array::from_fn(|i| self.limbs[i].select(mask, other.limbs[i]));
        Self::from_limbs(self.l, limbs)
    }

    /// Out of Montgomery form: the residue itself, below the prime.
    #[inline(always)]
    pub(crate) fn to_integer(self) -> Integer<L> {
        self.without_r().sub_once(Integer::splat(self.l, M::PRIME))
    }

    /// Where the residue is zero.
    #[inline(always)]
    pub(crate) fn is_zero(self) -> <L::Word as Word>::Mask {
        let residue = self.without_r();
        residue.is_zero().or(residue.equals(Integer::splat(self.l, M::PRIME)))
    }

    /// Where the residues are the same. `K + B <= 16`.
    #[inline(always)]
    pub(crate) fn equals<const B: u32>(self, other: Element<L, M, B>) -> <L::Word as Word>::Mask {
        const { assert!(K + B <= 16) };
        let difference: Element<L, M, 16> = self.sub::<B, 16>(other);
        difference.is_zero()
    }

    /// The residue, or the prime itself for zero: (x R + q m) / R is at most m if x R < R.
    #[inline(always)]
    fn without_r(self) -> Integer<L> {
        let zero = self.l.splat(0);
        let [a, b, c, d, e] = self.limbs;
        let limbs = M::reduce(self.l, [a, b, c, d, e, zero, zero, zero, zero, zero]);
        Integer { l: self.l, limbs: carried(self.l, limbs) }
    }

    /// The columns of a product, each a sum of at most 10 words below 2^52.
    #[inline(always)]
    pub(super) fn columns<const B: u32>(self, other: Element<L, M, B>) -> [L::Word; 2 * LIMBS] {
        const { assert!(K * B <= 16) };
        let (a, b) = (self.limbs, other.limbs);
        let mut columns = [self.l.splat(0); 2 * LIMBS];
        for i in 0..LIMBS {
            for j in 0..LIMBS {
                columns[i + j] = columns[i + j].madd_lo(a[i], b[j]);
                columns[i + j + 1] = columns[i + j + 1].madd_hi(a[i], b[j]);
            }
        }
        columns
    }

    /// [`columns`](Self::columns) of a square, whose mixed products all come twice.
    #[inline(always)]
    pub(super) fn square_columns(self) -> [L::Word; 2 * LIMBS] {
        const { assert!(K * K <= 16) };
        let a = self.limbs;
        let mut columns = [self.l.splat(0); 2 * LIMBS];
        for i in 0..LIMBS {
            for j in i + 1..LIMBS {
                columns[i + j] = columns[i + j].madd_lo(a[i], a[j]);
                columns[i + j + 1] = columns[i + j + 1].madd_hi(a[i], a[j]);
            }
        }
        for column in &mut columns[1..2 * LIMBS - 1] {
            *column = column.add(*column);
        }
        for i in 0..LIMBS {
            columns[2 * i] = columns[2 * i].madd_lo(a[i], a[i]);
            columns[2 * i + 1] = columns[2 * i + 1].madd_hi(a[i], a[i]);
        }
        columns
    }

    /// [`square_columns`](Self::square_columns) earlier, but for more instructions: low and high
    /// halves are summed apart, so that each sum waits for fewer others. For powers, where every
    /// square waits for the one before.
    #[inline(always)]
    fn square_columns_early(self) -> [L::Word; 2 * LIMBS] {
        const { assert!(K * K <= 16) };
        let a = self.limbs;
        let mut low = [self.l.splat(0); 2 * LIMBS];
        let (mut high, mut diagonal) = (low, low);
        for i in 0..LIMBS {
            diagonal[2 * i] = diagonal[2 * i].madd_lo(a[i], a[i]);
            diagonal[2 * i + 1] = diagonal[2 * i + 1].madd_hi(a[i], a[i]);
            for j in i + 1..LIMBS {
                low[i + j] = low[i + j].madd_lo(a[i], a[j]);
                high[i + j + 1] = high[i + j + 1].madd_hi(a[i], a[j]);
            }
        }
        for i in 0..2 * LIMBS {
            let half = low[i].add(high[i]);
            diagonal[i] = diagonal[i].add(half.add(half));
        }
        diagonal
    }

    /// Overwrites the limbs with zeros, also if nobody reads them again.
    #[inline(always)]
    pub(crate) fn zeroize(&mut self) {
        self.limbs = [self.l.splat(0); LIMBS];
        zeroize::optimization_barrier(self);
    }
}

impl<L: Lanes, M: Modulus> Element<L, M, 2> {
    /// Zero in every lane.
    #[inline(always)]
    pub(crate) fn zero(l: L) -> Self {
        Self::from_limbs(l, [l.splat(0); LIMBS])
    }

    /// One in every lane.
    #[inline(always)]
    pub(crate) fn one(l: L) -> Self {
        Self::power_of_two::<0>(l)
    }

    /// 2^`EXPONENT`, which may be negative, in every lane.
    #[inline(always)]
    pub(crate) fn power_of_two<const EXPONENT: i32>(l: L) -> Self {
        const { assert!(EXPONENT >= -260) };
        let limbs = const { constants::power_of_two(M::PRIME, (260 + EXPONENT) as u32) };
        Self::from_limbs(l, limbs.map(|limb| l.splat(limb)))
    }

    /// The residue of an integer below 2^256, which need not be below the prime.
    #[inline(always)]
    pub(crate) fn from_integer(integer: Integer<L>) -> Self {
        // below 2^256 < 2 m, for primes are above 2^255; times R^2 / R
        let r2 = const { constants::power_of_two(M::PRIME, 520) }.map(|limb| integer.l.splat(limb));
        let plain = Self::from_limbs(integer.l, integer.limbs);
        plain.mul(Element::<L, M, 1>::from_limbs(integer.l, r2))
    }

    /// The residues of big-endian `bytes`, lane by lane; they need not be below the prime.
    #[inline(always)]
    pub(crate) fn from_bytes(l: L, bytes: &[[u8; 32]; MAX_LANES]) -> Self {
        Self::from_integer(Integer::from_bytes(l, bytes))
    }

    /// Big-endian bytes of the residues, each below the prime, lane by lane.
    #[inline(always)]
    pub(crate) fn to_bytes(self) -> [[u8; 32]; MAX_LANES] {
        self.to_integer().to_bytes()
    }

    /// The inverse by Fermat's theorem, in constant time; zero for zero.
    ///
    /// Compiles to calls: not to be inlined into anything.
    #[inline(always)]
    pub(crate) fn invert(self) -> Self {
        M::invert(self)
    }

    /// Squared `times` times over, then multiplied by `other`, as one unit of compilation.
    #[inline(always)]
    pub(crate) fn sqr_times_mul(self, times: u32, other: Self) -> Self {
        self.l.run(
            #[inline(always)]
            || self.squared(times).mul(other),
        )
    }

    #[inline(always)]
    fn squared(mut self, times: u32) -> Self {
        for _ in 0..times {
            let limbs = M::reduce(self.l, self.square_columns_early());
            self = Self::from_limbs(self.l, carried(self.l, limbs));
        }
        self
    }
}
