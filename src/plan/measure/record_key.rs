//! Record keys of the right length, without a connection.
//!
//! Outside rustls an `AeadKey` is always 32 bytes, except where rustls hands one out: to the QUIC
//! implementation of a suite, cut to the length that one asks for. So this pretends to be one,
//! asks for the initial keys of a QUIC connection (RFC 9001, section 5.2), and keeps the first.

use std::cell::RefCell;

use rustls::crypto::cipher::{AeadKey, Iv};
use rustls::quic::{Algorithm, HeaderProtectionKey, Keys, PacketKey, Tag, Version};
use rustls::{Error, Side, Tls13CipherSuite};

use super::absent;

thread_local! {
    static CAUGHT: RefCell<Option<(AeadKey, Iv)>> = const { RefCell::new(None) };
}

static KEYS_OF_16: Catcher = Catcher(16);
static KEYS_OF_32: Catcher = Catcher(32);

/// A key and IV for `suite`'s record protection; the same at every call.
pub(super) fn derive(suite: &'static Tls13CipherSuite) -> Result<(AeadKey, Iv), Error> {
    let catcher = match suite.aead_alg.key_len() {
        16 => &KEYS_OF_16,
        _ => &KEYS_OF_32,
    };
    CAUGHT.take();
    Keys::initial(Version::V1, suite, catcher, b"rustls-offload", Side::Client);
    CAUGHT.take().ok_or_else(absent)
}

/// A QUIC implementation for keys of this many bytes that only notes the first one.
struct Catcher(usize);

impl Algorithm for Catcher {
    fn packet_key(&self, key: AeadKey, iv: Iv) -> Box<dyn PacketKey> {
        CAUGHT.with_borrow_mut(|caught| {
            caught.get_or_insert((key, iv));
        });
        Box::new(Unusable)
    }

    fn header_protection_key(&self, _key: AeadKey) -> Box<dyn HeaderProtectionKey> {
        Box::new(Unusable)
    }

    fn aead_key_len(&self) -> usize {
        self.0
    }
}

/// Stands where rustls wants a QUIC key; protects nothing, and refuses to.
struct Unusable;

impl PacketKey for Unusable {
    fn encrypt_in_place(&self, _: u64, _: &[u8], _: &mut [u8]) -> Result<Tag, Error> {
        Err(Error::EncryptError)
    }

    fn decrypt_in_place<'a>(&self, _: u64, _: &[u8], _: &'a mut [u8]) -> Result<&'a [u8], Error> {
        Err(Error::DecryptError)
    }

    fn tag_len(&self) -> usize {
        0
    }

    fn confidentiality_limit(&self) -> u64 {
        0
    }

    fn integrity_limit(&self) -> u64 {
        0
    }
}

impl HeaderProtectionKey for Unusable {
    fn encrypt_in_place(&self, _: &[u8], _: &mut u8, _: &mut [u8]) -> Result<(), Error> {
        Err(Error::EncryptError)
    }

    fn decrypt_in_place(&self, _: &[u8], _: &mut u8, _: &mut [u8]) -> Result<(), Error> {
        Err(Error::DecryptError)
    }

    fn sample_len(&self) -> usize {
        0
    }
}
