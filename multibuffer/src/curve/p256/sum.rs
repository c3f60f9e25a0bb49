//! u1 G + u2 Q, the sum that verification needs, with doublings shared by both terms.

use std::sync::OnceLock;

use super::comb::{COMB_TOP, Comb, CombDigits};
use super::window::{Odd, WIDTH, WINDOW_TOP, WindowDigits};
use super::{Affine, Jacobian};
use crate::lanes::{Lanes, MAX_LANES, Single};

/// `base` times G plus `digits` times the point of `table`.
///
/// 255 doublings, 51 additions for the point and 32 for G. Z is zero where the sum is infinite or met an
/// exceptional case.
pub(crate) fn sum_by_windows<L: Lanes>(
    l: L,
    base: &CombDigits<L>,
    (digits, table): (&WindowDigits<L>, &Odd),
) -> Jacobian<L> {
    let combs = [base_comb(); MAX_LANES];
    let mut sum = l.run(
        #[inline(always)]
        || Jacobian::from_affine(l, table.look_up(l, digits.top())),
    );
    let mut position = WINDOW_TOP;
    while position > 0 {
        // from window to window in one go, down to where the columns of the base begin
        let step = if position > COMB_TOP + WIDTH { WIDTH } else { 1 };
        sum = sum.double_times(l, step);
        position -= step;
        if let Some(digit) = digits.at(position) {
            sum = l.run(
                #[inline(always)]
                || sum.add(table.look_up(l, digit)),
            );
        }
        sum = add_columns(l, sum, base, &combs, position);
    }
    sum
}

/// `base` times G plus `digits` times the point of `combs`, lane by lane.
///
/// 15 doublings, 31 additions for the point and 32 for G. Z is zero where the sum is infinite or met an
/// exceptional case.
pub(crate) fn sum_by_combs<L: Lanes>(
    l: L,
    base: &CombDigits<L>,
    (digits, combs): (&CombDigits<L>, &[&Comb; MAX_LANES]),
) -> Jacobian<L> {
    let base_combs = [base_comb(); MAX_LANES];
    let [first, second] = digits.top();
    let mut sum = l.run(
        #[inline(always)]
        || {
            Jacobian::from_affine(l, Comb::look_up(l, combs, 0, first))
                .add(Comb::look_up(l, combs, 1, second))
        },
    );
    sum = add_columns(l, sum, base, &base_combs, COMB_TOP);
    for position in (0..COMB_TOP).rev() {
        sum = sum.double_times(l, 1);
        sum = add_columns(l, sum, digits, combs, position);
        sum = add_columns(l, sum, base, &base_combs, position);
    }
    sum
}

/// `sum` plus the columns of `digits` at `position`.
fn add_columns<L: Lanes>(
    l: L,
    mut sum: Jacobian<L>,
    digits: &CombDigits<L>,
    combs: &[&Comb; MAX_LANES],
    position: u32,
) -> Jacobian<L> {
    for (block, digit) in digits.at(position).into_iter().flatten().enumerate() {
        sum = l.run(
            #[inline(always)]
            || sum.add(Comb::look_up(l, combs, block, digit)),
        );
    }
    sum
}

/// The tables of the base point, computed at the first call.
fn base_comb() -> &'static Comb {
    static BASE: OnceLock<Box<Comb>> = OnceLock::new();
    BASE.get_or_init(|| {
        let mut combs = Comb::build(Single, Affine::base(Single), 1);
        combs.pop().flatten().unwrap_or_else(|| unreachable!("the base point is on the curve"))
    })
}
