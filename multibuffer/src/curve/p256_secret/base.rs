//! Multiples of the base point.
//!
//! The table is computed, not written down: 64 KB of constants would have to be believed. A test
//! recomputes every entry with big integers.

use std::sync::LazyLock;

use super::digits::{Digit, Digits, WINDOW, WINDOWS};
use crate::curve::p256::{Affine, Jacobian};
use crate::field::{Element, Integer, LIMBS, P256};
use crate::lanes::{Lanes, Single, Word};

/// Entries of a window: its odd multiples 1, 3, ... 31.
pub(super) const ENTRIES: usize = 16;

/// For each of x and y and each limb of it, the entries' 16 values, as [`Word::pick`] wants them.
#[repr(align(64))]
pub(super) struct Window(pub(super) [[[u64; ENTRIES]; LIMBS]; 2]);

/// What [`base_multiple`] looks up. Coordinates are in Montgomery form, below 2 p.
pub(super) struct Table {
    /// Window i has the odd multiples of 32^i G.
    pub(super) windows: Vec<Window>,
    /// x and y of 2^255 G.
    pub(super) start: [[u64; LIMBS]; 2],
}

/// Nothing in it is secret. Made in about two milliseconds by the first batch.
pub(super) static TABLE: LazyLock<Table> = LazyLock::new(build);

/// `scalar` times the base point, for scalars in 1..n.
pub(crate) fn base_multiple<L: Lanes>(l: L, scalar: Integer<L>) -> Jacobian<L> {
    let table = &*TABLE;
    l.run(
        #[inline(always)]
        || {
            let mut digits = Digits::new(l, scalar);
            let [x, y] = table.start.map(|limbs| splat(l, limbs));
            let mut sum = Jacobian::from_affine(l, Affine { x, y });
            for (i, window) in table.windows.iter().enumerate().rev() {
                sum = sum.add(window.get(l, digits.get(i)));
            }
            let multiple = sum.negated_where(digits.negated());
            digits.zeroize();
            multiple
        },
    )
}

#[inline(always)]
fn splat<L: Lanes>(l: L, limbs: [u64; LIMBS]) -> Element<L, P256> {
    Element::from_limbs(l, limbs.map(|limb| l.splat(limb)))
}

impl Window {
    /// The multiple that `digit` stands for, its sign included.
    #[inline(always)]
    fn get<L: Lanes>(&self, l: L, digit: Digit<L>) -> Affine<L> {
        let coordinate = |table: &[[u64; ENTRIES]; LIMBS]| {
            Element::from_limbs(l, std::array::from_fn(|i| digit.index.pick(&table[i])))
        };
        let [x, y] = &self.0;
        Affine { x: coordinate(x), y: coordinate(y) }.negated_where(digit.negative)
    }
}

fn build() -> Table {
    let mut point = Jacobian::from_affine(Single, Affine::base(Single));
    let mut multiples = Vec::with_capacity(WINDOWS * ENTRIES + 1);
    for _ in 0..WINDOWS {
        let twice = point.double();
        // the last of these is 31 points + 2 points, so none is of two equal ones
        multiples.extend(
            std::iter::successors(Some(point), |odd| Some(odd.add_jacobian(twice))).take(ENTRIES),
        );
        point = (0..WINDOW).fold(point, |point, _| point.double());
    }
    multiples.push(point);
    let affine = affine(&multiples);
    let (windows, start) = affine.split_at(WINDOWS * ENTRIES);
    Table { windows: windows.chunks_exact(ENTRIES).map(window).collect(), start: start[0] }
}

/// x and y of each point, by one inversion: of the product of all Z, from which each is parted.
fn affine(points: &[Jacobian<Single>]) -> Vec<[[u64; LIMBS]; 2]> {
    let mut product = Element::one(Single);
    let before = points.iter().map(|point| {
        let before = product;
        product = product.mul(point.z);
        before
    });
    let before: Vec<_> = before.collect();
    let mut inverse = product.invert_public();
    let parted = points.iter().zip(before).rev().map(|(point, before)| {
        let z = inverse.mul(before);
        inverse = inverse.mul(point.z);
        let zz = z.sqr();
        [point.x.mul(zz), point.y.mul(zz.mul(z))]
            .map(|coordinate| coordinate.limbs().map(|limb| limb.store()[0]))
    });
    let mut affine: Vec<_> = parted.collect();
    affine.reverse();
    affine
}

fn window(points: &[[[u64; LIMBS]; 2]]) -> Window {
    Window(std::array::from_fn(|coordinate| {
        std::array::from_fn(|limb| std::array::from_fn(|entry| points[entry][coordinate][limb]))
    }))
}
