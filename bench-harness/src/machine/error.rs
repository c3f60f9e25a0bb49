//! What can go wrong while the machine is examined: only what the user can put right.

/// A failure of describing, naming or measuring the machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The provider refused the CPU mask, or a backend failed while it was measured.
    #[error(transparent)]
    Cpu(#[from] rustls_offload::Error),
    /// The instance name given has nothing in it that a folder name can hold.
    #[error(
        "instance name {given:?} holds no letter or digit; give one like `m7i.large` or `my-laptop`"
    )]
    InstanceName {
        /// The name as given.
        given: String,
    },
    /// A report can't be put into JSON.
    #[error("cannot write the report as JSON: {0}")]
    Json(#[from] serde_json::Error),
}
