//! What to call this machine: the name of the folder that its results go to.
//!
//! The name comes from the first of these that knows one: the user's flag; DMI, which is firmware
//! data and costs no network; the metadata service of the cloud that DMI names. Otherwise it is
//! `unknown`. **Without DMI evidence of a cloud no packet is sent at all**: `169.254.169.254` may be
//! anybody's on a network that is not a cloud's.

mod dmi;
mod metadata;

use std::time::Duration;

pub use metadata::Endpoints;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::dmi::{Cloud, Dmi};
use super::{Error, Root};

/// The most a metadata service may take, name resolution and all requests together.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Longest name, in bytes; a folder name holds 255 and a path of several must fit too.
const LONGEST: usize = 64;

/// What a machine is called and where the name comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    /// The name: lower-case letters, digits, `.`, `_` and `-`, at most 64 bytes.
    pub name: String,
    /// Where the name comes from.
    pub source: Source,
    /// Why there is no better name; only with the source `unknown`.
    pub reason: Option<String>,
}

/// Where an instance name comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The user gave it.
    Flag,
    /// DMI: the product name in the firmware's tables.
    Dmi,
    /// The EC2 instance metadata service, version 2.
    Ec2Metadata,
    /// The Compute Engine metadata server.
    GceMetadata,
    /// The Azure instance metadata service.
    AzureMetadata,
    /// Nobody knew.
    Unknown,
}

/// Names this machine: `flag` if given, else DMI, else the metadata service of the cloud that DMI
/// names (at most 1 s, no redirect followed, no proxy used), else `unknown`.
///
/// # Errors
/// [`Error::InstanceName`] if `flag` is given and no letter or digit is left of it.
pub fn name(flag: Option<&str>) -> Result<Instance, Error> {
    let endpoints = Endpoints::from_variables(|name| std::env::var(name).ok());
    name_at(flag, &Root::host(), &endpoints, TIMEOUT)
}

/// [`name`] for the machine whose files lie below `root`, whose metadata services answer at
/// `endpoints`, within `timeout`.
///
/// # Errors
/// As [`name`].
pub fn name_at(
    flag: Option<&str>,
    root: &Root,
    endpoints: &Endpoints,
    timeout: Duration,
) -> Result<Instance, Error> {
    if let Some(given) = flag {
        let name =
            folder_name(given).ok_or_else(|| Error::InstanceName { given: given.to_owned() })?;
        return Ok(Instance { name, source: Source::Flag, reason: None });
    }
    let dmi = Dmi::read(root);
    if let Some(name) = dmi.instance_type().and_then(|product| folder_name(&product)) {
        return Ok(Instance { name, source: Source::Dmi, reason: None });
    }
    Ok(match dmi.cloud() {
        Some(cloud) => ask(cloud, endpoints, timeout),
        None => unknown("DMI names neither a product nor a cloud".to_owned()),
    })
}

fn ask(cloud: Cloud, endpoints: &Endpoints, timeout: Duration) -> Instance {
    let source = match cloud {
        Cloud::Ec2 => Source::Ec2Metadata,
        Cloud::Gce => Source::GceMetadata,
        Cloud::Azure => Source::AzureMetadata,
    };
    match metadata::instance_type(cloud, endpoints, timeout) {
        Ok(name) => Instance { name: name.to_lowercase(), source, reason: None },
        Err(failure) => unknown(failure.to_string()),
    }
}

fn unknown(reason: String) -> Instance {
    Instance { name: "unknown".to_owned(), source: Source::Unknown, reason: Some(reason) }
}

/// `text` as a folder name: lower case, each run of other characters one `-`, no leading or
/// trailing punctuation, at most 64 bytes; `None` if nothing is left.
fn folder_name(text: &str) -> Option<String> {
    let mut name = String::new();
    for character in text.chars().map(|character| character.to_ascii_lowercase()) {
        if character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-') {
            name.push(character);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_start_matches(is_punctuation);
    let name = name.get(..LONGEST).unwrap_or(name).trim_end_matches(is_punctuation);
    (!name.is_empty()).then(|| name.to_owned())
}

fn is_punctuation(character: char) -> bool {
    !character.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests;
