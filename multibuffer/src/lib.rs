//! Up to eight public-key operations at once, one in each lane of AVX-512 IFMA.
//!
//! A handshake's cost is its elliptic-curve arithmetic, and its own operations can't be made
//! parallel: each waits for the one before. Those of *different* handshakes can. This module
//! computes eight of a kind in about the time that scalar code takes for two.
//!
//! # Layers
//! | layer | holds | knows |
//! |---|---|---|
//! | `lanes` | words of eight lanes; the only unsafe code | instructions |
//! | `field` | elements modulo a prime, five limbs of 52 bits | one prime each |
//! | `curve` | points and scalar multiplication | one curve each |
//! | algorithms (`ecdsa`, `ecdh`, `x25519`) | bytes in, bytes out, batches of 1 to 8 | one standard each |
//!
//! `ARITHMETIC.md` says of every function what is secret, why its time does not depend on it, and what bounds its
//! limbs have.
//!
//! Every layer is written once, generic over `lanes::Lanes`; the engine picks the implementation.

mod curve;
pub mod ecdh;
pub mod ecdsa;
mod field;
mod lanes;
pub mod x25519;

use std::hint::black_box;

use lanes::{Portable, Single};

/// Bytes of stack that are wiped after a batch with secrets: more than one of optimized code uses.
const STACK: usize = 40 * 1024;

/// Makes public a bit that was computed from secrets, by a branch on it. Nothing else does; the check by
/// memcheck in `tests/constant-time` is told of this function.
#[inline(never)]
fn reveal(bit: bool) -> bool {
    if bit { black_box(true) } else { black_box(false) }
}

/// What runs a batch: an implementation of the lanes that this CPU has.
#[derive(Clone, Copy, Debug)]
pub struct Engine(Kind);

/// The implementations of [`lanes::Lanes`], to be matched where an algorithm is called.
#[derive(Clone, Copy, Debug)]
enum Kind {
    #[cfg(target_arch = "x86_64")]
    Ifma(lanes::Ifma),
    Portable(Portable),
    Single(Single),
}

impl Engine {
    /// Eight lanes in vector registers, if this CPU has AVX-512 F, VL, DQ, BW and IFMA, and BMI2.
    pub fn eight_lanes() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return lanes::Ifma::detect().map(|ifma| Self(Kind::Ifma(ifma)));
        #[cfg(not(target_arch = "x86_64"))]
        return None;
    }

    /// Eight lanes without vector instructions, on any CPU: slow, and what the eight-lane engine is
    /// compared with.
    pub fn portable() -> Self {
        Self(Kind::Portable(Portable))
    }

    /// One lane on any CPU: scalar code from the same source.
    pub fn single() -> Self {
        Self(Kind::Single(Single))
    }

    /// The operations it computes at once: 8 or 1.
    pub fn lanes(self) -> usize {
        match self.0 {
            Kind::Single(_) => 1,
            _ => lanes::MAX_LANES,
        }
    }
}
