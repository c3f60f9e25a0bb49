//! Role processes: server, sidecar proxy and load generator, each a child of the command. A proxy that
//! is not ours has a supervisor for its role ([`external`]).
//!
//! A role is this same program started as `mtls-bench role`. It reads its specification as the
//! first JSON line of its standard input and one command a line after it, and answers each with one
//! JSON line on standard output ([`protocol`]). It ends when its standard input does, so that no
//! role outlives the command however that ends. Separate processes are what makes the CPU time of
//! each role its own.

mod cores;
pub mod external;
pub mod generator;
mod process;
pub mod protocol;
mod proxy;
mod server;
pub(crate) mod service;

use std::io::{self, BufRead, StdinLock, Write};
use std::sync::Arc;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::Error;
use crate::tls::{Dialer, Observer};
pub use process::Role;
use protocol::{Command, Reply, RoleSpec};

/// Open files that a privileged user gets; an unprivileged one gets the hard limit.
const OPEN_FILES: u64 = 1 << 17;

/// The life of a role process: specification in, service up, commands until standard input ends.
///
/// # Errors
/// Whatever keeps the role from starting; it is also sent to the parent as a reply.
pub fn main() -> Result<(), Error> {
    let mut control = Control::new();
    let started = control.read::<RoleSpec>().and_then(|spec| match spec {
        Some(spec) => start(spec, &mut control),
        None => Ok(()),
    });
    if let Err(error) = &started {
        control.send(&Reply::Failed { message: error.to_string() })?;
    }
    started
}

fn start(spec: RoleSpec, control: &mut Control) -> Result<(), Error> {
    raise_open_files()?;
    // Should the parent be killed while this role is busy and not reading. A supervisor is never busy,
    // and must live on for a moment to end its proxy.
    if !matches!(spec, RoleSpec::External(_)) {
        set_pdeathsig(Signal::SIGKILL)
            .map_err(|errno| Error::io("tying a role to its parent")(errno.into()))?;
    }
    match spec {
        RoleSpec::External(spec) => external::run(&spec, control),
        RoleSpec::Server(spec) => server::run(spec, control),
        RoleSpec::Proxy(spec) => proxy::run(spec, control),
        RoleSpec::Generator(spec) => generator::run(*spec, control),
    }
}

/// The command line between a role and the process that started it.
pub struct Control {
    input: StdinLock<'static>,
}

impl Control {
    fn new() -> Self {
        Self { input: io::stdin().lock() }
    }

    /// The next message, or nothing once the parent is gone.
    fn read<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, Error> {
        let mut line = String::new();
        let read = self.input.read_line(&mut line).map_err(Error::io("reading a command"))?;
        if read == 0 { Ok(None) } else { Ok(Some(serde_json::from_str(&line)?)) }
    }

    /// Sends one reply.
    fn send(&self, reply: &Reply) -> Result<(), Error> {
        let mut line = serde_json::to_vec(reply)?;
        line.push(b'\n');
        let mut output = io::stdout().lock();
        output.write_all(&line).and_then(|()| output.flush()).map_err(Error::io("sending a reply"))
    }

    /// Answers for an end of TLS until the parent closes the line.
    fn serve(
        &mut self,
        observer: Option<&Arc<Observer>>,
        dialer: Option<&Dialer>,
    ) -> Result<(), Error> {
        while let Some(command) = self.read::<Command>()? {
            let reply = match command {
                Command::Observe => Reply::Observed(observer.map(|o| o.take()).unwrap_or_default()),
                Command::Priming(on) => {
                    dialer.into_iter().for_each(|dialer| dialer.set_priming(on));
                    Reply::Done
                }
                Command::Supply { connections } => {
                    match dialer.map_or(Ok(()), |dialer| dialer.supply(connections)) {
                        Ok(()) => Reply::Done,
                        Err(error) => Reply::Failed { message: error.to_string() },
                    }
                }
                other => {
                    Reply::Failed { message: format!("not a command for this role: {other:?}") }
                }
            };
            self.send(&reply)?;
        }
        Ok(())
    }
}

/// Pins this process to `cpus`; an empty list leaves it where the system puts it.
fn pin_to(cpus: &[usize]) -> Result<(), Error> {
    if cpus.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    let pinned = cpus.iter().try_for_each(|cpu| set.set(*cpu));
    pinned
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
        .map_err(|errno| Error::io(format!("pinning a role to CPUs {cpus:?}"))(errno.into()))
}

/// Lifts the limit on open files as far as this user may, and returns it: connections are files.
///
/// # Errors
/// When the system does not tell the limit.
pub fn raise_open_files() -> Result<u64, Error> {
    let limit = || {
        getrlimit(Resource::RLIMIT_NOFILE)
            .map_err(|errno| Error::io("reading the limit on open files")(errno.into()))
    };
    let (_, hard) = limit()?;
    let raise = |to| setrlimit(Resource::RLIMIT_NOFILE, to, to);
    // If neither is allowed the limit stays as it is; either way the caller is told what it is.
    let _ = raise(hard.max(OPEN_FILES)).or_else(|_| raise(hard));
    Ok(limit()?.0)
}
