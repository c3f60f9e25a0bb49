//! A software TPM for one test, on ports of its own, and the Debian tools that talk to it.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustls_offload::tpm::{Builder, Tpm};
use tempfile::TempDir;

use crate::PATIENCE;

/// Ports are looked for and taken by one test after the other.
static STARTING: Mutex<()> = Mutex::new(());

/// Killed when dropped, with its state.
pub(crate) struct Swtpm {
    pub(crate) port: u16,
    child: Child,
    folder: TempDir,
}

impl Swtpm {
    /// A new TPM, with keys that no other has.
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("state")).unwrap();
        let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        // somebody else may take the ports before the TPM does
        for _ in 0..20 {
            let port = free_pair();
            if let Some(child) = spawn(folder.path(), port) {
                return Self { port, child, folder };
            }
        }
        panic!("swtpm found no ports in 20 tries");
    }

    pub(crate) fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// With a deadline that a busy machine does not miss.
    pub(crate) fn builder(&self) -> Builder {
        Tpm::builder(&self.tcti()).deadline(PATIENCE)
    }

    pub(crate) fn open(&self) -> Tpm {
        self.builder().open().unwrap()
    }

    /// A file in the test's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Ends the process at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again: the same TPM, at the same place, with nothing loaded.
    pub(crate) fn restart(&mut self) {
        let start = Instant::now();
        self.child = loop {
            if let Some(child) = spawn(self.folder.path(), self.port) {
                break child;
            }
            assert!(start.elapsed() < PATIENCE, "swtpm does not start again");
        };
    }

    /// Runs one of the tools in the test's folder, and returns what it prints. It must succeed.
    #[track_caller]
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> String {
        let output = self.output(program, args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {text}{errors}");
        text
    }

    pub(crate) fn output(&self, program: &str, args: &[&str]) -> Output {
        let mut command = self.command(program);
        let started = command.args(args).stdin(Stdio::null()).output();
        started.unwrap_or_else(|error| panic!("`{program}`: {error}; `ci/setup` installs it"))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path());
        command.env("TPM2TOOLS_TCTI", self.tcti()).env("TPM2OPENSSL_TCTI", self.tcti());
        command
    }

    /// `openssl` with the TPM's provider first, and its own after it.
    #[track_caller]
    pub(crate) fn openssl(&self, args: &[&str]) -> String {
        let (verb, rest) = args.split_first().unwrap();
        let providers = ["-provider", "tpm2", "-provider", "default"];
        self.run("openssl", &[&[*verb], &providers[..], rest].concat())
    }

    /// What is in the TPM's memory: nothing, if everybody cleaned up.
    pub(crate) fn leftovers(&self) -> String {
        let transient = self.run("tpm2_getcap", &["handles-transient"]);
        transient + &self.run("tpm2_getcap", &["handles-loaded-session"])
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        // an error means that it has ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free with the one after it, where libtss2 expects the control channel.
fn free_pair() -> u16 {
    loop {
        let data = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = data.local_addr().unwrap().port();
        if port < u16::MAX && TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1)).is_ok() {
            return port;
        }
    }
}

/// Starts it, and waits until it takes connections; none if it ends instead.
fn spawn(folder: &Path, port: u16) -> Option<Child> {
    let state = format!("dir={}", folder.join("state").display());
    let channel = |port| format!("type=tcp,port={port},bindaddr=127.0.0.1");
    let child = Command::new("swtpm")
        .args(["socket", "--tpm2", "--tpmstate", &state])
        .args(["--server", &channel(port), "--ctrl", &channel(port + 1)])
        .args(["--flags", "not-need-init,startup-clear"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child =
        child.unwrap_or_else(|error| panic!("`swtpm`: {error}; `ci/setup` installs it"));
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if child.try_wait().unwrap().is_some() {
            child.wait().unwrap();
            return None;
        }
        // CMD_GET_CAPABILITY of the control channel is answered by swtpm alone
        if let Ok(mut control) = TcpStream::connect((Ipv4Addr::LOCALHOST, port + 1)) {
            control.write_all(&1_u32.to_be_bytes()).unwrap();
            return Some(child);
        }
        sleep(Duration::from_millis(5));
    }
    let ended = child.kill().and_then(|()| child.wait());
    panic!("swtpm does not listen ({ended:?})");
}
