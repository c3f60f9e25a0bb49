//! Points and their formulas. Each formula says what must not be put in.

use super::Coordinate;
use crate::field::{Integer, Modulus, P256};
use crate::lanes::{Lanes, MAX_LANES, Mask, Word};

/// b of the curve's equation, big-endian.
pub(crate) const B: [u8; 32] = [
    0x5a, 0xc6, 0x35, 0xd8, 0xaa, 0x3a, 0x93, 0xe7, 0xb3, 0xeb, 0xbd, 0x55, 0x76, 0x98, 0x86, 0xbc,
    0x65, 0x1d, 0x06, 0xb0, 0xcc, 0x53, 0xb0, 0xf6, 0x3b, 0xce, 0x3c, 0x3e, 0x27, 0xd2, 0x60, 0x4b,
];

/// The base point G, x then y, big-endian.
pub(crate) const G: [[u8; 32]; 2] = [
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

/// A point other than infinity: (x, y).
#[derive(Clone, Copy)]
pub(crate) struct Affine<L: Lanes> {
    /// x, in Montgomery form.
    pub(crate) x: Coordinate<L>,
    /// y, in Montgomery form.
    pub(crate) y: Coordinate<L>,
}

impl<L: Lanes> Affine<L> {
    /// The base point G in every lane.
    #[inline(always)]
    pub(crate) fn base(l: L) -> Self {
        let [x, y] = G.map(|bytes| Coordinate::from_bytes(l, &[bytes; MAX_LANES]));
        Self { x, y }
    }

    /// The points with the given big-endian coordinates, and where that is a point of the curve:
    /// both coordinates below p, and the equation holds. Infinity has no such form.
    #[inline(always)]
    pub(crate) fn from_integers(l: L, [x, y]: [Integer<L>; 2]) -> (Self, <L::Word as Word>::Mask) {
        let p = Integer::splat(l, P256::PRIME);
        let in_range = x.less(p).and(y.less(p));
        let point = Self { x: Coordinate::from_integer(x), y: Coordinate::from_integer(y) };
        (point, in_range.and(point.is_on_curve(l)))
    }

    /// Where y^2 = x^3 - 3x + b = x (x^2 - 3) + b.
    #[inline(always)]
    fn is_on_curve(self, l: L) -> <L::Word as Word>::Mask {
        let one = Coordinate::<L>::one(l);
        let three: Coordinate<L, 6> = one.shl::<1, 4>().add(one);
        let factor: Coordinate<L, 8> = self.x.sqr().sub(three);
        let b = Coordinate::<L>::from_bytes(l, &[B; MAX_LANES]);
        let right: Coordinate<L, 4> = self.x.mul(factor).add(b);
        self.y.sqr().equals(right)
    }

    /// (x, -y), the opposite point.
    #[inline(always)]
    pub(super) fn negated(self) -> Self {
        Self { x: self.x, y: self.y.neg::<3>().loose().fold() }
    }

    /// [`negated`](Self::negated) where `mask` is set.
    #[inline(always)]
    pub(crate) fn negated_where(self, mask: <L::Word as Word>::Mask) -> Self {
        Self { x: self.x, y: self.negated().y.select(mask, self.y) }
    }
}

/// A point (X / Z^2, Y / Z^3), or infinity if Z is zero.
#[derive(Clone, Copy)]
pub(crate) struct Jacobian<L: Lanes> {
    /// X, in Montgomery form.
    pub(crate) x: Coordinate<L>,
    /// Y, in Montgomery form.
    pub(crate) y: Coordinate<L>,
    /// Z, in Montgomery form.
    pub(crate) z: Coordinate<L>,
}

impl<L: Lanes> Jacobian<L> {
    /// The same point, with Z = 1.
    #[inline(always)]
    pub(crate) fn from_affine(l: L, point: Affine<L>) -> Self {
        Self { x: point.x, y: point.y, z: Coordinate::one(l) }
    }

    /// 2^`times` times the point, as one unit of compilation. Infinity stays infinity.
    #[inline(always)]
    pub(crate) fn double_times(self, l: L, times: u32) -> Self {
        l.run(
            #[inline(always)]
            || {
                let mut point = self;
                for _ in 0..times {
                    point = point.double();
                }
                point
            },
        )
    }

    /// Twice the point (4M + 4S, seven reductions). Infinity stays infinity.
    ///
    /// alpha = 3 (X - Z^2) (X + Z^2), gamma = Y^2, beta = 4 X gamma;
    /// X3 = alpha^2 - 2 beta, Y3 = alpha (beta - X3) - 8 gamma^2, Z3 = 2 Y Z.
    #[inline(always)]
    pub(crate) fn double(self) -> Self {
        let delta = self.z.sqr();
        let gamma = self.y.sqr();
        let difference = self.x.loose().minus::<_, 4>(delta.loose());
        let triple = difference.shl::<1, 8>().plus::<_, 12>(difference).fold();
        let sum: Coordinate<L, 4> = self.x.add(delta);
        let alpha = triple.mul(sum);
        let beta = self.x.mul(gamma.shl::<2, 8>());
        let x = alpha.sqr_loose().minus::<_, 8>(beta.loose().shl::<1, 4>()).fold();
        let y = alpha.mul_sub_8_sqr(beta.sub::<_, 4>(x), gamma).fold();
        let z = self.y.mul_loose(self.z).shl::<1, 8>().fold();
        Self { x, y, z }
    }

    /// The sum with an affine point, as one unit of compilation.
    #[inline(always)]
    pub(crate) fn add_affine(self, l: L, other: Affine<L>) -> Self {
        l.run(
            #[inline(always)]
            || self.add(other),
        )
    }

    /// The sum with an affine point (8M + 3S, ten reductions). Where the two are the same point or
    /// opposite ones, or `self` is infinity, the result has Z = 0.
    ///
    /// H = x2 Z1^2 - X1, r = y2 Z1^3 - Y1, V = X1 H^2;
    /// X3 = r^2 - H^3 - 2 V, Y3 = r (V - X3) - Y1 H^3, Z3 = Z1 H.
    #[inline(always)]
    pub(crate) fn add(self, other: Affine<L>) -> Self {
        let zz = self.z.sqr();
        let h = other.x.mul_loose(zz).minus::<_, 6>(self.x.loose()).fold();
        let zzz = zz.mul(self.z);
        let r = other.y.mul_loose(zzz).minus::<_, 6>(self.y.loose()).fold();
        let hh = h.sqr();
        let hhh = h.mul(hh);
        let v = self.x.mul(hh);
        let x = r.sqr_loose().minus::<_, 6>(hhh.loose());
        let x = x.minus::<_, 10>(v.loose().shl::<1, 4>()).fold();
        let y = r.mul_sub_mul(v.sub::<_, 4>(x), (self.y, hhh)).fold();
        Self { x, y, z: self.z.mul(h) }
    }

    /// The affine point, given 1 / Z; (0, 0) for a zero.
    #[inline(always)]
    pub(crate) fn to_affine(self, inverse: Coordinate<L>) -> Affine<L> {
        let square = inverse.sqr();
        Affine { x: self.x.mul(square), y: self.y.mul(square.mul(inverse)) }
    }
}
