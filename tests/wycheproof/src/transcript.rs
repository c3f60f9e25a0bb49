//! Transcript hashes: FIPS 180-4's examples, then every length against the reference.
//!
//! Wycheproof has no vectors for plain hashes.

use aws_lc_rs::digest;
use rustls::crypto::hash::Hash;
use rustls_offload::plan::Algorithm;

use crate::algorithms::tls13;
use crate::implementations::implementations;
use crate::tally::Tally;

/// NIST's example values for the message "abc".
const ABC_SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const ABC_SHA384: &str = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
                          8086072ba1e7cc2358baeca134c825a7";

#[test]
fn sha_256() {
    check(Algorithm::Sha256, &digest::SHA256, ABC_SHA256);
}

#[test]
fn sha_384() {
    check(Algorithm::Sha384, &digest::SHA384, ABC_SHA384);
}

fn check(algorithm: Algorithm, reference: &'static digest::Algorithm, abc: &str) {
    for (_, provider, mut tally) in implementations(algorithm) {
        let hash = tls13(&provider, algorithm).common.hash_provider;
        assert_eq!(hash.output_len(), abc.len() / 2);
        tally.check(hex(hash.hash(b"abc").as_ref()) == abc, "abc");
        // two blocks of either hash, and every place the padding can fall
        for length in 0..=300 {
            let message: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let expected = digest::digest(reference, &message);
            tally.check(hash.hash(&message).as_ref() == expected.as_ref(), length);
            in_pieces(hash, &message, expected.as_ref(), &mut tally);
        }
        tally.at_least(600);
    }
}

/// As a handshake does it: message by message, with looks at the hash so far.
fn in_pieces(hash: &dyn Hash, message: &[u8], expected: &[u8], tally: &mut Tally) {
    let (first, second) = message.split_at(message.len() / 2);
    let mut context = hash.start();
    context.update(first);
    let so_far = context.fork_finish();
    assert_eq!(so_far.as_ref(), hash.hash(first).as_ref());
    let mut fork = context.fork();
    fork.update(b"something else");
    context.update(second);
    tally.check(context.finish().as_ref() == expected, format!("{} in pieces", message.len()));
    let other = [first, b"something else"].concat();
    assert_eq!(fork.finish().as_ref(), hash.hash(&other).as_ref());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
