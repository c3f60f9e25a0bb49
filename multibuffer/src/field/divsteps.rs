//! Inverses of **secret** residues in constant time, in a third of what Fermat's theorem takes.
//!
//! All lanes share one inversion (Montgomery's trick), by the division steps of Bernstein and Yang
//! ("Fast constant-time gcd computation and modular inversion", <https://eprint.iacr.org/2019/266>): 62
//! steps on the lowest words of f and g at a time, whose matrix is then applied to the long integers.
//!
//! # Why no time depends on the residue
//! There are always 12 times 62 steps. A step is additions and masks, without a branch or an address
//! that depends on its operands, and so is the application of a matrix.
//!
//! # Why 744 steps are enough
//! Theorem 11.2 of the paper: if f² + 4 g² <= 5 * 2^(2 d), then after floor((49 d + 57) / 17) steps g is zero,
//! for d >= 46. f is the prime and 0 <= g < f < 2^256, so d = 256, which gives 741. Further steps leave f
//! and g = 0 as they are.

use super::inverse::{MASK, STEPS, Signed};
use super::{Element, Integer, LIMB_BITS, LIMBS, Modulus, constants};
use crate::lanes::{Lanes, MAX_LANES, Single, Word};

/// How many times [`STEPS`].
const ROUNDS: u32 = 12;

impl<L: Lanes, M: Modulus> Element<L, M, 2> {
    /// The inverse, in constant time; zero for zero.
    pub(crate) fn invert_secret(self) -> Self {
        let l = self.l;
        let (zero, product, others) = l.run(
            #[inline(always)]
            || {
                let zero = self.is_zero();
                let mut product = Self::one(l).select(zero, self);
                let mut others = Self::one(l);
                let mut distance = 1;
                // product is of `distance` lanes from each lane on, others of as many but the first
                while distance < L::LANES {
                    let next = product.rotated(distance);
                    (product, others) = (product.mul(next), others.mul(next));
                    distance *= 2;
                }
                (zero, product, others)
            },
        );
        let inverse = invert_one::<M>(product.limbs.map(|limb| limb.store()[0]));
        l.run(
            #[inline(always)]
            || {
                let inverse = Element::<L, M, 16>::from_limbs(l, inverse.map(|limb| l.splat(limb)));
                let one = Element::<L, M, 1>::from_limbs(l, Self::one(l).limbs);
                Self::zero(l).select(zero, inverse.mul(one).mul(others))
            },
        )
    }

    /// Lane i + `distance` in lane i, around.
    #[inline(always)]
    fn rotated(self, distance: usize) -> Self {
        let limbs = self.limbs.map(|limb| {
            let lanes = limb.store();
            let rotated: [u64; MAX_LANES] =
                std::array::from_fn(|i| lanes[(i + distance) % MAX_LANES]);
            self.l.load(&rotated)
        });
        Self::from_limbs(self.l, limbs)
    }
}

/// The inverse of a residue below 2 m in Montgomery form, in Montgomery form, above 0 and below 16 m.
///
/// f = d x / R² and g = e x / R² modulo m, at the start and after each round. In the end f = ±1 and so
/// ±d is R² / x, which in Montgomery form is the inverse of x in Montgomery form. If x is 0, d stays 0.
///
/// d and e start below m in magnitude. A round makes them u d + v e + factor m over 2^62 with |u| + |v|
/// <= 2^62 and |factor| <= 2^61, so adds at most m / 2 to the greater magnitude: in the end they are below
/// 7 m. 8 m more is above m and below 15 m.
fn invert_one<M: Modulus>(x: [u64; LIMBS]) -> [u64; LIMBS] {
    let x = Integer { l: Single, limbs: x.map(|limb| Single.splat(limb)) };
    let x = x.sub_once(Integer::splat(Single, M::PRIME));
    let m = Signed::from_limbs(M::PRIME);
    let inverse = negative_inverse(m.0[0]);
    let (mut f, mut g) = (m, Signed::from_limbs(x.limbs.map(|limb| limb.store()[0])));
    let r2 = const { constants::power_of_two(M::PRIME, 2 * 5 * LIMB_BITS) };
    let (mut d, mut e) = (Signed([0; LIMBS]), Signed::from_limbs(r2));
    let mut delta = 1;
    for _ in 0..ROUNDS {
        let [of_f, of_g] = steps(&mut delta, f.0[0], g.0[0]);
        let long = |row| Signed::combine(row, [f, g], 0, m);
        (f, g) = (long(of_f), long(of_g));
        let modular = |row: [i64; 2]| {
            let lowest = row[0].wrapping_mul(d.0[0]).wrapping_add(row[1].wrapping_mul(e.0[0]));
            // what makes the sum a multiple of 2^62, from -2^61 to 2^61
            let factor = lowest.wrapping_mul(inverse) << 2 >> 2;
            Signed::combine(row, [d, e], factor, m)
        };
        (d, e) = (modular(of_f), modular(of_g));
    }
    let sign = f.0[LIMBS - 1] >> 63;
    let eight = Signed::from_limbs(const { constants::multiple(M::PRIME, 8) });
    let mut carry = 0;
    let sum = std::array::from_fn(|i| {
        // the limb or its negative, a limb and a carry: below 2^63 in magnitude
        let limb = ((d.0[i] ^ sign) - sign) + eight.0[i] + carry;
        carry = limb >> STEPS;
        limb & MASK
    });
    Signed(sum).to_limbs()
}

/// 62 division steps on the lowest words of f and g; the matrix, times 2^62, that they amount to.
///
/// A step takes (delta, f, g), with f odd, to (1 - delta, g, (g - f) / 2) if delta > 0 and g is odd, and
/// to (1 + delta, f, (g + (g mod 2) f) / 2) otherwise. In each row, magnitudes add up to at most 2^62.
#[inline]
fn steps(delta: &mut i64, mut f: i64, mut g: i64) -> [[i64; 2]; 2] {
    let (mut of_f, mut of_g) = ([1_i64, 0], [0_i64, 1]);
    for _ in 0..STEPS {
        let odd = -(g & 1);
        let swap = odd & (-*delta >> 63);
        // b plus a, or less a, or neither
        let sum = |a: i64, b: i64| b.wrapping_add(((a ^ swap).wrapping_sub(swap)) & odd);
        g = sum(f, g);
        of_g = [sum(of_f[0], of_g[0]), sum(of_f[1], of_g[1])];
        // where g has become g - f, f plus that is the old g
        f = f.wrapping_add(g & swap);
        of_f = [of_f[0] + (of_g[0] & swap), of_f[1] + (of_g[1] & swap)];
        *delta = ((*delta ^ swap) - swap) + 1;
        // only the lowest bits count; doubling the row of f stands for halving that of g
        g >>= 1;
        of_f = [of_f[0] << 1, of_f[1] << 1];
    }
    [of_f, of_g]
}

/// -1 / `limb` modulo 2^64, for an odd limb, by Newton's iteration.
fn negative_inverse(limb: i64) -> i64 {
    let step =
        |inverse: i64, _| inverse.wrapping_mul(2_i64.wrapping_sub(limb.wrapping_mul(inverse)));
    (0..6).fold(1, step).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{LIMB_MASK, N256, P256};
    #[cfg(target_arch = "x86_64")]
    use crate::lanes::Ifma;
    use crate::lanes::{Mask, Portable};

    /// x times its inverse is one, and zero for zero; the same as Fermat's.
    #[track_caller]
    fn check<L: Lanes, M: Modulus>(l: L, limbs: [[u64; MAX_LANES]; LIMBS]) {
        let x = Element::<L, M>::from_limbs(l, limbs.map(|limb| l.load(&limb)));
        let inverse = x.invert_secret();
        let same = inverse.equals(x.invert());
        let right = x.mul(inverse).equals(Element::<L, M>::one(l)).or(x.is_zero());
        let all = u8::MAX >> (MAX_LANES - L::LANES);
        assert_eq!(same.and(right).bits() & all, all, "{limbs:x?}");
    }

    fn check_modulus<M: Modulus>() {
        let two_m = constants::multiple(M::PRIME, 2);
        let mut edges: Vec<[u64; LIMBS]> = vec![[0; LIMBS], M::PRIME];
        // 1, 2, ... and just below m and 2 m, and powers of two and their neighbours
        for small in 1..40 {
            edges.push([small, 0, 0, 0, 0]);
            edges.extend([M::PRIME, two_m].map(|[a, b, c, d, e]| [a - small, b, c, d, e]));
        }
        for bit in 0..256_usize {
            let mut limbs = [0; LIMBS];
            limbs[bit / 52] = 1 << (bit % 52);
            edges.push(limbs);
            limbs[0] |= 1;
            edges.push(limbs);
            edges.push(std::array::from_fn(|i| match i.cmp(&(bit / 52)) {
                std::cmp::Ordering::Less => LIMB_MASK,
                std::cmp::Ordering::Equal => (1 << (bit % 52)) - 1,
                std::cmp::Ordering::Greater => 0,
            }));
        }
        // residues without a pattern: x becomes 2 x²
        let one = Element::<Single, M>::one(Single);
        let mut x: Element<Single, M> = one.add::<2, 4>(one).mul(one);
        for _ in 0..400 {
            x = x.add::<2, 4>(x).mul(x);
            edges.push(x.limbs.map(|limb| limb.store()[0]));
        }
        for chunk in edges.chunks(MAX_LANES) {
            let lane = |limb: usize, lane: usize| chunk[lane % chunk.len()][limb];
            let limbs = std::array::from_fn(|i| std::array::from_fn(|j| lane(i, j)));
            #[cfg(target_arch = "x86_64")]
            if let Some(l) = Ifma::detect() {
                check::<_, M>(l, limbs);
            }
            check::<_, M>(Portable, limbs);
        }
        for limbs in edges {
            check::<_, M>(Single, limbs.map(|limb| [limb; MAX_LANES]));
        }
    }

    #[test]
    fn inverses_modulo_p() {
        check_modulus::<P256>();
    }

    #[test]
    fn inverses_modulo_n() {
        check_modulus::<N256>();
    }
}
