//! Public keys and shared secrets of X25519 are those of aws-lc-rs; points of low order give none.
#![no_main]

use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};
use libfuzzer_sys::fuzz_target;
use rustls_offload_fuzz::{Number, engines};
use rustls_offload_multibuffer::x25519::{agree, public_keys};
use zeroize::Zeroizing;

fuzz_target!(|cases: Vec<(Number, Number)>| {
    let cases = &cases[..cases.len().min(8)];
    let secrets: Vec<_> = cases.iter().map(|case| Zeroizing::new(case.0.0)).collect();
    let peers: Vec<_> = cases.iter().map(|case| case.1.0).collect();
    for engine in engines() {
        let (mut publics, mut shared) = (vec![[0; 32]; cases.len()], vec![None; cases.len()]);
        public_keys(engine, &secrets, &mut publics);
        agree(engine, &secrets, &peers, &mut shared);
        for (i, (secret, peer)) in cases.iter().enumerate() {
            let key = agreement::PrivateKey::from_private_key(&X25519, &secret.0).expect("a key");
            let public = key.compute_public_key().expect("a public key");
            assert_eq!(publics[i], public.as_ref(), "{engine:?}: {secret:x?}");
            let peer_key = UnparsedPublicKey::new(&X25519, peer.0);
            let expected: Option<[u8; 32]> =
                agreement::agree(&key, peer_key, (), |secret| secret.try_into().map_err(|_| ()))
                    .ok();
            assert_eq!(shared[i].as_deref(), expected.as_ref(), "{engine:?}: {:x?}", cases[i]);
        }
    }
});
