//! From a plan to a `CryptoProvider`: picking parts of the backends' own providers.
//!
//! Everything here happens once, when a provider is made. The result holds the backends' own
//! statics and nothing of ours on the path of a record or a handshake, so composing costs nothing
//! at run time. rustls wants its parts `'static`: combinations that no backend has as a static are
//! leaked, each distinct one once a process (see [`crate::intern`]).

mod groups;
mod keys;
mod suites;
mod verify;

use rustls::crypto::CryptoProvider;

use crate::backend::{Adapter, Backend};
use crate::plan::{Algorithm, Plan};

/// The provider that `plan` describes. The plan's CPU must run at least one backend.
pub(crate) fn provider(plan: &Plan) -> CryptoProvider {
    let sources = Sources::of(plan);
    let Some((_, preferred)) = sources.all.first() else {
        unreachable!("Builder::build checks that a backend is available");
    };
    CryptoProvider {
        cipher_suites: suites::compose(&sources),
        kx_groups: groups::compose(&sources),
        signature_verification_algorithms: verify::compose(&sources),
        secure_random: preferred.secure_random,
        key_provider: keys::compose(&sources),
    }
}

/// The providers to pick from, and the plan to pick by.
struct Sources<'a> {
    /// The whole ones, most preferred first.
    all: Vec<(Backend, CryptoProvider)>,
    /// Those that are used only for what the plan names them for.
    partial: Vec<(Backend, CryptoProvider)>,
    plan: &'a Plan,
}

impl<'a> Sources<'a> {
    fn of(plan: &'a Plan) -> Self {
        let made = |(backend, adapter): (Backend, &Adapter)| (backend, (adapter.provider)());
        let all: Vec<_> = Backend::whole(plan.cpu()).map(made).collect();
        let partial = Backend::compiled()
            .filter(|backend| all.iter().all(|(whole, _)| whole != backend))
            .filter_map(|backend| Some(made((backend, backend.usable(plan.cpu()).ok()?))))
            .collect();
        Self { all, partial, plan }
    }

    /// The providers, most preferred first.
    fn providers(&self) -> impl Iterator<Item = &CryptoProvider> {
        self.all.iter().map(|(_, provider)| provider)
    }

    /// Looks for a part of `algorithm` in the chosen backend, then in the others by preference.
    fn pick<T>(
        &self,
        algorithm: Option<Algorithm>,
        part: impl Fn(&CryptoProvider) -> Option<T>,
    ) -> Option<(Backend, T)> {
        let chosen = algorithm.and_then(|algorithm| self.plan.backend(algorithm));
        let everywhere = self.all.iter().chain(&self.partial);
        let first = everywhere.filter(|(backend, _)| Some(*backend) == chosen);
        let others = self.all.iter().filter(|(backend, _)| Some(*backend) != chosen);
        first.chain(others).find_map(|(backend, provider)| Some((*backend, part(provider)?)))
    }
}

/// The elements of `lists`, in order, without those whose key was seen before.
fn union<T: Clone, K: PartialEq>(
    lists: impl IntoIterator<Item = Vec<T>>,
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    let mut union: Vec<T> = Vec::new();
    for item in lists.into_iter().flatten() {
        if union.iter().all(|seen| key(seen) != key(&item)) {
            union.push(item);
        }
    }
    union
}
