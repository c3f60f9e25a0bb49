//! Transcript hash and key schedule, as a TLS 1.3 handshake uses them (RFC 8446, section 7.1).

use rustls::crypto::CryptoProvider;
use rustls::crypto::tls13::Hkdf;
use rustls::{CipherSuite, Error, Tls13CipherSuite};

use super::{Algorithm, Operation, absent};
use crate::backend::Parts;

/// About what a handshake with one short chain hashes, in messages of this size.
const MESSAGES: usize = 4;
const MESSAGE: usize = 256;

/// The transcript of a small handshake, with the two intermediate values that a server takes.
pub(super) fn transcript(
    algorithm: Algorithm,
    provider: &CryptoProvider,
) -> Result<Vec<Operation>, Error> {
    let hash = suite(algorithm, provider)?.common.hash_provider;
    let bytes = Some((MESSAGES * MESSAGE) as u64);
    Ok(vec![Operation::new("transcript of 1 KiB", bytes, move || {
        let mut transcript = hash.start();
        for message in 0..MESSAGES {
            transcript.update(&[0x5a; MESSAGE]);
            if message % 2 == 1 {
                std::hint::black_box(transcript.fork_finish());
            }
        }
        std::hint::black_box(transcript.finish());
        Ok(())
    })])
}

/// Early to application secrets, the keys of four directions, both Finished messages.
pub(super) fn key_schedule(
    algorithm: Algorithm,
    provider: &CryptoProvider,
) -> Result<Vec<Operation>, Error> {
    let suite = suite(algorithm, provider)?;
    let (hkdf, length) = (suite.hkdf_provider, suite.common.hash_provider.output_len());
    Ok(vec![Operation::new("key schedule", None, move || schedule(hkdf, length))])
}

fn schedule(hkdf: &dyn Hkdf, length: usize) -> Result<(), Error> {
    let transcript = &[0x5a; 48][..length];
    let info = |label: &'static [u8]| [&[0, 32, 18][..], b"tls13 ", label, &[32], transcript];
    let early = hkdf.extract_from_zero_ikm(None);
    let salt = early.expand_block(&info(b"derived"));
    let handshake = hkdf.extract_from_secret(Some(salt.as_ref()), &[7; 32]);
    let salt = handshake.expand_block(&info(b"derived"));
    let master = hkdf.extract_from_zero_ikm(Some(salt.as_ref()));
    for (secret, finishes) in [(&handshake, true), (&master, false)] {
        for label in [b"c traffic", b"s traffic"] {
            let traffic = hkdf.expander_for_okm(&secret.expand_block(&info(label)));
            let (mut key, mut iv) = ([0; 32], [0; 12]);
            let expanded = traffic.expand_slice(&info(b"key"), &mut key);
            expanded.and(traffic.expand_slice(&info(b"iv"), &mut iv)).map_err(|_| too_long())?;
            std::hint::black_box((key, iv));
            if finishes {
                let finished = traffic.expand_block(&info(b"finished"));
                std::hint::black_box(hkdf.hmac_sign(&finished, transcript));
            }
        }
    }
    Ok(())
}

fn suite(
    algorithm: Algorithm,
    provider: &CryptoProvider,
) -> Result<&'static Tls13CipherSuite, Error> {
    let id = match algorithm {
        Algorithm::Sha256 | Algorithm::HkdfSha256 => CipherSuite::TLS13_AES_128_GCM_SHA256,
        _ => CipherSuite::TLS13_AES_256_GCM_SHA384,
    };
    provider.tls13(id).ok_or_else(absent)
}

fn too_long() -> Error {
    Error::General("HKDF refused to expand 32 bytes".into())
}
