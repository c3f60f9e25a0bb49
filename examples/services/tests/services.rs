//! Every example runs, and every server refuses a client that it can't identify.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use tempfile::TempDir;

struct Certificates(TempDir);

impl Certificates {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let made = Command::new(env!("CARGO_BIN_EXE_make_certs")).arg(folder.path()).status();
        assert!(made.unwrap().success());
        Self(folder)
    }

    /// The program with the credentials of `role`, trusting the root of `self`.
    fn run(&self, program: &str, role: &str, args: &[&str]) -> Command {
        self.run_as(program, self.0.path(), role, args)
    }

    fn run_as(&self, program: &str, own: &Path, role: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.arg("--cert").arg(own.join(format!("{role}.pem")));
        command.arg("--key").arg(own.join(format!("{role}.key")));
        command.arg("--ca").arg(self.0.path().join("root.pem")).args(args);
        command
    }
}

struct Server {
    child: Child,
    address: String,
    /// Kept open: a server that can't print what it negotiated fails.
    _output: BufReader<ChildStdout>,
}

impl Server {
    fn start(program: &str, certificates: &Certificates) -> Self {
        let mut child = certificates
            .run(program, "server", &["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, address, _output: output }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The client talks to the server; with a certificate of another root it is refused.
fn serves(server: &str, client: &str, answer: &str) {
    let certificates = Certificates::new();
    let server = Server::start(server, &certificates);
    let to = ["--connect", server.address.as_str()];
    let output = certificates.run(client, "client", &to).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text(&output).contains(answer), "{}", text(&output));

    let stranger = Certificates::new();
    let output = certificates.run_as(client, stranger.0.path(), "client", &to).output().unwrap();
    assert!(!output.status.success(), "a stranger was served: {}", text(&output));
}

#[test]
fn plain_server_and_client() {
    serves(env!("CARGO_BIN_EXE_server"), env!("CARGO_BIN_EXE_client"), "hello");
}

#[test]
fn hyper_and_reqwest() {
    let client = env!("CARGO_BIN_EXE_reqwest_client");
    serves(env!("CARGO_BIN_EXE_hyper_server"), client, "hello from hyper");
}

#[test]
fn axum_and_reqwest() {
    let client = env!("CARGO_BIN_EXE_reqwest_client");
    serves(env!("CARGO_BIN_EXE_axum_server"), client, "hello from axum");
}

#[test]
fn tonic_serves_itself() {
    let certificates = Certificates::new();
    let output =
        certificates.run(env!("CARGO_BIN_EXE_tonic_service"), "server", &[]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text(&output).trim(), "Serving");
}
