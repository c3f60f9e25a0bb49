//! Where certificates come from.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The environment variable that says where the Workload API is (SPIFFE Workload Endpoint, 4).
const ENDPOINT: &str = "SPIFFE_ENDPOINT_SOCKET";

/// Who issues the certificates of both ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IdentitySource {
    /// An authority that is made for the run.
    #[default]
    TestPki,
    /// The SPIFFE Workload API: both ends are the workload that it takes this program for.
    WorkloadApi {
        /// Where it is: `unix:///run/spire/agent.sock`.
        endpoint: String,
    },
}

impl IdentitySource {
    /// Where the Workload API is, if certificates come from there.
    pub fn endpoint(&self) -> Option<&str> {
        match self {
            Self::TestPki => None,
            Self::WorkloadApi { endpoint } => Some(endpoint),
        }
    }
}

impl fmt::Display for IdentitySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TestPki => f.write_str("test-pki"),
            Self::WorkloadApi { endpoint } => write!(f, "workload-api:{endpoint}"),
        }
    }
}

impl FromStr for IdentitySource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let endpoint = match text {
            "test-pki" => return Ok(Self::TestPki),
            "workload-api" => std::env::var(ENDPOINT)
                .map_err(|_| format!("{ENDPOINT} does not say where the Workload API is"))?,
            _ => match text.strip_prefix("workload-api:") {
                Some(endpoint) if !endpoint.is_empty() => endpoint.to_owned(),
                _ => {
                    return Err(
                        "must be test-pki, workload-api or workload-api:ENDPOINT".to_owned()
                    );
                }
            },
        };
        Ok(Self::WorkloadApi { endpoint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_reads_what_it_prints() {
        let api = IdentitySource::WorkloadApi { endpoint: "unix:///run/agent.sock".to_owned() };
        for source in [IdentitySource::TestPki, api] {
            assert_eq!(source.to_string().parse::<IdentitySource>().unwrap(), source);
        }
        for text in ["", "workload-api:", "spire", "workload"] {
            assert!(text.parse::<IdentitySource>().is_err(), "{text}");
        }
    }
}
