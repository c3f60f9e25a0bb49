//! Which bytes are a scalar.

use crate::field::{Integer, Modulus, N256};
use crate::lanes::{MAX_LANES, Mask, Single};
use crate::reveal;

/// Whether big-endian `bytes` are in 1..n. Takes the same time for all, and reveals nothing but that.
pub(crate) fn is_scalar(bytes: &[u8; 32]) -> bool {
    let integer = Integer::from_bytes(Single, &[*bytes; MAX_LANES]);
    let below = integer.less(Integer::splat(Single, N256::PRIME));
    reveal(below.and(integer.is_zero().not()).bits() == 1)
}
