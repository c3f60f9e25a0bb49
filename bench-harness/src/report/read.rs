//! Reading a result back, of this program's making or of another's.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::escape::plain;
use super::{RunResult, SCHEMA_VERSION};
use crate::Error;

/// Reads the result in `file`.
///
/// # Errors
/// When it can't be read, is no result, or is one of another version of the schema.
pub fn read(file: &Path) -> Result<RunResult, Error> {
    #[derive(Deserialize)]
    struct Version {
        schema_version: u32,
    }
    let refuse = |reason: String| Error::Unreadable {
        path: file.to_owned(),
        reason: plain(&reason).into_owned(),
    };
    let bytes = fs::read(file).map_err(|error| refuse(error.to_string()))?;
    let no_result = |error| refuse(format!("it is no result of `mtls-bench run`: {error}"));
    let Version { schema_version } = serde_json::from_slice(&bytes).map_err(no_result)?;
    if schema_version != SCHEMA_VERSION {
        return Err(refuse(format!(
            "it follows version {schema_version} of the schema, and this program knows version \
             {SCHEMA_VERSION}; use the `mtls-bench` that made it"
        )));
    }
    serde_json::from_slice(&bytes).map_err(no_result)
}
