//! Signing: up to eight signatures at once, each by a key of its own, in constant time.
//!
//! A signature of the digest e by the key d is r = x(k G) mod n and s = (e + r d) / k mod n, where k is
//! the nonce, in 1..n (FIPS 186-5, section 6.4.1). s is not made small; TLS does not ask for it.
//!
//! # What is secret, and why no time depends on it
//! Keys, nonces and all that is computed from them until it is a signature. r and s are public, and so is
//! that one of them is zero: with a chance of 2^-255, there is no signature then.
//!
//! - Nonces come from HMAC-SHA-256 (`nonce`).
//! - k G is `curve`'s, by a fixed number of additions of table entries.
//! - 1 / k and 1 / Z are powers with constant exponents, and sums and products modulo n and p are fixed
//!   sequences of instructions on all lanes (`field`). The types bound every
//!   factor: elements below 2 n or 2 p times each other, sums below 4 n.
//! - r = x mod n is one subtraction of n, done always and kept where it is not negative: x < p < 2 n.
//!
//! # What is wiped
//! Keys when dropped; nonces, their inverses, HMAC's states, and the keys' copies in the order of
//! lanes; and after each batch the stack below the caller, on which the compiler kept intermediate
//! values, as far as it is known to reach. Not wiped are vector registers; the next batch overwrites them.
//!
//! # In debug builds
//! Every signature is verified, as a check of the arithmetic.

mod der;
mod key;
mod nonce;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use zeroize::{Zeroizing, zeroize_stack};

pub use self::key::{KeyError, SigningKey};
use super::{MAX_BATCH, Verdict, Verification, verify};
use crate::curve::p256_secret::base_multiple;
use crate::field::{Element, Integer, Modulus, N256};
use crate::lanes::{Lanes, MAX_LANES, Mask};
use crate::{Engine, Kind, STACK, reveal};

/// A signature to be made.
#[derive(Clone, Debug)]
pub struct Signing {
    /// Who signs.
    pub key: Arc<SigningKey>,
    /// The message's hash; of a longer hash, its first 32 bytes.
    pub digest: [u8; 32],
    /// Fresh random bytes, which make the nonce unpredictable to who induces faults. Without entropy
    /// (zeros, say), nonces are still unique and secret: they depend on the key and the digest.
    pub entropy: [u8; 32],
}

/// A signature: r and s, both big-endian and in 1..n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// r.
    pub r: [u8; 32],
    /// s.
    pub s: [u8; 32],
}

impl Signature {
    /// As X.509 and TLS want it: DER of `SEQUENCE { r INTEGER, s INTEGER }`, up to 72 bytes.
    pub fn to_der(&self) -> Vec<u8> {
        der::signature(self)
    }
}

/// Makes up to [`MAX_BATCH`] signatures. That of `jobs[i]` comes out at i; beyond the last job there
/// is none.
///
/// `None` for a job (r or s was zero) happens with a chance of 2^-255: sign again with other entropy.
///
/// # Panics
/// If there are more than [`MAX_BATCH`] jobs.
pub fn sign(engine: Engine, jobs: &[Signing]) -> [Option<Signature>; MAX_BATCH] {
    assert!(jobs.len() <= MAX_BATCH, "{} jobs in a batch of up to {MAX_BATCH}", jobs.len());
    let signatures = match engine.0 {
        #[cfg(target_arch = "x86_64")]
        Kind::Ifma(l) => sign_on(l, jobs),
        Kind::Portable(l) => sign_on(l, jobs),
        Kind::Single(l) => sign_on(l, jobs),
    };
    zeroize_stack::<STACK>();
    debug_assert!(are_right(engine, jobs, &signatures), "a signature that does not verify");
    signatures
}

/// Whether no signature fails to verify. Verification can't decide about some keys that nobody chose at
/// random.
fn are_right(engine: Engine, jobs: &[Signing], signatures: &[Option<Signature>]) -> bool {
    let made = jobs.iter().zip(signatures).filter_map(|(job, signature)| {
        let (key, Signature { r, s }) = (job.key.public_key()[1..].try_into().ok()?, (*signature)?);
        Some(Verification { key, digest: job.digest, r, s })
    });
    let made: Vec<_> = made.collect();
    verify(engine, &made)[..made.len()].iter().all(|&verdict| verdict != Verdict::Invalid)
}

/// Signs as many at once as there are lanes.
#[inline(never)]
fn sign_on<L: Lanes>(l: L, jobs: &[Signing]) -> [Option<Signature>; MAX_BATCH] {
    let mut signatures = [None; MAX_BATCH];
    for (jobs, signatures) in jobs.chunks(L::LANES).zip(signatures.chunks_mut(L::LANES)) {
        let mut batch = Batch::new();
        for (lane, job) in jobs.iter().enumerate() {
            batch.scalars[lane] = *job.key.scalar();
            batch.digests[lane] = job.digest;
        }
        let requests = jobs.iter().map(|job| nonce::Request {
            seed: job.key.seed(),
            digest: &job.digest,
            entropy: &job.entropy,
        });
        nonce::derive(&requests.collect::<Vec<_>>(), &mut *batch.nonces);
        let (r, s, usable) = batch.sign(l);
        for (lane, signature) in signatures.iter_mut().enumerate().take(jobs.len()) {
            let usable = reveal(usable >> lane & 1 == 1);
            *signature = usable.then_some(Signature { r: r[lane], s: s[lane] });
        }
    }
    signatures
}

/// What is signed, in the order of lanes. Lanes without a job have 1 as key and nonce.
struct Batch {
    scalars: Zeroizing<[[u8; 32]; MAX_LANES]>,
    nonces: Zeroizing<[[u8; 32]; MAX_LANES]>,
    digests: [[u8; 32]; MAX_LANES],
}

impl Batch {
    fn new() -> Self {
        let mut one = [0; 32];
        one[31] = 1;
        Self {
            scalars: Zeroizing::new([one; MAX_LANES]),
            nonces: Zeroizing::new([one; MAX_LANES]),
            digests: [[0; 32]; MAX_LANES],
        }
    }

    /// r and s of every lane, big-endian, and a bit for each lane where neither is zero.
    fn sign<L: Lanes>(&self, l: L) -> ([[u8; 32]; MAX_LANES], [[u8; 32]; MAX_LANES], u8) {
        let nonce = l.run(
            #[inline(always)]
            || Integer::from_bytes(l, &self.nonces),
        );
        let point = base_multiple(l, nonce);
        let z_inverse = point.z.invert_secret();
        let mut nonce_inverse = l.run(
            #[inline(always)]
            || Element::<L, N256>::from_integer(nonce),
        );
        nonce_inverse = nonce_inverse.invert_secret();
        l.run(
            #[inline(always)]
            || {
                let x = point.x.mul(z_inverse.sqr()).to_integer();
                let r = x.sub_once(Integer::splat(l, N256::PRIME));
                let mut scalar = Element::<L, N256>::from_bytes(l, &self.scalars);
                let digest = Element::<L, N256>::from_bytes(l, &self.digests);
                let sum: Element<L, N256, 4> = Element::from_integer(r).mul(scalar).add(digest);
                let s = nonce_inverse.mul(sum).to_integer();
                scalar.zeroize();
                nonce_inverse.zeroize();
                let usable = r.is_zero().or(s.is_zero()).not().bits();
                (r.to_bytes(), s.to_bytes(), usable)
            },
        )
    }
}
