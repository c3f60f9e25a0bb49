//! Proxies that a sidecar path can be described for (`run --sidecar-command`); those that have a path
//! already are examined with the paths.

use super::program;
use super::{Check, Finding, Host};

/// A proxy, found by the name of its program.
pub(super) struct Proxy {
    program: &'static str,
    /// Arguments that make it print its version and end; `None` if it has none.
    version: Option<&'static [&'static str]>,
    fix: &'static str,
}

/// The proxies looked for.
pub(super) const ALL: [Proxy; 4] = [
    Proxy {
        program: "ztunnel",
        version: Some(&["version"]),
        fix: "copy /usr/local/bin/ztunnel out of the container image istio/ztunnel to PATH",
    },
    Proxy {
        program: "linkerd2-proxy",
        version: None,
        fix: "put a binary of github.com/linkerd/linkerd2-proxy/releases on PATH",
    },
    Proxy {
        program: "traefik",
        version: Some(&["version"]),
        fix: "put a binary of github.com/traefik/traefik/releases on PATH",
    },
    Proxy { program: "caddy", version: Some(&["version"]), fix: "apt install caddy" },
];

impl Check for Proxy {
    fn name(&self) -> &'static str {
        self.program
    }

    fn probe(&self, _host: &Host) -> Finding {
        program::finding(self.program, self.version, self.fix)
    }
}
