//! Verification of signatures by keys that are seen for the first time.

use super::{Verdict, Verification};
use crate::curve::p256::{
    Affine, COMB_OFFSET, Comb, CombDigits, Coordinate, Jacobian, Odd, WINDOW_OFFSET, WindowDigits,
    sum_by_combs, sum_by_windows,
};
use crate::field::{Element, Integer, Modulus, N256, P256};
use crate::lanes::{Lanes, MAX_LANES, Mask, Word};

/// One verdict a lane, by keys that nothing is known of. Lanes beyond the jobs repeat the first one.
///
/// # Panics
/// If there are no jobs, or more than lanes.
pub(super) fn by_new_keys<L: Lanes>(l: L, jobs: &[Verification]) -> [Verdict; MAX_LANES] {
    let jobs = fill::<L, _>(jobs);
    let (key, on_curve) = l.run(
        #[inline(always)]
        || points(l, jobs.map(|job| &job.key)),
    );
    let signature = Signature::new(l, jobs);
    let [base, multiple] = signature.scalars::<COMB_OFFSET, WINDOW_OFFSET>(l);
    let (base, digits) = l.run(
        #[inline(always)]
        || (CombDigits::new(l, base), WindowDigits::new(l, multiple)),
    );
    let sum = sum_by_windows(l, &base, (&digits, &Odd::new(l, key)));
    signature.verdicts(l, sum, on_curve.bits())
}

/// One verdict a lane, by keys whose tables are given. Lanes beyond the jobs repeat the first one.
///
/// # Panics
/// If there are no jobs, or more than lanes.
pub(super) fn by_known_keys<L: Lanes>(
    l: L,
    jobs: &[(&Verification, &Comb)],
) -> [Verdict; MAX_LANES] {
    let jobs = fill::<L, _>(jobs);
    let signature = Signature::new(l, jobs.map(|&(job, _)| job));
    let [base, multiple] = signature.scalars::<COMB_OFFSET, COMB_OFFSET>(l);
    let (base, digits) = l.run(
        #[inline(always)]
        || (CombDigits::new(l, base), CombDigits::new(l, multiple)),
    );
    let sum = sum_by_combs(l, &base, (&digits, &jobs.map(|&(_, comb)| comb)));
    signature.verdicts(l, sum, u8::MAX)
}

/// The tables of up to as many `keys` as there are lanes; nothing where a key is no point of the curve.
///
/// # Panics
/// If there are no keys, or more than lanes.
pub(super) fn tables<L: Lanes>(l: L, keys: &[[u8; 64]]) -> Vec<Option<Box<Comb>>> {
    let filled = fill::<L, _>(keys);
    let (points, on_curve) = l.run(
        #[inline(always)]
        || points(l, filled),
    );
    let on_curve = on_curve.bits();
    let combs = Comb::build(l, points, keys.len()).into_iter().enumerate();
    combs.map(|(lane, comb)| comb.filter(|_| on_curve >> lane & 1 == 1)).collect()
}

/// A reference a lane: to each of `items`, then to the first one.
fn fill<L: Lanes, T>(items: &[T]) -> [&T; MAX_LANES] {
    assert!((1..=L::LANES).contains(&items.len()), "{} jobs in {} lanes", items.len(), L::LANES);
    std::array::from_fn(|lane| items.get(lane).unwrap_or(&items[0]))
}

/// The points of keys, and where they are points of the curve.
#[inline(always)]
fn points<L: Lanes>(l: L, keys: [&[u8; 64]; MAX_LANES]) -> (Affine<L>, <L::Word as Word>::Mask) {
    let half = |of: usize| Integer::from_bytes(l, &keys.map(|key| key.as_chunks().0[of]));
    Affine::from_integers(l, [half(0), half(1)])
}

/// What is left of the jobs when the keys are gone.
#[derive(Clone, Copy)]
struct Signature<L: Lanes> {
    digest: Element<L, N256>,
    r: Integer<L>,
    s: Element<L, N256>,
    /// A bit for each lane where r and s are in 1..n.
    in_range: u8,
}

impl<L: Lanes> Signature<L> {
    fn new(l: L, jobs: [&Verification; MAX_LANES]) -> Self {
        l.run(
            #[inline(always)]
            || {
                let digest = Element::from_bytes(l, &jobs.map(|job| job.digest));
                let r = Integer::from_bytes(l, &jobs.map(|job| job.r));
                let s = Integer::from_bytes(l, &jobs.map(|job| job.s));
                let n = Integer::splat(l, N256::PRIME);
                let below = r.less(n).and(s.less(n));
                let in_range = below.and(r.is_zero().or(s.is_zero()).not()).bits();
                Self { digest, r, s: Element::from_integer(s), in_range }
            },
        )
    }

    /// k' = k / 2 + 2^offset - 1 / 2 modulo n for k = digest / s and k = r / s, with the offsets `BASE`
    /// and `KEY` of what makes digits of them.
    fn scalars<const BASE: i32, const KEY: i32>(self, l: L) -> [Integer<L>; 2] {
        let inverse = self.s.invert_public();
        l.run(
            #[inline(always)]
            || {
                let half = inverse.mul(Element::<L, N256>::power_of_two::<-1>(l));
                let base = signed::<L, BASE>(l, self.digest.mul(half));
                [base, signed::<L, KEY>(l, Element::from_integer(self.r).mul(half))]
            },
        )
    }

    /// Whether the x coordinate of `sum`, modulo n, is r: X / Z^2 = r or r + n, as far as below p.
    ///
    /// `keys` has a bit for each lane whose key is a point of the curve.
    fn verdicts(self, l: L, sum: Jacobian<L>, keys: u8) -> [Verdict; MAX_LANES] {
        let (equal, infinite) = l.run(
            #[inline(always)]
            || {
                let square = sum.z.sqr();
                let r = Coordinate::from_integer(self.r);
                let n = Coordinate::from_integer(Integer::splat(l, N256::PRIME));
                // r + n < p is r < p - n
                let n_to_p =
                    Integer::splat(l, P256::PRIME).sub_once(Integer::splat(l, N256::PRIME));
                let wraps = self.r.less(n_to_p);
                let again: Coordinate<L, 4> = r.add(n);
                let same = r.mul(square).equals(sum.x);
                let same_again = again.mul(square).equals(sum.x).and(wraps);
                (same.or(same_again), sum.z.is_zero())
            },
        );
        let acceptable = keys & self.in_range;
        let (equal, infinite) = (equal.bits(), infinite.bits());
        std::array::from_fn(|lane| {
            match [acceptable, infinite, equal].map(|b| b >> lane & 1 == 1) {
                [false, _, _] => Verdict::Invalid,
                [true, true, _] => Verdict::Undecided,
                [true, false, true] => Verdict::Valid,
                [true, false, false] => Verdict::Invalid,
            }
        })
    }
}

/// k / 2 + 2^`OFFSET` - 1 / 2 modulo n, from k / 2.
#[inline(always)]
fn signed<L: Lanes, const OFFSET: i32>(l: L, half: Element<L, N256>) -> Integer<L> {
    let offset: Element<L, N256, 4> = half.add(Element::<L, N256>::power_of_two::<OFFSET>(l));
    let signed: Element<L, N256, 6> = offset.sub(Element::<L, N256>::power_of_two::<-1>(l));
    signed.to_integer()
}
