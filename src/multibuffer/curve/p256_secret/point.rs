//! Points of P-256 in Jacobian coordinates, and formulas that are right for all but a few of them.
//!
//! The curve is y² = x³ - 3 x + b modulo p. A point (x, y) is any (X, Y, Z) with Z not zero, x = X / Z²
//! and y = Y / Z³; infinity has no coordinates here.
//!
//! # Why these formulas
//! Complete ones (Renes, Costello and Batina, <https://eprint.iacr.org/2015/1060>, algorithm 5) take
//! 13 products for the addition of an affine point, and these take 11. The parent module proves that what they can't
//! add is never added.
//!
//! # Bounds
//! The compiler checks them: coordinates are below 2 p by their type, and sums are [`Loose`] with their
//! bound in the type.
//!
//! [`Loose`]: crate::multibuffer::field::Loose

use crate::multibuffer::field::{Element, Integer, Modulus, P256};
use crate::multibuffer::lanes::{Lanes, MAX_LANES, Mask, Word};

/// A coordinate: a residue modulo p, below 2 p.
type Coordinate<L> = Element<L, P256, 2>;

/// A point other than infinity, in Jacobian coordinates, a lane each.
#[derive(Clone, Copy)]
pub(in crate::multibuffer) struct Point<L: Lanes> {
    pub(in crate::multibuffer) x: Coordinate<L>,
    pub(in crate::multibuffer) y: Coordinate<L>,
    pub(in crate::multibuffer) z: Coordinate<L>,
}

/// A point other than infinity, as its affine coordinates, a lane each.
#[derive(Clone, Copy)]
pub(in crate::multibuffer) struct Affine<L: Lanes> {
    pub(in crate::multibuffer) x: Coordinate<L>,
    pub(in crate::multibuffer) y: Coordinate<L>,
}

/// The base point G (SP 800-186, section 3.2.1.3).
pub(super) const G: [[u8; 32]; 2] = [
    [
        0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40,
        0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98,
        0xc2, 0x96,
    ],
    [
        0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e,
        0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf,
        0x51, 0xf5,
    ],
];

/// The curve's coefficient b.
pub(super) const B: [u8; 32] = [
    0x5a, 0xc6, 0x35, 0xd8, 0xaa, 0x3a, 0x93, 0xe7, 0xb3, 0xeb, 0xbd, 0x55, 0x76, 0x98, 0x86, 0xbc,
    0x65, 0x1d, 0x06, 0xb0, 0xcc, 0x53, 0xb0, 0xf6, 0x3b, 0xce, 0x3c, 0x3e, 0x27, 0xd2, 0x60, 0x4b,
];

impl<L: Lanes> Affine<L> {
    /// The base point in every lane.
    #[inline(always)]
    pub(in crate::multibuffer) fn base(l: L) -> Self {
        let [x, y] = G.map(|bytes| Element::from_bytes(l, &[bytes; MAX_LANES]));
        Self { x, y }
    }

    /// The points with these big-endian coordinates, and where there are such points: the
    /// coordinates below p, and the equation true. Elsewhere, the base point.
    #[inline(always)]
    pub(in crate::multibuffer) fn from_bytes(
        l: L,
        [x, y]: &[[[u8; 32]; MAX_LANES]; 2],
    ) -> (Self, <L::Word as Word>::Mask) {
        let prime = Integer::splat(l, P256::PRIME);
        let [x, y] = [x, y].map(|bytes| Integer::from_bytes(l, bytes));
        let canonical = x.less(prime).and(y.less(prime));
        let [x, y] = [x, y].map(Element::from_integer);
        let valid = canonical.and(Self { x, y }.is_on_curve(l));
        let base = Self::base(l);
        (Self { x: x.select(valid, base.x), y: y.select(valid, base.y) }, valid)
    }

    /// The uncompressed points (SEC 1, section 2.3.3), lane by lane.
    pub(in crate::multibuffer) fn to_uncompressed(self, l: L) -> [[u8; 65]; MAX_LANES] {
        let [x, y] = l.run(
            #[inline(always)]
            || [self.x, self.y].map(Element::to_bytes),
        );
        std::array::from_fn(|lane| {
            let mut point = [4; 65];
            point[1..33].copy_from_slice(&x[lane]);
            point[33..].copy_from_slice(&y[lane]);
            point
        })
    }

    /// Where y² = x³ - 3 x + b.
    #[inline(always)]
    fn is_on_curve(self, l: L) -> <L::Word as Word>::Mask {
        let one = Element::one(l);
        let three = one.loose().shl::<1, 4>().plus::<2, 6>(one.loose());
        let b: Coordinate<L> = Element::from_bytes(l, &[B; MAX_LANES]);
        let slope = self.x.sqr_loose().minus::<6, 10>(three).fold();
        let right = slope.mul_loose(self.x).plus::<2, 6>(b.loose()).fold();
        self.y.sqr().equals(right)
    }

    /// Its opposite where `mask` is set.
    #[inline(always)]
    pub(super) fn negate_where(self, l: L, mask: <L::Word as Word>::Mask) -> Self {
        Self { x: self.x, y: negate_where(l, self.y, mask) }
    }

    /// As a point with Z = 1.
    #[inline(always)]
    pub(super) fn point(self, l: L) -> Point<L> {
        Point { x: self.x, y: self.y, z: Element::one(l) }
    }
}

#[inline(always)]
fn negate_where<L: Lanes>(l: L, y: Coordinate<L>, mask: <L::Word as Word>::Mask) -> Coordinate<L> {
    let zero: Coordinate<L> = Element::zero(l);
    zero.loose().minus::<2, 4>(y.loose()).fold().select(mask, y)
}

impl<L: Lanes> Point<L> {
    /// Twice the point: 8 products (dbl-2001-b of the Explicit-Formulas Database, with 2 Y Z instead of
    /// (Y + Z)² - Y² - Z²).
    ///
    /// Right for every point of odd order: it is wrong only where Y = 0.
    #[inline(always)]
    pub(super) fn double(self) -> Self {
        let delta = self.z.sqr();
        let gamma = self.y.sqr();
        let beta = self.x.mul_loose(gamma);
        let slope = self.x.sub::<2, 4>(delta).mul_loose(self.x.add::<2, 4>(delta));
        let alpha = slope.shl::<1, 8>().plus::<4, 12>(slope).fold();
        let beta4 = beta.shl::<2, 16>();
        let x = alpha.sqr_loose().minus::<32, 36>(beta4.shl::<1, 32>()).fold();
        let difference = beta4.minus::<2, 18>(x.loose()).fold();
        let y = alpha.mul_sub_8_sqr(difference, gamma).fold();
        let z = self.y.mul_loose(self.z).shl::<1, 8>().fold();
        Self { x, y, z }
    }

    /// The sum with an affine point: 11 products (the classical formulas of Jacobian coordinates).
    ///
    /// Wrong where the points are equal or opposite: there H = 0, and the sum comes out with Z = 0.
    #[inline(always)]
    pub(super) fn add_affine(self, other: Affine<L>) -> Self {
        let zz = self.z.sqr();
        let h = other.x.mul_loose(zz).minus::<2, 6>(self.x.loose()).fold();
        let zzz = self.z.mul(zz);
        let r = other.y.mul_loose(zzz).minus::<2, 6>(self.y.loose()).fold();
        let (x, y) = sum_of(self.x, self.y, h, r);
        Self { x, y, z: self.z.mul(h) }
    }

    /// The sum with another point: 16 products.
    ///
    /// Wrong where [`add_affine`](Self::add_affine) is.
    #[inline(always)]
    pub(super) fn add(self, other: Self) -> Self {
        let (zz, other_zz) = (self.z.sqr(), other.z.sqr());
        let u = self.x.mul(other_zz);
        let h = other.x.mul_loose(zz).minus::<2, 6>(u.loose()).fold();
        let s = self.y.mul(other.z.mul(other_zz));
        let r = other.y.mul_loose(self.z.mul(zz)).minus::<2, 6>(s.loose()).fold();
        let (x, y) = sum_of(u, s, h, r);
        Self { x, y, z: self.z.mul(other.z).mul(h) }
    }

    /// The affine point, by an inversion in constant time.
    pub(in crate::multibuffer) fn to_affine(self, l: L) -> Affine<L> {
        let inverse = self.z.invert_secret();
        l.run(
            #[inline(always)]
            || {
                let square = inverse.sqr();
                Affine { x: self.x.mul(square), y: self.y.mul(square.mul(inverse)) }
            },
        )
    }

    /// Its opposite where `mask` is set.
    #[inline(always)]
    pub(super) fn negate_where(self, l: L, mask: <L::Word as Word>::Mask) -> Self {
        Self { y: negate_where(l, self.y, mask), ..self }
    }

    /// `self` where `mask` is set, `other` elsewhere.
    #[inline(always)]
    pub(super) fn select(self, mask: <L::Word as Word>::Mask, other: Self) -> Self {
        Self {
            x: self.x.select(mask, other.x),
            y: self.y.select(mask, other.y),
            z: self.z.select(mask, other.z),
        }
    }
}

/// X and Y of a sum, where U and S are the first point's coordinates over the common denominator, and
/// H and R what must be added for those of the second.
#[inline(always)]
fn sum_of<L: Lanes>(
    u: Coordinate<L>,
    s: Coordinate<L>,
    h: Coordinate<L>,
    r: Coordinate<L>,
) -> (Coordinate<L>, Coordinate<L>) {
    let hh = h.sqr();
    let hhh = h.mul(hh);
    let v = u.mul_loose(hh);
    let twice_v = v.shl::<1, 8>();
    let x = r.sqr_loose().minus::<2, 6>(hhh.loose()).minus::<8, 14>(twice_v).fold();
    let difference = v.minus::<2, 6>(x.loose()).fold();
    let y = r.mul_sub_mul(difference, (s, hhh)).fold();
    (x, y)
}
