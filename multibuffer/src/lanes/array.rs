//! Lanes as plain arrays of words, for any CPU.

use std::hint::black_box;

use super::{LIMB_BITS, Lanes, MAX_LANES, Mask, Word};

/// Eight lanes without vector instructions: slow, and what [`super::Ifma`] is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

/// One lane: scalar code from the same source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Single;

/// `N` words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Array<const N: usize>([u64; N]);

/// `N` masks, each all ones or all zeros, so that selecting needs no branch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArrayMask<const N: usize>([u64; N]);

macro_rules! lanes {
    ($name:ty, $lanes:literal) => {
        impl Lanes for $name {
            type Word = Array<$lanes>;
            const LANES: usize = $lanes;
            #[inline(always)]
            fn splat(self, value: u64) -> Self::Word {
                Array([value; $lanes])
            }
            #[inline(always)]
            fn load(self, values: &[u64; MAX_LANES]) -> Self::Word {
                Array(std::array::from_fn(|lane| values[lane]))
            }
            #[inline(always)]
            fn transpose(self, rows: [&[u64; MAX_LANES]; MAX_LANES]) -> [Self::Word; MAX_LANES] {
                std::array::from_fn(|word| Array(std::array::from_fn(|lane| rows[lane][word])))
            }
            // as with vectors, a unit of compilation: frames of unoptimised code would else add up
            #[inline(never)]
            fn run<R>(self, f: impl FnOnce() -> R) -> R {
                f()
            }
        }
    };
}
lanes!(Portable, 8);
lanes!(Single, 1);

impl<const N: usize> Array<N> {
    #[inline(always)]
    fn map(self, f: impl Fn(u64) -> u64) -> Self {
        Self(self.0.map(f))
    }

    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|lane| f(self.0[lane], other.0[lane])))
    }

    /// A mask from 1 and 0. The compiler must not know that a mask has only two values: it would
    /// make a branch of selecting by it.
    #[inline(always)]
    fn compare(self, other: Self, f: impl Fn(u64, u64) -> u64) -> ArrayMask<N> {
        ArrayMask(black_box(self.zip(other, f).map(u64::wrapping_neg).0))
    }
}

const LIMB: u64 = (1 << LIMB_BITS) - 1;

#[inline(always)]
fn product(a: u64, b: u64) -> u128 {
    u128::from(a & LIMB) * u128::from(b & LIMB)
}

impl<const N: usize> Word for Array<N> {
    type Mask = ArrayMask<N>;
    #[inline(always)]
    fn store(self) -> [u64; MAX_LANES] {
        std::array::from_fn(|lane| if lane < N { self.0[lane] } else { 0 })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_sub)
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self.zip(other, |a, b| a ^ b)
    }

    #[inline(always)]
    fn shl<const BITS: u32>(self) -> Self {
        self.map(|a| a << BITS)
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        self.map(|a| a >> BITS)
    }

    #[inline(always)]
    fn sar<const BITS: u32>(self) -> Self {
        self.map(|a| (a.cast_signed() >> BITS).cast_unsigned())
    }

    #[inline(always)]
    fn madd_lo(self, a: Self, b: Self) -> Self {
        self.add(a.zip(b, |a, b| product(a, b) as u64 & LIMB))
    }

    #[inline(always)]
    fn madd_hi(self, a: Self, b: Self) -> Self {
        self.add(a.zip(b, |a, b| (product(a, b) >> LIMB_BITS) as u64))
    }

    #[inline(always)]
    fn equals(self, other: Self) -> ArrayMask<N> {
        // a - b and b - a both have a clear top bit only if they are zero
        self.compare(other, |a, b| 1 ^ ((a.wrapping_sub(b) | b.wrapping_sub(a)) >> 63))
    }

    #[inline(always)]
    fn less(self, other: Self) -> ArrayMask<N> {
        // the borrow of a - b, without a comparison that could become a branch
        self.compare(other, |a, b| ((!a & b) | ((!a | b) & a.wrapping_sub(b))) >> 63)
    }

    #[inline(always)]
    fn select(self, mask: ArrayMask<N>, other: Self) -> Self {
        let mask = Self(mask.0);
        other.xor(mask.and(self.xor(other)))
    }

    #[inline(always)]
    fn pick(self, table: &[u64; 16]) -> Self {
        let index = self.map(|index| index & 15);
        table.iter().zip(0..).fold(Self([0; N]), |picked, (&entry, position)| {
            let here = index.equals(Self([position; N]));
            Self([entry; N]).select(here, picked)
        })
    }
}

impl<const N: usize> Mask for ArrayMask<N> {
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] & other.0[lane]))
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] | other.0[lane]))
    }

    #[inline(always)]
    fn not(self) -> Self {
        Self(self.0.map(|lane| !lane))
    }

    #[inline(always)]
    fn bits(self) -> u8 {
        self.0
            .iter()
            .zip(0..)
            .fold(0, |bits, (&lane, position)| bits | ((lane & 1) as u8) << position)
    }
}
