//! Proxies come and go with the run, however that ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use mtls_bench::report::RunResult;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::Bench;

/// A process of a run.
#[derive(Clone, Debug)]
struct Process {
    pid: i32,
    parent: i32,
    /// Its arguments, separated by blanks; kept, since a dead one has none.
    command: String,
}

/// A run that is measuring, all processes below it, and their folders.
struct Running {
    child: Child,
    bench: Bench,
    processes: Vec<Process>,
    folders: Vec<PathBuf>,
}

impl Running {
    /// Starts a long run through `path` and waits until a window has been measured.
    fn start(path: &str) -> Self {
        let bench = Bench::new();
        let args = ["--path", path, "--workload", "request", "--window", "0.3", "--rounds", "500"];
        let mut child = bench
            .command(&args)
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.as_mut().unwrap()).lines();
        lines.find(|line| line.as_ref().unwrap().contains("saturation")).unwrap().unwrap();
        lines.next().unwrap().unwrap();
        lines.next().unwrap().unwrap();
        let processes = below(i32::try_from(child.id()).unwrap());
        let folders: Vec<PathBuf> =
            processes.iter().flat_map(|process| folders(&process.command)).collect();
        assert!(folders.iter().all(|folder| folder.exists()) && !folders.is_empty());
        Self { child, bench, processes, folders }
    }

    /// The first process of the proxy beside the server.
    fn proxy(&self) -> &Process {
        let server = |process: &&Process| {
            // The server's side is started first.
            process.command.contains("mtls-bench-") && !process.command.contains("launch")
        };
        self.processes.iter().find(server).unwrap()
    }

    /// Waits for the end, and checks that nothing is left.
    fn end(mut self) -> (Option<i32>, Bench) {
        let code = self.child.wait().unwrap().code();
        for process in &self.processes {
            assert!(soon(|| is_gone(process)), "left behind: {process:?}");
        }
        for folder in &self.folders {
            assert!(soon(|| !folder.exists()), "left behind: {}", folder.display());
            let name = folder.file_name().unwrap();
            for hierarchy in ["unified", "cpuacct", ""] {
                let group = PathBuf::from("/sys/fs/cgroup").join(hierarchy).join(name);
                assert!(soon(|| !group.exists()), "left behind: {}", group.display());
            }
        }
        (code, self.bench)
    }
}

/// The folders that a proxy's arguments name.
fn folders(command: &str) -> Vec<PathBuf> {
    let words = command.split(' ').filter_map(|word| {
        let at = word.find("/mtls-bench-")?;
        let end = word[at + 1..].find('/').map_or(word.len(), |end| at + 1 + end);
        Some(PathBuf::from(&word[..end]))
    });
    words.filter(|folder| folder.starts_with(std::env::temp_dir())).collect()
}

fn below(ancestor: i32) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![ancestor];
    while let Some(parent) = parents.pop() {
        let path = format!("/proc/{parent}/task");
        for task in fs::read_dir(path).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for pid in children.split_whitespace().map(|pid| pid.parse().unwrap()) {
                let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let command = String::from_utf8_lossy(&command).replace('\0', " ");
                found.push(Process { pid, parent, command });
                parents.push(pid);
            }
        }
    }
    found
}

fn is_gone(process: &Process) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", process.pid)).unwrap_or_default();
    state.is_empty() || state.contains(") Z ")
}

/// Whether something comes true within a while that a busy machine may need.
fn soon(holds: impl Fn() -> bool) -> bool {
    (0..500).any(|_| {
        let now = holds();
        if !now {
            std::thread::sleep(Duration::from_millis(20));
        }
        now
    })
}

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

fn kept(bench: &Bench) -> RunResult {
    let files = bench.files();
    assert_eq!(files.len(), 1);
    serde_json::from_slice(&fs::read(&files[0]).unwrap()).unwrap()
}

#[test]
fn a_proxy_that_dies_in_mid_run_is_named_and_what_was_measured_is_kept() {
    for path in ["haproxy", "nginx", "envoy-l4"] {
        let running = Running::start(path);
        signal(running.proxy().pid, Signal::SIGKILL);
        let (code, bench) = running.end();
        assert_eq!(code, Some(1));
        let result = kept(&bench);
        let why = result.ended_early.clone().unwrap();
        assert!(why.contains("-sidecar process ended in mid-run"), "{why}");
        assert!(why.contains(&format!("{path} ended (by SIGKILL)")), "{why}");
        assert!(!result.arms[0].windows.is_empty());
    }
}

/// The signals of a terminal, of a service manager, and the one that leaves no time for anything.
#[test]
fn nothing_outlives_an_interrupt_nor_a_killed_command() {
    for (path, end) in
        [("nginx", Signal::SIGINT), ("nginx", Signal::SIGKILL), ("haproxy", Signal::SIGTERM)]
    {
        let running = Running::start(path);
        signal(i32::try_from(running.child.id()).unwrap(), end);
        let (code, bench) = running.end();
        if end == Signal::SIGKILL {
            assert_eq!(code, None);
        } else {
            assert_eq!(code, Some(130));
            assert!(!kept(&bench).arms[0].windows.is_empty());
        }
    }
}

#[test]
fn a_proxy_whose_supervisor_is_killed_ends_with_it() {
    let running = Running::start("nginx");
    let supervisor = running.proxy().parent;
    let workers = running.processes.iter().filter(|process| process.command.contains("worker"));
    assert!(workers.count() >= 2, "{:?}", running.processes);
    signal(supervisor, Signal::SIGKILL);
    let Running { mut child, processes, folders, .. } = running;
    assert_eq!(child.wait().unwrap().code(), Some(1));
    for process in &processes {
        assert!(soon(|| is_gone(process)), "left behind: {process:?}");
    }
    // Nobody was left to remove them.
    for folder in folders {
        let _ = fs::remove_dir_all(&folder);
        for hierarchy in ["unified", "cpuacct", ""] {
            let name = folder.file_name().unwrap();
            let _ = fs::remove_dir(PathBuf::from("/sys/fs/cgroup").join(hierarchy).join(name));
        }
    }
}
