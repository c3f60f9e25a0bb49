//! Vectors of independent 64-bit words, one lane an operation: the only unsafe code of `multibuffer`.
//!
//! Everything above is written once, over the trait [`Lanes`], and compiled for each implementation:
//!
//! | implementation | lanes | where |
//! |---|---|---|
//! | [`Ifma`] | 8 | AVX-512 IFMA |
//! | [`Portable`] | 8 | any CPU; what tests and valgrind compare [`Ifma`] with |
//! | [`Single`] | 1 | any CPU; scalar code from the same source |
//!
//! # Why this is sound
//! A word of an implementation can be made only through a value of that implementation, and an
//! [`Ifma`] is handed out only after the CPU was seen to have the features. A word is therefore
//! the proof that its own methods may run.
//!
//! # Why this is constant time
//! Every method here but [`Mask::any`] and [`Word::store`] is a fixed sequence of instructions
//! without memory accesses that depend on lane contents. There is no lane-dependent branch.

mod array;
#[cfg(target_arch = "x86_64")]
mod ifma;
#[cfg(test)]
mod tests;

pub(crate) use array::{Portable, Single};
#[cfg(target_arch = "x86_64")]
pub(crate) use ifma::Ifma;

/// The most lanes of any implementation.
pub(crate) const MAX_LANES: usize = 8;

/// The bits of a limb: what `madd_lo` and `madd_hi` multiply.
pub(crate) const LIMB_BITS: u32 = 52;

/// An implementation of lanes, and the proof that this CPU can run it.
pub(crate) trait Lanes: Copy + Send + Sync + 'static {
    /// Its words.
    type Word: Word;

    /// Lanes in a word: 1 or 8.
    const LANES: usize;

    /// The same `value` in every lane.
    fn splat(self, value: u64) -> Self::Word;

    /// `values[i]` in lane `i`. Values beyond the last lane are ignored.
    fn load(self, values: &[u64; MAX_LANES]) -> Self::Word;

    /// `rows[i][j]` in lane `i` of word `j`. Rows beyond the last lane are ignored.
    ///
    /// This is how lanes read tables: each from an address of its own, so by public indices only.
    fn transpose(self, rows: [&[u64; MAX_LANES]; MAX_LANES]) -> [Self::Word; MAX_LANES];

    /// Calls `f` with the CPU features on, so that methods of words become single instructions.
    ///
    /// Code above is `#[inline(always)]` up to such a call: a call is the unit of compilation.
    fn run<R>(self, f: impl FnOnce() -> R) -> R;
}

/// One 64-bit word a lane. Arithmetic wraps.
pub(crate) trait Word: Copy + Send + Sync + 'static {
    /// One bit a lane.
    type Mask: Mask;

    /// The lanes' contents, lane 0 first; zeros beyond the last lane.
    fn store(self) -> [u64; MAX_LANES];
    /// `self + other`, wrapping.
    fn add(self, other: Self) -> Self;
    /// `self - other`, wrapping.
    fn sub(self, other: Self) -> Self;
    /// Bitwise and.
    fn and(self, other: Self) -> Self;
    /// Bitwise or.
    fn or(self, other: Self) -> Self;
    /// Bitwise exclusive or.
    fn xor(self, other: Self) -> Self;
    /// Shifted left by `BITS` < 64.
    fn shl<const BITS: u32>(self) -> Self;
    /// Shifted right by `BITS` < 64, filled with zeros.
    fn shr<const BITS: u32>(self) -> Self;
    /// Shifted right by `BITS` < 64, filled with the sign.
    fn sar<const BITS: u32>(self) -> Self;
    /// `self` + the low 52 bits of the product of the low 52 bits of `a` and of `b`.
    fn madd_lo(self, a: Self, b: Self) -> Self;
    /// `self` + the high 52 bits of the 104-bit product of the low 52 bits of `a` and of `b`.
    fn madd_hi(self, a: Self, b: Self) -> Self;
    /// Where `self` equals `other`.
    fn equals(self, other: Self) -> Self::Mask;
    /// Where `self` is less than `other`, both unsigned.
    fn less(self, other: Self) -> Self::Mask;
    /// `self` where `mask` is set, `other` elsewhere.
    fn select(self, mask: Self::Mask, other: Self) -> Self;
    /// In each lane, entry `self % 16` of `table`, the same table for all lanes: read by
    /// permuting registers, never by address, so the index may be secret.
    fn pick(self, table: &[u64; 16]) -> Self;
}

/// One bit a lane.
pub(crate) trait Mask: Copy + Send + Sync + 'static {
    /// Set where both are.
    fn and(self, other: Self) -> Self;
    /// Set where either is.
    fn or(self, other: Self) -> Self;
    /// Set where `self` is not.
    fn not(self) -> Self;
    /// Bit `i` is lane `i`; zeros beyond the last lane. Reveals the mask: only for public data,
    /// or for what is decided in public.
    fn bits(self) -> u8;
}
