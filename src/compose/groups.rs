//! Key-exchange groups: each stands alone, so each is simply taken from its backend.

use rustls::crypto::SupportedKxGroup;

use super::{Sources, union};
use crate::backend::Parts;
use crate::plan::Algorithm;

/// Every group that a backend has, in the order of the most preferred backend.
pub(super) fn compose(sources: &Sources<'_>) -> Vec<&'static dyn SupportedKxGroup> {
    let groups = union(sources.providers().map(|p| p.kx_groups.clone()), |group| group.name());
    let pick = |group: &'static dyn SupportedKxGroup| {
        let name = group.name();
        let picked = sources.pick(Algorithm::key_exchange(name), |p| p.group(name));
        picked.map_or(group, |(_, chosen)| chosen)
    };
    groups.into_iter().map(pick).collect()
}
