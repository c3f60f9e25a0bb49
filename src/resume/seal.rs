//! A session in a ticket: sealed and opened.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version of this layout, 1 |
//! | 16 | name of the ring's key |
//! | 32 | salt, random |
//! | n | ciphertext |
//! | 16 | tag |
//!
//! All before the ciphertext is associated data. The scope is in the derivation of the key, so that a ticket of
//! another scope has another key.

use rustls::SupportedCipherSuite;
use rustls::crypto::cipher::{AeadKey, Iv};
use rustls::crypto::tls13::{Hkdf, OkmBlock};
use rustls::crypto::{CryptoProvider, SecureRandom};
use rustls::pki_types::UnixTime;
use rustls::quic;
use zeroize::Zeroizing;

use super::keys::{Expanded, KeyRing, NAME, SECRET, Seed};
use super::{Error, Refusal};

const VERSION: u8 = 1;
const SALT: usize = 32;
const HEADER: usize = 1 + NAME + SALT;
const TAG: usize = 16;

/// The provider's parts: HKDF with SHA-256, and AES-256-GCM with associated data, which a suite has for QUIC.
pub(super) struct Cipher {
    hkdf: &'static dyn Hkdf,
    aead: &'static dyn quic::Algorithm,
    random: &'static dyn SecureRandom,
}

impl Cipher {
    pub(super) fn new(provider: &CryptoProvider) -> Result<Self, Error> {
        use rustls::CipherSuite::{TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384};
        let suite = |wanted, missing| {
            let mut suites = provider.cipher_suites.iter().filter(|suite| suite.suite() == wanted);
            suites.find_map(SupportedCipherSuite::tls13).ok_or(Error::Provider { missing })
        };
        let hkdf = suite(TLS13_AES_128_GCM_SHA256, "TLS13_AES_128_GCM_SHA256")?.hkdf_provider;
        let missing = "AES-256-GCM with associated data (a QUIC key for TLS13_AES_256_GCM_SHA384)";
        let aead = suite(TLS13_AES_256_GCM_SHA384, missing)?.quic;
        let aead = aead.ok_or(Error::Provider { missing })?;
        Ok(Self { hkdf, aead, random: provider.secure_random })
    }

    pub(super) fn expand_seed(&self, seed: &Seed) -> Expanded {
        let salt = Some(&b"rustls-offload ticket keys 1"[..]);
        Expanded(self.hkdf.extract_from_secret(salt, seed.bytes()))
    }

    /// The one-time key of a ticket.
    fn key(
        &self,
        secret: &[u8; SECRET],
        salt: &[u8],
        scope: &str,
    ) -> Option<Box<dyn quic::PacketKey>> {
        let mut material = Zeroizing::new([0; 32 + 12]);
        let expander = self.hkdf.expander_for_okm(&OkmBlock::new(secret));
        expander.expand_slice(&[b"ticket", salt, scope.as_bytes()], &mut *material).ok()?;
        let (key, nonce) = material.split_first_chunk::<32>()?;
        Some(self.aead.packet_key(AeadKey::from(*key), Iv::copy(nonce)))
    }
}

/// A ticket of `session`, with the time of the client's last CertificateVerify. None if the system gives no
/// randomness.
pub(super) fn seal(
    ring: &KeyRing,
    scope: &str,
    session: &[u8],
    since: UnixTime,
    now: UnixTime,
) -> Option<Vec<u8>> {
    let cipher = ring.cipher();
    let keys = ring.at(now);
    let (name, secret) = keys.sealing();
    let mut ticket = Vec::with_capacity(HEADER + session.len() + 8 + TAG);
    ticket.push(VERSION);
    ticket.extend(name);
    ticket.extend([0; SALT]);
    cipher.random.fill(&mut ticket[1 + NAME..]).ok()?;
    ticket.extend(session);
    ticket.extend(since.as_secs().to_be_bytes());
    let (header, plain) = ticket.split_at_mut(HEADER);
    let key = cipher.key(secret, &header[1 + NAME..], scope)?;
    let tag = key.encrypt_in_place(0, header, plain).ok()?;
    ticket.extend(tag.as_ref());
    Some(ticket)
}

/// The session in a ticket, and the time of the client's last CertificateVerify.
pub(super) fn open(
    ring: &KeyRing,
    scope: &str,
    ticket: &[u8],
    now: UnixTime,
) -> Result<(Zeroizing<Vec<u8>>, UnixTime), Refusal> {
    let (header, sealed) = ticket.split_at_checked(HEADER).ok_or(Refusal::Malformed)?;
    if header[0] != VERSION || sealed.len() < 8 + TAG {
        return Err(Refusal::Malformed);
    }
    let (name, salt) = header[1..].split_first_chunk::<NAME>().ok_or(Refusal::Malformed)?;
    let keys = ring.at(now);
    let secret = keys.opening(name).ok_or(Refusal::Unknown)?;
    let key = ring.cipher().key(secret, salt, scope).ok_or(Refusal::Forged)?;
    let mut plain = Zeroizing::new(sealed.to_vec());
    let length = key.decrypt_in_place(0, header, &mut plain).map_err(|_| Refusal::Forged)?.len();
    plain.truncate(length);
    let (session, since) = plain.split_last_chunk().ok_or(Refusal::Forged)?;
    let (length, since) = (session.len(), at(u64::from_be_bytes(*since)));
    plain.truncate(length);
    Ok((plain, since))
}

/// Seconds since 1970 as a time.
pub(super) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}
