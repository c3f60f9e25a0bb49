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

use crate::multibuffer::curve::p256_secret::is_scalar;
use crate::multibuffer::field::{Integer, Modulus, N256};
use crate::multibuffer::lanes::{MAX_LANES, Single};

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

/// The generator's K, as an HMAC with that key, and its V.
struct Drbg {
    key: Hmac,
    v: Wiped<u8, 32>,
}

/// HMAC under way: both hashes after their first blocks, the inner perhaps after more.
struct Hmac {
    inner: Wiped<u32, 8>,
    outer: Wiped<u32, 8>,
    /// Blocks that the inner hash has taken in.
    taken: usize,
}

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
pub(super) fn derive(requests: &[Request<'_>], nonces: &mut [[u8; 32]]) {
    let digests: [_; MAX_LANES] =
        std::array::from_fn(|i| requests.get(i).map_or([0; 32], |one| below_n(one.digest)));
    let work = || requests.iter().zip(&digests);
    let mut drbgs: [_; MAX_LANES] = std::array::from_fn(|_| Drbg::new());
    let drbgs = &mut drbgs[..requests.len()];
    for ((request, digest), drbg) in work().zip(&mut *drbgs) {
        let rest = [&request.seed.scalar()[31..], digest, request.entropy];
        drbg.key = Hmac::new(&request.seed.begun.tag(&rest).0);
    }
    drbgs.iter_mut().for_each(Drbg::step);
    for ((request, digest), drbg) in work().zip(&mut *drbgs) {
        drbg.reseed(&[&[1], request.seed.scalar(), digest, request.entropy]);
    }
    drbgs.iter_mut().for_each(Drbg::step);
    drbgs.iter_mut().for_each(Drbg::step);
    for (drbg, nonce) in drbgs.iter_mut().zip(nonces) {
        while !is_scalar(&drbg.v.0) {
            drbg.reseed(&[&[0]]);
            drbg.step();
            drbg.step();
        }
        *nonce = drbg.v.0;
    }
}

/// bits2octets: the digest modulo n.
fn below_n(digest: &[u8; 32]) -> [u8; 32] {
    let integer = Integer::from_bytes(Single, &[*digest; MAX_LANES]);
    integer.sub_once(Integer::splat(Single, N256::PRIME)).to_bytes()[0]
}

impl Drbg {
    /// With the first V, and nothing yet for K.
    fn new() -> Self {
        let nothing = || Wiped([0; 8]);
        Self { key: Hmac { inner: nothing(), outer: nothing(), taken: 0 }, v: Wiped([1; 32]) }
    }

    /// V = HMAC_K(V).
    fn step(&mut self) {
        self.v = self.key.tag(&[&self.v.0]);
    }

    /// K = HMAC_K(V || `seed`), with up to four parts of `seed`.
    fn reseed(&mut self, seed: &[&[u8]]) {
        let mut message = [&self.v.0[..]; 5];
        message[1..=seed.len()].copy_from_slice(seed);
        self.key = Hmac::new(&self.key.tag(&message[..=seed.len()]).0);
    }
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

    /// The tag of what was taken in and of `message`, which is at most 183 bytes.
    fn tag(&self, message: &[&[u8]]) -> Wiped<u8, 32> {
        let inner = finish(&self.inner, self.taken, message);
        finish(&self.outer, 1, &[&inner.0])
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
        fn tag(key: &[u8; 32], message: &[&[u8]]) -> [u8; 32] {
            let mut hmac = hmac::Hmac::<Sha256>::new_from_slice(key).expect("any length");
            message.iter().for_each(|part| hmac.update(part));
            hmac.finalize().into_bytes().into()
        }
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
    fn hmac_as_rfc_4231_s_second_case_with_its_key_padded() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let tag = Hmac::new(&key).tag(&[b"what do ya want ", b"for nothing?"]);
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(tag.0, hex(expected));
    }
}
