//! Multiples of any point.

use super::digits::{Digits, WINDOW, WINDOWS};
use crate::curve::p256::{Affine, Jacobian};
use crate::field::Integer;
use crate::lanes::{Lanes, Word};

/// Entries of the table: the odd multiples 1, 3, ... 31.
const ENTRIES: usize = 16;

/// `scalar` times `point`, for scalars in 1..n.
pub(crate) fn multiple<L: Lanes>(l: L, scalar: Integer<L>, point: Affine<L>) -> Jacobian<L> {
    let table = table(l, point);
    l.run(
        #[inline(always)]
        || {
            let mut digits = Digits::new(l, scalar);
            let mut sum = Jacobian::from_affine(l, point);
            for i in (0..WINDOWS).rev() {
                for _ in 0..WINDOW {
                    sum = sum.double();
                }
                let digit = digits.get(i);
                let entry = pick(l, &table, digit.index);
                sum = sum.add_jacobian(entry.negated_where(digit.negative));
            }
            let multiple = sum.negated_where(digits.negated());
            digits.zeroize();
            multiple
        },
    )
}

/// The odd multiples of `point`; public, like it.
fn table<L: Lanes>(l: L, point: Affine<L>) -> [Jacobian<L>; ENTRIES] {
    l.run(
        #[inline(always)]
        || {
            let mut table = [Jacobian::from_affine(l, point); ENTRIES];
            let twice = table[0].double();
            for i in 1..ENTRIES {
                table[i] = table[i - 1].add_jacobian(twice);
            }
            table
        },
    )
}

/// Entry `index % 16` of each lane's own table, found by reading all of them.
#[inline(always)]
fn pick<L: Lanes>(l: L, table: &[Jacobian<L>; ENTRIES], index: L::Word) -> Jacobian<L> {
    let index = index.and(l.splat(15));
    let mut picked = table[0];
    for (entry, position) in table.iter().zip(0..).skip(1) {
        picked = entry.select(index.equals(l.splat(position)), picked);
    }
    picked
}
