//! Records what the figures depend on: the git revision and the versions of the crypto libraries.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// Packages whose versions belong in a result.
const RECORDED: &[&str] =
    &["aws-lc-rs", "aws-lc-sys", "graviola", "hyper", "ring", "rustls", "rustls-graviola", "tokio"];

fn main() {
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let lock = Path::new(&folder).join("../Cargo.lock");
    for watched in ["src", "Cargo.toml", "../src", "../Cargo.lock", "../.git/HEAD", "../.git/index"]
    {
        println!("cargo::rerun-if-changed={folder}/{watched}");
    }
    println!("cargo::rustc-env=MTLS_BENCH_GIT_REVISION={}", revision());
    let versions = fs::read_to_string(&lock).map(|text| versions(&text)).unwrap_or_default();
    println!("cargo::rustc-env=MTLS_BENCH_DEPENDENCIES={}", versions.join(" "));
}

fn revision() -> String {
    let described =
        Command::new("git").args(["describe", "--always", "--abbrev=40", "--dirty"]).output();
    match described {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "unknown".to_owned(),
    }
}

/// `name=version` of the recorded packages in a Cargo.lock.
fn versions(lock: &str) -> Vec<String> {
    let field = |package: &str, name: &str| {
        let line = package.lines().find(|line| line.starts_with(&format!("{name} = ")))?;
        line.split('"').nth(1).map(str::to_owned)
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|package| Some((field(package, "name")?, field(package, "version")?)))
        .filter(|(name, _)| RECORDED.contains(&name.as_str()))
        .map(|(name, version)| format!("{name}={version}"))
        .collect()
}
