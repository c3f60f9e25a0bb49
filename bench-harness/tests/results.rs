//! The results that are committed: each obeys the schema, is where it belongs and is worth keeping.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use mtls_bench::report::chart::charts;
use mtls_bench::report::read;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../results")
}

fn document(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn schema() -> Validator {
    jsonschema::validator_for(&document(&folder().join("schema/result-v1.json"))).unwrap()
}

/// Every JSON file of every folder but that of the schema.
fn results() -> Vec<PathBuf> {
    let folders = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let folders = folders.filter(|path| path.is_dir() && !path.ends_with("schema"));
    let files = folders.flat_map(|path| fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
    let results: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect();
    assert!(!results.is_empty());
    results
}

#[test]
fn every_result_obeys_the_schema_and_can_be_read() {
    let schema = schema();
    for file in results() {
        let errors: Vec<String> = schema
            .iter_errors(&document(&file))
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", file.display());
        let result = read(&file).unwrap();
        let named = format!("{}.json", result.started_at.replace(':', ""));
        assert!(file.ends_with(Path::new(&result.instance.name).join(named)), "{}", file.display());
    }
}

#[test]
fn every_result_is_of_a_valid_run_of_a_release_build() {
    for file in results() {
        let result = read(&file).unwrap();
        assert_eq!(result.problems(), Vec::<String>::new(), "{}", file.display());
        assert_eq!(result.ended_early, None, "{}", file.display());
        assert_eq!(result.tool.profile, "release", "{}", file.display());
    }
}

/// A committed page draws what this program would draw of the result beside it.
#[test]
fn every_page_has_the_numbers_of_its_result() {
    let pages = results().into_iter().map(|file| file.with_extension("html"));
    let pages: Vec<_> = pages.filter(|page| page.exists()).collect();
    assert!(!pages.is_empty());
    for page in pages {
        let shown = fs::read_to_string(&page).unwrap();
        let begun = shown.split_once("<script type=\"application/json\" id=\"charts\">").unwrap();
        let numbers = begun.1.split_once("</script>").unwrap().0;
        let charts = charts(&read(&page.with_extension("json")).unwrap());
        assert_eq!(
            serde_json::from_str::<Value>(numbers).unwrap(),
            serde_json::to_value(charts).unwrap(),
            "{}: make it anew with `mtls-bench report`",
            page.display()
        );
    }
}

/// The check itself can fail.
#[test]
fn the_schema_refuses_what_is_no_result() {
    let schema = schema();
    let sound = document(&results()[0]);
    assert!(schema.is_valid(&sound));
    for (pointer, wrong) in [
        ("/schema_version", json!("one")),
        ("/settings/tls/key_type", json!("p521")),
        ("/arms/0/windows/0/window/cpu_ns", json!([1])),
        ("/machine/processor/features", json!(null)),
    ] {
        let mut spoilt = sound.clone();
        *spoilt.pointer_mut(pointer).unwrap() = wrong;
        assert!(!schema.is_valid(&spoilt), "{pointer}");
    }
    let mut lacking = sound;
    lacking.as_object_mut().unwrap().remove("machine");
    assert!(!schema.is_valid(&lacking));
}
