//! X25519 (RFC 7748) for up to eight key pairs at once: key generation and agreement.
//!
//! All functions take batches: slices of equal length, 0 to 8, entry `i` of each belonging to
//! operation `i`. A batch takes about the same time whatever its length, so fill it. The first key
//! generation takes half a millisecond more, for its table of 50 KB.
//!
//! | | bytes | content |
//! |---|---|---|
//! | secret | 32 | random; clamped here, as RFC 7748, section 5 says |
//! | public, peer | 32 | a u-coordinate, little-endian; of a peer's, bit 255 is ignored and values from 2^255 - 19 up are taken modulo that |
//! | shared | 32 | the u-coordinate of the product, or `None` if it is 0 |
//!
//! 0 comes out of peers of low order, whoever the secret belongs to: the peer did not contribute to
//! it. RFC 8446, section 7.4.2 demands that the handshake is aborted.
//!
//! # What is secret, and why no time depends on it
//! Secrets and shared secrets are. They go through operations of the module `lanes` alone, in which
//! no branch and no address depends on lane contents. What is done with a secret, and in which
//! order, is fixed: 255 steps of a ladder, 51 additions of table entries, 254 squarings for an
//! inversion. That a shared secret is 0 or not is public: the handshake fails or goes on. The one
//! branch on that is in a function of its own. `tests/constant-time` checks all this.
//!
//! Peers are public, but treated as secrets.
//!
//! # What is wiped
//! The buffer in which secrets, then shared secrets, are in the order of lanes; and through
//! [`Zeroizing`] what the caller holds. Not wiped are vector registers, and places on the stack where
//! the compiler put their contents: among them are words of the scalar and intermediate points. Rust has
//! no means to wipe these; they last until the next batch, or whatever runs next, overwrites them.

use zeroize::Zeroizing;

use super::curve::{edwards25519, montgomery25519};
use super::field::f25519::{Fe, Field};
use super::lanes::{Lanes, MAX_LANES, Mask, Word};
use super::{Engine, Kind};

/// A secret scalar, before or after clamping.
pub type Secret = Zeroizing<[u8; 32]>;

/// A shared secret; `None` if it is all zeros.
pub type Shared = Option<Zeroizing<[u8; 32]>>;

/// One little-endian word of all lanes after another.
///
/// With secrets in it, it is written to where it is: returned by value, it would leave copies.
type Words = [[u64; MAX_LANES]; 4];

const ZEROS: Words = [[0; MAX_LANES]; 4];

/// Calls a function that is generic over [`Lanes`] with the engine's implementation.
macro_rules! with_lanes {
    ($engine:expr, $function:ident($($argument:expr),*)) => {
        match $engine.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Ifma(l) => $function(l, $($argument),*),
            Kind::Portable(l) => $function(l, $($argument),*),
            Kind::Single(l) => $function(l, $($argument),*),
        }
    };
}

/// Writes the public keys of `secrets`.
///
/// # Panics
/// If the slices differ in length, or are longer than 8.
pub fn public_keys(engine: Engine, secrets: &[Secret], publics: &mut [[u8; 32]]) {
    check(&[secrets.len(), publics.len()]);
    with_lanes!(engine, public_keys_on(secrets, publics));
}

/// Writes what `secrets` share with `peers`.
///
/// # Panics
/// If the slices differ in length, or are longer than 8.
pub fn agree(engine: Engine, secrets: &[Secret], peers: &[[u8; 32]], shared: &mut [Shared]) {
    check(&[secrets.len(), peers.len(), shared.len()]);
    with_lanes!(engine, agree_on(secrets, peers, shared));
}

/// [`public_keys`] and [`agree`] of the same secrets, as a server does it that has its peers'
/// shares when it makes its own; faster than one after the other.
///
/// # Panics
/// If the slices differ in length, or are longer than 8.
pub fn exchange(
    engine: Engine,
    secrets: &[Secret],
    peers: &[[u8; 32]],
    publics: &mut [[u8; 32]],
    shared: &mut [Shared],
) {
    check(&[secrets.len(), peers.len(), publics.len(), shared.len()]);
    with_lanes!(engine, exchange_on(secrets, peers, publics, shared));
}

#[track_caller]
fn check(lengths: &[usize]) {
    assert!(
        lengths.iter().all(|&length| length == lengths[0] && length <= MAX_LANES),
        "a batch is up to {MAX_LANES} operations and its slices are of equal length, not {lengths:?}"
    );
}

fn public_keys_on<L: Lanes>(l: L, secrets: &[Secret], publics: &mut [[u8; 32]]) {
    for (secrets, publics) in secrets.chunks(L::LANES).zip(publics.chunks_mut(L::LANES)) {
        let mut words = Zeroizing::new(ZEROS);
        load_scalars(secrets, &mut words);
        let [above, below] = edwards25519::base_multiple(l, &words);
        let [inverse] = Field(l).invert([below]);
        multiply(l, above, inverse, &mut words);
        write_publics(publics, &words);
    }
}

fn agree_on<L: Lanes>(l: L, secrets: &[Secret], peers: &[[u8; 32]], shared: &mut [Shared]) {
    let operands = secrets.chunks(L::LANES).zip(peers.chunks(L::LANES));
    for ((secrets, peers), shared) in operands.zip(shared.chunks_mut(L::LANES)) {
        let mut words = Zeroizing::new(ZEROS);
        load_scalars(secrets, &mut words);
        let [x, z] = ladder(l, &words, peers);
        let [inverse] = Field(l).invert([z]);
        multiply(l, x, inverse, &mut words);
        write_shared(l, shared, &words);
    }
}

fn exchange_on<L: Lanes>(
    l: L,
    secrets: &[Secret],
    peers: &[[u8; 32]],
    publics: &mut [[u8; 32]],
    shared: &mut [Shared],
) {
    let operands = secrets.chunks(L::LANES).zip(peers.chunks(L::LANES));
    let results = publics.chunks_mut(L::LANES).zip(shared.chunks_mut(L::LANES));
    for ((secrets, peers), (publics, shared)) in operands.zip(results) {
        let mut words = Zeroizing::new(ZEROS);
        load_scalars(secrets, &mut words);
        let [above, below] = edwards25519::base_multiple(l, &words);
        let [x, z] = ladder(l, &words, peers);
        let inverses = Field(l).invert([below, z]);
        multiply(l, above, inverses[0], &mut words);
        write_publics(publics, &words);
        multiply(l, x, inverses[1], &mut words);
        write_shared(l, shared, &words);
    }
}

fn ladder<L: Lanes>(l: L, scalars: &Words, peers: &[[u8; 32]]) -> [Fe<L::Word>; 2] {
    let mut words = ZEROS;
    transpose(peers.iter(), &mut words);
    let u = l.run(
        #[inline(always)]
        || Field(l).load(&words),
    );
    montgomery25519::ladder(l, scalars, u)
}

/// The clamped scalars of `secrets`; what a lane without a secret holds does not matter.
fn load_scalars(secrets: &[Secret], words: &mut Words) {
    transpose(secrets.iter().map(|secret| &**secret), words);
    for lane in &mut words[0] {
        *lane &= !7;
    }
    for lane in &mut words[3] {
        *lane = *lane & (u64::MAX >> 1) | 1 << 62;
    }
}

fn transpose<'a>(values: impl Iterator<Item = &'a [u8; 32]>, words: &mut Words) {
    for (lane, value) in values.enumerate() {
        let (bytes, _) = value.as_chunks();
        for (word, &bytes) in words.iter_mut().zip(bytes) {
            word[lane] = u64::from_le_bytes(bytes);
        }
    }
}

/// a * b, reduced fully.
fn multiply<L: Lanes>(l: L, a: Fe<L::Word>, b: Fe<L::Word>, words: &mut Words) {
    l.run(
        #[inline(always)]
        || {
            let field = Field(l);
            let value = field.store(field.mul(a, b));
            for (word, value) in words.iter_mut().zip(value) {
                *word = value.store();
            }
        },
    );
}

fn write(lane: usize, words: &Words, value: &mut [u8; 32]) {
    let (bytes, _) = value.as_chunks_mut();
    for (bytes, word) in bytes.iter_mut().zip(words) {
        *bytes = word[lane].to_le_bytes();
    }
}

fn write_publics(publics: &mut [[u8; 32]], words: &Words) {
    for (lane, public) in publics.iter_mut().enumerate() {
        write(lane, words, public);
    }
}

fn write_shared<L: Lanes>(l: L, shared: &mut [Shared], words: &Words) {
    let [a, b, c, d] = words;
    let zero = l.run(
        #[inline(always)]
        || l.load(a).or(l.load(b)).or(l.load(c)).or(l.load(d)).equals(l.splat(0)),
    );
    let zero = zero.bits();
    for (lane, shared) in shared.iter_mut().enumerate() {
        place_unless_zero(shared, words, lane, zero >> lane & 1 == 1);
    }
}

/// Where it becomes public that a shared secret is zero, and nothing else about it.
///
/// Not inlined: `tests/constant-time` knows this place by the function's name.
#[inline(never)]
fn place_unless_zero(shared: &mut Shared, words: &Words, lane: usize, zero: bool) {
    *shared = None;
    if !zero {
        write(lane, words, shared.insert(Zeroizing::new([0; 32])));
    }
}
