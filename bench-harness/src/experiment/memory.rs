//! What an idle connection costs in memory, by role and in the kernel.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::measure::{kernel_slab_bytes, resident_bytes};

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
    pub(super) fn take(pids: BTreeMap<String, i32>) -> Result<Self, Error> {
        let roles = pids.into_iter().map(|(role, pid)| Ok((role, resident_bytes(pid)?)));
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
