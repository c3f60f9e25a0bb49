//! Multiples of the Edwards curve's base point, computed once, when the first key is generated.
//!
//! Computed rather than written down: 50 KB of constants would have to be believed. A test computes
//! every entry again from the curve's definition with big integers.

use std::sync::LazyLock;

use super::edwards25519::{Addend, Point, TWO_D, add, double};
use crate::field::f25519::{Fe, Field};
use crate::lanes::{Lanes, Single, Word};

/// The multiples 1, 3, ... 31 of one point. For each of y + x, y - x and 2dxy and each limb of these,
/// 16 values, as [`Word::pick`] wants them.
#[repr(align(64))]
pub(super) struct Window(pub(super) [[[u64; 16]; 5]; 3]);

/// What [`super::edwards25519::base_multiple`] looks up.
pub(super) struct Table {
    /// Window `i` is of 4 * 1024^i times the base point.
    pub(super) windows: [Window; WINDOWS],
    /// X, Y, Z and T of (2^255 - 1) / 8 times the base point (the division is modulo its order): 32
    /// times that is what the digits of a scalar fall short by.
    pub(super) start: [[u64; 5]; 4],
}

pub(super) const WINDOWS: usize = 26;

/// The base point, RFC 8032, section 5.1.
pub(super) const BASE: [[u64; 5]; 2] = [
    [0x62d608f25d51a, 0x609525a7b2c95, 0xdd6dc5c692cc7, 0x53fec0a4e231f, 0x216936d3cd6e],
    [0x6666666666658, 0x6666666666666, 0x6666666666666, 0x6666666666666, 0x666666666666],
];

/// (2^255 - 1) / 8 modulo the order of the base point, little-endian.
pub(super) const START: [u64; 4] =
    [0x9ef9_1ad6_1d23_d087, 0xf82c_624c_82e3_252f, 0xffff_ffff_ffff_ffff, 0x09ff_ffff_ffff_ffff];

/// Nothing in it is secret.
pub(super) static TABLE: LazyLock<Table> = LazyLock::new(build);

type One = <Single as Lanes>::Word;
const FIELD: Field<Single> = Field(Single);

fn build() -> Table {
    let base = base();
    let mut point = double(FIELD, double(FIELD, base));
    let mut multiples = Vec::with_capacity(WINDOWS * 16);
    for _ in 0..WINDOWS {
        let twice = double(FIELD, point);
        let mut multiple = point;
        for _ in 0..16 {
            multiples.push(multiple);
            multiple = sum(multiple, twice);
        }
        point = (0..10).fold(point, |point, _| double(FIELD, point));
    }
    let mut affine = affine(&multiples).into_iter();
    let windows = std::array::from_fn(|_| window(affine.by_ref().take(16)));
    let start = multiple(START, base);
    Table { windows, start: [start.x, start.y, start.z, start.t].map(Fe::lane_0) }
}

fn base() -> Point<One> {
    let [x, y] = BASE.map(|limbs| FIELD.splat(limbs));
    Point { x, y, z: FIELD.small(1), t: FIELD.mul(x, y) }
}

fn sum(a: Point<One>, b: Point<One>) -> Point<One> {
    let addend = Addend {
        plus: FIELD.add(b.y, b.x),
        minus: FIELD.sub(b.y, b.x),
        product: FIELD.mul(b.t, FIELD.splat(TWO_D)),
    };
    let never = Single.splat(0).less(Single.splat(0));
    add(FIELD, a, addend, FIELD.mul(a.z, b.z), never)
}

/// `scalar` times `point`, bit by bit from the top; `scalar` is public.
fn multiple(scalar: [u64; 4], point: Point<One>) -> Point<One> {
    let (zero, one) = (FIELD.small(0), FIELD.small(1));
    let mut result = Point { x: zero, y: one, z: one, t: zero };
    for bit in (0..256).rev() {
        result = double(FIELD, result);
        if scalar[bit / 64] >> (bit % 64) & 1 == 1 {
            result = sum(result, point);
        }
    }
    result
}

/// x and y of each point, by one inversion: of the product of all Z, from which each is parted.
fn affine(points: &[Point<One>]) -> Vec<[Fe<One>; 2]> {
    let mut product = FIELD.small(1);
    let before = points.iter().map(|point| {
        let before = product;
        product = FIELD.mul(product, point.z);
        before
    });
    let before: Vec<_> = before.collect();
    let [mut inverse] = FIELD.invert([product]);
    let parted = points.iter().zip(before).rev().map(|(point, before)| {
        let z_inverse = FIELD.mul(inverse, before);
        inverse = FIELD.mul(inverse, point.z);
        [FIELD.mul(point.x, z_inverse), FIELD.mul(point.y, z_inverse)]
    });
    let mut affine: Vec<_> = parted.collect();
    affine.reverse();
    affine
}

fn window(points: impl Iterator<Item = [Fe<One>; 2]>) -> Window {
    let mut window = Window([[[0; 16]; 5]; 3]);
    let one = FIELD.small(1);
    for (index, [x, y]) in points.enumerate() {
        let values = [
            FIELD.mul(FIELD.add(y, x), one),
            FIELD.mul(FIELD.sub(y, x), one),
            FIELD.mul(FIELD.mul(x, y), FIELD.splat(TWO_D)),
        ];
        for (table, value) in window.0.iter_mut().zip(values) {
            for (table, limb) in table.iter_mut().zip(value.lane_0()) {
                table[index] = limb;
            }
        }
    }
    window
}
