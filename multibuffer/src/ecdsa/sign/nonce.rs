//! Nonces: HMAC_DRBG over the key, the digest and fresh entropy (RFC 6979, section 3.2 with the
//! additional data of section 3.6), with SHA-256.
//!
//! A nonce that repeats, or of which a few bits can be guessed, gives the key away. Taken from the key and
//! the digest, it does not repeat for another digest even if the entropy is bad; with entropy, it
//! differs for the same digest, so that faults induced in two signatures of it can't be
//! compared.
//!
//! # Why own code
//! With the `rfc6979` or `hmac` crates, nonces take as long as their multiplications of points. SHA-256 waits
//! for its own last round all the time, so each step is done for all nonces of a batch before
//! the next: the CPU then overlaps them. What depends on the key alone is hashed once, when the key is
//! loaded. SHA-256 itself is the `sha2` crate's.
//!
//! # What is secret, and why no time depends on it
//! The scalar, HMAC's states and the nonce. SHA-256 has no branches or addresses that depend on data. A
//! candidate is compared with n in constant time; that it is rejected (a chance of 2^-32) becomes
//! known, and says nothing about the one that is taken.
//!
//! # What is wiped
//! All states and blocks, when they are dropped.

use std::slice::from_ref;

use sha2::block_api::compress256;
use zeroize::optimization_barrier;

use crate::curve::p256_secret::is_scalar;
use crate::field::{Integer, Modulus, N256};
use crate::lanes::{MAX_LANES, Single};

/// SHA-256's block.
const BLOCK: usize = 64;

/// How SHA-256 begins (FIPS 180-4, section 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// What a key's nonces start from.
pub(super) struct Seed {
    scalar: Wiped<u8, 32>,
    /// HMAC with a key of zeros, whose inner hash has taken in V, a zero and 31 bytes of the scalar.
    begun: Hmac,
}

/// A nonce to be derived.
pub(super) struct Request<'a> {
    pub(super) seed: &'a Seed,
    pub(super) digest: &'a [u8; 32],
    /// Fresh entropy; without, the nonce is that of RFC 6979, section 3.2.
    pub(super) entropy: &'a [u8],
}

/// HMAC under way: both hashes after their first blocks, the inner perhaps after more.
struct Hmac {
    inner: Wiped<u32, 8>,
    outer: Wiped<u32, 8>,
    /// Blocks that the inner hash has taken in.
    taken: usize,
}

/// Parts of what is hashed; together at most 183 bytes.
type Message<'a> = [&'a [u8]; 5];

/// Overwritten with zeros when dropped, all at once: byte by byte, as [`zeroize::Zeroizing`] does it,
/// would take longer than the hashing.
struct Wiped<T: Copy + Default, const N: usize>([T; N]);

impl Seed {
    /// For a big-endian scalar in 1..n.
    pub(super) fn new(scalar: &[u8; 32]) -> Self {
        let mut begun = Hmac::new(&[0; 32]);
        let mut block = Wiped([1; BLOCK]);
        block.0[32] = 0;
        block.0[33..].copy_from_slice(&scalar[..31]);
        compress256(&mut begun.inner.0, from_ref(&block.0));
        begun.taken += 1;
        Self { scalar: Wiped(*scalar), begun }
    }

    /// The scalar, big-endian.
    pub(super) fn scalar(&self) -> &[u8; 32] {
        &self.scalar.0
    }
}

/// The nonces of up to 8 requests, big-endian and in 1..n.
///
/// `keys` and `vs` are K (as an HMAC with that key) and V of each request's generator.
pub(super) fn derive(requests: &[Request<'_>], nonces: &mut [[u8; 32]]) {
    let digests: [_; MAX_LANES] =
        std::array::from_fn(|i| requests.get(i).map_or([0; 32], |one| below_n(one.digest)));
    let begun: Vec<_> = requests.iter().map(|request| &request.seed.begun).collect();
    let mut keys = rekeyed(&begun, |i| {
        [&requests[i].seed.scalar()[31..], &digests[i], requests[i].entropy, &[], &[]]
    });
    let mut vs = stepped(&keys, &[const { Wiped([1; 32]) }; MAX_LANES]);
    keys = rekeyed(&keys.iter().collect::<Vec<_>>(), |i| {
        [&vs[i].0, &[1], requests[i].seed.scalar(), &digests[i], requests[i].entropy]
    });
    vs = stepped(&keys, &vs);
    vs = stepped(&keys, &vs);
    for ((key, v), nonce) in keys.iter_mut().zip(&mut vs).zip(nonces) {
        while !is_scalar(&v.0) {
            redraw(key, v);
        }
        *nonce = v.0;
    }
}

/// The candidate after one that is no scalar (step h).
fn redraw(key: &mut Hmac, v: &mut Wiped<u8, 32>) {
    *key = Hmac::new(&tags(&[key], |_| [&v.0, &[0], &[], &[], &[]])[0].0);
    for _ in 0..2 {
        let [next, ..] = stepped(from_ref(key), from_ref(v));
        *v = next;
    }
}

/// K = HMAC(message) for each generator.
fn rekeyed<'a>(macs: &[&Hmac], message: impl Fn(usize) -> Message<'a>) -> Vec<Hmac> {
    tags(macs, message).iter().take(macs.len()).map(|tag| Hmac::new(&tag.0)).collect()
}

/// V = HMAC_K(V) for each generator.
fn stepped(keys: &[Hmac], vs: &[Wiped<u8, 32>]) -> [Wiped<u8, 32>; MAX_LANES] {
    tags(&keys.iter().collect::<Vec<_>>(), |i| [&vs[i].0, &[], &[], &[], &[]])
}

/// The tags of what was taken in and a message: all inner hashes, then all outer ones.
fn tags<'a>(macs: &[&Hmac], message: impl Fn(usize) -> Message<'a>) -> [Wiped<u8, 32>; MAX_LANES] {
    let mut tags = [const { Wiped([0; 32]) }; MAX_LANES];
    for (i, (tag, mac)) in tags.iter_mut().zip(macs).enumerate() {
        *tag = finish(&mac.inner, mac.taken, &message(i));
    }
    for (tag, mac) in tags.iter_mut().zip(macs) {
        *tag = finish(&mac.outer, 1, &[&tag.0]);
    }
    tags
}

/// bits2octets: the digest modulo n.
fn below_n(digest: &[u8; 32]) -> [u8; 32] {
    let integer = Integer::from_bytes(Single, &[*digest; MAX_LANES]);
    integer.sub_once(Integer::splat(Single, N256::PRIME)).to_bytes()[0]
}

impl Hmac {
    /// For a key of 32 bytes (RFC 2104).
    fn new(key: &[u8; 32]) -> Self {
        let start = |pad: u8| {
            let mut block = Wiped([pad; BLOCK]);
            for (byte, key) in block.0.iter_mut().zip(key) {
                *byte ^= key;
            }
            let mut state = Wiped(INITIAL);
            compress256(&mut state.0, from_ref(&block.0));
            state
        };
        Self { inner: start(0x36), outer: start(0x5c), taken: 1 }
    }
}

/// The hash that has taken in `taken` blocks and now `message`, with SHA-256's padding.
fn finish(state: &Wiped<u32, 8>, taken: usize, message: &[&[u8]]) -> Wiped<u8, 32> {
    let mut blocks = Wiped([0; 3 * BLOCK]);
    let mut length = 0;
    for part in message {
        blocks.0[length..length + part.len()].copy_from_slice(part);
        length += part.len();
    }
    blocks.0[length] = 0x80;
    let count = (length + 1 + 8).div_ceil(BLOCK);
    let bits = (taken * BLOCK + length) as u64 * 8;
    blocks.0[count * BLOCK - 8..count * BLOCK].copy_from_slice(&bits.to_be_bytes());
    let mut state = Wiped(state.0);
    compress256(&mut state.0, &blocks.0.as_chunks().0[..count]);
    let mut hash = Wiped([0; 32]);
    for (bytes, word) in hash.0.as_chunks_mut().0.iter_mut().zip(state.0) {
        *bytes = word.to_be_bytes();
    }
    hash
}

impl<T: Copy + Default, const N: usize> Drop for Wiped<T, N> {
    fn drop(&mut self) {
        self.0 = [T::default(); N];
        optimization_barrier(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use hmac::{KeyInit, Mac};
    use sha2::{Digest, Sha256};

    use super::*;

    fn hex(digits: &str) -> [u8; 32] {
        std::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).expect("hex"))
    }

    /// HMAC by the `hmac` crate.
    fn tag(key: &[u8; 32], message: &[&[u8]]) -> [u8; 32] {
        let mut hmac = hmac::Hmac::<Sha256>::new_from_slice(key).expect("any length");
        message.iter().for_each(|part| hmac.update(part));
        hmac.finalize().into_bytes().into()
    }

    /// RFC 6979, appendix A.2.5, with SHA-256.
    #[test]
    fn without_entropy_as_the_rfc_s_examples() {
        let x = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
        let seed = Seed::new(&x);
        let examples = [
            ("sample", "A6E3C57DD01ABE90086538398355DD4C3B17AA873382B0F24D6129493D8AAD60"),
            ("test", "D16B6AE827F17175E040871A1C7EC3500192C4C92677336EC2537ACAEE0008E0"),
        ];
        let digests = examples.map(|(message, _)| Sha256::digest(message).into());
        let requests =
            digests.each_ref().map(|digest| Request { seed: &seed, digest, entropy: &[] });
        let mut nonces = [[0; 32]; 2];
        derive(&requests, &mut nonces);
        assert_eq!(nonces, examples.map(|(_, k)| hex(k)));
    }

    /// Section 3.2 written down once more, with the `hmac` crate.
    #[test]
    fn with_entropy_as_the_rfc_says() {
        let scalars: [[u8; 32]; 8] = std::array::from_fn(|i| [i as u8 + 1; 32]);
        let seeds = scalars.each_ref().map(Seed::new);
        // the last are above n
        let digests: [[u8; 32]; 8] = std::array::from_fn(|i| [0xff - 7 + i as u8; 32]);
        let entropy: [[u8; 32]; 8] = std::array::from_fn(|i| [0x80 + i as u8; 32]);
        let requests: [_; 8] = std::array::from_fn(|i| Request {
            seed: &seeds[i],
            digest: &digests[i],
            entropy: &entropy[i],
        });
        let mut nonces = [[0; 32]; 8];
        derive(&requests, &mut nonces);
        for i in 0..8 {
            let digest = below_n(&digests[i]);
            assert_eq!(digest == digests[i], i < 7);
            let seed = [&scalars[i][..], &digest, &entropy[i]].concat();
            let (mut k, mut v) = ([0; 32], [1; 32]);
            for step in [0, 1] {
                k = tag(&k, &[&v, &[step], &seed]);
                v = tag(&k, &[&v]);
            }
            assert_eq!(nonces[i], tag(&k, &[&v]), "{i}");
        }
    }

    #[test]
    fn a_candidate_out_of_range_is_followed_by_another() {
        let (k, v) = ([3; 32], [0xff; 32]);
        let (mut key, mut candidate) = (Hmac::new(&k), Wiped(v));
        redraw(&mut key, &mut candidate);
        let k = tag(&k, &[&v, &[0]]);
        assert_eq!(candidate.0, tag(&k, &[&tag(&k, &[&v])]));
    }

    #[test]
    fn hmac_as_rfc_4231_s_second_case_with_its_key_padded() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let message = |_| [&b"what do ya want "[..], b"for nothing?", &[], &[], &[]];
        let [tag, ..] = tags(&[&Hmac::new(&key)], message);
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(tag.0, hex(expected));
    }
}
