//! ECDH with P-256 (SP 800-56A, section 5.7.1.2; RFC 8446, section 4.2.8.2) for up to eight key pairs at
//! once: key generation and agreement.
//!
//! All functions take batches: slices of equal length, 0 to 8, entry `i` of each belonging to
//! operation `i`. A batch takes about the same time whatever its length, so fill it.
//!
//! | | bytes | content |
//! |---|---|---|
//! | private | 32 | a scalar in 1..n, big-endian: [`PrivateKey`] |
//! | public, peer | 65 | an uncompressed point: 4, x, y |
//! | shared | 32 | x of the product, or `None` if the peer is no point of the curve |
//!
//! # What is secret, and why no time depends on it
//! Private scalars, the products, and the shared secrets. The products are `curve`'s: a fixed number of
//! doublings and additions. Their affine coordinates come by powers with constant exponents. That a peer's
//! point is on the curve is public; a lane whose peer is not multiplies the base point instead, and
//! its result is withheld. A product is never infinity, for n is prime and the cofactor is 1.
//!
//! Peers are public, but treated as secrets.
//!
//! # What is wiped
//! Private keys and shared secrets when dropped, their copies in the order of lanes, and after each
//! batch the stack below the caller, on which the compiler kept intermediate points, as far as it is
//! known to reach. Not wiped are vector registers; the next batch overwrites them.

use std::fmt;

use zeroize::{Zeroizing, zeroize_stack};

use super::curve::p256::{Affine, Jacobian};
use super::curve::p256_secret::{base_multiple, is_scalar, multiple};
use super::field::{Element, Integer};
use super::lanes::{Lanes, MAX_LANES, Mask};
use super::{Engine, Kind, STACK};

/// A private scalar. Wiped when dropped, and never printed.
#[derive(Clone)]
pub struct PrivateKey(Zeroizing<[u8; 32]>);

/// A shared secret; `None` if the peer is no point of the curve.
pub type Shared = Option<Zeroizing<[u8; 32]>>;

/// 32 bytes a lane, of which some are secret.
type Bytes = Zeroizing<[[u8; 32]; MAX_LANES]>;

impl PrivateKey {
    /// A big-endian scalar, if it is in 1..n.
    ///
    /// To make a key, draw 32 random bytes until they are. That is every number with the same chance (SP
    /// 800-56A, section 5.6.1.2.2), and a second draw is needed once in 2^32 times.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        is_scalar(bytes).then(|| Self(Zeroizing::new(*bytes)))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").finish_non_exhaustive()
    }
}

/// Writes the public keys of `privates`.
///
/// # Panics
/// If the slices differ in length, or are longer than 8.
pub fn public_keys(engine: Engine, privates: &[PrivateKey], publics: &mut [[u8; 65]]) {
    check(&[privates.len(), publics.len()]);
    match engine.0 {
        #[cfg(target_arch = "x86_64")]
        Kind::Ifma(l) => public_keys_on(l, privates, publics),
        Kind::Portable(l) => public_keys_on(l, privates, publics),
        Kind::Single(l) => public_keys_on(l, privates, publics),
    }
    zeroize_stack::<STACK>();
}

/// Writes what `privates` share with `peers`.
///
/// # Panics
/// If the slices differ in length, or are longer than 8.
pub fn agree(engine: Engine, privates: &[PrivateKey], peers: &[[u8; 65]], shared: &mut [Shared]) {
    check(&[privates.len(), peers.len(), shared.len()]);
    match engine.0 {
        #[cfg(target_arch = "x86_64")]
        Kind::Ifma(l) => agree_on(l, privates, peers, shared),
        Kind::Portable(l) => agree_on(l, privates, peers, shared),
        Kind::Single(l) => agree_on(l, privates, peers, shared),
    }
    zeroize_stack::<STACK>();
}

#[track_caller]
fn check(lengths: &[usize]) {
    assert!(
        lengths.iter().all(|&length| length == lengths[0] && length <= MAX_LANES),
        "a batch is up to {MAX_LANES} operations and its slices are of equal length, not {lengths:?}"
    );
}

#[inline(never)]
fn public_keys_on<L: Lanes>(l: L, privates: &[PrivateKey], publics: &mut [[u8; 65]]) {
    for (privates, publics) in privates.chunks(L::LANES).zip(publics.chunks_mut(L::LANES)) {
        let product = base_multiple(l, scalars(l, privates));
        let points = product.to_affine_secret(l).to_uncompressed(l);
        publics.copy_from_slice(&points[..publics.len()]);
    }
}

#[inline(never)]
fn agree_on<L: Lanes>(l: L, privates: &[PrivateKey], peers: &[[u8; 65]], shared: &mut [Shared]) {
    let operands = privates.chunks(L::LANES).zip(peers.chunks(L::LANES));
    for ((privates, peers), shared) in operands.zip(shared.chunks_mut(L::LANES)) {
        let (points, valid) = points(l, peers);
        let product = multiple(l, scalars(l, privates), points);
        let x = x(l, product);
        for (lane, shared) in shared.iter_mut().enumerate() {
            let valid = valid >> lane & 1 == 1;
            *shared = valid.then(|| Zeroizing::new(x[lane]));
        }
    }
}

/// The scalars, one a lane; 1 in lanes without a key.
fn scalars<L: Lanes>(l: L, privates: &[PrivateKey]) -> Integer<L> {
    let mut one = [0; 32];
    one[31] = 1;
    let mut bytes = Bytes::new([one; MAX_LANES]);
    for (lane, private) in bytes.iter_mut().zip(privates) {
        *lane = *private.0;
    }
    l.run(
        #[inline(always)]
        || Integer::from_bytes(l, &bytes),
    )
}

/// The peers' points, and a bit for each lane with a valid one. In others is the base point.
fn points<L: Lanes>(l: L, peers: &[[u8; 65]]) -> (Affine<L>, u8) {
    let mut coordinates = [[[0; 32]; MAX_LANES]; 2];
    let mut uncompressed = 0;
    for (lane, [form, rest @ ..]) in peers.iter().enumerate() {
        let (from, _) = rest.as_chunks::<32>();
        coordinates[0][lane] = from[0];
        coordinates[1][lane] = from[1];
        uncompressed |= u8::from(*form == 4) << lane;
    }
    let (points, on_curve) = l.run(
        #[inline(always)]
        || Affine::from_bytes(l, &coordinates),
    );
    (points, on_curve.bits() & uncompressed)
}

/// The points' x, big-endian.
fn x<L: Lanes>(l: L, points: Jacobian<L>) -> Bytes {
    let affine = points.to_affine_secret(l);
    l.run(
        #[inline(always)]
        || Bytes::new(Element::to_bytes(affine.x)),
    )
}
