//! The operations that meet in a batch, and what comes of them.

use std::thread::LocalKey;

use super::curve::{Curve, P256, Shared, X25519};
use crate::batch::{self, Slot};
use crate::multibuffer::Engine;
use crate::multibuffer::ecdsa::sign::{self, Signature, Signing};
use crate::multibuffer::ecdsa::{KnownKeys, Verdict, Verification};

/// One operation and the engine that is to compute it.
///
/// Secrets are boxed, for an operation is moved about, and a move leaves the bytes behind.
pub(crate) struct Operation {
    engine: Engine,
    task: Task,
}

pub(crate) enum Task {
    /// By a key that was known when the operation was made.
    VerifyKnown(&'static KnownKeys, Verification),
    /// By any key; where it turns out to be known meanwhile, that is made use of.
    Verify(&'static KnownKeys, Verification),
    Sign(Box<Signing>),
    X25519(Exchange<X25519>),
    P256(Exchange<P256>),
}

/// What comes of a [`Task`], in the variant of the same name.
pub(crate) enum Outcome {
    Verify(Verdict),
    Sign(Option<Signature>),
    X25519(Exchanged<X25519>),
    P256(Exchanged<P256>),
}

/// A step of a key exchange.
pub(crate) struct Exchange<C: Curve> {
    pub(crate) step: Step,
    pub(crate) secret: Box<C::Secret>,
    /// Anything, if the step is [`Step::PublicKey`].
    pub(crate) peer: C::Public,
}

/// What is wanted of an exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A client's first step.
    PublicKey,
    /// A client's second.
    Agree,
    /// Both: a server's.
    Both,
}

/// What came of a step; the part that was not wanted is meaningless.
pub(crate) struct Exchanged<C: Curve> {
    pub(crate) public: C::Public,
    pub(crate) shared: Box<Shared>,
}

/// Whether a task could be computed in a batch: worth making one.
pub(crate) fn company() -> bool {
    batch::company::<Operation>()
}

/// The outcome of `task`, if it was computed in a batch.
pub(crate) fn submit(engine: Engine, task: Task) -> Option<Outcome> {
    batch::submit(Operation { engine, task }).ok()
}

impl batch::Operation for Operation {
    type Outcome = Outcome;

    const KINDS: &'static [&'static str] = &[
        "ecdsa-p256-verify-known",
        "ecdsa-p256-verify",
        "ecdsa-p256-sign",
        "x25519-public-key",
        "x25519-agree",
        "x25519-exchange",
        "p-256-public-key",
        "p-256-agree",
        "p-256-exchange",
    ];

    fn kind(&self) -> usize {
        match &self.task {
            Task::VerifyKnown(..) => 0,
            Task::Verify(..) => 1,
            Task::Sign(_) => 2,
            Task::X25519(exchange) => 3 + exchange.step as usize,
            Task::P256(exchange) => 6 + exchange.step as usize,
        }
    }

    fn run_batch(batch: Vec<Self>) -> Vec<Outcome> {
        let Some(&Self { engine, .. }) = batch.first() else {
            return Vec::new();
        };
        let mut known = None;
        let (mut verify, mut sign) = (vec![], vec![]);
        let (mut x25519, mut p256) = (vec![], vec![]);
        for operation in batch {
            match operation.task {
                Task::VerifyKnown(keys, job) | Task::Verify(keys, job) => {
                    known = Some(keys);
                    verify.push(job);
                }
                Task::Sign(job) => sign.push(*job),
                Task::X25519(exchange) => x25519.push(exchange),
                Task::P256(exchange) => p256.push(exchange),
            }
        }
        let verdicts = known.map(|keys| keys.verify(&verify)).into_iter().flatten();
        let verdicts = verdicts.take(verify.len()).map(Outcome::Verify);
        let signatures = sign::sign(engine, &sign);
        let signatures = signatures.into_iter().take(sign.len()).map(Outcome::Sign);
        verdicts
            .chain(signatures)
            .chain(exchange(engine, x25519).into_iter().map(Outcome::X25519))
            .chain(exchange(engine, p256).into_iter().map(Outcome::P256))
            .collect()
    }

    fn slot() -> &'static LocalKey<Slot<Self>> {
        thread_local!(static SLOT: Slot<Operation> = const { Slot::new() });
        &SLOT
    }
}

/// Up to eight exchanges, all at the same step.
fn exchange<C: Curve>(engine: Engine, batch: Vec<Exchange<C>>) -> Vec<Exchanged<C>> {
    let Some(&Exchange { step, .. }) = batch.first() else {
        return Vec::new();
    };
    let (secrets, peers): (Vec<C::Secret>, Vec<C::Public>) =
        batch.into_iter().map(|exchange| (*exchange.secret, exchange.peer)).unzip();
    let mut publics = vec![C::NOBODY; secrets.len()];
    let mut shared: Vec<Shared> = vec![None; secrets.len()];
    match step {
        Step::PublicKey => C::public_keys(engine, &secrets, &mut publics),
        Step::Agree => C::agree(engine, &secrets, &peers, &mut shared),
        Step::Both => C::exchange(engine, &secrets, &peers, &mut publics, &mut shared),
    }
    let both = publics.into_iter().zip(shared);
    both.map(|(public, shared)| Exchanged { public, shared: Box::new(shared) }).collect()
}
