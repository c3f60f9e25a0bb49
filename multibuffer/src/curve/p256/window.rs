//! Multiplication of a point that is seen for the first time: odd multiples, and windows of five bits.

use super::{Affine, Coordinate, Entry, Jacobian};
use crate::field::Integer;
use crate::lanes::{Lanes, MAX_LANES, Word};

/// Bits of a window, and the distance between digits.
pub(super) const WIDTH: u32 = 5;

/// Entries of a table: the odd multiples 1, 3, ... 31.
const ENTRIES: usize = 1 << (WIDTH - 1);

/// Windows of a scalar of 256 bits, and a bit more.
const WINDOWS: usize = 52;

/// Digits for k are those of k' = k / 2 + 2^`WINDOW_OFFSET` - 1 / 2 modulo n.
pub(crate) const WINDOW_OFFSET: i32 = WIDTH as i32 * WINDOWS as i32 - 1;

/// The position of the highest digit, in doublings.
pub(super) const WINDOW_TOP: u32 = WIDTH * (WINDOWS as u32 - 1);

/// A scalar as signed odd digits, one a window of five bits.
///
/// The integer k' with bits c_i stands for the sum of (2 c_i - 1) 2^i over the 260 bits of all windows,
/// which is 2 k' - (2^260 - 1).
pub(crate) struct WindowDigits<L: Lanes>([L::Word; WINDOWS]);

impl<L: Lanes> WindowDigits<L> {
    /// The digits of `integer` < 2^256.
    #[inline(always)]
    pub(crate) fn new(l: L, integer: Integer<L>) -> Self {
        let mask = l.splat((1 << WIDTH) - 1);
        let [mut a, mut b, mut c, mut d] = integer.to_words();
        let mut digits = [mask; WINDOWS];
        for digit in &mut digits {
            *digit = a.and(mask);
            a = a.shr::<WIDTH>().or(b.shl::<{ 64 - WIDTH }>());
            b = b.shr::<WIDTH>().or(c.shl::<{ 64 - WIDTH }>());
            c = c.shr::<WIDTH>().or(d.shl::<{ 64 - WIDTH }>());
            d = d.shr::<WIDTH>();
        }
        Self(digits)
    }

    /// The highest digit.
    #[inline(always)]
    pub(super) fn top(&self) -> L::Word {
        self.0[WINDOWS - 1]
    }

    /// The digit whose lowest bit is at `position`, if one is.
    #[inline(always)]
    pub(super) fn at(&self, position: u32) -> Option<L::Word> {
        position.is_multiple_of(WIDTH).then(|| self.0[(position / WIDTH) as usize])
    }
}

/// The odd multiples of a point a lane.
pub(crate) struct Odd([[Entry; ENTRIES]; MAX_LANES]);

impl Odd {
    /// Of points of the curve. Of lanes with anything else, what comes out has no meaning.
    ///
    /// Never exceptional for points of the curve: sums are (2i - 1) Q + 2 Q, whose factors are neither
    /// equal nor opposite modulo the order of Q, which is n.
    #[inline(always)]
    pub(crate) fn new<L: Lanes>(l: L, point: Affine<L>) -> Self {
        let mut step = l.run(
            #[inline(always)]
            || Step::new(l, point),
        );
        let mut z = step.z;
        let mut sums = [step; ENTRIES];
        for sum in &mut sums[1..] {
            step = l.run(
                #[inline(always)]
                || step.next(),
            );
            z = z.sqr_times_mul(0, step.z);
            *sum = step;
        }
        let mut table = Self([[Entry::EMPTY; ENTRIES]; MAX_LANES]);
        let mut inverse = z.invert_public();
        for (position, sum) in sums.iter().enumerate().rev() {
            let (entries, rest) = l.run(
                #[inline(always)]
                || {
                    let [x, y] = sum.multiple;
                    let affine = Jacobian { x, y, z: inverse }.to_affine(inverse);
                    (Entry::from_affine(l, affine), inverse.mul(sum.z))
                },
            );
            inverse = rest;
            for (table, entry) in table.0.iter_mut().zip(entries) {
                table[position] = entry;
            }
        }
        table
    }

    /// In each lane, the multiple that `digit` names.
    #[inline(always)]
    pub(super) fn look_up<L: Lanes>(&self, l: L, digit: L::Word) -> Affine<L> {
        Entry::look_up(l, &self.0.each_ref(), digit)
    }
}

/// An odd multiple and 2 Q over the same Z, of which only the latest factor is kept: co-Z arithmetic
/// (Meloni 2007), where an addition is 5M + 2S.
#[derive(Clone, Copy)]
struct Step<L: Lanes> {
    twice: [Coordinate<L>; 2],
    multiple: [Coordinate<L>; 2],
    /// Z over that of the step before.
    z: Coordinate<L>,
}

impl<L: Lanes> Step<L> {
    /// Q and 2 Q over Z = 2 y: the tangent's slope M = 3 (x^2 - 1), S = 4 x y^2; 2 Q is
    /// (M^2 - 2 S, M (S - X) - 8 y^4), and Q is (S, 8 y^4).
    #[inline(always)]
    fn new(l: L, Affine { x, y }: Affine<L>) -> Self {
        let square = x.sqr().loose().minus::<_, 4>(Coordinate::<L>::one(l).loose());
        let m = square.shl::<1, 8>().plus::<_, 12>(square).fold();
        let yy = y.sqr();
        let s = x.mul(yy.shl::<2, 8>());
        let twice_x = m.sqr_loose().minus::<_, 8>(s.loose().shl::<1, 4>()).fold();
        let twice_y = m.mul_sub_8_sqr(s.sub::<_, 4>(twice_x), yy).fold();
        let scaled_y = yy.sqr_loose().shl::<3, 32>().fold();
        Self {
            twice: [twice_x, twice_y],
            multiple: [s, scaled_y],
            z: y.loose().shl::<1, 4>().fold(),
        }
    }

    /// The next odd multiple, and 2 Q over the new Z, which has grown by the factor D = X1 - X2:
    /// W1 = X1 D^2, W2 = X2 D^2, A = Y1 (W1 - W2), r = Y1 - Y2; the sum is
    /// (r^2 - W1 - W2, r (W1 - X) - A), and 2 Q is (W1, A).
    #[inline(always)]
    fn next(self) -> Self {
        let ([x1, y1], [x2, y2]) = (self.twice, self.multiple);
        let d = x1.loose().minus::<_, 4>(x2.loose()).fold();
        let r = y1.loose().minus::<_, 4>(y2.loose()).fold();
        let dd = d.sqr();
        let (w1, w2) = (x1.mul(dd), x2.mul(dd));
        let a = y1.mul(w1.sub::<_, 4>(w2));
        let x = r.sqr_loose().minus::<_, 6>(w1.loose()).minus::<_, 8>(w2.loose()).fold();
        let y = r.mul_loose(w1.sub::<_, 4>(x)).minus::<_, 6>(a.loose()).fold();
        Self { twice: [w1, a], multiple: [x, y], z: d }
    }
}
