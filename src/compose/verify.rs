//! Signature verification: the widest backend's list, with algorithms replaced one for one.

use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::SignatureVerificationAlgorithm;

use super::{Sources, union};
use crate::backend::{Backend, Parts};
use crate::intern::Interned;
use crate::plan::Algorithm;

type Verifier = &'static dyn SignatureVerificationAlgorithm;

static SETS: Interned<(Vec<Backend>, Vec<Option<Backend>>), WebPkiSupportedAlgorithms> =
    Interned::new();

/// Every algorithm and scheme that a backend verifies, each by the backend that the plan names.
pub(super) fn compose(sources: &Sources<'_>) -> WebPkiSupportedAlgorithms {
    let available = sources.all.iter().map(|(backend, _)| *backend).collect();
    let slots = [
        Algorithm::EcdsaP256Verify,
        Algorithm::EcdsaP384Verify,
        Algorithm::Ed25519Verify,
        Algorithm::RsaPkcs1Verify,
        Algorithm::RsaPssVerify,
    ];
    let chosen = slots.map(|slot| sources.plan.backend(slot)).to_vec();
    *SETS.get((available, chosen), || build(sources))
}

fn build(sources: &Sources<'_>) -> WebPkiSupportedAlgorithms {
    let sets: Vec<_> = sources.providers().map(|p| p.signature_verification_algorithms).collect();
    let pick = |verifier: Verifier| {
        let slot = Algorithm::verifying(verifier);
        sources.pick(slot, |p| p.verifier(verifier)).map_or(verifier, |(_, chosen)| chosen)
    };
    let merge = |lists: Vec<Vec<Verifier>>| -> &'static [Verifier] {
        let merged = union(lists, |v| (v.public_key_alg_id(), v.signature_alg_id()));
        Vec::leak(merged.into_iter().map(pick).collect())
    };
    let of_scheme = |scheme: SignatureScheme| {
        let entries = sets.iter().flat_map(|set| set.mapping).filter(|entry| entry.0 == scheme);
        (scheme, merge(entries.map(|entry| entry.1.to_vec()).collect()))
    };
    let schemes = union(sets.iter().map(WebPkiSupportedAlgorithms::supported_schemes), |&s| s);
    WebPkiSupportedAlgorithms {
        all: merge(sets.iter().map(|set| set.all.to_vec()).collect()),
        mapping: Vec::leak(schemes.into_iter().map(of_scheme).collect()),
    }
}
