//! The operations under test, and some that leak.

use std::ffi::c_void;
use std::hint::black_box;
use std::sync::{Arc, LazyLock};

use crabgrind::memcheck::{MemState, mark_memory};
use rustls_offload_multibuffer::ecdh::{self, PrivateKey};
use rustls_offload_multibuffer::ecdsa::sign::{Signing, SigningKey, sign};
use rustls_offload_multibuffer::{Engine, x25519};
use zeroize::Zeroizing;

/// The secrets of a batch, one a lane.
pub type Secrets = [Zeroizing<[u8; 32]>; 8];

/// Something that is done with secrets.
pub struct Operation {
    /// What it is called in reports and on command lines.
    pub name: &'static str,
    /// A secret that might be treated in a special way: the fixed class of dudect's test.
    pub fixed: [u8; 32],
    /// Does it, once, on every lane, and passes the results to [`publish`].
    pub run: fn(Engine, &Secrets),
}

/// What must not leak.
pub const ALL: &[Operation] = &[
    Operation { name: "x25519-public-keys", fixed: [0; 32], run: x25519_public_keys },
    Operation { name: "x25519-agree", fixed: [0; 32], run: x25519_agree },
    Operation { name: "x25519-exchange", fixed: [0; 32], run: x25519_exchange },
    Operation { name: "p256-public-keys", fixed: ONE, run: p256_public_keys },
    Operation { name: "p256-agree", fixed: ONE, run: p256_agree },
    Operation { name: "p256-sign", fixed: ONE, run: p256_sign },
];

/// The smallest scalar of P-256: all its digits but the lowest are alike.
const ONE: [u8; 32] = {
    let mut one = [0; 32];
    one[31] = 1;
    one
};

/// What must be found to leak: key generation, followed by one mistake.
pub const LEAKS: &[Operation] = &[
    Operation { name: "planted-branch", fixed: [0; 32], run: planted_branch },
    Operation { name: "planted-address", fixed: [0; 32], run: planted_address },
];

/// The operation or planted leak of that name.
pub fn named(name: &str) -> Option<&'static Operation> {
    ALL.iter().chain(LEAKS).find(|operation| operation.name == name)
}

/// Tells valgrind, if there is one, that `value` is secret: nothing may be decided by it.
pub fn classify<T>(value: &T) {
    mark(value, MemState::Undefined);
}

/// Tells valgrind that `value` leaves the operation, and what its receiver does is not its concern.
pub fn publish<T>(value: &T) {
    mark(value, MemState::Defined);
}

fn mark<T>(value: &T, state: MemState) {
    let address = std::ptr::from_ref(value).cast::<c_void>();
    // fails without valgrind, where there is nobody to tell
    let _ = mark_memory(address, size_of::<T>(), state);
    black_box(value);
}

/// u-coordinates of the peers. One is of low order: what it shares is refused, in whichever time.
fn peers() -> [[u8; 32]; 8] {
    std::array::from_fn(|lane| std::array::from_fn(|i| if i == 0 { lane as u8 + 1 } else { 0 }))
}

fn x25519_public_keys(engine: Engine, secrets: &Secrets) {
    let mut publics = [[0; 32]; 8];
    x25519::public_keys(engine, secrets, &mut publics);
    publish(&publics);
}

fn x25519_agree(engine: Engine, secrets: &Secrets) {
    let mut shared = [const { None }; 8];
    x25519::agree(engine, secrets, &peers(), &mut shared);
    publish(&shared);
}

fn x25519_exchange(engine: Engine, secrets: &Secrets) {
    let (mut publics, mut shared) = ([[0; 32]; 8], [const { None }; 8]);
    x25519::exchange(engine, secrets, &peers(), &mut publics, &mut shared);
    publish(&publics);
    publish(&shared);
}

fn p256_privates(secrets: &Secrets) -> [PrivateKey; 8] {
    secrets.each_ref().map(|secret| PrivateKey::from_bytes(secret).expect("in range"))
}

fn p256_public_keys(engine: Engine, secrets: &Secrets) {
    let mut publics = [[0; 65]; 8];
    ecdh::public_keys(engine, &p256_privates(secrets), &mut publics);
    publish(&publics);
}

/// With the base point as the peer, but for one that is no point of the curve.
fn p256_agree(engine: Engine, secrets: &Secrets) {
    static BASE: LazyLock<[u8; 65]> = LazyLock::new(|| {
        let mut base = [[0; 65]];
        let one = PrivateKey::from_bytes(&ONE).expect("in range");
        ecdh::public_keys(Engine::single(), &[one], &mut base);
        base[0]
    });
    let mut peers = [*BASE; 8];
    peers[3] = [4; 65];
    let mut shared = [const { None }; 8];
    ecdh::agree(engine, &p256_privates(secrets), &peers, &mut shared);
    publish(&shared);
}

fn p256_sign(engine: Engine, secrets: &Secrets) {
    let jobs = secrets.each_ref().map(|secret| {
        let key = SigningKey::from_scalar(secret).expect("in range");
        Signing { key: Arc::new(key), digest: [7; 32], entropy: **secret }
    });
    publish(&sign(engine, &jobs));
}

/// As a scalar multiplication that does something for set bits only: one lane in eight has the mistake.
fn planted_branch(engine: Engine, secrets: &Secrets) {
    x25519_public_keys(engine, secrets);
    let mut sum = 1_u64;
    for byte in secrets[0].iter() {
        for bit in 0..8 {
            if byte >> bit & 1 == 1 {
                sum = black_box(sum).wrapping_mul(3);
            }
        }
    }
    black_box(sum);
}

/// As a table lookup by index: one cache line for each value of a byte.
fn planted_address(engine: Engine, secrets: &Secrets) {
    static TABLE: [[u8; 64]; 256] = [[1; 64]; 256];
    x25519_public_keys(engine, secrets);
    let table = black_box(&TABLE);
    let picked = secrets.iter().flat_map(|secret| secret.iter());
    black_box(picked.fold(0_u8, |sum, &byte| sum.wrapping_add(table[usize::from(byte)][0])));
}
