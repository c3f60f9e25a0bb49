//! Every connection is checked: an unexpected handshake makes the run invalid, not just noisy.

use std::collections::BTreeMap;

use crate::pki::Pki;
use crate::settings::{HandshakeMix, Identities, IdentitySource, Settings};
use crate::tls::{Negotiated, Observations};

/// What every handshake of an arm must have come to.
pub(super) struct Expected {
    protocol: &'static str,
    suite: String,
    group: String,
    server_id: String,
    client_id: String,
    identities: Identities,
    rotates: bool,
    mix: HandshakeMix,
}

impl Expected {
    pub(super) fn new(settings: &Settings, pki: &Pki, mix: HandshakeMix) -> Self {
        let tls = &settings.tls;
        Self {
            protocol: if tls.suite.starts_with("TLS13_") { "TLSv1_3" } else { "TLSv1_2" },
            suite: tls.suite.clone(),
            group: tls.group.clone(),
            server_id: pki.client.peer.name(),
            client_id: pki.server.peer.name(),
            identities: settings.identities,
            rotates: settings.rotate_s.is_some() || settings.identity != IdentitySource::TestPki,
            mix,
        }
    }

    /// What the client's end must have seen, where it tells nothing and the server's end saw this.
    pub(super) fn of_client(&self, server: &Observations) -> Observations {
        server.from_the_other_end(&self.server_id, self.mix == HandshakeMix::Resumed)
    }

    /// Everything that is not as it should be, in words; empty when all is well.
    pub(super) fn check(
        &self,
        failures: &BTreeMap<String, u64>,
        client: &Observations,
        server: &Observations,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        problems.extend(
            failures.iter().map(|(why, count)| format!("{count} operations failed: {why}")),
        );
        for (end, seen, peer) in
            [("client", client, &self.server_id), ("server", server, &self.client_id)]
        {
            let failed = seen.failures.iter();
            problems.extend(
                failed.map(|(why, n)| format!("{n} handshakes failed at the {end}: {why}")),
            );
            let unlike = seen.handshakes.iter().filter(|seen| !self.fits(&seen.negotiated, peer));
            problems.extend(unlike.map(|seen| {
                format!("{} handshakes at the {end} negotiated {:?}", seen.count, seen.negotiated)
            }));
        }
        problems.extend(refused_sessions(server));
        problems.extend(wrong_kinds(client, server));
        problems.extend(self.wrong_mix(client));
        problems.extend(self.wrong_identities(server));
        problems
    }

    /// The server must have met no more clients than there are, or each of them for the first time.
    fn wrong_identities(&self, server: &Observations) -> Option<String> {
        let (made, distinct, new) = (server.total(), server.distinct_peers, server.new_peers);
        match self.identities {
            // a renewed certificate looks like another client's
            Identities::Drawn { count, .. } if distinct > count as u64 && !self.rotates => {
                Some(format!("{distinct} distinct clients at the server, there are {count}"))
            }
            Identities::Fresh if new != made => {
                Some(format!("{new} clients new to the server in {made} handshakes"))
            }
            _ => None,
        }
    }

    /// What the client meant to do must be what was declared, to the one handshake that rounding leaves.
    fn wrong_mix(&self, client: &Observations) -> Option<String> {
        let failed: u64 = client.failures.values().sum();
        let declared = self.mix.resumed_fraction() * client.total() as f64;
        let off = (client.meant_to_resume as f64 - declared).abs();
        (off > 1.0 + failed as f64).then(|| {
            format!(
                "{} of {} handshakes were meant to resume, which is not the declared mix ({})",
                client.meant_to_resume,
                client.total(),
                self.mix
            )
        })
    }

    fn fits(&self, negotiated: &Negotiated, peer: &str) -> bool {
        let resumed_tls12 = negotiated.kind == "Resumed" && self.protocol == "TLSv1_2";
        let group_fits = match &negotiated.group {
            Some(group) => *group == self.group,
            None => resumed_tls12,
        };
        negotiated.protocol == self.protocol
            && negotiated.suite == self.suite
            && negotiated.peer == peer
            && group_fits
    }
}

/// Nothing that a client of a run offers is to be refused: certificates are valid, authorities stay, everyone may call.
fn refused_sessions(server: &Observations) -> impl Iterator<Item = String> {
    server.refused_sessions.iter().map(|(why, count)| format!("{count} sessions refused: {why}"))
}

/// The client must have resumed exactly where it meant to, and the server must agree.
fn wrong_kinds(client: &Observations, server: &Observations) -> Vec<String> {
    let mut problems = Vec::new();
    let meant = [
        ("Full", client.total() - client.meant_to_resume),
        ("Resumed", client.meant_to_resume),
        ("FullWithHelloRetryRequest", 0),
    ];
    for (kind, expected) in meant {
        let (at_client, at_server) = (client.of_kind(kind), server.of_kind(kind));
        if at_client != expected {
            problems.push(format!(
                "{at_client} handshakes of kind {kind}, {expected} were meant to be"
            ));
        }
        if at_client != at_server {
            problems.push(format!(
                "{at_client} handshakes of kind {kind} at the client, {at_server} at the server"
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{KeyType, Popularity, fixture::settings};
    use crate::tls::HandshakeCount;

    fn expected(mix: HandshakeMix) -> Expected {
        expected_of(Identities::default(), mix)
    }

    fn expected_of(identities: Identities, mix: HandshakeMix) -> Expected {
        let settings = Settings { identities, ..settings() };
        let pki = Pki::generate(KeyType::P256, identities, false).unwrap();
        Expected::new(&settings, &pki, mix)
    }

    fn seen(kind: &str, peer: &str, count: u64, meant_to_resume: u64) -> Observations {
        let negotiated = Negotiated {
            kind: kind.to_owned(),
            protocol: "TLSv1_3".to_owned(),
            suite: "TLS13_AES_128_GCM_SHA256".to_owned(),
            group: Some("X25519".to_owned()),
            peer: format!("spiffe://mtls-bench.test/{peer}"),
        };
        let handshakes = vec![HandshakeCount { negotiated, count }];
        Observations { handshakes, meant_to_resume, distinct_peers: 1, ..Observations::default() }
    }

    fn problems(client: &Observations, server: &Observations) -> Vec<String> {
        expected(HandshakeMix::Full).check(&BTreeMap::new(), client, server)
    }

    #[test]
    fn what_was_meant_and_seen_on_both_sides_is_fine() {
        assert!(problems(&seen("Full", "server", 5, 0), &seen("Full", "client", 5, 0)).is_empty());
        let (client, server) = (seen("Resumed", "server", 5, 5), seen("Resumed", "client", 5, 0));
        let resumed = expected(HandshakeMix::Resumed).check(&BTreeMap::new(), &client, &server);
        assert!(resumed.is_empty(), "{resumed:?}");
    }

    #[test]
    fn a_full_handshake_that_should_have_resumed_is_a_problem() {
        assert!(!problems(&seen("Full", "server", 5, 5), &seen("Full", "client", 5, 0)).is_empty());
    }

    #[test]
    fn a_silently_resumed_handshake_is_a_problem() {
        let silent = problems(&seen("Resumed", "server", 5, 0), &seen("Resumed", "client", 5, 0));
        assert!(!silent.is_empty());
    }

    #[test]
    fn a_client_that_means_to_do_something_else_than_declared_is_a_problem() {
        let (client, server) = (seen("Resumed", "server", 5, 5), seen("Resumed", "client", 5, 0));
        for mix in [HandshakeMix::Full, HandshakeMix::Mix(0.5)] {
            assert!(!expected(mix).check(&BTreeMap::new(), &client, &server).is_empty());
        }
    }

    #[test]
    fn a_retried_hello_is_a_problem() {
        let kind = "FullWithHelloRetryRequest";
        assert!(!problems(&seen(kind, "server", 1, 0), &seen(kind, "client", 1, 0)).is_empty());
    }

    #[test]
    fn another_peer_is_a_problem() {
        assert!(
            !problems(&seen("Full", "mallory", 5, 0), &seen("Full", "client", 5, 0)).is_empty()
        );
    }

    #[test]
    fn more_clients_than_there_are_is_a_problem() {
        let popularity = Popularity::Uniform;
        let expected = expected_of(Identities::Drawn { count: 3, popularity }, HandshakeMix::Full);
        let client = seen("Full", "server", 5, 0);
        for (distinct_peers, fine) in [(1, true), (3, true), (4, false)] {
            let server = Observations { distinct_peers, ..seen("Full", "client/*", 5, 0) };
            let problems = expected.check(&BTreeMap::new(), &client, &server);
            assert_eq!(problems.is_empty(), fine, "{problems:?}");
        }
    }

    #[test]
    fn a_client_that_comes_back_where_all_should_be_new_is_a_problem() {
        let expected = expected_of(Identities::Fresh, HandshakeMix::Full);
        let client = seen("Full", "server", 5, 0);
        for (new_peers, fine) in [(5, true), (4, false)] {
            let server =
                Observations { distinct_peers: 5, new_peers, ..seen("Full", "client/*", 5, 0) };
            let problems = expected.check(&BTreeMap::new(), &client, &server);
            assert_eq!(problems.is_empty(), fine, "{problems:?}");
        }
    }

    #[test]
    fn a_refused_session_is_a_problem() {
        let (client, mut server) = (seen("Full", "server", 5, 0), seen("Full", "client", 5, 0));
        assert!(problems(&client, &server).is_empty());
        server.refused_sessions.insert("untrusted".to_owned(), 2);
        assert_eq!(problems(&client, &server), ["2 sessions refused: untrusted"]);
    }

    #[test]
    fn a_renewed_certificate_is_no_other_client_where_certificates_rotate() {
        let rotating = Settings { rotate_s: Some(1.0), ..settings() };
        let pki = Pki::generate(KeyType::P256, rotating.identities, true).unwrap();
        let expected = Expected::new(&rotating, &pki, HandshakeMix::Full);
        let client = seen("Full", "server*", 5, 0);
        let server = Observations { distinct_peers: 3, ..seen("Full", "client*", 5, 0) };
        let problems = expected.check(&BTreeMap::new(), &client, &server);
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn another_suite_or_group_is_a_problem() {
        let server = seen("Full", "client", 1, 0);
        let mut client = seen("Full", "server", 1, 0);
        client.handshakes[0].negotiated.suite = "TLS13_AES_256_GCM_SHA384".to_owned();
        assert!(!problems(&client, &server).is_empty());
        let mut client = seen("Full", "server", 1, 0);
        client.handshakes[0].negotiated.group = None;
        assert!(!problems(&client, &server).is_empty());
    }

    #[test]
    fn a_handshake_that_only_one_side_saw_is_a_problem() {
        assert!(!problems(&seen("Full", "server", 5, 0), &seen("Full", "client", 4, 0)).is_empty());
    }

    #[test]
    fn failed_operations_are_a_problem() {
        let failures = BTreeMap::from([("timeout".to_owned(), 1)]);
        let none = Observations::default();
        assert_eq!(expected(HandshakeMix::Full).check(&failures, &none, &none).len(), 1);
    }
}
