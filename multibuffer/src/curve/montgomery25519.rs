//! Multiples of points of Curve25519 by their u-coordinate (RFC 7748, section 5).
//!
//! # Constant time
//! The scalar is secret, the point is treated as if it were. Every lane takes the same 255 steps;
//! a bit of the scalar only selects between two values that are both at hand.

use crate::field::f25519::{Fe, Field};
use crate::lanes::{Lanes, MAX_LANES, Word};

/// (486662 - 2) / 4, the constant of the doubling formula.
const A24: u64 = 121_665;

/// X and Z of the multiple `scalar` of the point at `u`, u = X / Z; Z = 0 at infinity.
///
/// `scalar[i]` is word `i`, little-endian, of all lanes' scalars. They are clamped: bits 0 and 255
/// are clear. Because bit 0 is, the two points of the ladder need no swap at the end.
pub(crate) fn ladder<L: Lanes>(
    l: L,
    scalar: &[[u64; MAX_LANES]; 4],
    u: Fe<L::Word>,
) -> [Fe<L::Word>; 2] {
    l.run(
        #[inline(always)]
        || {
            let field = Field(l);
            let (top, one, zero) = (l.splat(1 << 63), field.small(1), field.small(0));
            let mut state = [one, zero, u, one];
            // bit t says whether bits t and t + 1 of the scalar differ, and so the points swap
            let mut above = l.splat(0);
            for (word, bits) in scalar.iter().rev().zip([63, 64, 64, 64]) {
                let word = l.load(word);
                let mut swaps = word.xor(word.shr::<1>()).xor(above.shl::<63>());
                above = word;
                if bits == 63 {
                    swaps = swaps.shl::<1>();
                }
                for _ in 0..bits {
                    state = step(field, u, state, swaps.less(top));
                    swaps = swaps.shl::<1>();
                }
            }
            let [x, z, ..] = state;
            [x, z]
        },
    )
}

/// One step of the ladder, from X and Z of two points: the sum of both, and twice the first of them
/// where `keep` is set, twice the second elsewhere.
///
/// RFC 7748 swaps the points, then adds and doubles. The sum does not care: with the points swapped
/// DA and CB change places, and the difference's sign goes away in its square.
#[inline(always)]
fn step<L: Lanes>(
    field: Field<L>,
    u: Fe<L::Word>,
    [x2, z2, x3, z3]: [Fe<L::Word>; 4],
    keep: <L::Word as Word>::Mask,
) -> [Fe<L::Word>; 4] {
    let (a, b) = (field.add(x2, z2), field.sub(x2, z2));
    let (c, d) = (field.add(x3, z3), field.sub(x3, z3));
    let (aa, bb) = (field.square(a.select(keep, c)), field.square(b.select(keep, d)));
    let (da, cb) = (field.mul(d, a), field.mul(c, b));
    let e = field.sub(aa, bb);
    [
        field.mul(aa, bb),
        field.mul(e, field.scale_add(aa, A24, e)),
        field.square(field.add(da, cb)),
        field.mul(u, field.square(field.sub(da, cb))),
    ]
}
