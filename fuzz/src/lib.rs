//! What the fuzz targets share: batches on every engine, and numbers worth trying.
//!
//! `cargo fuzz run TARGET` needs a nightly compiler, or `RUSTC_BOOTSTRAP=1`. A target that compares
//! with aws-lc-rs fails on the first difference; a target for what comes from outside, on a panic, or
//! when something is accepted that was not made so.

use arbitrary::{Arbitrary, Result, Unstructured};
use rustls_offload_multibuffer::Engine;

/// The eight-lane engine where the CPU has it, and the two that every CPU has.
pub fn engines() -> impl Iterator<Item = Engine> {
    Engine::eight_lanes().into_iter().chain([Engine::portable(), Engine::single()])
}

/// 32 bytes: any, or a number at which arithmetic modulo the primes of P-256 and Curve25519 turns over, with
/// a byte changed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub [u8; 32]);

/// p and n of P-256, big-endian; 2^255 - 19, little-endian; and numbers with long runs of equal bits.
const EDGES: [[u8; 32]; 7] = [
    hex(b"ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"),
    hex(b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
    hex(b"000000000000000000000000000000004319055358e8617b0c46353d039cdaae"),
    hex(b"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    hex(b"00000000000fffffffffffff0000000000000fffffffffffff00000000000000"),
    [0; 32],
    [0xff; 32],
];

const fn hex(digits: &[u8; 64]) -> [u8; 32] {
    const fn value(digit: u8) -> u8 {
        if digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 }
    }
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 32 {
        bytes[i] = value(digits[2 * i]) << 4 | value(digits[2 * i + 1]);
        i += 1;
    }
    bytes
}

impl<'a> Arbitrary<'a> for Number {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let edge = usize::from(u.arbitrary::<u8>()?);
        let Some(mut bytes) = EDGES.get(edge).copied() else {
            return u.arbitrary().map(Self);
        };
        let place = usize::from(u.arbitrary::<u8>()? % 32);
        bytes[place] = bytes[place].wrapping_add(u.arbitrary()?);
        Ok(Self(bytes))
    }
}
