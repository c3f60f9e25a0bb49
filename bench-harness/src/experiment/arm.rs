//! Arms: a path, a provider and a workload, measured side by side with the others.

use std::fmt;

use crate::path::Path;
use crate::settings::{HandshakeMix, ProviderName, Workload};

/// One thing that is compared.
#[derive(Clone, Copy)]
pub struct Arm {
    /// How bytes get from client to server.
    pub path: &'static dyn Path,
    /// Who does the cryptography; none where there is none.
    pub provider: Option<ProviderName>,
    /// What is done over and over.
    pub workload: Workload,
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.workload, self.path.name())?;
        self.provider.map_or(Ok(()), |provider| write!(f, ", {provider}"))
    }
}

/// All combinations; a path without TLS appears once a workload, whatever the provider or the
/// handshake kind.
pub fn arms(
    paths: &[&'static dyn Path],
    providers: &[ProviderName],
    workloads: &[Workload],
) -> Vec<Arm> {
    let mut arms: Vec<Arm> = Vec::new();
    for workload in workloads {
        for path in paths {
            if path.tls_ends().is_some() {
                let providers = providers.iter().copied().map(Some);
                arms.extend(providers.map(|provider| Arm {
                    path: *path,
                    provider,
                    workload: *workload,
                }));
            } else if !arms.iter().any(|arm| same_without_tls(arm, *path, *workload)) {
                arms.push(Arm { path: *path, provider: None, workload: without_tls(*workload) });
            }
        }
    }
    arms
}

fn same_without_tls(arm: &Arm, path: &dyn Path, workload: Workload) -> bool {
    arm.path.name() == path.name() && arm.workload == without_tls(workload)
}

/// Without TLS every handshake is the same bare connection.
fn without_tls(workload: Workload) -> Workload {
    match workload {
        Workload::Handshake(_) => Workload::Handshake(HandshakeMix::Full),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path;

    #[test]
    fn plaintext_appears_once_for_all_handshake_kinds_and_providers() {
        let workloads =
            [Workload::Handshake(HandshakeMix::Full), Workload::Handshake(HandshakeMix::Resumed)];
        let arms = arms(path::ALL, &[ProviderName::Offload, ProviderName::Ring], &workloads);
        let plaintext = arms.iter().filter(|arm| arm.path.name() == "plaintext").count();
        assert_eq!((plaintext, arms.len()), (1, 9));
    }
}
