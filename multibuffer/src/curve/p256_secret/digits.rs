//! A scalar as 51 odd digits: what decides which table entries are added.

use crate::field::{Integer, LIMBS, Modulus, N256};
use crate::lanes::{LIMB_BITS, Lanes, Word};

/// Bits of a digit's window.
pub(super) const WINDOW: u32 = 5;

/// Windows of a scalar: bits 1 to 255.
pub(super) const WINDOWS: usize = 51;

/// Windows of a word that is cut up, and their bits.
const CHUNK: usize = 10;

/// The digits of a secret scalar.
///
/// For an odd k' below 2^256, let w_i be bits 5 i + 1 to 5 i + 5. As k' = 1 + 2 Σ w_i 32^i and
/// Σ 31 * 32^i = 2^255 - 1, k' = 2^255 + Σ (2 w_i - 31) 32^i. So digit i is 2 w_i - 31, which is odd.
pub(super) struct Digits<L: Lanes> {
    l: L,
    /// w_i, each below 32.
    windows: [L::Word; WINDOWS],
    /// Where the scalar was even, and its negative was taken.
    even: <L::Word as Word>::Mask,
}

/// A digit: its sign, and which odd multiple it stands for.
pub(super) struct Digit<L: Lanes> {
    /// (|d| - 1) / 2 in the low four bits. Those above are of no meaning.
    pub(super) index: L::Word,
    /// Where d is less than 0.
    pub(super) negative: <L::Word as Word>::Mask,
}

impl<L: Lanes> Digits<L> {
    /// The digits of `scalar`, in 1..n, or of n less it, if it is even.
    #[inline(always)]
    pub(super) fn new(l: L, scalar: Integer<L>) -> Self {
        let even = scalar.limbs()[0].and(l.splat(1)).equals(l.splat(0));
        let [a, b, c, d, e] = odd(l, scalar, even);
        // bits 1 to 250 in words of 50 bits, then the last five
        let chunks = [
            a.shr::<1>(),
            a.shr::<51>().or(b.shl::<1>()),
            b.shr::<49>().or(c.shl::<3>()),
            c.shr::<47>().or(d.shl::<5>()),
            d.shr::<45>().or(e.shl::<7>()),
        ];
        let mut windows = [e.shr::<43>(); WINDOWS];
        let mask = l.splat((1 << WINDOW) - 1);
        for (windows, mut chunk) in windows.chunks_exact_mut(CHUNK).zip(chunks) {
            for window in windows {
                *window = chunk.and(mask);
                chunk = chunk.shr::<WINDOW>();
            }
        }
        Self { l, windows, even }
    }

    /// Digit `i`. A window's top bit is the sign; below 16, 31 - 2 w = 2 (15 - w) + 1, and 15 - w is
    /// w with its low four bits inverted. From 16 up, 2 w - 31 = 2 (w - 16) + 1.
    #[inline(always)]
    pub(super) fn get(&self, i: usize) -> Digit<L> {
        let (l, window) = (self.l, self.windows[i]);
        let negative = window.less(l.splat(16));
        let index = window.xor(l.splat(15).select(negative, l.splat(0)));
        Digit { index, negative }
    }

    /// Where the digits are of n less the scalar: the multiple wants negating.
    #[inline(always)]
    pub(super) fn negated(&self) -> <L::Word as Word>::Mask {
        self.even
    }

    /// Overwrites the digits with zeros, also if nobody reads them again.
    #[inline(always)]
    pub(super) fn zeroize(&mut self) {
        self.windows = [self.l.splat(0); WINDOWS];
        zeroize::optimization_barrier(self);
    }
}

/// The limbs of `scalar`, or of n less it, where `even`: each below 2^52, for the difference is in 1..n.
#[inline(always)]
fn odd<L: Lanes>(l: L, scalar: Integer<L>, even: <L::Word as Word>::Mask) -> [L::Word; LIMBS] {
    let mut limbs = scalar.limbs();
    let mut borrow = l.splat(0);
    for (limb, order) in limbs.iter_mut().zip(N256::PRIME) {
        let difference = l.splat(order).sub(*limb).add(borrow);
        borrow = difference.sar::<LIMB_BITS>();
        *limb = difference.and(l.splat((1 << LIMB_BITS) - 1)).select(even, *limb);
    }
    limbs
}
