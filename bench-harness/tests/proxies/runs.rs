//! The command with proxies as paths.

use std::path::Path;

use mtls_bench::path::Availability;
use mtls_bench::report::{ArmResult, RunResult};
use mtls_bench::settings::{HandshakeMix, Workload};

use crate::support::{Bench, SHORT};

fn stunnel() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("sidecars/stunnel.toml");
    file.display().to_string()
}

fn measure(path: &str, workloads: &str) -> RunResult {
    let stunnel = stunnel();
    let mut arguments = vec!["--path", path, "--workload", workloads];
    if path == "stunnel" {
        arguments.extend(["--sidecar-command", &stunnel]);
    }
    Bench::new().measure(&arguments)
}

/// Every workload, with the handshakes that it must come with; `measure` fails if the run is invalid.
fn every_workload(path: &str) {
    let result = measure(path, "handshake,request,stream");
    assert_eq!(result.arms.len(), 4);
    for arm in &result.arms {
        if !arm.availability.is_available() {
            assert!(
                path == "stunnel" && arm.workload == Workload::Handshake(HandshakeMix::Resumed)
            );
            continue;
        }
        assert!(arm.provider.is_none() && arm.program.is_some(), "{}", arm.label());
        for window in &arm.windows {
            let sidecars =
                ["client-sidecar", "server-sidecar"].map(|role| window.window.cpu_ns[role]);
            assert!(sidecars.iter().all(|ns| *ns > 0), "{}: {sidecars:?}", arm.label());
            let kinds = ["Full", "Resumed"].map(|kind| window.server_end.of_kind(kind));
            let made = window.window.load_operations;
            match arm.workload {
                Workload::Handshake(HandshakeMix::Full) => assert_eq!(kinds, [made, 0]),
                Workload::Handshake(_) => assert_eq!(kinds, [0, made]),
                _ => assert_eq!(kinds[1], 0),
            }
        }
    }
}

#[test]
fn envoy_in_every_workload() {
    every_workload("envoy-l4");
}

#[test]
fn haproxy_in_every_workload() {
    every_workload("haproxy");
}

#[test]
fn nginx_in_every_workload() {
    every_workload("nginx");
}

#[test]
fn stunnel_by_its_description_in_every_workload() {
    every_workload("stunnel");
}

#[test]
fn envoy_forwards_requests_and_nothing_else() {
    let result = measure("envoy-l7", "request,stream");
    let [request, stream] = &result.arms[..] else { panic!("{}", result.arms.len()) };
    let handshakes: u64 = request.windows.iter().map(|window| window.server_end.total()).sum();
    assert!(handshakes > 0, "its own connections were counted");
    let Availability::Unavailable { reason, .. } = &stream.availability else { panic!() };
    assert!(reason.contains("requests only"), "{reason}");
    assert!(stream.windows.is_empty());
}

#[test]
fn a_proxy_that_tells_nothing_is_measured_and_the_reader_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("silent.toml");
    let text =
        std::fs::read_to_string(stunnel()).unwrap().replace("\"stunnel\"\nv", "\"silent\"\nv");
    let (text, _) = text.split_once("[server.handshakes.lines]").unwrap();
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let arguments = ["--path", "plaintext", "--workload", "handshake", "--handshake", "full"];
    let bench = Bench::new();
    let output = bench.run(&[SHORT, &arguments, &["--sidecar-command", &file]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("silent tells nothing of its handshakes"), "{text}");
}

/// What can't run has a row that says why, and no figure.
#[test]
fn every_path_has_a_row() {
    let bench = Bench::new();
    let arguments = ["--path", "all", "--workload", "request", "--identities", "2"];
    let output = bench.run(&[SHORT, &arguments].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for path in ["envoy-l4", "envoy-l7", "haproxy", "nginx"] {
        let row = text.lines().find(|line| line.contains(&format!("| {path} ")));
        let row = row.unwrap_or_else(|| panic!("no row of {path} in:\n{text}"));
        assert!(row.contains("unavailable: a proxy presents one client certificate"), "{row}");
    }
    for path in ["plaintext", "in-process", "sidecar"] {
        let figures = |arm: &ArmResult| arm.path == path && arm.saturation.is_some();
        let kept: RunResult =
            serde_json::from_slice(&std::fs::read(&bench.files()[0]).unwrap()).unwrap();
        assert!(kept.arms.iter().any(figures), "{path}");
    }
}

#[test]
fn a_run_in_which_nothing_can_run_says_so_and_fails() {
    let bench = Bench::new();
    let output = bench.run(&["--path", "envoy-l4", "--envoy", "/nonexistent/envoy"]);
    let (text, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(text.contains("unavailable: /nonexistent/envoy is no program"), "{text}");
    assert!(text.contains("--envoy") && errors.contains("nothing was measured"), "{text}{errors}");
    assert!(bench.files().is_empty());
}

#[test]
fn a_description_that_is_wrong_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.toml");
    for (text, why) in [
        ("name = 1".to_owned(), "proxy.toml"),
        (
            std::fs::read_to_string(stunnel()).unwrap().replace("\"stunnel\"\nv", "\"nginx\"\nv"),
            "already",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let (code, message) =
            crate::support::refused(&["--sidecar-command", &file.display().to_string()]);
        assert_eq!(code, 2, "{message}");
        assert!(message.contains(why), "{message}");
    }
}
