//! Settings: all that must be equal for two runs to be comparable, and so all that a result records.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

mod identities;
mod source;

pub use identities::{Identities, IdentityCount, MOST_IDENTITIES, Popularity};
pub use source::IdentitySource;

/// The most connections or handshakes that a run may keep in flight.
pub const MOST_IN_FLIGHT: usize = 8192;

/// How a run is made. Every field ends up in the result file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Rounds; in each, every arm is measured once, in an order drawn anew.
    pub rounds: u32,
    /// Length of one measured window, in seconds.
    pub window_s: f64,
    /// Load applied before each window and not measured, in seconds.
    pub warmup_s: f64,
    /// Connections (or handshakes) kept in flight by the closed loop.
    pub concurrency: usize,
    /// Fractions of an arm's own saturation rate at which latency is measured.
    pub load_points: Vec<f64>,
    /// A fixed rate in operations per second that replaces the load points.
    pub rate: Option<f64>,
    /// What is negotiated, the same in every arm.
    pub tls: TlsParameters,
    /// Whose certificates the clients present.
    #[serde(default)]
    pub identities: Identities,
    /// Where both ends' certificates come from.
    #[serde(default)]
    pub identity: IdentitySource,
    /// From one replacement of both ends' certificates and trust bundles to the next, in seconds.
    #[serde(default)]
    pub rotate_s: Option<f64>,
    /// Bytes of a request body.
    pub request_bytes: usize,
    /// Bytes of a response body.
    pub response_bytes: usize,
    /// Connections held open by the `idle` workload.
    pub idle_connections: usize,
    /// CPUs of the client's node: generator and client sidecar.
    pub client_cpus: Vec<usize>,
    /// CPUs of the server's node: server and server sidecar.
    pub server_cpus: Vec<usize>,
    /// Seeds the arm order, the arrival times and the draws of identities.
    pub seed: u64,
}

impl Settings {
    /// The CPUs of both nodes.
    pub fn cpus(&self) -> Vec<usize> {
        let both: BTreeSet<usize> =
            self.client_cpus.iter().chain(&self.server_cpus).copied().collect();
        both.into_iter().collect()
    }
}

/// The TLS parameters of a run; arms that differ in one of these are not comparable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsParameters {
    /// Cipher suite by its rustls name, which also fixes the protocol version.
    pub suite: String,
    /// Key exchange group by its rustls name.
    pub group: String,
    /// Key type of every certificate of the chain.
    pub key_type: KeyType,
    /// Certificates presented by each side: the leaf and one intermediate.
    pub chain_length: usize,
    /// TLS 1.3 session tickets sent after each handshake.
    pub tickets: usize,
}

/// Key type of the test certificates.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum KeyType {
    /// ECDSA on NIST P-256.
    #[value(name = "p256")]
    P256,
    /// ECDSA on NIST P-384.
    #[value(name = "p384")]
    P384,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// RSA with a 2048-bit modulus.
    #[value(name = "rsa2048")]
    Rsa2048,
}

/// A crypto provider that an arm can use.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderName {
    /// `rustls-offload` as a service of SPIFFE workloads sets it up: the plan it chose for this CPU, at both
    /// ends its handshake pool, an identity that can rotate and verifiers which remember the chains that they have
    /// verified; at the server a policy of who may call, and sessions that are judged before they resume.
    Offload,
    /// `rustls-offload` and its handshake pool, with rustls's own verifiers, which verify every chain.
    OffloadUncached,
    /// rustls with aws-lc-rs alone.
    AwsLcRs,
    /// rustls with ring alone.
    Ring,
    /// rustls with graviola alone.
    Graviola,
}

impl ProviderName {
    /// Whether its users would make their handshakes in a pool.
    pub fn has_pool(self) -> bool {
        matches!(self, Self::Offload | Self::OffloadUncached)
    }

    /// Whether its servers ask again who a client is before it resumes.
    pub fn judges_sessions(self) -> bool {
        self == Self::Offload
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offload => "offload",
            Self::OffloadUncached => "offload-uncached",
            Self::AwsLcRs => "aws-lc-rs",
            Self::Ring => "ring",
            Self::Graviola => "graviola",
        })
    }
}

/// Which handshakes the client makes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HandshakeMix {
    /// Every handshake is a full one; the client keeps no session.
    Full,
    /// Every handshake resumes a session.
    Resumed,
    /// This fraction of the handshakes resumes, evenly spread; 0 < fraction < 1.
    Mix(f64),
}

impl HandshakeMix {
    /// The fraction of handshakes that resume a session.
    pub fn resumed_fraction(self) -> f64 {
        match self {
            Self::Full => 0.0,
            Self::Resumed => 1.0,
            Self::Mix(fraction) => fraction,
        }
    }
}

impl fmt::Display for HandshakeMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Resumed => f.write_str("resumed"),
            Self::Mix(fraction) => write!(f, "mix={fraction}"),
        }
    }
}

impl FromStr for HandshakeMix {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        match s {
            "full" => Ok(Self::Full),
            "resumed" => Ok(Self::Resumed),
            _ => s
                .strip_prefix("mix=")
                .and_then(|fraction| fraction.parse().ok())
                .filter(|fraction| (0.0..1.0).contains(fraction) && *fraction > 0.0)
                .map(Self::Mix)
                .ok_or_else(|| Error::UnknownName {
                    what: "handshake kind",
                    name: s.to_owned(),
                    known: "full, resumed, mix=F with F the resumed fraction between 0 and 1"
                        .to_owned(),
                }),
        }
    }
}

/// What an arm does over and over; one of these is one operation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// A new connection, its handshake, one byte there and back, and an orderly close by both.
    Handshake(HandshakeMix),
    /// One HTTP/1.1 request and its response on a connection that stays open.
    Request,
    /// One MiB received on a connection that stays open.
    Stream,
    /// Connections that stay open and do nothing: only memory is measured.
    Idle,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(mix) => write!(f, "handshake {mix}"),
            Self::Request => f.write_str("request"),
            Self::Stream => f.write_str("stream"),
            Self::Idle => f.write_str("idle"),
        }
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    //! Settings for tests.

    use super::{Identities, IdentitySource, KeyType, Settings, TlsParameters};

    pub(crate) fn settings() -> Settings {
        Settings {
            rounds: 1,
            window_s: 1.0,
            warmup_s: 0.0,
            concurrency: 8,
            load_points: Vec::new(),
            rate: None,
            tls: TlsParameters {
                suite: "TLS13_AES_128_GCM_SHA256".to_owned(),
                group: "X25519".to_owned(),
                key_type: KeyType::P256,
                chain_length: 2,
                tickets: 2,
            },
            identities: Identities::default(),
            identity: IdentitySource::TestPki,
            rotate_s: None,
            request_bytes: 0,
            response_bytes: 64,
            idle_connections: 1,
            client_cpus: vec![0],
            server_cpus: vec![1],
            seed: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshake_mix_reads_what_it_prints() {
        for mix in [HandshakeMix::Full, HandshakeMix::Resumed, HandshakeMix::Mix(0.25)] {
            assert_eq!(mix.to_string().parse::<HandshakeMix>().unwrap(), mix);
        }
    }

    #[test]
    fn handshake_mix_refuses_fractions_that_are_not_a_mix() {
        for text in ["mix=0", "mix=1", "mix=-0.5", "mix=NaN", "mix=", "half"] {
            assert!(text.parse::<HandshakeMix>().is_err(), "{text}");
        }
    }
}
