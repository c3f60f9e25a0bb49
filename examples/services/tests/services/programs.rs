//! The example programs: where they are, their credentials, and servers that end with the test.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use tempfile::TempDir;

/// A server with a client that can talk to it.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) server: &'static str,
    pub(crate) client: &'static str,
    /// What the client prints.
    pub(crate) answer: &'static str,
}

const REQWEST: &str = env!("CARGO_BIN_EXE_reqwest_client");

pub(crate) const PLAIN: Pair = Pair {
    server: env!("CARGO_BIN_EXE_server"),
    client: env!("CARGO_BIN_EXE_client"),
    answer: "hello",
};
pub(crate) const HYPER: Pair = Pair {
    server: env!("CARGO_BIN_EXE_hyper_server"),
    client: REQWEST,
    answer: "hello from hyper",
};
pub(crate) const AXUM: Pair =
    Pair { server: env!("CARGO_BIN_EXE_axum_server"), client: REQWEST, answer: "hello from axum" };
pub(crate) const TONIC: Pair = Pair {
    server: env!("CARGO_BIN_EXE_tonic_server"),
    client: env!("CARGO_BIN_EXE_tonic_client"),
    answer: "Serving",
};
pub(crate) const PAIRS: [Pair; 4] = [PLAIN, HYPER, AXUM, TONIC];

/// What `make_certs` writes.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let made = Command::new(env!("CARGO_BIN_EXE_make_certs")).arg(folder.path()).status();
        assert!(made.unwrap().success());
        Self(folder)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// The program with the credentials of `role`, trusting the root beside them.
    pub(crate) fn command(&self, program: &str, role: &str) -> Command {
        self.command_with(program, &self.path(&format!("{role}.key")), role)
    }

    /// As [`Self::command`], with another file for the key.
    pub(crate) fn command_with(&self, program: &str, key: &Path, role: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("--cert").arg(self.path(&format!("{role}.pem"))).arg("--key").arg(key);
        command.arg("--ca").arg(self.path("root.pem"));
        command
    }

    /// Replaces the server's credentials and the root, each file by renaming.
    pub(crate) fn become_like(&self, other: &Self) {
        for file in ["server.key", "server.pem", "root.pem"] {
            let new = self.path(&format!("{file}.new"));
            std::fs::copy(other.path(file), &new).unwrap();
            std::fs::rename(new, self.path(file)).unwrap();
        }
    }

    pub(crate) fn client(&self, pair: Pair, server: &Server) -> Output {
        let mut command = self.command(pair.client, "client");
        command.args(["--connect", &server.address]).output().unwrap()
    }
}

/// A server program; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    output: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn start(pair: Pair, certificates: &Certificates) -> Self {
        Self::start_with(pair, certificates, &[])
    }

    pub(crate) fn start_with(pair: Pair, certificates: &Certificates, args: &[&str]) -> Self {
        let mut child = certificates
            .command(pair.server, "server")
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, address: String::new(), output };
        server.address = server.line().strip_prefix("listening on ").unwrap().to_owned();
        server
    }

    /// The next line that the server prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything that a program printed.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
