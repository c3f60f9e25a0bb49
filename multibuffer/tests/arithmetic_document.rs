//! ARITHMETIC.md speaks of every function that there is, and of no other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const LAYERS: [&str; 6] = ["lanes", "field", "curve", "ecdsa", "x25519.rs", "ecdh.rs"];

fn sources(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| sources(&entry.unwrap().path(), found));
    } else if !["tests.rs", "reference.rs"].contains(&path.file_name().unwrap().to_str().unwrap()) {
        found.push(path.to_owned());
    }
}

/// The names of functions in what comes before a file's tests.
fn functions() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    LAYERS.iter().for_each(|layer| sources(&root.join(layer), &mut files));
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("mod tests {").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let Some((before, after)) = line.split_once("fn ") else { continue };
            if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '(') {
                continue;
            }
            let name = after.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            names.insert(name.to_owned());
        }
    }
    names
}

/// What stands between backticks, without the type before it.
fn named() -> BTreeSet<String> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARITHMETIC.md");
    let text = fs::read_to_string(document).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.map(|name| name.rsplit("::").next().unwrap().to_owned()).collect()
}

#[test]
fn every_function_is_spoken_of() {
    let (functions, named) = (functions(), named());
    assert!(functions.len() > 100, "{functions:?}");
    let missing: Vec<_> = functions.difference(&named).collect();
    assert!(missing.is_empty(), "ARITHMETIC.md does not speak of {missing:?}");
}

#[test]
fn no_function_is_spoken_of_that_is_gone() {
    // types, modules, constants, variables of formulas, instructions and files
    let others = [
        "Debug",
        "Digits",
        "EXPONENT",
        "Factor",
        "Fe",
        "Loose",
        "Signed",
        "Sum",
        "Undecided",
        "Wiped",
        "Zeroizing",
        "any",
        "base",
        "black_box",
        "curve/p256_secret",
        "delta",
        "divsteps",
        "e",
        "ecdh",
        "edwards25519",
        "f",
        "g",
        "h",
        "inverse",
        "madd",
        "n",
        "p",
        "pkcs8",
        "powers",
        "q",
        "reveal",
        "sec1",
        "table25519",
        "tests/arithmetic_document.rs",
        "vpermi2q",
        "vpmadd52huq",
        "vpmadd52luq",
        "x25519",
        "zero",
    ];
    let functions = functions();
    let named = named();
    let gone: Vec<_> = named
        .iter()
        .filter(|name| !functions.contains(*name) && !others.contains(&name.as_str()))
        .collect();
    assert!(gone.is_empty(), "ARITHMETIC.md speaks of {gone:?}, which are not in the source");
}
