//! Public keys and shared secrets of P-256 are those of aws-lc-rs; what is no point gives none.
#![no_main]

use arbitrary::Arbitrary;
use aws_lc_rs::agreement::{self, ECDH_P256, UnparsedPublicKey};
use libfuzzer_sys::fuzz_target;
use rustls_offload_fuzz::{Number, engines};
use rustls_offload_multibuffer::ecdh::{PrivateKey, agree, public_keys};

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Peer {
    Of(Number),
    Point { tag: u8, x: Number, y: Number },
}

/// A private key's number and a peer's public key; nothing if a number is no key.
fn case(&(private, peer): &(Number, Peer)) -> Option<([u8; 32], [u8; 65])> {
    let public = |number: Number| {
        let key = agreement::PrivateKey::from_private_key(&ECDH_P256, &number.0).ok()?;
        key.compute_public_key().ok()?.as_ref().try_into().ok()
    };
    let peer = match peer {
        Peer::Of(number) => public(number)?,
        Peer::Point { tag, x, y } => [&[tag], &x.0[..], &y.0[..]].concat().try_into().ok()?,
    };
    public(private).map(|_: [u8; 65]| (private.0, peer))
}

fuzz_target!(|cases: Vec<(Number, Peer)>| {
    let cases: Vec<_> = cases.iter().take(8).filter_map(case).collect();
    let key =
        |(private, _): &([u8; 32], _)| PrivateKey::from_bytes(private).expect("aws-lc-rs did");
    let privates: Vec<_> = cases.iter().map(key).collect();
    let peers: Vec<_> = cases.iter().map(|case| case.1).collect();
    for engine in engines() {
        let (mut publics, mut shared) = (vec![[0; 65]; cases.len()], vec![None; cases.len()]);
        public_keys(engine, &privates, &mut publics);
        agree(engine, &privates, &peers, &mut shared);
        for (i, (private, peer)) in cases.iter().enumerate() {
            let key = agreement::PrivateKey::from_private_key(&ECDH_P256, private).expect("a key");
            let public = key.compute_public_key().expect("a public key");
            assert_eq!(publics[i], public.as_ref(), "{engine:?}: {private:x?}");
            // compressed points are for aws-lc-rs to take; TLS 1.3 has none (RFC 8446, section 4.2.8.2)
            let peer_key = UnparsedPublicKey::new(&ECDH_P256, peer);
            let expected: Option<[u8; 32]> =
                agreement::agree(&key, peer_key, (), |secret| secret.try_into().map_err(|_| ()))
                    .ok();
            assert_eq!(shared[i].as_deref(), expected.as_ref(), "{engine:?}: {:x?}", cases[i]);
        }
    }
});
