//! The `mtls-bench` command: what mutual TLS costs on this machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    mtls_bench::cli::main()
}
