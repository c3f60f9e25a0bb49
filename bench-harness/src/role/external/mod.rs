//! The supervisor of a proxy that is not ours (Envoy, HAProxy, nginx, any other): starts it as the
//! [`Recipe`] says, counts its handshakes, and ends it.
//!
//! It is a role like the others towards the command, and does nothing while a window is measured;
//! its own CPU time is not the role's. Nothing outlives it: its end, even by a crash of the command,
//! is the end of every process of the proxy, also of those whose parents have gone, of its folder
//! and of its control group. Should the supervisor itself be killed, the proxy gets SIGTERM. Should
//! the proxy end by itself, the supervisor ends and says so.

mod admin;
mod census;
mod launch;
mod port;
pub mod recipe;
mod running;

use std::io::Write;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::sys::prctl::set_child_subreaper;
use serde::{Deserialize, Serialize};

use self::census::Census;
use self::recipe::{Recipe, Values};
use self::running::Running;
use super::protocol::{Command, Reply};
use super::{Control, pin_to};
use crate::Error;
use crate::pki::Credentials;

pub use launch::{LaunchArgs, launch};

/// The supervisor's task.
#[derive(Clone, Serialize, Deserialize)]
pub struct ExternalSpec {
    /// The proxy's name in messages.
    pub name: String,
    /// CPUs that the proxy may use.
    pub cpus: Vec<usize>,
    /// The address that it listens on.
    pub ip: IpAddr,
    /// How it is run.
    pub recipe: Recipe,
    /// What the recipe's placeholders stand for, apart from those that the supervisor knows.
    pub values: Values,
    /// Its end of TLS.
    pub credentials: Credentials,
    /// What each of its handshakes must come to.
    pub expected: ExpectedOutcome,
}

/// What each handshake of a proxy must come to, in the terms of [`crate::tls::Negotiated`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExpectedOutcome {
    /// Protocol version.
    pub protocol: String,
    /// Cipher suite.
    pub suite: String,
    /// Key exchange group.
    pub group: String,
    /// The peer.
    pub peer: String,
    /// Whether this is the end that originates TLS and is to resume.
    pub means_to_resume: bool,
}

/// Supervises until the parent goes away or the proxy ends.
pub(super) fn run(spec: &ExternalSpec, control: &mut Control) -> Result<(), Error> {
    set_child_subreaper(true)
        .map_err(|errno| Error::io("becoming a proxy's supervisor")(errno.into()))?;
    // The proxy inherits it.
    pin_to(&spec.cpus)?;
    let running = Running::start(spec)?;
    let mut census = Census::begin(&running.recipe.handshakes, spec.expected.clone())?;
    let ready = Reply::Ready { address: Some(running.address()), watched: Some(running.watched()) };
    let running = mourn(running)?;
    control.send(&ready)?;
    let ended = serve(&mut census, control);
    // Also where the proxy has ended and its mourner is at it: this waits.
    drop(take(&running));
    ended
}

fn serve(census: &mut Census, control: &mut Control) -> Result<(), Error> {
    while let Some(command) = control.read::<Command>()? {
        let reply = match command {
            Command::Observe => match census.take() {
                Ok(observations) => Reply::Observed(observations),
                Err(error) => Reply::Failed { message: error.to_string() },
            },
            // Whether it keeps sessions is in its configuration.
            Command::Priming(_) => Reply::Done,
            other => Reply::Failed { message: format!("not a command for this role: {other:?}") },
        };
        control.send(&reply)?;
    }
    Ok(())
}

type Shared = Arc<Mutex<Option<Running>>>;

fn take(running: &Shared) -> Option<Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Has a thread wait for the proxy's end; should it come unasked, it ends this process.
fn mourn(running: Running) -> Result<Shared, Error> {
    let main = running.main();
    let running = Arc::new(Mutex::new(Some(running)));
    let mourned = running.clone();
    let wait = move || {
        running::wait_for_end(main);
        let mut running = mourned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = running.take() {
            let words = ended.obituary("");
            drop(ended);
            // The parent reads it, if it is still there.
            let _ = writeln!(std::io::stderr(), "{words}");
            std::process::exit(1);
        }
    };
    let thread = thread::Builder::new().name("mourner".to_owned()).spawn(wait);
    thread.map(|_| running).map_err(Error::io("starting a supervisor's thread"))
}
