//! The command as its users meet it: what it prints, what it keeps, how it fails.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mtls_bench::path::Availability;
use mtls_bench::report::RunResult;
use mtls_bench::settings::{HandshakeMix, ProviderName, Workload};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls_offload::ktls::Kernel;
use support::{Bench, SHORT, refused};

#[test]
fn every_path_shows_all_its_figures_and_keeps_a_result() {
    let bench = Bench::new();
    let output = bench.run(SHORT);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for expected in
        ["plaintext", "in-process", "sidecar", "CPU tax", "p99.9", "residual", "verified"]
    {
        assert!(text.contains(expected), "no `{expected}` in:\n{text}");
    }
    let files = bench.files();
    assert_eq!(files.len(), 1, "one result and no temporary file: {files:?}");
    let kept: RunResult = serde_json::from_slice(&fs::read(&files[0]).unwrap()).unwrap();
    assert_eq!(kept.arms.len(), 8);
    assert!(kept.arms.iter().all(|arm| arm.windows.len() == 2 && arm.generator_ceiling.is_some()));
}

#[test]
fn providers_and_handshake_kinds_are_as_declared_at_both_ends() {
    let result = Bench::new().measure(&[
        "--path",
        "in-process,sidecar",
        "--workload",
        "handshake",
        "--handshake",
        "full,resumed,mix=0.25",
        "--provider",
        "offload,aws-lc-rs,ring,graviola",
    ]);
    assert_eq!(result.arms.len(), 2 * 3 * 4);
    for arm in &result.arms {
        assert!(arm.provider.is_some());
        for window in &arm.windows {
            let (full, resumed) =
                (window.server_end.of_kind("Full"), window.server_end.of_kind("Resumed"));
            let Workload::Handshake(mix) = arm.workload else { panic!("{}", arm.label()) };
            match mix {
                HandshakeMix::Full => assert!(full > 0 && resumed == 0),
                HandshakeMix::Resumed => assert!(full == 0 && resumed > 0),
                HandshakeMix::Mix(_) => {
                    let off = resumed.abs_diff((full + resumed) / 4);
                    assert!(off <= 1, "{resumed} of {} resumed", full + resumed);
                }
            }
        }
    }
}

/// Without tickets nothing can resume: what was declared did not happen, and the run says so.
#[test]
fn a_run_of_the_wrong_handshake_kind_is_invalid() {
    let bench = Bench::new();
    let arguments = ["--path", "in-process", "--workload", "handshake", "--handshake", "resumed"];
    let output = bench.run(&[SHORT, &arguments, &["--tickets", "0"]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("INVALID") && text.contains("kind Resumed"), "{text}");
    assert!(!text.contains("verified"), "{text}");
    assert_eq!(bench.files().len(), 1, "an invalid run is kept, for whoever looks into it");
}

#[test]
fn keys_suites_and_groups_are_negotiated_as_asked() {
    for (key, suite, group) in [
        ("p384", "TLS13_AES_256_GCM_SHA384", "secp384r1"),
        ("ed25519", "TLS13_CHACHA20_POLY1305_SHA256", "X25519MLKEM768"),
        ("rsa2048", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "secp256r1"),
        ("p256", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "X25519"),
    ] {
        let result = Bench::new().measure(&[
            "--path",
            "in-process",
            "--workload",
            "handshake",
            "--key",
            key,
            "--suite",
            suite,
            "--group",
            group,
        ]);
        let seen = &result.arms[0].windows[0].client_end.handshakes;
        assert_eq!(seen.len(), 1);
        assert_eq!(
            (seen[0].negotiated.suite.as_str(), seen[0].negotiated.group.as_deref()),
            (suite, Some(group))
        );
        assert_eq!(seen[0].negotiated.peer, "spiffe://mtls-bench.test/server");
    }
}

/// Which of the two, this kernel decides.
#[test]
fn kernel_tls_is_measured_like_the_others_or_says_why_not() {
    let result = Bench::new().measure(&[
        "--path",
        "in-process,ktls",
        "--workload",
        "handshake,request,stream",
        "--handshake",
        "full,resumed",
        "--provider",
        "offload,aws-lc-rs",
    ]);
    let arms: Vec<_> = result.arms.iter().filter(|arm| arm.path == "ktls").collect();
    assert_eq!(arms.len(), 8);
    for arm in arms {
        match (&arm.availability, Kernel::here()) {
            (Availability::Available, Ok(_)) => {
                let window = &arm.windows[0];
                assert!(window.server_end.total() > 0, "{}", arm.label());
                assert_eq!(window.server_end.failures, BTreeMap::new(), "{}", arm.label());
            }
            (Availability::Unavailable { reason, fix }, Err(_)) => {
                assert!(arm.windows.is_empty() && !reason.is_empty() && !fix.is_empty());
            }
            (found, kernel) => panic!("{found:?}, but {kernel:?}"),
        }
    }
}

#[test]
fn stream_and_idle_report_bytes_and_memory() {
    let result = Bench::new().measure(&[
        "--path",
        "in-process,sidecar",
        "--workload",
        "stream,idle",
        "--idle-connections",
        "200",
    ]);
    for arm in &result.arms {
        match arm.workload {
            Workload::Stream => assert_eq!(arm.operation_bytes, Some(1 << 20)),
            _ => {
                let memory = arm.memory.as_ref().unwrap();
                assert_eq!(memory.connections, 200);
                assert!(memory.role_bytes["server"] > 0.0);
            }
        }
    }
}

#[test]
fn a_fixed_rate_is_offered_and_kept() {
    let args: Vec<_> = SHORT.iter().take_while(|arg| **arg != "--load").copied().collect();
    let args =
        [&args[..], &["--path", "in-process", "--workload", "request", "--rate", "300", "--json"]]
            .concat();
    let output = Bench::new().run(&args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: RunResult = serde_json::from_slice(&output.stdout).unwrap();
    let window = &result.arms[0].windows[0].window;
    let expected = 300.0 * window.seconds;
    let count = window.latency.count() as f64;
    // Poisson: five standard deviations.
    assert!((count - expected).abs() < 5.0 * expected.sqrt(), "{count} of {expected}");
}

#[test]
fn a_rate_beyond_the_generator_is_refused() {
    let args = [SHORT, &["--path", "in-process", "--workload", "request"]].concat();
    let args: Vec<_> =
        args.iter().filter(|arg| !["--load", "0.5"].contains(arg)).copied().collect();
    let output = Bench::new().run(&[&args[..], &["--rate", "1e9"]].concat());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("ceiling") && message.contains("--rate"), "{message}");
}

#[test]
fn unknown_names_list_the_known_ones() {
    for (args, known) in [
        (["--path", "telepathy"], "in-process"),
        (["--provider", "rot13"], "graviola"),
        (["--workload", "nap"], "handshake"),
        (["--handshake", "firm"], "resumed"),
        (["--identities", "0"], "fresh"),
        (["--popularity", "pareto"], "zipf=S"),
        (["--suite", "TLS_NULL"], "TLS13_AES_128_GCM_SHA256"),
        (["--group", "FFDHE8192"], "X25519MLKEM768"),
    ] {
        let (code, message) = refused(&args);
        assert_eq!(code, 2, "{message}");
        assert!(message.contains(args[1]) && message.contains(known), "{message}");
    }
}

#[test]
fn a_suite_that_does_not_fit_the_key_is_refused() {
    let (code, message) = refused(&["--suite", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]);
    assert_eq!(code, 2);
    assert!(message.contains("--key"), "{message}");
}

#[test]
fn a_cpu_that_is_not_there_is_refused() {
    let (code, message) = refused(&["--server-cpus", "999"]);
    assert_eq!(code, 2);
    assert!(message.contains("999"), "{message}");
}

#[test]
fn a_results_folder_that_cannot_be_made_is_refused_before_measuring() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mtls-bench"))
        .args(["run", "--results"])
        .arg(file.path())
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("--results"), "{message}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Bench::new().run(&[SHORT, &["--listen", &address]].concat());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains(&address) && message.contains("--listen"), "{message}");
}

/// Every arm's server takes the next port.
#[test]
fn several_arms_share_a_range_of_ports() {
    // Below the ports that the system hands out, or another test's connection may take the second.
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let port =
        (20_000..30_000).step_by(2).find(|port| is_free(*port) && is_free(*port + 1)).unwrap();
    let listen = format!("127.0.0.1:{port}");
    let arguments =
        ["--path", "plaintext,in-process", "--workload", "request", "--listen", &listen];
    assert_eq!(Bench::new().measure(&arguments).arms.len(), 2);
}

/// With one ticket a connection each resumption lives on the ticket that the last one brought.
#[test]
fn one_ticket_is_enough_to_go_on_resuming() {
    let arguments = ["--path", "in-process,sidecar", "--workload", "handshake"];
    let resumed = ["--handshake", "resumed,mix=0.01", "--tickets", "1"];
    let result = Bench::new().measure(&[&arguments[..], &resumed[..]].concat());
    assert!(result.arms[0].windows.iter().all(|window| window.server_end.of_kind("Full") == 0));
}

/// Connections that stay open are made before the window, so that no request pays for a handshake.
#[test]
fn no_handshake_in_a_window_of_requests() {
    let bench = Bench::new();
    let result = bench.measure(&["--path", "in-process", "--workload", "request,stream"]);
    for arm in &result.arms {
        let mut windows = arm.windows.iter().map(|window| window.client_end.total());
        assert_eq!(windows.next(), Some(8), "one a connection, before the first window");
        assert!(windows.all(|count| count == 0));
    }
}

#[test]
fn what_is_named_twice_is_refused() {
    for (flag, value) in [
        ("--path", "sidecar,sidecar"),
        ("--provider", "ring,ring"),
        ("--handshake", "full,full"),
        ("--client-cpus", "0,0"),
    ] {
        let (code, message) = refused(&[flag, value]);
        assert_eq!(code, 2, "{message}");
        assert!(message.contains(flag) && message.contains("twice"), "{message}");
    }
}

#[test]
fn more_idle_connections_than_ports_are_refused() {
    let (code, message) = refused(&["--workload", "idle", "--idle-connections", "1000000"]);
    assert_eq!(code, 2, "{message}");
    assert!(message.contains("--idle-connections"), "{message}");
}

#[test]
fn a_group_that_its_protocol_lacks_is_refused() {
    let suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    let (code, message) = refused(&["--suite", suite, "--group", "X25519MLKEM768"]);
    assert_eq!(code, 2, "{message}");
    assert!(message.contains("--group"), "{message}");
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let bench = Bench::new();
    let arguments = [SHORT, &["--path", "plaintext", "--workload", "request"]].concat();
    let mut child =
        bench.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(bench.files().len(), 1);
}

#[test]
fn doctor_and_primitives_print_json() {
    let document = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_mtls-bench")).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let doctor = document(&["doctor", "--json"]);
    assert!(doctor["checks"].as_array().unwrap().len() > 10);
    assert!(document(&["primitives", "--duration", "0.001", "--json"]).is_object());
}

#[test]
fn the_committed_schema_is_the_schema_in_force() {
    let output = Command::new(env!("CARGO_BIN_EXE_mtls-bench")).arg("schema").output().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/schema/result-v1.json");
    let committed = fs::read_to_string(&path).unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        committed,
        "write it anew with `mtls-bench schema > results/schema/result-v1.json`, and raise \
         SCHEMA_VERSION if a reader of the old one could misread the new one"
    );
}

/// A run that is still going on, with its role processes.
struct Running {
    child: Child,
    bench: Bench,
    roles: Vec<Pid>,
}

impl Running {
    /// Starts a long run and waits until it is measuring.
    fn start() -> Self {
        let bench = Bench::new();
        let args =
            ["--path", "in-process", "--workload", "request", "--window", "0.3", "--rounds", "500"];
        let mut child = bench
            .command(&args)
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.as_mut().unwrap()).lines();
        lines.find(|line| line.as_ref().unwrap().contains("saturation")).unwrap().unwrap();
        // The first arm's first step; the second one says that a window has been measured.
        lines.next().unwrap().unwrap();
        lines.next().unwrap().unwrap();
        let roles = children_of(child.id());
        Self { child, bench, roles }
    }

    /// Waits for the end, checks that no role outlives it, and returns exit code and kept result.
    fn end(mut self) -> (Option<i32>, RunResult) {
        let code = self.child.wait().unwrap().code();
        for role in self.roles {
            assert!(is_gone(role), "role process {role} was left behind");
        }
        let files = self.bench.files();
        assert_eq!(files.len(), 1);
        (code, serde_json::from_slice(&fs::read(&files[0]).unwrap()).unwrap())
    }
}

fn children_of(id: u32) -> Vec<Pid> {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    children.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
}

/// Waits a moment for a process to be gone, or a zombie that nobody has reaped yet.
fn is_gone(pid: Pid) -> bool {
    (0..100).any(|_| {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let gone = state.is_empty() || state.contains(") Z ");
        if !gone {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        gone
    })
}

#[test]
fn an_interrupt_keeps_what_was_measured_and_ends_the_roles() {
    let running = Running::start();
    assert_eq!(running.roles.len(), 2);
    kill(Pid::from_raw(running.child.id() as i32), Signal::SIGINT).unwrap();
    let (code, kept) = running.end();
    assert_eq!(code, Some(130));
    assert!(kept.ended_early.unwrap().contains("interrupted"));
    assert!(!kept.arms[0].windows.is_empty());
    assert_eq!(kept.arms[0].provider, Some(ProviderName::Offload));
}

#[test]
fn a_role_that_dies_in_mid_run_is_named_and_what_was_measured_is_kept() {
    let running = Running::start();
    let server = running.roles[0];
    kill(server, Signal::SIGKILL).unwrap();
    let (code, kept) = running.end();
    assert_eq!(code, Some(1));
    let why = kept.ended_early.unwrap();
    assert!(why.contains("server process ended in mid-run"), "{why}");
}

#[test]
fn roles_end_even_when_the_command_is_killed() {
    let mut running = Running::start();
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    for role in running.roles {
        assert!(is_gone(role), "role process {role} was left behind");
    }
}
