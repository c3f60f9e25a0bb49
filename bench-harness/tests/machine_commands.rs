//! `doctor` and `primitives` as a user or a script calls them.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs the command with `arguments`, with nothing on PATH and `mask` for a CPU mask.
fn mtls_bench(arguments: &[&str], mask: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mtls-bench"))
        .args(arguments)
        .env("PATH", "/nonexistent")
        .env("RUSTLS_OFFLOAD_CPU", mask)
        .output()
        .expect("mtls-bench starts")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("standard output is one JSON document")
}

#[test]
fn doctor_succeeds_whatever_is_missing_and_prints_one_document() {
    let report = json(&mtls_bench(&["doctor", "--json"], ""));
    let checks = report["checks"].as_array().unwrap();
    let check = |name: &str| checks.iter().find(|check| check["check"] == name).unwrap();
    let caddy = check("caddy");
    assert_eq!(caddy["state"], "missing");
    assert!(caddy["fix"].as_str().unwrap().contains("caddy"));
    for path in ["plaintext", "in-process", "envoy-l4", "haproxy", "nginx"] {
        let found = check(&format!("path {path}"));
        let said = if found["state"] == "missing" { "fix" } else { "detail" };
        assert!(!found[said].as_str().unwrap().is_empty(), "{found}");
    }
    assert!(report["machine"]["kernel"]["release"].is_string());
    assert!(report["plan"]["choices"].is_object());
}

#[test]
fn doctor_says_which_features_are_masked() {
    let report = json(&mtls_bench(&["doctor", "--json"], "-aes,-pmull"));
    let features = report["machine"]["processor"]["features"].as_array().unwrap();
    assert!(!features.contains(&Value::from("aes")));
    assert_eq!(report["machine"]["processor"]["feature_mask"], "-aes,-pmull");
    assert_eq!(report["checks"][0]["check"], "cpu-features");
    assert_eq!(report["checks"][0]["fix"], "unset RUSTLS_OFFLOAD_CPU");
}

#[test]
fn a_mask_that_names_no_feature_is_an_error_that_lists_them() {
    for command in ["doctor", "primitives"] {
        let output = mtls_bench(&[command], "-warp-drive");
        assert!(!output.status.success(), "{command}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("warp-drive") && error.contains("avx512ifma"), "{error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn primitives_prints_one_document_and_nothing_else_on_standard_output() {
    let report = json(&mtls_bench(&["primitives", "--duration", "0.001", "--json"], ""));
    let operations = report["operations"].as_array().unwrap();
    assert!(operations.iter().any(|operation| operation["algorithm"] == "ecdsa-p256-verify"));
    for operation in operations {
        let ratio = operation["ratio"].as_f64().unwrap();
        assert!(ratio > 0.0 && ratio <= 1.0, "{operation}");
    }
}

/// `mtls-bench doctor | head -1`: a reader that leaves early is no failure.
#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let primitives = ["primitives", "--duration", "0.001", "--json"];
    let commands: [&[&str]; 6] = [
        &["doctor"],
        &["doctor", "--json"],
        &primitives[..3],
        &primitives,
        &["schema"],
        &["--help"],
    ];
    for arguments in commands {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_mtls-bench"));
        let ended = command.args(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{arguments:?}: {errors}");
    }
}
