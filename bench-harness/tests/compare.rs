//! `mtls-bench compare` as its users meet it: on committed results, and on such as must be refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

const MILAN: &str = "amd-milan-2vcpu/2026-11-27T024234.783Z.json";
const RAPIDS: &str = "sapphire-rapids-2vcpu/2026-11-25T223145.152Z.json";
const MASKED: &str = "sapphire-rapids-2vcpu/2026-11-25T221104.198Z.json";
const PER_VCPU: &str = "handshakes/s per vCPU at 100 %";

fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../results").join(name)
}

fn document(name: &str) -> Value {
    serde_json::from_slice(&fs::read(committed(name)).unwrap()).unwrap()
}

fn compare(arguments: &[&Path], options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mtls-bench"));
    command.arg("compare").args(arguments).args(options).output().unwrap()
}

/// Standard output of a call that succeeds.
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Exit code and standard error of a call that fails.
fn failed(output: &Output) -> (Option<i32>, String) {
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Compares the Milan result with `other`, with these options.
fn beside(other: &Value, options: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("other.json");
    fs::write(&file, other.to_string()).unwrap();
    compare(&[&committed(MILAN), &file], options)
}

/// The Milan result, as if another instance had used `factor` times the CPU time.
fn slower(factor: f64) -> Value {
    let mut result = document(MILAN);
    result["instance"]["name"] = json!("other");
    for window in windows(&mut result) {
        for time in window["window"]["cpu_ns"].as_object_mut().unwrap().values_mut() {
            *time = json!((time.as_f64().unwrap() * factor) as u64);
        }
    }
    result
}

fn windows(result: &mut Value) -> impl Iterator<Item = &mut Value> {
    let arms = result["arms"].as_array_mut().unwrap();
    arms.iter_mut().flat_map(|arm| arm["windows"].as_array_mut().unwrap())
}

/// `place`, `value`, `min`, `max` of a figure in CSV.
fn figure(csv: &str, arm: &str, instance: &str, metric: &str) -> Option<[f64; 4]> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let names = ["place", "value", "min", "max"];
    reader.deserialize().map(Result::unwrap).find_map(
        |row: std::collections::HashMap<String, String>| {
            let same = row["arm"] == arm && row["instance"] == instance && row["metric"] == metric;
            same.then(|| names.map(|name| row[name].parse().unwrap_or(f64::NAN)))
        },
    )
}

/// Median, smallest and largest of what `figure` says of each window of the first arm at `point`.
fn by_hand(result: &Value, point: &Value, figure: impl Fn(&Value) -> f64) -> [f64; 3] {
    let windows = result["arms"][0]["windows"].as_array().unwrap();
    let mut figures: Vec<f64> = windows
        .iter()
        .filter(|window| window["point"] == *point)
        .map(|window| figure(&window["window"]))
        .collect();
    figures.sort_by(f64::total_cmp);
    [figures[figures.len() / 2], figures[0], figures[figures.len() - 1]]
}

#[test]
fn figures_are_those_of_the_documents() {
    let files = [committed(MILAN), committed(RAPIDS)];
    let csv = said(&compare(&[&files[0], &files[1]], &["--format", "csv"]));
    let arm = "handshake full, in-process, offload";
    let served = |window: &Value| {
        window["operations"].as_f64().unwrap() * 1e9 / window["cpu_ns"]["server"].as_f64().unwrap()
    };
    let both = |window: &Value| {
        let times = window["cpu_ns"].as_object().unwrap().values();
        times.map(|ns| ns.as_f64().unwrap()).sum::<f64>()
            / 1e3
            / window["operations"].as_f64().unwrap()
    };
    for (instance, file, place) in
        [("amd-milan-2vcpu", MILAN, 2.0), ("sapphire-rapids-2vcpu", RAPIDS, 1.0)]
    {
        let result = document(file);
        let full = json!("saturation");
        let half = json!({"fraction": 0.5});
        for (metric, expected) in [
            (PER_VCPU, Some(by_hand(&result, &full, served))),
            ("CPU us per handshake", Some(by_hand(&result, &full, both))),
            (
                "handshakes/s per vCPU at 50 %",
                (file == MILAN).then(|| by_hand(&result, &half, served)),
            ),
            // Each of its two CPUs is a core, as far as the guest sees.
            ("handshakes/s per core at 100 %", Some(by_hand(&result, &full, served))),
        ] {
            let found = figure(&csv, arm, instance, metric);
            assert_eq!(found.is_some(), expected.is_some(), "{metric} of {instance}");
            let (Some(found), Some(expected)) = (found, expected) else { continue };
            assert_eq!(found[0], place, "{metric} of {instance}");
            for (found, expected) in found[1..].iter().zip(expected) {
                assert!((found / expected - 1.0).abs() < 1e-9, "{metric}: {found}, {expected}");
            }
        }
        assert!(figure(&csv, arm, instance, "p99 us at 80 %").unwrap()[1] > 0.0);
    }
}

#[test]
fn a_difference_inside_the_noise_is_no_difference() {
    for (factor, place, noise) in [(1.01, 1.0, true), (2.0, 2.0, false)] {
        let other = slower(factor);
        let csv = said(&beside(&other, &["--format", "csv"]));
        let arm = "handshake resumed, in-process, aws-lc-rs";
        assert_eq!(figure(&csv, arm, "other", PER_VCPU).unwrap()[0], place, "{factor}");
        let text = said(&beside(&other, &[]));
        let told = format!("inside the noise: {PER_VCPU}: amd-milan-2vcpu ~ other");
        assert_eq!(text.contains(&told), noise, "{text}");
    }
}

#[test]
fn prices_add_figures_and_decide() {
    let folder = TempDir::new().unwrap();
    let prices = folder.path().join("prices.toml");
    let with = |dear: &str, cheap: &str| {
        let entry = |name: &str, price: &str| {
            format!("[instances.{name}]\nper_hour = {price}\nnote = \"made up\"\n")
        };
        fs::write(&prices, entry("amd-milan-2vcpu", dear) + &entry("other", cheap)).unwrap();
        ["--prices", prices.to_str().unwrap(), "--format", "csv"].map(str::to_owned)
    };
    let arm = "handshake full, in-process, offload";
    let other = slower(2.0);
    let options = with("1.0", "0.25");
    let csv = said(&beside(&other, &options.each_ref().map(String::as_str)));
    let [place, dollars, ..] =
        figure(&csv, arm, "other", "handshakes per unit of currency").unwrap();
    let [_, rate, ..] = figure(&csv, arm, "other", PER_VCPU).unwrap();
    assert_eq!(place, 1.0, "half as fast at a quarter of the price");
    assert!((dollars / (rate * 2.0 * 3600.0 / 0.25) - 1.0).abs() < 1e-9, "{dollars} {rate}");
    let options = with("1.0", "0.0");
    let (code, error) = failed(&beside(&other, &options.each_ref().map(String::as_str)));
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("is no price"), "{error}");
}

#[test]
fn what_streams_is_ranked_by_bytes() {
    let stream = |mut result: Value| {
        result["arms"].as_array_mut().unwrap().truncate(1);
        result["arms"][0]["workload"] = json!("stream");
        result["arms"][0]["operation_bytes"] = json!(1 << 20);
        result["machine"]["processor"]["physical_cores"] = json!(1);
        result
    };
    let folder = TempDir::new().unwrap();
    let files = ["one.json", "two.json"].map(|name| folder.path().join(name));
    fs::write(&files[0], stream(document(MILAN)).to_string()).unwrap();
    fs::write(&files[1], stream(slower(2.0)).to_string()).unwrap();
    let csv = said(&compare(&[&files[0], &files[1]], &["--format", "csv"]));
    let of = |metric| figure(&csv, "stream, in-process, offload", "other", metric).unwrap()[1];
    let served = |window: &Value| {
        window["operations"].as_f64().unwrap() * f64::from(1 << 20)
            / window["cpu_ns"]["server"].as_f64().unwrap()
    };
    let [expected, ..] = by_hand(&slower(2.0), &json!("saturation"), served);
    assert!((of("GB/s per vCPU at 100 %") / expected - 1.0).abs() < 1e-9);
    assert!((of("GB/s per core at 100 %") / expected / 2.0 - 1.0).abs() < 1e-9, "two vCPUs a core");
}

#[test]
fn other_settings_are_refused_and_listed() {
    let mut other = slower(2.0);
    other["settings"]["tls"]["group"] = json!("X25519MLKEM768");
    other["settings"]["identities"] = json!("fresh");
    other["settings"]["server_cpus"] = json!([0]);
    other["instance"]["name"] = json!("\u{1b}[2Jother");
    let (code, error) = failed(&beside(&other, &[]));
    assert_eq!((code, error.contains('\u{1b}')), (Some(5), false), "{error}");
    for difference in ["tls.group", "X25519MLKEM768", "identities", "share CPUs"] {
        assert!(error.contains(difference), "no {difference} in {error}");
    }
    assert!(!error.contains("rounds differs"), "{error}");
}

#[test]
fn results_that_can_not_be_believed_are_refused() {
    type Spoil = fn(&mut Value);
    let spoils: [(Spoil, &str); 6] = [
        (|r| r["arms"][1]["problems"] = json!(["kind"]), "the run was invalid"),
        (|r| r["arms"][0]["windows"][0]["problems"] = json!(["kind"]), "the run was invalid"),
        (|r| r["ended_early"] = json!("interrupted"), "ended early"),
        (|r| r["tool"]["profile"] = json!("debug"), "debug build"),
        (
            |r| r["machine"]["processor"]["model"] = json!("QEMU TCG CPU version 2.5+"),
            "was emulated",
        ),
        (|r| r["settings"]["rounds"] = json!(2), "don't tell the noise"),
    ];
    for (spoil, reason) in spoils {
        let mut other = slower(1.5);
        spoil(&mut other);
        let (code, error) = failed(&beside(&other, &[]));
        assert_eq!(code, Some(5), "{error}");
        assert!(error.contains(reason), "{error}");
    }
    let (code, error) = failed(&compare(&[&committed(RAPIDS), &committed(MASKED)], &[]));
    assert_eq!(code, Some(5), "{error}");
    assert!(error.contains("RUSTLS_OFFLOAD_CPU=-avx512ifma"), "{error}");
}

#[test]
fn files_that_are_no_results_are_mistakes_in_the_call() {
    let (code, error) = failed(&compare(&[&committed(MILAN), &committed(MILAN)], &[]));
    assert_eq!((code, error.contains("named already")), (Some(2), true), "{error}");
    let (code, _) = failed(&compare(&[&committed(MILAN)], &[]));
    assert_eq!(code, Some(2));
    let (code, error) = failed(&compare(&[&committed(MILAN), Path::new("/nonexistent")], &[]));
    assert_eq!((code, error.contains("/nonexistent")), (Some(2), true), "{error}");
    let (code, error) = failed(&beside(&json!({"a": 1}), &[]));
    assert_eq!((code, error.contains("no result")), (Some(2), true), "{error}");
    let mut later = slower(1.0);
    later["schema_version"] = json!(2);
    let (code, error) = failed(&beside(&later, &[]));
    assert_eq!((code, error.contains("version 2")), (Some(2), true), "{error}");
}

#[test]
fn an_arm_of_one_result_is_named_and_not_ranked() {
    let mut other = slower(2.0);
    other["arms"].as_array_mut().unwrap().remove(0);
    let text = said(&beside(&other, &[]));
    assert!(text.contains("offload was measured there only"), "{text}");
    other["arms"] = json!([]);
    assert_eq!(beside(&other, &[]).status.code(), Some(5));
}

#[test]
fn names_in_results_are_text_wherever_they_are_shown() {
    let mut other = slower(2.0);
    other["instance"]["name"] = json!("=<b>|\u{1b}[2J\n# x");
    let text = said(&beside(&other, &[]));
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let markdown = said(&beside(&other, &["--format", "markdown"]));
    assert!(!markdown.contains("<b>") && !markdown.contains("\n# x"), "{markdown}");
    let csv = said(&beside(&other, &["--format", "csv"]));
    assert!(csv.contains(",'=<b>") && !csv.contains('\u{1b}'), "{csv}");
}
