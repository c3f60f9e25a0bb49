//! Cipher suites: record protection, transcript hash and key schedule each from its own backend.

use rustls::crypto::CipherSuiteCommon;
use rustls::{CipherSuite, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite};

use super::{Sources, union};
use crate::backend::{Backend, Parts};
use crate::intern::Interned;
use crate::plan::Algorithm;

static TLS13: Interned<(u16, [Backend; 3], Option<Backend>), Tls13CipherSuite> = Interned::new();
static TLS12: Interned<(u16, [Backend; 4]), Tls12CipherSuite> = Interned::new();

/// Every suite that a backend has, ordered for this CPU.
pub(super) fn compose(sources: &Sources<'_>) -> Vec<SupportedCipherSuite> {
    let lists = sources.providers().map(|p| p.cipher_suites.clone());
    let mut suites = union(lists, SupportedCipherSuite::suite);
    if !sources.plan.cpu().has_aes_gcm() {
        suites.sort_by_key(rank_without_aes);
    }
    suites.into_iter().map(|suite| pick(suite, sources)).collect()
}

/// TLS 1.3 before TLS 1.2, ECDSA before RSA as in rustls, and in each group ChaCha20 first.
fn rank_without_aes(suite: &SupportedCipherSuite) -> (u8, bool) {
    use CipherSuite as Id;
    let id = suite.suite();
    let group = match id {
        _ if suite.tls13().is_some() => 0,
        Id::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | Id::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        | Id::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => 1,
        _ => 2,
    };
    let chacha = matches!(Algorithm::of_suite(id), Some([Algorithm::ChaCha20Poly1305, ..]));
    (group, !chacha)
}

/// The suite with each of its parts from the backend that the plan names.
fn pick(suite: SupportedCipherSuite, sources: &Sources<'_>) -> SupportedCipherSuite {
    let Some(slots) = Algorithm::of_suite(suite.suite()) else {
        return suite; // none of ours: leave it as the backend made it
    };
    match suite {
        SupportedCipherSuite::Tls13(suite) => pick_tls13(suite, slots, sources).into(),
        SupportedCipherSuite::Tls12(suite) => pick_tls12(suite, slots, sources).into(),
    }
}

fn pick_tls13(
    suite: &'static Tls13CipherSuite,
    slots: [Algorithm; 3],
    sources: &Sources<'_>,
) -> &'static Tls13CipherSuite {
    let id = suite.common.suite;
    let [Some(aead), Some(hash), Some(hkdf)] =
        slots.map(|slot| sources.pick(Some(slot), |p| p.tls13(id)))
    else {
        return suite;
    };
    let quic = sources.pick(Some(slots[0]), |p| p.tls13(id)?.quic);
    let backends = [aead.0, hash.0, hkdf.0];
    let quic_backend = quic.map(|(backend, _)| backend);
    let alone = backends == [aead.0; 3] && quic_backend.is_none_or(|backend| backend == aead.0);
    if alone {
        return aead.1;
    }
    TLS13.get((id.into(), backends, quic_backend), || Tls13CipherSuite {
        common: common(&aead.1.common, &hash.1.common),
        hkdf_provider: hkdf.1.hkdf_provider,
        aead_alg: aead.1.aead_alg,
        quic: quic.map(|(_, keys)| keys),
    })
}

fn pick_tls12(
    suite: &'static Tls12CipherSuite,
    slots: [Algorithm; 3],
    sources: &Sources<'_>,
) -> &'static Tls12CipherSuite {
    let id = suite.common.suite;
    let part = |slot| {
        sources.pick(slot, |p| match p.suite(id) {
            Some(SupportedCipherSuite::Tls12(suite)) => Some(suite),
            _ => None,
        })
    };
    let [Some(aead), Some(hash), Some(prf)] = slots.map(|slot| part(Some(slot))) else {
        return suite;
    };
    // which signature schemes go with a suite is no algorithm's choice: as the preferred backend
    let Some(shape) = part(None) else {
        return suite;
    };
    let backends = [aead.0, hash.0, prf.0, shape.0];
    if backends == [shape.0; 4] {
        return shape.1;
    }
    TLS12.get((id.into(), backends), || Tls12CipherSuite {
        common: common(&aead.1.common, &hash.1.common),
        prf_provider: prf.1.prf_provider,
        kx: shape.1.kx,
        sign: shape.1.sign,
        aead_alg: aead.1.aead_alg,
    })
}

/// The common part: the limit belongs to the record protection, the hash stands alone.
fn common(aead: &CipherSuiteCommon, hash: &CipherSuiteCommon) -> CipherSuiteCommon {
    CipherSuiteCommon {
        suite: aead.suite,
        hash_provider: hash.hash_provider,
        confidentiality_limit: aead.confidentiality_limit,
    }
}
