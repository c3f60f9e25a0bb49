//! What multiplication by secrets asks of points, beyond what verification does.
//!
//! # Why incomplete formulas
//! Complete ones (Renes, Costello and Batina, <https://eprint.iacr.org/2015/1060>, algorithm 5) take
//! 13 products for the addition of an affine point, and these take 11. The parent module proves that
//! what they can't add is never added.
//!
//! # Bounds
//! The compiler checks them: coordinates are below 2 p by their type, and sums have their bound in
//! the type.

use crate::curve::p256::{Affine, Coordinate, Jacobian};
use crate::field::{Element, Integer};
use crate::lanes::{Lanes, MAX_LANES, Word};

impl<L: Lanes> Affine<L> {
    /// The points with these big-endian coordinates, and where there are such points: the
    /// coordinates below p, and the equation true. Elsewhere, the base point.
    #[inline(always)]
    pub(crate) fn from_bytes(
        l: L,
        coordinates: &[[[u8; 32]; MAX_LANES]; 2],
    ) -> (Self, <L::Word as Word>::Mask) {
        let [x, y] = coordinates;
        let coordinates = [Integer::from_bytes(l, x), Integer::from_bytes(l, y)];
        let (point, valid) = Self::from_integers(l, coordinates);
        let base = Self::base(l);
        (Self { x: point.x.select(valid, base.x), y: point.y.select(valid, base.y) }, valid)
    }

    /// The uncompressed points (SEC 1, section 2.3.3), lane by lane.
    pub(crate) fn to_uncompressed(self, l: L) -> [[u8; 65]; MAX_LANES] {
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
}

impl<L: Lanes> Jacobian<L> {
    /// The sum with another point (12M + 4S). Where the two are the same point or opposite ones, the
    /// result has Z = 0.
    ///
    /// U = X1 Z2^2, S = Y1 Z2^3, H = X2 Z1^2 - U, r = Y2 Z1^3 - S, V = U H^2;
    /// X3 = r^2 - H^3 - 2 V, Y3 = r (V - X3) - S H^3, Z3 = Z1 Z2 H.
    #[inline(always)]
    pub(super) fn add_jacobian(self, other: Self) -> Self {
        let (zz, other_zz) = (self.z.sqr(), other.z.sqr());
        let u = self.x.mul(other_zz);
        let h = other.x.mul_loose(zz).minus::<_, 6>(u.loose()).fold();
        let s = self.y.mul(other.z.mul(other_zz));
        let r = other.y.mul_loose(self.z.mul(zz)).minus::<_, 6>(s.loose()).fold();
        let hh = h.sqr();
        let hhh = h.mul(hh);
        let v = u.mul(hh);
        let x = r.sqr_loose().minus::<_, 6>(hhh.loose());
        let x = x.minus::<_, 10>(v.loose().shl::<1, 4>()).fold();
        let y = r.mul_sub_mul(v.sub::<_, 4>(x), (s, hhh)).fold();
        Self { x, y, z: self.z.mul(other.z).mul(h) }
    }

    /// The opposite point where `mask` is set.
    #[inline(always)]
    pub(super) fn negated_where(self, mask: <L::Word as Word>::Mask) -> Self {
        let negative: Coordinate<L> = self.y.neg::<3>().loose().fold();
        Self { y: negative.select(mask, self.y), ..self }
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

    /// The affine point of a secret one, in constant time.
    pub(crate) fn to_affine_secret(self, l: L) -> Affine<L> {
        let inverse = self.z.invert_secret();
        l.run(
            #[inline(always)]
            || self.to_affine(inverse),
        )
    }
}
