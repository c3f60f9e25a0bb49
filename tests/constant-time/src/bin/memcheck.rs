//! Marks secrets as undefined and lets valgrind say where something is decided by them.
//!
//! `memcheck` runs itself under valgrind once for each operation and engine. Memcheck then follows
//! every bit that was computed from a secret, and reports branches and addresses that depend on one
//! (Langley's ctgrind). The few places where the code makes something public on purpose are listed, with
//! the reason, in `declassified.supp`. Exits with 1 if an operation is reported, or a planted leak is not.

use std::path::Path;
use std::process::{Command, ExitCode};

use constant_time::operations::{ALL, LEAKS, Operation, Secrets, classify, named};
use crabgrind::valgrind::running_mode;
use rustls_offload_multibuffer::Engine;
use zeroize::Zeroizing;

/// Valgrind's exit code if it reported something; the program itself has 0 and 2.
const REPORTED: i32 = 99;

const ENGINES: [&str; 2] = ["portable", "single"];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => check_all(),
        [engine, operation] => inside(engine, operation),
        _ => {
            complain("without arguments it runs everything; with ENGINE OPERATION one, in valgrind")
        }
    }
}

fn complain(what: &str) -> ExitCode {
    eprintln!("memcheck: {what}");
    ExitCode::from(2)
}

/// One operation with secrets that valgrind takes for undefined.
fn inside(engine: &str, operation: &str) -> ExitCode {
    if running_mode().is_native() {
        return complain("this is to be run in valgrind");
    }
    let engine = match engine {
        "portable" => Engine::portable(),
        "single" => Engine::single(),
        _ => return complain("engines are: portable, single"),
    };
    let Some(operation) = named(operation) else {
        return complain("there is no such operation");
    };
    let secrets: Secrets = std::array::from_fn(|lane| Zeroizing::new([lane as u8 * 37 + 11; 32]));
    // tables that are computed once are not secret
    (operation.run)(engine, &secrets);
    classify(&secrets);
    (operation.run)(engine, &secrets);
    ExitCode::SUCCESS
}

fn check_all() -> ExitCode {
    let mut passed = true;
    for engine in ENGINES {
        for operation in ALL {
            passed &= verdict(engine, operation, Some(0));
        }
        for leak in LEAKS {
            passed &= verdict(engine, leak, Some(REPORTED));
        }
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether valgrind ends as it should; its report is shown if not.
fn verdict(engine: &str, operation: &Operation, expected: Option<i32>) -> bool {
    let suppressions = Path::new(env!("CARGO_MANIFEST_DIR")).join("declassified.supp");
    let run = std::env::current_exe().and_then(|program| {
        Command::new("valgrind")
            .arg(format!("--error-exitcode={REPORTED}"))
            .arg(format!("--suppressions={}", suppressions.display()))
            // where an undefined value came from would be the secrets, every time
            .args(["--quiet", "--error-limit=no", "--track-origins=no", "--leak-check=no"])
            .arg(program)
            .args([engine, operation.name])
            .output()
    });
    let output = match run {
        Ok(output) => output,
        Err(error) => {
            eprintln!("memcheck: valgrind can't be run: {error}; ci/setup installs it");
            return false;
        }
    };
    let right = output.status.code() == expected;
    let found = if output.status.code() == Some(REPORTED) { "reported" } else { "nothing" };
    let judged = if right { "as it should be" } else { "WRONG" };
    println!("memcheck {engine:9} {:20} {found:9} {judged}", operation.name);
    if !right {
        eprintln!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    right
}
