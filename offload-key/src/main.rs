//! The `offload-key` command: keys in this machine's TPM, and secrets sealed by it.
//!
//! Key files go in and out as PEM, "TSS2 PRIVATE KEY". No private key and nothing that was sealed is ever written.

mod arguments;
mod commands;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match commands::run(arguments::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("offload-key: {error}");
            ExitCode::FAILURE
        }
    }
}
