//! Parts of a provider whose operations run in batches: rustls's traits over [`multibuffer`].
//!
//! Each part stands in front of one that the plan chose and looks the same from outside. In a
//! [pool](crate::pool) it hands its operation to [`crate::batch`]; when that finds company, the
//! operation is computed in a lane. In every other case, and whenever the lanes do not decide, the
//! part behind answers, as it would without this module.
//!
//! [`multibuffer`]: crate::multibuffer

#[cfg(feature = "pool")]
mod curve;
#[cfg(feature = "pool")]
mod exchange;
#[cfg(feature = "pool")]
mod hybrid;
#[cfg(feature = "pool")]
mod keys;
#[cfg(feature = "pool")]
mod operation;
mod verify;

#[cfg(feature = "pool")]
pub(crate) use operation::Operation;
use rustls::crypto::CryptoProvider;

use crate::cpu::{Cpu, Feature};
use crate::multibuffer::Engine;
use crate::plan::Plan;

/// `provider`, made by `plan`, with the parts that gain from lanes or tables on its CPU put in front of its own.
pub(crate) fn in_front_of(provider: CryptoProvider, plan: &Plan) -> CryptoProvider {
    let engine = eight_lanes(plan.cpu());
    #[cfg(feature = "pool")]
    let provider = match engine {
        Some(engine) => with_lanes(provider, plan, engine),
        None => provider,
    };
    CryptoProvider {
        signature_verification_algorithms: verify::in_front_of(
            provider.signature_verification_algorithms,
            engine,
        ),
        ..provider
    }
}

/// The eight-lane engine, if this CPU has it and no mask hides from `cpu` what it needs.
fn eight_lanes(cpu: &Cpu) -> Option<Engine> {
    const NEEDED: [Feature; 6] = [
        Feature::Avx512f,
        Feature::Avx512vl,
        Feature::Avx512dq,
        Feature::Avx512bw,
        Feature::Avx512ifma,
        Feature::Bmi2,
    ];
    NEEDED.iter().all(|&feature| cpu.has(feature)).then(Engine::eight_lanes).flatten()
}

/// `provider` with the parts that are faster in company than alone.
#[cfg(feature = "pool")]
fn with_lanes(provider: CryptoProvider, plan: &Plan, engine: Engine) -> CryptoProvider {
    use rustls::NamedGroup;
    use rustls::crypto::SupportedKxGroup;

    use crate::backend::{Backend, Parts};
    use crate::plan::Algorithm;

    let ml_kem = plan.backend(Algorithm::X25519MlKem768).and_then(Backend::ml_kem_768);
    let random = provider.secure_random;
    let x25519 = provider.group(NamedGroup::X25519);
    let x25519 = x25519.map(|group| exchange::x25519(group, engine, random));
    let front = |group: &'static dyn SupportedKxGroup| match (group.name(), x25519, ml_kem) {
        (NamedGroup::X25519, Some(x25519), _) => x25519,
        (NamedGroup::X25519MLKEM768, Some(x25519), Some(ml_kem)) => {
            hybrid::x25519_mlkem768(group, x25519, ml_kem)
        }
        (NamedGroup::secp256r1, ..) => exchange::p256(group, engine, random),
        _ => group,
    };
    CryptoProvider {
        kx_groups: provider.kx_groups.iter().copied().map(front).collect(),
        key_provider: keys::in_front_of(provider.key_provider, engine, random),
        ..provider
    }
}
