//! The two curves whose key exchange has lanes, as seen by the parts.

use std::fmt;

use rustls::NamedGroup;
use rustls::crypto::SecureRandom;
use zeroize::Zeroizing;

use crate::multibuffer::{Engine, ecdh, x25519};

/// A shared secret; `None` if the peer's share is to be refused.
pub(crate) type Shared = Option<Zeroizing<[u8; 32]>>;

/// A Diffie-Hellman group with lanes.
pub(crate) trait Curve: Copy + fmt::Debug + Send + Sync + 'static {
    /// Its name in TLS.
    const GROUP: NamedGroup;
    /// A private key, wiped when dropped.
    type Secret: Clone + Send + Sync;
    /// A public key, as in a key share.
    type Public: AsRef<[u8]> + Copy + Send + Sync + for<'a> TryFrom<&'a [u8]>;
    /// Any public key, where one must be.
    const NOBODY: Self::Public;

    /// A fresh private key; `None` if there is no randomness.
    fn secret(random: &dyn SecureRandom) -> Option<Self::Secret>;

    /// The public keys of `secrets`, up to eight.
    fn public_keys(engine: Engine, secrets: &[Self::Secret], publics: &mut [Self::Public]);

    /// What `secrets` share with `peers`, up to eight.
    fn agree(
        engine: Engine,
        secrets: &[Self::Secret],
        peers: &[Self::Public],
        shared: &mut [Shared],
    );

    /// Both at once.
    fn exchange(
        engine: Engine,
        secrets: &[Self::Secret],
        peers: &[Self::Public],
        publics: &mut [Self::Public],
        shared: &mut [Shared],
    ) {
        Self::public_keys(engine, secrets, publics);
        Self::agree(engine, secrets, peers, shared);
    }
}

/// Curve25519 (RFC 7748).
#[derive(Clone, Copy, Debug)]
pub(crate) struct X25519;

impl Curve for X25519 {
    const GROUP: NamedGroup = NamedGroup::X25519;
    type Secret = x25519::Secret;
    type Public = [u8; 32];
    const NOBODY: Self::Public = [0; 32];

    fn secret(random: &dyn SecureRandom) -> Option<Self::Secret> {
        let mut secret = Zeroizing::new([0; 32]);
        random.fill(&mut *secret).ok()?;
        Some(secret)
    }

    fn public_keys(engine: Engine, secrets: &[Self::Secret], publics: &mut [Self::Public]) {
        x25519::public_keys(engine, secrets, publics);
    }

    fn agree(
        engine: Engine,
        secrets: &[Self::Secret],
        peers: &[Self::Public],
        shared: &mut [Shared],
    ) {
        x25519::agree(engine, secrets, peers, shared);
    }

    fn exchange(
        engine: Engine,
        secrets: &[Self::Secret],
        peers: &[Self::Public],
        publics: &mut [Self::Public],
        shared: &mut [Shared],
    ) {
        x25519::exchange(engine, secrets, peers, publics, shared);
    }
}

/// NIST P-256 (SP 800-186), uncompressed points (RFC 8446, section 4.2.8.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct P256;

impl Curve for P256 {
    const GROUP: NamedGroup = NamedGroup::secp256r1;
    type Secret = ecdh::PrivateKey;
    type Public = [u8; 65];
    const NOBODY: Self::Public = [0; 65];

    /// By rejection (FIPS 186-5, appendix A.2.2): a draw is refused with a chance of 2^-32.
    fn secret(random: &dyn SecureRandom) -> Option<Self::Secret> {
        loop {
            let mut scalar = Zeroizing::new([0; 32]);
            random.fill(&mut *scalar).ok()?;
            if let Some(secret) = ecdh::PrivateKey::from_bytes(&scalar) {
                return Some(secret);
            }
        }
    }

    fn public_keys(engine: Engine, secrets: &[Self::Secret], publics: &mut [Self::Public]) {
        ecdh::public_keys(engine, secrets, publics);
    }

    fn agree(
        engine: Engine,
        secrets: &[Self::Secret],
        peers: &[Self::Public],
        shared: &mut [Shared],
    ) {
        ecdh::agree(engine, secrets, peers, shared);
    }
}
