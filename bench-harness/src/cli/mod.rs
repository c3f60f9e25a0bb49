//! The command line: what can be asked for, and the exit codes.
//!
//! 0: done; 1: the run is invalid or a tool failed; 2: a mistake in the call; 5: results that must not be
//! compared; 130: interrupted.

mod compare;
mod doctor;
mod limits;
mod parse;
mod primitives;
mod progress;
mod report;
mod run;

use std::io::{ErrorKind, Write, stderr, stdout};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{Error, role};

/// Measures the handshake rate, CPU tax and tail latency of mutual TLS on this machine.
#[derive(Parser)]
#[command(name = "mtls-bench", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure data paths, providers and workloads side by side.
    Run(Box<run::RunArgs>),
    /// Say what this machine can run and what keeps it from the rest.
    Doctor {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Time every algorithm on every implementation.
    Primitives(primitives::Args),
    /// Show a result as one page with charts, as Markdown or as CSV.
    Report(report::Args),
    /// Rank instances by their results.
    Compare(compare::Args),
    /// Print the JSON schema of result files.
    Schema,
    /// Be a role process (used by `run` itself).
    #[command(hide = true)]
    Role,
    /// Become a proxy's program (used by a role process).
    #[command(hide = true)]
    Launch(role::external::LaunchArgs),
}

/// Parses the arguments and carries them out.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Doctor { json } => doctor::run(json).and_then(|text| print(&text)),
        Command::Primitives(args) => {
            primitives::run(&args).map_err(Error::from).and_then(|text| print(&text))
        }
        Command::Report(args) => report::run(&args).and_then(|text| print(&text)),
        Command::Compare(args) => compare::run(&args).and_then(|text| print(&text)),
        Command::Schema => print_schema(),
        Command::Launch(args) => role::external::launch(&args),
        // The parent has the message already; the exit status is all that is left to tell.
        Command::Role => return role::main().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("mtls-bench: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn print_schema() -> Result<(), Error> {
    print(&serde_json::to_string_pretty(&crate::report::schema())?)
}

/// Prints to standard output; a reader who has seen enough is no failure.
fn print(text: &str) -> Result<(), Error> {
    match writeln!(stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(Error::io("printing")),
    }
}

/// Tells whoever watches standard error; if nobody does any more, the work goes on.
fn say(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}
