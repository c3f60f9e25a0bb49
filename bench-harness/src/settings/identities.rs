//! Whose certificates the clients present: what a server that remembers its peers depends on.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The most identities that are drawn from: each takes a few kilobytes in whoever originates TLS.
pub const MOST_IDENTITIES: usize = 100_000;

/// The client identities of a run, each with a leaf and a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Identities {
    /// Each connection has one of so many, drawn at random.
    Drawn {
        /// How many there are.
        count: usize,
        /// How often each is drawn.
        popularity: Popularity,
    },
    /// Each connection has one that no connection had before.
    Fresh,
}

impl Default for Identities {
    fn default() -> Self {
        Self::Drawn { count: 1, popularity: Popularity::Uniform }
    }
}

impl fmt::Display for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drawn { count: 1, .. } => f.write_str("one client identity"),
            Self::Drawn { count, popularity } => {
                write!(f, "{count} client identities, {popularity}")
            }
            Self::Fresh => f.write_str("a fresh client identity for each connection"),
        }
    }
}

/// How many identities: the argument of `--identities`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityCount {
    /// So many, 1 to [`MOST_IDENTITIES`].
    Fixed(usize),
    /// One for each connection.
    Fresh,
}

impl FromStr for IdentityCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "fresh" {
            return Ok(Self::Fresh);
        }
        match text.parse() {
            Ok(count @ 1..=MOST_IDENTITIES) => Ok(Self::Fixed(count)),
            _ => Err(format!("must be from 1 to {MOST_IDENTITIES}, or `fresh`")),
        }
    }
}

/// How often each of several identities is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Popularity {
    /// All alike.
    #[default]
    Uniform,
    /// By Zipf's law: the one of rank k in proportion to 1 / k to the power of this exponent.
    Zipf(f64),
}

impl Popularity {
    /// In proportion to what the identity of this rank, from zero, is drawn.
    pub fn weight(self, rank: usize) -> f64 {
        match self {
            Self::Uniform => 1.0,
            Self::Zipf(exponent) => (rank as f64 + 1.0).powf(-exponent),
        }
    }
}

impl fmt::Display for Popularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Zipf(exponent) => write!(f, "zipf={exponent}"),
        }
    }
}

impl FromStr for Popularity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "uniform" => Ok(Self::Uniform),
            _ => text
                .strip_prefix("zipf=")
                .and_then(|exponent| exponent.parse().ok())
                .filter(|exponent| (0.0..=10.0).contains(exponent))
                .map(Self::Zipf)
                .ok_or_else(|| Error::UnknownName {
                    what: "popularity",
                    name: text.to_owned(),
                    known: "uniform, zipf=S with S the exponent from 0 to 10".to_owned(),
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn popularity_reads_what_it_prints() {
        for popularity in [Popularity::Uniform, Popularity::Zipf(1.0), Popularity::Zipf(0.75)] {
            assert_eq!(popularity.to_string().parse::<Popularity>().unwrap(), popularity);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["zipf", "zipf=", "zipf=-1", "zipf=NaN", "zipf=11", "pareto"] {
            assert!(text.parse::<Popularity>().is_err(), "{text}");
        }
        for text in ["0", "-1", "100001", "1e3", "many", ""] {
            assert!(text.parse::<IdentityCount>().is_err(), "{text}");
        }
    }

    #[test]
    fn zipf_weights_fall_with_the_power_of_the_rank() {
        let weights = [0, 1, 3].map(|rank| Popularity::Zipf(2.0).weight(rank));
        assert_eq!(weights, [1.0, 0.25, 0.0625]);
        assert_eq!(Popularity::Uniform.weight(9), 1.0);
    }
}
