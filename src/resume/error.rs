//! What can go wrong while resumption is set up. At run time nothing does: what is doubtful is a full
//! handshake, and counted.

use std::path::PathBuf;

/// Why resumption could not be set up, or ticket keys not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The provider lacks what tickets are sealed with.
    #[error(
        "this provider has no {missing}, with which tickets are sealed; \
         enable the cargo feature `aws-lc-rs` or `ring` of rustls-offload"
    )]
    Provider {
        /// What it lacks.
        missing: &'static str,
    },

    /// The system gave no random bytes.
    #[error("the system gave no random bytes for a ticket key")]
    Random,

    /// A key or seed is not random.
    #[error("{what} is {value:#04x} in every byte, which is no secret; make it from random bytes")]
    NotRandom {
        /// What was given.
        what: &'static str,
        /// The byte that it consists of.
        value: u8,
    },

    /// A period, lineage or size of zero.
    #[error("{what} of zero makes no sense; give at least {least}")]
    Zero {
        /// What was zero.
        what: &'static str,
        /// The least that makes sense.
        least: &'static str,
    },

    /// A file of ticket keys could not be read.
    #[error("can't read the ticket keys in {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// A file of ticket keys is not one.
    #[error(
        "{} is no file of ticket keys: {problem}; it needs at least three lines, each of 48 or 80 random \
         bytes in base64, the newest last",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, without what the file says.
        problem: String,
    },
}
