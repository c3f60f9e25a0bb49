//! `mtls-bench report`: the page in a browser, and all formats as files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
mod files;
mod page;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A committed result with plaintext, sidecars and three workloads.
pub(crate) const FULL: &str = "unknown/2026-11-22T045217.864Z.json";

pub(crate) fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../results").join(name)
}

pub(crate) fn document() -> Value {
    serde_json::from_slice(&fs::read(committed(FULL)).unwrap()).unwrap()
}

/// The result as if its requests had been streams.
pub(crate) fn streams() -> Value {
    let mut result = document();
    for arm in result["arms"].as_array_mut().unwrap() {
        if arm["workload"] == "request" {
            arm["workload"] = json!("stream");
            arm["operation_bytes"] = json!(1 << 20);
        }
    }
    result
}

pub(crate) fn report(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mtls-bench"));
    command.arg("report").args(arguments).output().unwrap()
}

/// A folder with this result and its page, `report.html`.
pub(crate) fn folder_of(result: &Value) -> TempDir {
    let folder = TempDir::new().unwrap();
    let [file, page] = ["result.json", "report.html"].map(|name| folder.path().join(name));
    fs::write(&file, result.to_string()).unwrap();
    let output = report(&[file.to_str().unwrap(), "-o", page.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}
