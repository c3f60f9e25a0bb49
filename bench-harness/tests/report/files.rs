//! What `report` writes, and where.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{FULL, committed, document, folder_of, report, streams};

/// The names of the files in a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn without_scripts_the_page_has_every_number() {
    let folder = folder_of(&streams());
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    for expected in [
        "client-sidecar us",
        "p99.9",
        "TLS13_AES_128_GCM_SHA256",
        "ecdsa-p256-verify",
        "tls.chain_length",
        "the hypervisor took 21 % of the CPU time away",
        "median GB/s",
    ] {
        assert!(page.contains(expected), "no `{expected}`");
    }
    assert!(page.len() < 500_000, "{} bytes", page.len());
}

#[test]
fn what_the_result_does_not_hold_is_said() {
    let mut result = document();
    result["arms"].as_array_mut().unwrap().truncate(2);
    result["arms"].as_array_mut().unwrap().remove(0);
    let folder = folder_of(&result);
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("No throughput: ") && page.contains("No CPU tax: "));
    assert!(page.contains("<th class=\"number\">residual us</th></tr>"), "the last part of a cost");
    result["machine_idle_ns_per_s"] = json!(1e9);
    let folder = folder_of(&result);
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(!page.contains("<th class=\"number\">residual us</th></tr>"));
    assert!(page.contains("something else was running before the run"));
}

#[test]
fn a_page_goes_beside_its_result_and_replaces_an_older_one() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("result.json");
    fs::copy(committed(FULL), &file).unwrap();
    fs::write(folder.path().join("result.html"), "old").unwrap();
    let output = report(&[file.to_str().unwrap()]);
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert_eq!(Path::new(&said), folder.path().join("result.html"));
    assert!(fs::read_to_string(said).unwrap().starts_with("<!DOCTYPE html>"));
    assert_eq!(files(folder.path()), ["result.html", "result.json"], "no temporary file is left");
}

#[test]
fn a_result_is_never_overwritten_and_a_bad_place_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("result.json");
    fs::copy(committed(FULL), &file).unwrap();
    let name = file.to_str().unwrap();
    let output = report(&[name, "-o", name]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read(&file).unwrap(), fs::read(committed(FULL)).unwrap());
    let output = report(&[name, "-o", "/nonexistent/report.html"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("/nonexistent") && said.contains("--output"), "{said}");
    let output = report(&["/nonexistent/result.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(files(folder.path()), ["result.json"]);
}

#[test]
fn csv_has_the_figures_in_full() {
    let result = document();
    let file = committed(FULL);
    let output = report(&[file.to_str().unwrap(), "--format", "csv"]);
    assert!(output.status.success());
    let mut reader = csv::Reader::from_reader(output.stdout.as_slice());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    for arm in result["arms"].as_array().unwrap() {
        let path = arm["path"].as_str().unwrap();
        let workload = match &arm["workload"] {
            Value::String(name) => name.clone(),
            mix => format!("handshake {}", mix["handshake"].as_str().unwrap()),
        };
        let named = |row: &&csv::StringRecord| {
            row[0] == *workload
                && row[1] == *path
                && row[3] == *"saturation"
                && row[4] == *"operations/s"
        };
        let row = rows.iter().find(named).unwrap();
        let numbers = [5, 6, 7].map(|column| row[column].parse::<f64>().unwrap());
        let spread = &arm["saturation"];
        assert_eq!(json!(numbers), json!([spread["median"], spread["min"], spread["max"]]));
    }
    let p99 = |row: &&csv::StringRecord| row[4] == *"latency p99 us";
    assert_eq!(rows.iter().filter(p99).count(), 16, "each of eight arms at two loads");
}

#[test]
fn markdown_has_the_tables() {
    let file = committed(FULL);
    let output = report(&[file.to_str().unwrap(), "--format", "markdown"]);
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    for expected in
        ["# Mutual TLS on unknown", "## CPU tax over plaintext", "| p99 |", "| request | sidecar |"]
    {
        assert!(text.contains(expected), "no `{expected}` in {text}");
    }
    let count = |line: &str| line.matches('|').count();
    let tables = text.split("\n\n").filter(|part| part.starts_with('|'));
    for table in tables {
        let first = table.lines().next().unwrap();
        assert!(table.lines().all(|line| count(line) == count(first)), "{table}");
    }
}
