//! Multiples of points of P-256 by **secret** scalars, in constant time.
//!
//! | function | of | work |
//! |---|---|---|
//! | [`base_multiple`] | the base point G | 51 additions of table entries |
//! | [`multiple`] | any point of the curve but infinity | 255 doublings, 51 additions, 16 for its table |
//!
//! A scalar k is in 1..n, where n is the (prime) order of the group. `digits` turns it into k mod n =
//! ±(2^255 + Σ d_i 32^i) with 51 digits d_i, all odd and of -31..=31: none is ever zero, so there is
//! nothing to skip, and no sum is ever infinity.
//!
//! # What is secret, and why no time depends on it
//! Scalars, their digits and the sums are. They go only through operations of
//! [`crate::lanes`], single instructions with no branch and no address that depends on what
//! a lane holds. Which additions and doublings are done, and in which order, is fixed. A table entry is found
//! by permuting registers ([`Word::pick`](crate::lanes::Word::pick)) where all lanes read
//! the same table, or by reading every entry and keeping one where each lane has its own.
//! A digit's sign is applied by computing both signs and keeping one.
//!
//! # Why the incomplete formulas are right
//! The addition formulas are wrong for a sum of two equal points, two opposite points, or infinity
//! (`point` says where). None of these ever happens, for any scalar in 1..n and any point P of order n,
//! which is every point but infinity, as the cofactor is 1.
//!
//! Both functions compute s ← 2^255 P, or s ← P with five doublings before each addition, then add d_i
//! 32^i P for i = 50, 49, ... 0. Let k' = 2^255 + Σ d_i 32^i be the odd one of k and n - k. Before the
//! addition at i, the sum is s P, and t P is added, where
//!
//! - in [`base_multiple`], s = 2^255 + Σ_{j>i} d_j 32^j is a multiple of 32^(i+1), and t = d_i 32^i;
//! - in [`multiple`], both are divided by 32^i. As 32 has an inverse modulo n, equality and
//!   opposition of the points mean the same, so what follows is proved with the undivided s and t.
//!
//! *Neither is infinity:* t = d_i 32^i with d_i odd, |d_i| < n, is not 0 modulo n. s is at least
//! 2^255 - 31 (32^(i+1) + ... + 32^50) = 2^255 - (32^51 - 32^(i+1)) = 32^(i+1), and at most
//! 2^255 + 32^51 - 32^(i+1) < 2^256 < 2 n. It is even and n is odd, so it is not n either.
//!
//! *They are neither equal nor opposite:* s - t and s + t both are odd multiples of 32^i. They are at least
//! 32^(i+1) - 31 * 32^i = 32^i > 0, and below 2^256 < 2 n. So they could be 0 modulo n only by being n.
//! - For i > 0 they are even and n is not.
//! - For i = 0, s + t = k' < n. And s - t = n means k' = n + 2 d_0, so d_0 < 0. The digit is read from
//!   bits 1..6 of k' (`digits`): d_0 = 2 ((k' >> 1) mod 32) - 31. As n mod 64 = 17, (k' >> 1) mod 32 =
//!   (8 + d_0) mod 32. If d_0 >= -8 then d_0 = 2 (8 + d_0) - 31, whose only solution is 15, which
//!   is not negative; if d_0 < -8 then d_0 = 2 (40 + d_0) - 31, whose only solution is -49, which is no
//!   digit. So s - t is not n.
//!
//! *Doublings* go wrong for no point, as no point has order 2. Making the table of [`multiple`] adds P,
//! 3 P, ... 29 P and 2 P: different and not opposite, as n is greater than 31 and odd.
//!
//! # What is wiped
//! The digits. The tables are public. Intermediate points are left to the caller, who wipes the stack.

mod any;
mod base;
mod digits;
mod point;
mod scalar;
#[cfg(test)]
mod tests;

pub(crate) use any::multiple;
pub(crate) use base::base_multiple;
pub(crate) use scalar::is_scalar;
