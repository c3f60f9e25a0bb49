//! What an idle connection costs in memory, by role and in the kernel.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::measure::{Watched, kernel_slab_bytes};

/// Memory of idle connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// Connections held open.
    pub connections: usize,
    /// Resident memory that each role gained, in bytes a connection.
    pub role_bytes: BTreeMap<String, f64>,
    /// Slab memory that the kernel gained, in bytes a connection, all sockets of the path together.
    pub kernel_bytes: f64,
}

/// Memory at one moment.
pub(super) struct Reading {
    roles: BTreeMap<String, u64>,
    kernel: u64,
}

impl Reading {
    pub(super) fn take(roles: BTreeMap<String, Watched>) -> Result<Self, Error> {
        let roles = roles.into_iter().map(|(role, watched)| {
            let what = Error::io(format!("reading the memory use of the {role} process"));
            let bytes = watched.resident_bytes().map_err(what)?;
            Ok((role, bytes))
        });
        Ok(Self { roles: roles.collect::<Result<_, Error>>()?, kernel: kernel_slab_bytes()? })
    }

    pub(super) fn to(&self, after: &Self, connections: usize) -> Memory {
        let each = |before: u64, after: u64| (after as f64 - before as f64) / connections as f64;
        let role_bytes = after.roles.iter().map(|(role, bytes)| {
            let before = self.roles.get(role).copied().unwrap_or_default();
            (role.clone(), each(before, *bytes))
        });
        Memory {
            connections,
            role_bytes: role_bytes.collect(),
            kernel_bytes: each(self.kernel, after.kernel),
        }
    }
}
