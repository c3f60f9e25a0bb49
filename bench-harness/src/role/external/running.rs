//! A proxy's processes: started, waited for, and ended to the last one.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::launch::LaunchArgs;
use super::port::{self, Port};
use super::recipe::{Ready, Recipe, Values};
use super::{ExternalSpec, admin};
use crate::Error;
use crate::machine::group::{self, Group};
use crate::measure::{Watched, below};

/// How long a proxy may take until it listens.
const STARTING: Duration = Duration::from_secs(20);

/// How long its processes may take to be gone once they have been killed.
const ENDING: Duration = Duration::from_secs(5);

/// Pause between looks at something that is about to happen.
const PAUSE: Duration = Duration::from_millis(10);

/// Lines of a proxy's output that go into error messages.
const LAST_WORDS: usize = 3;

/// A running proxy; all of its processes are killed when it is dropped, and its folder removed.
pub(super) struct Running {
    name: String,
    main: Pid,
    port: Port,
    /// Filled in.
    pub(super) recipe: Recipe,
    group: Option<Group>,
    folder: TempDir,
}

impl Running {
    /// Starts the proxy of `spec` and waits until it is ready.
    pub(super) fn start(spec: &ExternalSpec) -> Result<Self, Error> {
        loop {
            let running = Self::spawn(spec)?;
            match running.wait_until_ready() {
                // Somebody else was quicker to listen there.
                Err(_) if running.has_ended() && !port::is_free(running.address()) => {}
                ready => return ready.map(|()| running),
            }
        }
    }

    fn spawn(spec: &ExternalSpec) -> Result<Self, Error> {
        let private = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new()
            .prefix("mtls-bench-")
            .permissions(private)
            .tempdir()
            .map_err(Error::io("making a folder for a proxy"))?;
        let port = Port::find(spec.ip)?;
        let mut values = spec.values.clone();
        place(&mut values, folder.path(), port.address);
        let recipe = spec.recipe.filled(&values)?;
        write_files(spec, &recipe, folder.path())?;
        let name = folder.path().file_name().map(|name| name.to_string_lossy().into_owned());
        let group = name.and_then(|name| Group::make(&name));
        let output = fs::File::create(folder.path().join("output"))
            .map_err(Error::io("making a file for a proxy's output"))?;
        let starting = || Error::io(format!("starting {}", spec.name));
        let errors = output.try_clone().map_err(starting())?;
        let own = std::env::current_exe().map_err(Error::io("finding this program"))?;
        let child = Command::new(own)
            .args(LaunchArgs::words(group.as_ref().map(Group::folder), &recipe.command))
            .envs(&recipe.environment)
            .current_dir(folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(starting())?;
        let main = Pid::from_raw(child.id() as i32);
        Ok(Self { name: spec.name.clone(), main, port, recipe, group, folder })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.port.address
    }

    /// Its first process.
    pub(super) fn main(&self) -> Pid {
        self.main
    }

    /// Of what its CPU time is read.
    pub(super) fn watched(&self) -> Watched {
        Watched::Below {
            supervisor: nix::unistd::getpid().as_raw(),
            group: self.group.as_ref().map(|group| group.folder().to_owned()),
        }
    }

    /// What the proxy's end must be told with: how it ended, and what it said last.
    pub(super) fn obituary(&self, when: &str) -> String {
        let end = match waitid(Id::Pid(self.main), ended_or_not()) {
            Ok(WaitStatus::Exited(_, code)) => format!("exit status {code}"),
            Ok(WaitStatus::Signaled(_, signal, _)) => format!("by {signal}"),
            _ => "in an unknown way".to_owned(),
        };
        let output = fs::read(self.folder.path().join("output")).unwrap_or_default();
        let output = String::from_utf8_lossy(&output);
        let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(LAST_WORDS)..];
        let words = if last.is_empty() { "none".to_owned() } else { last.join(" / ") };
        format!("{} ended{when} ({end}); its last words: {words}", self.name)
    }

    fn has_ended(&self) -> bool {
        !matches!(waitid(Id::Pid(self.main), ended_or_not()), Ok(WaitStatus::StillAlive))
    }

    fn wait_until_ready(&self) -> Result<(), Error> {
        let deadline = Instant::now() + STARTING;
        loop {
            if self.has_ended() {
                return Err(Error::Proxy(self.obituary(" before it was ready")));
            }
            if is_listening(self.address())? && self.recipe.ready.as_ref().is_none_or(is_ready) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let seconds = STARTING.as_secs();
                return Err(Error::Proxy(format!(
                    "{} was not ready within {seconds} s; the machine may be overloaded",
                    self.name
                )));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Adds what is known only now.
fn place(values: &mut Values, folder: &Path, address: SocketAddr) {
    let file = |name: &str| folder.join(name).display().to_string();
    for (name, value) in [
        ("folder", folder.display().to_string()),
        ("port", address.port().to_string()),
        ("listen", address.to_string()),
        ("chain", file("chain.pem")),
        ("key", file("key.pem")),
        ("chain_and_key", file("chain-and-key.pem")),
        ("root", file("root.pem")),
    ] {
        values.insert(name.to_owned(), value);
    }
}

fn write_files(spec: &ExternalSpec, recipe: &Recipe, folder: &Path) -> Result<(), Error> {
    let credentials = &spec.credentials;
    let both = format!("{}{}", credentials.chain_pem(), credentials.key_pem());
    let own = [
        ("chain.pem", credentials.chain_pem()),
        ("key.pem", credentials.key_pem()),
        ("chain-and-key.pem", &both),
        ("root.pem", credentials.root_pem()),
    ];
    let described = recipe.files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    for (name, text) in own.into_iter().chain(described) {
        let path: PathBuf = folder.join(name);
        if Path::new(name).components().count() != 1 || path.parent() != Some(folder) {
            return Err(Error::Usage(format!(
                "`{name}` is not the name of a file; give no folder"
            )));
        }
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(Error::io(format!("writing {}", path.display())))?;
    }
    Ok(())
}

/// Looks, and leaves the process to be waited for.
fn ended_or_not() -> WaitPidFlag {
    WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG
}

/// Waits until process `main` has ended; returns at once if it is not a child of ours any more.
pub(super) fn wait_for_end(main: Pid) {
    while waitid(Id::Pid(main), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
}

/// Whether anybody listens on `address`: looked up, since a connection would be a failed handshake.
fn is_listening(address: SocketAddr) -> Result<bool, Error> {
    let sockets = if address.is_ipv4() { procfs::net::tcp() } else { procfs::net::tcp6() };
    let sockets = sockets.map_err(|error| Error::io("listing sockets")(io::Error::other(error)))?;
    Ok(sockets.iter().any(|socket| {
        socket.state == procfs::net::TcpState::Listen && socket.local_address == address
    }))
}

fn is_ready(ready: &Ready) -> bool {
    admin::get(&ready.socket, &ready.path).is_ok()
}

impl Drop for Running {
    fn drop(&mut self) {
        let deadline = Instant::now() + ENDING;
        // Orphans of a proxy's processes become this process's children (`set_child_subreaper`).
        loop {
            let mut left = below(nix::unistd::getpid().as_raw()).unwrap_or_default();
            left.extend(self.group.iter().flat_map(|g| group::processes(g.folder())).flatten());
            for pid in &left {
                // It may have ended by itself.
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            while let Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) =
                waitpid(None, Some(WaitPidFlag::WNOHANG))
            {}
            if left.is_empty() || Instant::now() > deadline {
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}
