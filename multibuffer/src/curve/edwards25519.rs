//! Multiples of the base point of Curve25519, on the Edwards curve that it is birationally
//! equivalent to (RFC 7748, section 4.1): -x^2 + y^2 = 1 + d x^2 y^2.
//!
//! On that curve a fixed point's multiples can be looked up. The map back needs y alone:
//! u = (1 + y) / (1 - y). Formulas: Hisil, Wong, Carter, Dawson, "Twisted Edwards curves revisited"
//! (2008), sections 3.1 and 3.3. Because -1 is a square modulo p and d is none, they are complete: no
//! two points are an exception, neither equal ones nor the neutral one.
//!
//! # Constant time
//! The scalar is secret. Every lane adds one table entry for each window of five bits, 51 in all. A
//! window's value chooses the entry by [`Word::pick`] and the sign by a select, never an address.

#[cfg(test)]
mod tests;

use super::table25519::{TABLE, Window};
use crate::field::f25519::{Factor, Fe, Field};
use crate::lanes::{Lanes, MAX_LANES, Word};

/// 2d = -2 * 121665 / 121666.
pub(super) const TWO_D: [u64; 5] =
    [0x69b9426b2f159, 0x9a8283b156ebd, 0xef3d13000e014, 0xfce7198e80f2e, 0x2406d9dc56df];

/// A point in extended coordinates: x = X / Z, y = Y / Z, xy = T / Z, Z is never 0.
#[derive(Clone, Copy)]
pub(super) struct Point<W> {
    pub(super) x: Fe<W>,
    pub(super) y: Fe<W>,
    pub(super) z: Fe<W>,
    pub(super) t: Fe<W>,
}

/// A point to be added: y + x, y - x and 2dxy, each times its Z.
#[derive(Clone, Copy)]
pub(super) struct Addend<W> {
    pub(super) plus: Factor<W>,
    pub(super) minus: Factor<W>,
    pub(super) product: Fe<W>,
}

/// Numerator and denominator of the u-coordinate of `scalar` times the base point.
///
/// `scalar[i]` is word `i`, little-endian, of all lanes' scalars. They are clamped: a multiple of 8
/// between 2^254 and 2^255. The denominator is not 0: that would be the neutral point, but `scalar` / 8
/// is not 0 and less than the base point's prime order.
///
/// With k = `scalar` / 8 < 2^255 and its 51 digits d_i of five bits,
/// 8k = 4 * sum of (2 d_i - 31) * 32^i + 4 * (2^255 - 1). The digits in the sum are odd, so that each has
/// an entry in [`TABLE`] or is the negative of one, and none is 0. The table serves two digits with each
/// window: those with odd i come first, then five doublings.
pub(crate) fn base_multiple<L: Lanes>(l: L, scalar: &[[u64; MAX_LANES]; 4]) -> [Fe<L::Word>; 2] {
    let field = Field(l);
    let table = &*TABLE;
    let [even, odd] = l.run(
        #[inline(always)]
        || digits(l, scalar),
    );
    let [x, y, z, t] = table.start;
    let start =
        Point { x: field.splat(x), y: field.splat(y), z: field.splat(z), t: field.splat(t) };
    let mut point = add_windows(l, &table.windows[..25], &odd, start);
    for _ in 0..5 {
        point = l.run(
            #[inline(always)]
            || double(field, point),
        );
    }
    let point = add_windows(l, &table.windows, &even, point);
    l.run(
        #[inline(always)]
        || {
            let one = field.small(1);
            let (above, below) = (field.add(point.z, point.y), field.sub(point.z, point.y));
            [field.mul(above, one), field.mul(below, one)]
        },
    )
}

/// k = `scalar` / 8 in groups of 50 bits, the even digits in place, and the odd digits in theirs.
#[inline(always)]
fn digits<L: Lanes>(l: L, scalar: &[[u64; MAX_LANES]; 4]) -> [[L::Word; 6]; 2] {
    let [a, b, c, d] =
        [l.load(&scalar[0]), l.load(&scalar[1]), l.load(&scalar[2]), l.load(&scalar[3])];
    let even = [
        a.shr::<3>(),
        a.shr::<53>().or(b.shl::<11>()),
        b.shr::<39>().or(c.shl::<25>()),
        c.shr::<25>().or(d.shl::<39>()),
        d.shr::<11>(),
        d.shr::<61>(),
    ];
    let mut odd = even;
    for group in &mut odd {
        *group = group.shr::<5>();
    }
    [even, odd]
}

/// `start` and the entries for the digits at bits 0, 10, 20, 30 and 40 of each group.
fn add_windows<L: Lanes>(
    l: L,
    windows: &[Window],
    groups: &[L::Word; 6],
    start: Point<L::Word>,
) -> Point<L::Word> {
    l.run(
        #[inline(always)]
        || {
            let field = Field(l);
            let mut point = start;
            for (windows, group) in windows.chunks(5).zip(groups) {
                let mut digits = *group;
                for window in windows {
                    point = add_digit(field, point, window, digits);
                    digits = digits.shr::<10>();
                }
            }
            point
        },
    )
}

/// `point` and (2d - 31) times the window's point, where d is the low five bits of `digits`: entry
/// d - 16 if d has its bit 4, else the negative of entry 15 - d.
#[inline(always)]
fn add_digit<L: Lanes>(
    field: Field<L>,
    point: Point<L::Word>,
    window: &Window,
    digits: L::Word,
) -> Point<L::Word> {
    let l = field.0;
    let negative = digits.and(l.splat(16)).equals(l.splat(0));
    // `pick` takes the low four bits, and 15 - d is d with these inverted
    let index = digits.xor(l.splat(15)).select(negative, digits);
    let [plus, minus, product] = &window.0;
    let addend = Addend {
        plus: field.pick(plus, index).into(),
        minus: field.pick(minus, index).into(),
        product: field.pick(product, index),
    };
    add(field, point, addend, point.z, negative)
}

/// `a` + `b`, or `a` - `b` where `negative` is set; `zz` is the product of their Z.
#[inline(always)]
pub(super) fn add<L: Lanes>(
    field: Field<L>,
    a: Point<L::Word>,
    b: Addend<L::Word>,
    zz: Fe<L::Word>,
    negative: <L::Word as Word>::Mask,
) -> Point<L::Word> {
    // -(x, y) = (-x, y): y + x and y - x change places, and the product its sign
    let below = field.mul(field.sub(a.y, a.x), b.plus.select(negative, b.minus));
    let above = field.mul(field.add(a.y, a.x), b.minus.select(negative, b.plus));
    let product = field.mul(a.t, b.product);
    let twice = zz.plus(zz);
    let (less, more) = (field.sub(twice, product), field.add(twice, product));
    let e = field.sub(above, below);
    let f = more.select(negative, less);
    let g = less.select(negative, more);
    let h = field.add(above, below);
    Point { x: field.mul(e, f), y: field.mul(g, h), z: field.mul(f, g), t: field.mul(e, h) }
}

/// Twice `a`; all four factors have their signs changed, which cancels.
#[inline(always)]
pub(super) fn double<L: Lanes>(field: Field<L>, a: Point<L::Word>) -> Point<L::Word> {
    let (xx, yy, zz) = (field.square(a.x), field.square(a.y), field.square(a.z));
    let sum = field.square(field.add(a.x, a.y));
    let e = field.sub(xx.plus(yy), sum);
    let f = field.sub(zz.plus(zz).plus(xx), yy);
    let g = field.sub(xx, yy);
    let h = field.add(xx, yy);
    Point { x: field.mul(e, f), y: field.mul(g, h), z: field.mul(f, g), t: field.mul(e, h) }
}
