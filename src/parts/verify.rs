//! Verifying ECDSA with P-256 and SHA-256: what the leaves and issuers of a mesh sign with.
//!
//! Peers come again. Their keys get tables ([`KnownKeys`]), from which a signature is verified faster
//! than by any backend, in company or alone.

use std::fmt;
use std::sync::LazyLock;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use sha2::{Digest, Sha256};

use crate::intern::Interned;
use crate::multibuffer::Engine;
use crate::multibuffer::ecdsa::{KnownKeys, Verdict, Verification, parse_signature};

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

static FRONTS: Interned<(usize, usize), Front> = Interned::new();
static SETS: Interned<(usize, usize), WebPkiSupportedAlgorithms> = Interned::new();

/// `set` with ECDSA P-256 behind a front: with `engine` in batches, without it from tables alone.
pub(super) fn in_front_of(
    set: WebPkiSupportedAlgorithms,
    engine: Option<Engine>,
) -> WebPkiSupportedAlgorithms {
    let lanes = engine.map_or(0, Engine::lanes);
    let front = |behind: Algorithm| -> Algorithm {
        let fronted = behind.public_key_alg_id() == alg_id::ECDSA_P256
            && behind.signature_alg_id() == alg_id::ECDSA_SHA256;
        if !fronted {
            return behind;
        }
        let address = std::ptr::from_ref(behind).cast::<()>().addr();
        FRONTS.get((address, lanes), || Front { behind, engine, known: known_keys(engine) })
    };
    let fronts = |list: &[Algorithm]| -> &'static [Algorithm] {
        Vec::leak(list.iter().copied().map(front).collect())
    };
    *SETS.get((set.all.as_ptr().addr(), lanes), || WebPkiSupportedAlgorithms {
        all: fronts(set.all),
        mapping: Vec::leak(set.mapping.iter().map(|(s, list)| (*s, fronts(list))).collect()),
    })
}

/// The process's known keys: one set for an engine.
fn known_keys(engine: Option<Engine>) -> &'static KnownKeys {
    static SINGLE: LazyLock<KnownKeys> =
        LazyLock::new(|| KnownKeys::new(Engine::single(), KnownKeys::DEFAULT_CAPACITY));
    static LANES: Interned<usize, KnownKeys> = Interned::new();
    match engine {
        Some(engine) => {
            LANES.get(engine.lanes(), || KnownKeys::new(engine, KnownKeys::DEFAULT_CAPACITY))
        }
        None => &SINGLE,
    }
}

/// ECDSA P-256 with SHA-256: from tables if the key is known, in lanes in company, otherwise by
/// `behind`.
struct Front {
    behind: Algorithm,
    /// What computes batches, if anything does.
    #[cfg_attr(not(feature = "pool"), expect(dead_code, reason = "without a pool, no batches"))]
    engine: Option<Engine>,
    known: &'static KnownKeys,
}

impl Front {
    /// The verdict of tables or lanes; `None` if they were not asked or could not tell.
    fn verdict(&self, verification: Verification, is_known: bool) -> Option<bool> {
        let verdict = self
            .in_batch(verification, is_known)
            .or_else(|| self.known.verify_known(&[verification]).map(|[verdict, ..]| verdict))?;
        match verdict {
            Verdict::Valid => Some(true),
            Verdict::Invalid => Some(false),
            Verdict::Undecided => None,
        }
    }

    #[cfg(feature = "pool")]
    fn in_batch(&self, verification: Verification, is_known: bool) -> Option<Verdict> {
        use super::operation::{Outcome, Task, submit};
        let task = match is_known {
            true => Task::VerifyKnown(self.known, verification),
            false => Task::Verify(self.known, verification),
        };
        match submit(self.engine?, task) {
            Some(Outcome::Verify(verdict)) => Some(verdict),
            _ => None,
        }
    }

    #[cfg(not(feature = "pool"))]
    fn in_batch(&self, _: Verification, _: bool) -> Option<Verdict> {
        None
    }

    /// Whether batches are worth the hash: with an engine, in a pool, with others.
    fn has_company(&self) -> bool {
        #[cfg(feature = "pool")]
        return self.engine.is_some() && super::operation::company();
        #[cfg(not(feature = "pool"))]
        return false;
    }
}

/// As what is behind: it is the same algorithm.
impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.behind.fmt(f)
    }
}

impl SignatureVerificationAlgorithm for Front {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let behind = || self.behind.verify_signature(public_key, message, signature);
        let Some((key, [r, s])) = numbers(public_key, signature) else {
            return behind();
        };
        let is_known = self.known.knows(&key);
        if is_known || self.has_company() {
            let digest = Sha256::digest(message).into();
            match self.verdict(Verification { key, digest, r, s }, is_known) {
                Some(true) => return Ok(()),
                Some(false) => return Err(InvalidSignature),
                None => {}
            }
        }
        behind()?;
        self.known.saw(&[key]);
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.behind.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.behind.signature_alg_id()
    }
}

/// An uncompressed point, and r and s; `None` for any other form, which `behind` may judge.
fn numbers(public_key: &[u8], signature: &[u8]) -> Option<([u8; 64], [[u8; 32]; 2])> {
    let [4, key @ ..] = public_key else { return None };
    let (r, s) = parse_signature(signature)?;
    Some((key.try_into().ok()?, [r, s]))
}
