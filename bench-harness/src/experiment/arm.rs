//! Arms: a path, a provider and a workload, measured side by side with the others.

use std::fmt;
use std::sync::Arc;

use crate::path::Path;
use crate::settings::{HandshakeMix, ProviderName, Workload};

/// One thing that is compared.
#[derive(Clone)]
pub struct Arm {
    /// How bytes get from client to server.
    pub path: Arc<dyn Path>,
    /// Who does the cryptography; none where there is none, or a proxy's own.
    pub provider: Option<ProviderName>,
    /// What is done over and over.
    pub workload: Workload,
}

impl Arm {
    /// Whether its credentials can come from elsewhere and be replaced under load: there are none, or both ends have
    /// identities that rotate.
    pub fn can_rotate(&self) -> bool {
        self.path.tls_ends().is_none() || self.provider == Some(ProviderName::Offload)
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.workload, self.path.name())?;
        self.provider.map_or(Ok(()), |provider| write!(f, ", {provider}"))
    }
}

/// All combinations; a path without TLS appears once a workload, whatever the provider or the
/// handshake kind, and one that brings its own cryptography once, whatever the provider.
pub fn arms(
    paths: &[Arc<dyn Path>],
    providers: &[ProviderName],
    workloads: &[Workload],
) -> Vec<Arm> {
    let mut arms: Vec<Arm> = Vec::new();
    for workload in workloads {
        for path in paths {
            let arm = |provider, workload| Arm { path: path.clone(), provider, workload };
            if path.takes_provider() {
                arms.extend(providers.iter().map(|provider| arm(Some(*provider), *workload)));
            } else if path.tls_ends().is_some() {
                arms.push(arm(None, *workload));
            } else if !arms.iter().any(|arm| same_without_tls(arm, path.as_ref(), *workload)) {
                arms.push(arm(None, without_tls(*workload)));
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
    fn arms_differ_in_what_makes_a_difference_to_their_path() {
        let workloads =
            [Workload::Handshake(HandshakeMix::Full), Workload::Handshake(HandshakeMix::Resumed)];
        let all = path::all(&path::Options::default()).unwrap();
        let arms = arms(&all, &[ProviderName::Offload, ProviderName::Ring], &workloads);
        let of = |name: &str| arms.iter().filter(|arm| arm.path.name() == name).count();
        let counts = ["plaintext", "in-process", "sidecar", "envoy-l4", "nginx"].map(of);
        assert_eq!(counts, [1, 4, 4, 2, 2]);
    }
}
