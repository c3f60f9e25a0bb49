//! A command-line tool as a child process: its output line by line, and its end whatever happens.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use procfs::net::{TcpState, tcp};
use procfs::process::{FDTarget, Process};

use crate::PATIENCE;
use crate::ends::GREETING;

/// Killed when dropped.
pub(crate) struct Tool {
    name: String,
    program: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// All that was read of the output, for error messages.
    output: Vec<String>,
}

impl Tool {
    /// Starts `program` of the Debian package `package`.
    pub(crate) fn start(program: &str, package: &str, args: &[&str]) -> Self {
        Self::start_with(program, package, args, None)
    }

    /// With a variable in its environment.
    pub(crate) fn start_with(
        program: &str,
        package: &str,
        args: &[&str],
        variable: Option<(&str, &str)>,
    ) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .envs(variable)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("`{program}`: {error}. Install it (Debian: apt-get install {package}).")
            });
        let (sender, lines) = channel();
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for output in outputs {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                    if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                        break;
                    }
                }
            });
        }
        let stdin = child.stdin.take();
        Self {
            name: format!("{program} {}", args.join(" ")),
            program: program.to_owned(),
            child,
            stdin,
            lines,
            output: Vec::new(),
        }
    }

    /// Reads output up to a line that contains `wanted`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let found = line.contains(wanted);
                    self.output.push(line);
                    if found {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("no line with `{wanted}`")),
                Err(RecvTimeoutError::Disconnected) => {
                    self.fail(&format!("ended without a line with `{wanted}`"))
                }
            }
        }
    }

    /// Sends the greeting, waits for its echo, and ends the tool, which must be content.
    #[track_caller]
    pub(crate) fn exchange(&mut self) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{GREETING}").and_then(|()| stdin.flush()).unwrap();
        self.wait_for(GREETING);
        let status = self.finish();
        if !status.success() {
            self.fail(&format!("ended with {status}"));
        }
    }

    /// Ends its input, reads the rest of the output and waits for its end.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> ExitStatus {
        self.stdin = None;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.output.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.fail("did not end"),
            }
        }
        self.child.wait().unwrap()
    }

    /// The IPv4 port that the tool listens on, once it does; 0 was what it was told.
    #[track_caller]
    pub(crate) fn listening_port(&mut self) -> u16 {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(port) = self.bound_port() {
                return port;
            }
            if self.child.try_wait().unwrap().is_some() {
                self.finish();
                self.fail("ended before it listened");
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.fail("does not listen")
    }

    /// Found through the kernel's tables: not every tool tells the port it was given.
    fn bound_port(&self) -> Option<u16> {
        let process = Process::new(self.child.id() as i32).ok()?;
        // Until it has become the tool, it is a copy of this process, with the sockets of the tests
        // beside this one. (Under emulation, starting a program returns as early as that.)
        if process.exe().ok()?.file_name()? != self.program.as_str() {
            return None;
        }
        let sockets: Vec<u64> = process
            .fd()
            .ok()?
            .filter_map(|fd| match fd.ok()?.target {
                FDTarget::Socket(inode) => Some(inode),
                _ => None,
            })
            .collect();
        let listening = tcp()
            .ok()?
            .into_iter()
            .find(|entry| entry.state == TcpState::Listen && sockets.contains(&entry.inode));
        listening.map(|entry| entry.local_address.port())
    }

    fn output(&self) -> String {
        self.output.iter().map(|line| format!("{line}\n")).collect()
    }

    #[track_caller]
    fn fail(&self, what: &str) -> ! {
        panic!("`{}` {what}. Its output:\n{}", self.name, self.output())
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        // an error means that it has ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
