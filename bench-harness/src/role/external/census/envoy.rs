//! Envoy's counters, of a listener or a cluster: `ssl.handshake`, `ssl.session_reused`,
//! `ssl.versions.*`, `ssl.ciphers.*`, `ssl.curves.*`, `ssl.no_certificate` and the failures.
//!
//! Envoy compares the peer's SPIFFE ID within the handshake, so a handshake that completed with a
//! certificate at all had the right one.

use std::collections::BTreeMap;
use std::io;

use super::super::admin;
use super::super::recipe::EnvoyAdmin;
use super::Counts;

/// Where the counters are.
pub(super) struct Counters(EnvoyAdmin);

impl Counters {
    pub(super) fn new(admin: EnvoyAdmin) -> Self {
        Self(admin)
    }

    pub(super) fn read(&self) -> io::Result<Counts> {
        let prefix = format!("{}.ssl.", self.0.prefix);
        let text = admin::get(&self.0.socket, "/stats?filter=ssl")?;
        Ok(counts(&text, &prefix, &self.0))
    }
}

fn counts(text: &str, prefix: &str, names: &EnvoyAdmin) -> Counts {
    let counters: BTreeMap<&str, u64> = text
        .lines()
        .filter_map(|line| line.strip_prefix(prefix)?.split_once(": "))
        .filter_map(|(name, value)| Some((name, value.trim().parse().ok()?)))
        .collect();
    let of = |name: &str| counters.get(name).copied().unwrap_or_default();
    let (all, resumed) = (of("handshake"), of("session_reused"));
    let failures = counters.iter().filter(|(name, count)| {
        (name.starts_with("fail_") || **name == "connection_error") && **count > 0
    });
    Counts {
        full: all.saturating_sub(resumed),
        resumed,
        protocol: Some(of("versions.TLSv1.3")),
        suite: Some(of(&format!("ciphers.{}", names.suite))),
        group: Some(of(&format!("curves.{}", names.group))),
        peer: Some(all.saturating_sub(of("no_certificate"))),
        failures: failures.map(|(name, count)| (format!("envoy: ssl.{name}"), *count)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_of_one_listener_are_read() {
        let text = "cluster.remote.ssl.handshake: 99\n\
            listener.inbound.ssl.ciphers.TLS_AES_128_GCM_SHA256: 4\n\
            listener.inbound.ssl.ciphers.TLS_AES_256_GCM_SHA384: 1\n\
            listener.inbound.ssl.curves.X25519: 5\n\
            listener.inbound.ssl.fail_verify_san: 2\n\
            listener.inbound.ssl.fail_verify_error: 0\n\
            listener.inbound.ssl.handshake: 5\n\
            listener.inbound.ssl.no_certificate: 1\n\
            listener.inbound.ssl.session_reused: 3\n\
            listener.inbound.ssl.versions.TLSv1.3: 5\n";
        let names = EnvoyAdmin {
            socket: String::new(),
            prefix: String::new(),
            suite: "TLS_AES_128_GCM_SHA256".to_owned(),
            group: "X25519".to_owned(),
        };
        let expected = Counts {
            full: 2,
            resumed: 3,
            protocol: Some(5),
            suite: Some(4),
            group: Some(5),
            peer: Some(4),
            failures: [("envoy: ssl.fail_verify_san".to_owned(), 2)].into(),
        };
        assert_eq!(counts(text, "listener.inbound.ssl.", &names), expected);
    }
}
