//! P-256 (SP 800-186): y^2 = x^3 - 3x + b over the integers modulo p, of prime order n.
//!
//! # Exceptional cases, and why none goes unnoticed
//! A doubling gives Z3 = 2 Y Z, an addition of an affine point Z3 = Z H, where H is zero exactly if the
//! two points have the same x. So:
//!
//! - Doubling a point other than infinity is never exceptional: the order is an odd prime, no point
//!   has y = 0, and Z3 is not zero.
//! - Adding T to P, neither at infinity, is exceptional exactly if P = T or P = -T. Then H = 0 and Z3 = 0.
//! - Once Z is zero, every later Z is, for it is a factor of them.
//!
//! So a sum whose last Z is not zero never met an exceptional case and is right; a sum whose last Z is
//! zero met one, or is infinity. Who needs a verdict then asks other code. No table holds infinity:
//! digits are odd, and never zero.
//!
//! # What is secret
//! Nothing here: tables are addressed by digits of public scalars.

mod comb;
mod point;
#[cfg(test)]
pub(crate) mod reference;
mod sum;
mod table;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use comb::{COMB_OFFSET, Comb, CombDigits};
pub(crate) use point::{Affine, Jacobian};
#[cfg(test)]
pub(crate) use point::{B, G};
pub(crate) use sum::{sum_by_combs, sum_by_windows};
use table::Entry;
pub(crate) use window::{Odd, WINDOW_OFFSET, WindowDigits};

use super::super::field::{Element, P256};

/// A coordinate, below `K` times p.
pub(crate) type Coordinate<L, const K: u32 = 2> = Element<L, P256, K>;
