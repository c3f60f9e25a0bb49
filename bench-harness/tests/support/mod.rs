//! Calling `mtls-bench run` as its users do.

#![allow(dead_code, reason = "each test file needs a part of it")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use mtls_bench::report::RunResult;
use tempfile::TempDir;

/// Arguments that keep a run short.
pub(crate) const SHORT: &[&str] =
    &["--rounds", "1", "--window", "0.4", "--warmup", "0.1", "--concurrency", "8", "--load", "0.5"];

pub(crate) struct Bench {
    results: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { results: TempDir::new().unwrap() }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mtls-bench"));
        command.arg("run").args(args);
        command.args(["--instance", "test"]).arg("--results").arg(self.results.path());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs to success and reads the result from standard output.
    pub(crate) fn measure(&self, args: &[&str]) -> RunResult {
        let args: Vec<_> = SHORT.iter().chain(args).chain(&["--json"]).copied().collect();
        let output = self.run(&args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        match fs::read_dir(self.results.path().join("test")) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(_) => Vec::new(),
        }
    }
}

/// Exit code and standard error of a call that must fail before anything is measured.
pub(crate) fn refused(args: &[&str]) -> (i32, String) {
    let bench = Bench::new();
    let output = bench.run(args);
    assert!(output.stdout.is_empty());
    assert!(bench.files().is_empty(), "a refused run leaves no result");
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}
