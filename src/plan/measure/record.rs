//! Record protection: TLS 1.3 records sealed and opened, at a small, a packet and a full size.

use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{InboundOpaqueMessage, OutboundChunks, OutboundPlainMessage};
use rustls::{ContentType, Error, ProtocolVersion};

use super::{Algorithm, Operation, absent, record_key};
use crate::backend::Parts;

/// A request, a packet, and the largest record there is (RFC 8446, section 5.1).
const SIZES: [(&str, usize); 3] = [
    ("seal and open 64 B", 64),
    ("seal and open 1350 B", 1350),
    ("seal and open 16 KiB", 16 * 1024),
];

pub(super) fn operations(
    algorithm: Algorithm,
    provider: &CryptoProvider,
) -> Result<Vec<Operation>, Error> {
    let suite = algorithm.record_suite().ok_or_else(absent)?;
    let suite = provider.tls13(suite).ok_or_else(absent)?;
    let operation = |(name, size): (&'static str, usize)| {
        let (key, iv) = record_key::derive(suite)?;
        let mut sealer = suite.aead_alg.encrypter(key, iv);
        let (key, iv) = record_key::derive(suite)?;
        let mut opener = suite.aead_alg.decrypter(key, iv);
        let plaintext = vec![0x5a; size];
        let mut sequence = 0;
        Ok(Operation::new(name, Some(2 * size as u64), move || {
            let record = OutboundPlainMessage {
                typ: ContentType::ApplicationData,
                version: ProtocolVersion::TLSv1_3,
                payload: OutboundChunks::Single(&plaintext),
            };
            let mut sealed = sealer.encrypt(record, sequence)?;
            let received =
                InboundOpaqueMessage::new(sealed.typ, sealed.version, sealed.payload.as_mut());
            let opened = opener.decrypt(received, sequence)?;
            sequence += 1;
            match opened.payload.len() == plaintext.len() {
                true => Ok(()),
                false => Err(Error::DecryptError),
            }
        }))
    };
    SIZES.into_iter().map(operation).collect()
}
