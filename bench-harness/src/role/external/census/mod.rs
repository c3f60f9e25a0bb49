//! How many handshakes a proxy has made, and what they came to: read before and after a window.
//!
//! Proxies count each property by itself, so a window's handshakes are as they should be when each
//! count is as high as theirs. A property that a proxy does not tell is implied by its configuration,
//! which admits no other value, and the observations say that it was: the tests hold every proxy's
//! configuration against an end of TLS of our own.

mod envoy;
mod haproxy;
mod lines;

use std::collections::BTreeMap;
use std::io;

use super::ExpectedOutcome;
use super::recipe::Handshakes;
use crate::Error;
use crate::tls::{HandshakeCount, Negotiated, Observations};

/// Counts of a proxy since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counts {
    full: u64,
    resumed: u64,
    /// Handshakes of the right protocol version; none if it is not told. So for the others.
    protocol: Option<u64>,
    suite: Option<u64>,
    group: Option<u64>,
    peer: Option<u64>,
    failures: BTreeMap<String, u64>,
}

impl Counts {
    fn since(&self, earlier: &Self) -> Self {
        let of = |now: Option<u64>, before: Option<u64>| {
            now.map(|now| now.saturating_sub(before.unwrap_or_default()))
        };
        let failures = self.failures.iter().map(|(why, count)| {
            let before = earlier.failures.get(why).copied().unwrap_or_default();
            (why.clone(), count.saturating_sub(before))
        });
        Self {
            full: self.full.saturating_sub(earlier.full),
            resumed: self.resumed.saturating_sub(earlier.resumed),
            protocol: of(self.protocol, earlier.protocol),
            suite: of(self.suite, earlier.suite),
            group: of(self.group, earlier.group),
            peer: of(self.peer, earlier.peer),
            failures: failures.filter(|(_, count)| *count > 0).collect(),
        }
    }

    /// What was negotiated, in words, and which of it is implied.
    fn observations(self, expected: &ExpectedOutcome) -> Observations {
        let total = self.full + self.resumed;
        let mut implied = Vec::new();
        let mut word = |what: &str, right: Option<u64>, expected: &str| match right {
            None => {
                implied.push(what.to_owned());
                expected.to_owned()
            }
            Some(right) if right == total => expected.to_owned(),
            Some(right) => format!("{expected} in {right} of {total} handshakes only"),
        };
        let negotiated = Negotiated {
            kind: String::new(),
            protocol: word("protocol", self.protocol, &expected.protocol),
            suite: word("suite", self.suite, &expected.suite),
            group: Some(word("group", self.group, &expected.group)),
            peer: word("peer", self.peer, &expected.peer),
        };
        let of_kind = |kind: &str, count| HandshakeCount {
            negotiated: Negotiated { kind: kind.to_owned(), ..negotiated.clone() },
            count,
        };
        let kinds = [of_kind("Full", self.full), of_kind("Resumed", self.resumed)];
        Observations {
            handshakes: kinds.into_iter().filter(|seen| seen.count > 0).collect(),
            failures: self.failures,
            meant_to_resume: if expected.means_to_resume { total } else { 0 },
            distinct_peers: u64::from(total > 0),
            implied,
            ..Observations::default()
        }
    }
}

enum Source {
    Silent,
    Envoy(envoy::Counters),
    Haproxy(haproxy::Table),
    Lines(Box<lines::Tail>),
}

impl Source {
    fn read(&mut self) -> io::Result<Counts> {
        match self {
            Self::Silent => Ok(Counts::default()),
            Self::Envoy(counters) => counters.read(),
            Self::Haproxy(table) => table.read(),
            Self::Lines(tail) => tail.read(),
        }
    }
}

/// Counts of one proxy, from where they were last looked at.
pub(super) struct Census {
    source: Source,
    last: Counts,
    expected: ExpectedOutcome,
}

impl Census {
    /// Begins at what has been counted so far.
    pub(super) fn begin(handshakes: &Handshakes, expected: ExpectedOutcome) -> Result<Self, Error> {
        let source = match handshakes {
            Handshakes::NotTold => Source::Silent,
            Handshakes::EnvoyAdmin(admin) => Source::Envoy(envoy::Counters::new(admin.clone())),
            Handshakes::HaproxyTable(table) => Source::Haproxy(haproxy::Table::new(table.clone())),
            Handshakes::Lines(lines) => Source::Lines(Box::new(lines::Tail::new(lines.clone()))),
        };
        let mut census = Self { source, last: Counts::default(), expected };
        census.take()?;
        Ok(census)
    }

    /// What has been counted since the last time.
    pub(super) fn take(&mut self) -> Result<Observations, Error> {
        let now = self.source.read().map_err(Error::io("reading a proxy's handshake counters"))?;
        let since = now.since(&self.last);
        self.last = now;
        Ok(since.observations(&self.expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> ExpectedOutcome {
        ExpectedOutcome {
            protocol: "TLSv1_3".to_owned(),
            suite: "TLS13_AES_128_GCM_SHA256".to_owned(),
            group: "X25519".to_owned(),
            peer: "spiffe://a/b".to_owned(),
            means_to_resume: true,
        }
    }

    fn counts(full: u64, resumed: u64, suite: Option<u64>) -> Counts {
        let told = Some(full + resumed);
        Counts {
            full,
            resumed,
            protocol: told,
            suite,
            group: None,
            peer: told,
            ..Counts::default()
        }
    }

    #[test]
    fn a_window_is_the_difference_and_what_is_not_told_is_implied() {
        let since = counts(5, 9, Some(14)).since(&counts(4, 2, Some(6)));
        let seen = since.observations(&expected());
        assert_eq!(
            (seen.of_kind("Full"), seen.of_kind("Resumed"), seen.meant_to_resume),
            (1, 7, 8)
        );
        assert_eq!(seen.implied, ["group"]);
        assert_eq!(seen.handshakes[0].negotiated.suite, "TLS13_AES_128_GCM_SHA256");
    }

    #[test]
    fn a_property_that_fewer_handshakes_have_is_not_the_expected_one() {
        let seen = counts(3, 0, Some(2)).observations(&expected());
        let negotiated = &seen.handshakes[0].negotiated;
        assert_eq!(negotiated.suite, "TLS13_AES_128_GCM_SHA256 in 2 of 3 handshakes only");
        assert_eq!(negotiated.protocol, "TLSv1_3");
    }

    #[test]
    fn only_new_failures_are_told() {
        let with = |count| Counts {
            failures: [("no certificate".to_owned(), count)].into(),
            ..Counts::default()
        };
        assert!(with(2).since(&with(2)).failures.is_empty());
        assert_eq!(with(3).since(&with(2)).failures["no certificate"], 1);
    }
}
