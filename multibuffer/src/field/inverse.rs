//! Inverses of **public** residues: variable time, and several times faster than Fermat's theorem.
//!
//! The division steps of Bernstein and Yang ("Fast constant-time gcd computation and modular
//! inversion", 2019), 62 at a time on the lowest words, with their transition matrix then applied to
//! the long integers. All lanes share one inversion (Montgomery's trick), done in the one-lane engine.

use super::{Element, LIMB_BITS, LIMB_MASK, LIMBS, Modulus};
use crate::lanes::{Lanes, MAX_LANES, Mask, Single, Word};

/// Steps that the lowest 64 bits decide, and bits of a limb here.
pub(super) const STEPS: u32 = 62;

/// The bits of a limb of [`Signed`].
pub(super) const MASK: i64 = (1 << STEPS) - 1;

impl<L: Lanes, M: Modulus> Element<L, M, 2> {
    /// The inverse of a public residue, in variable time; zero for zero.
    pub(crate) fn invert_public(self) -> Self {
        let columns = self.limbs.map(Word::store);
        let lanes: [Element<Single, M, 2>; MAX_LANES] = std::array::from_fn(|lane| {
            let limbs = columns.map(|column| Single.splat(column[lane]));
            Element::from_limbs(Single, limbs)
        });
        let mut product = Element::one(Single);
        let before: [_; MAX_LANES] = std::array::from_fn(|lane| {
            let before = product;
            if lane < L::LANES && lanes[lane].is_zero().bits() == 0 {
                product = product.mul(lanes[lane]);
            }
            before
        });
        let mut inverse = invert_one(product);
        let mut inverses = [[0; MAX_LANES]; LIMBS];
        for lane in (0..L::LANES).rev() {
            if lanes[lane].is_zero().bits() == 0 {
                for (column, limb) in inverses.iter_mut().zip(inverse.mul(before[lane]).limbs) {
                    column[lane] = limb.store()[0];
                }
                inverse = inverse.mul(lanes[lane]);
            }
        }
        Self::from_limbs(self.l, inverses.map(|column| self.l.load(&column)))
    }
}

/// The inverse of x R, times R: of the plain inverse 1 / (x R), the Montgomery product with R^3.
fn invert_one<M: Modulus>(element: Element<Single, M, 2>) -> Element<Single, M, 2> {
    let limbs = Signed::inverse::<M>(Signed::from_limbs(element.limbs.map(|limb| limb.store()[0])));
    let plain = Element::<_, M, 1>::from_limbs(Single, limbs.map(|limb| Single.splat(limb)));
    plain.mul(Element::power_of_two::<520>(Single))
}

/// An integer of five limbs of 62 bits, the last one with the sign; below 2^300 in magnitude.
#[derive(Clone, Copy)]
pub(super) struct Signed(pub(super) [i64; LIMBS]);

impl Signed {
    pub(super) fn from_limbs(limbs: [u64; LIMBS]) -> Self {
        let wide = |i: usize| i128::from(limbs[i]);
        let mut signed = [0; LIMBS];
        let mut rest = 0_i128;
        let (mut bits, mut next) = (0, 0);
        for limb in &mut signed {
            while bits < STEPS && next < LIMBS {
                rest |= wide(next) << bits;
                bits += LIMB_BITS;
                next += 1;
            }
            *limb = rest as i64 & MASK;
            rest >>= STEPS;
            bits = bits.saturating_sub(STEPS);
        }
        Self(signed)
    }

    /// Limbs of 52 bits, of an integer in 0..2^260.
    pub(super) fn to_limbs(self) -> [u64; LIMBS] {
        let mut limbs = [0; LIMBS];
        let mut rest = 0_u128;
        let (mut bits, mut next) = (0, 0);
        for limb in &mut limbs {
            while bits < LIMB_BITS && next < LIMBS {
                rest |= u128::from(self.0[next].cast_unsigned()) << bits;
                bits += STEPS;
                next += 1;
            }
            *limb = rest as u64 & LIMB_MASK;
            rest >>= LIMB_BITS;
            bits = bits.saturating_sub(LIMB_BITS);
        }
        limbs
    }

    /// (`row[0]` `a` + `row[1]` `b` + `factor` `m`) / 2^62, which must be whole.
    ///
    /// Rows are sums of magnitudes up to 2^62, limbs and the factor below 2^62, so sums are below 2^126.
    pub(super) fn combine(row: [i64; 2], [a, b]: [Self; 2], factor: i64, m: Self) -> Self {
        let term = |i: usize| {
            i128::from(row[0]) * i128::from(a.0[i])
                + i128::from(row[1]) * i128::from(b.0[i])
                + i128::from(factor) * i128::from(m.0[i])
        };
        let mut limbs = [0; LIMBS];
        let mut carry = term(0) >> STEPS;
        for i in 1..LIMBS {
            carry += term(i);
            limbs[i - 1] = carry as i64 & MASK;
            carry >>= STEPS;
        }
        limbs[LIMBS - 1] = carry as i64;
        Self(limbs)
    }

    /// `self + factor m`, for a factor of 1 or -1.
    fn plus(self, factor: i64, m: Self) -> Self {
        let mut limbs = self.0;
        let mut carry = 0;
        for (limb, m) in limbs.iter_mut().zip(m.0).take(LIMBS - 1) {
            let sum = *limb + factor * m + carry;
            *limb = sum & MASK;
            carry = sum >> STEPS;
        }
        limbs[LIMBS - 1] += factor * m.0[LIMBS - 1] + carry;
        Self(limbs)
    }

    /// The inverse of `x`, which is not a multiple of the prime, modulo the prime; below the prime.
    ///
    /// Invariants: d x = f and e x = g modulo m. In the end g = 0 and f = 1 or -1. Each round adds
    /// less than m to the magnitude of d and e, and there are at most 12 (590 steps suffice for 256
    /// bits, the paper's theorem 11.2 with the margin of its proof: 741 at most).
    fn inverse<M: Modulus>(x: Self) -> [u64; LIMBS] {
        let m = Self::from_limbs(M::PRIME);
        // -1 / m modulo 2^62
        let negative = (0..6).fold(1_u64, |inverse, _| {
            inverse.wrapping_mul(2_u64.wrapping_sub(inverse.wrapping_mul(m.0[0].cast_unsigned())))
        });
        let negative = negative.wrapping_neg();
        let (mut d, mut e) = (Self([0; LIMBS]), Self([1, 0, 0, 0, 0]));
        let (mut f, mut g) = (m, x);
        let mut delta = 1;
        while g.0 != [0; LIMBS] {
            let rows = steps(&mut delta, f.0[0].cast_unsigned(), g.0[0].cast_unsigned());
            let [next_d, next_e] = rows.map(|row| {
                let lowest = row[0].wrapping_mul(d.0[0]).wrapping_add(row[1].wrapping_mul(e.0[0]));
                let factor = lowest.cast_unsigned().wrapping_mul(negative).cast_signed() & MASK;
                Self::combine(row, [d, e], factor, m)
            });
            [f, g] = rows.map(|row| Self::combine(row, [f, g], 0, m));
            (d, e) = (next_d, next_e);
        }
        let negated = f.0[LIMBS - 1] < 0;
        let mut inverse = if negated { Self::combine([-1 << STEPS, 0], [d, d], 0, m) } else { d };
        while inverse.0[LIMBS - 1] < 0 {
            inverse = inverse.plus(1, m);
        }
        loop {
            let less = inverse.plus(-1, m);
            if less.0[LIMBS - 1] < 0 {
                return inverse.to_limbs();
            }
            inverse = less;
        }
    }
}

/// 62 division steps on the lowest words of f and g; the matrix, times 2^62, that they amount to.
///
/// A step takes (delta, f, g), with f odd, to (1 - delta, g, (g - f) / 2) if delta > 0 and g is odd, and
/// to (1 + delta, f, (g + (g mod 2) f) / 2) otherwise.
fn steps(delta: &mut i64, mut f: u64, mut g: u64) -> [[i64; 2]; 2] {
    let (mut to_f, mut to_g) = ([1_i64, 0], [0_i64, 1]);
    let mut left = STEPS;
    loop {
        // steps with an even g only halve it; doubling the row of f stands for halving g
        let zeros = (g | u64::MAX << left).trailing_zeros();
        g >>= zeros;
        to_f = to_f.map(|entry| entry << zeros);
        *delta += i64::from(zeros);
        left -= zeros;
        if left == 0 {
            return [to_f, to_g];
        }
        if *delta > 0 {
            *delta = -*delta;
            (f, g) = (g, f.wrapping_neg());
            (to_f, to_g) = (to_g, to_f.map(|entry| -entry));
        }
        // as long as delta <= 0, the steps only add f to g: as many at once as make up to 6 bits zero
        let bits = (1 - *delta).min(i64::from(left)).min(6);
        let inverse = f.wrapping_mul(2_u64.wrapping_sub(f.wrapping_mul(f)));
        let factor = g.wrapping_neg().wrapping_mul(inverse) & ((1 << bits) - 1);
        g = g.wrapping_add(f.wrapping_mul(factor));
        let factor = factor as i64;
        to_g = [to_g[0] + to_f[0] * factor, to_g[1] + to_f[1] * factor];
    }
}
