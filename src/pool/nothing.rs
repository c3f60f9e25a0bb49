//! What pools batch where all cryptography is the FIPS module's: nothing.

use std::convert::Infallible;
use std::thread::LocalKey;

use crate::batch::{Operation, Slot};

/// No operation.
#[derive(Debug)]
pub(super) enum Crypto {}

impl Operation for Crypto {
    type Outcome = Infallible;
    const KINDS: &'static [&'static str] = &[];

    fn kind(&self) -> usize {
        match *self {}
    }

    fn run_batch(_: Vec<Self>) -> Vec<Infallible> {
        Vec::new()
    }

    fn slot() -> &'static LocalKey<Slot<Self>> {
        thread_local!(static SLOT: Slot<Crypto> = const { Slot::new() });
        &SLOT
    }
}
