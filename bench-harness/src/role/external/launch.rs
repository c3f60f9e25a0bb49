//! The last step before a proxy's program begins: this program, as `mtls-bench launch`, ties itself
//! to its parent, moves into the proxy's control group and becomes the proxy. A new process can
//! only do these things to itself.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use crate::Error;
use crate::machine::group;

/// Arguments of `mtls-bench launch`.
#[derive(clap::Args)]
pub struct LaunchArgs {
    /// Folder of the control group to join.
    #[arg(long)]
    group: Option<PathBuf>,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl LaunchArgs {
    /// The arguments that [`launch`] understands.
    pub(super) fn words(group: Option<&std::path::Path>, command: &[String]) -> Vec<OsString> {
        let mut words = vec![OsString::from("launch")];
        if let Some(group) = group {
            words.extend(["--group".into(), group.into()]);
        }
        words.push("--".into());
        words.extend(command.iter().map(OsString::from));
        words
    }
}

/// Becomes the program.
///
/// # Errors
/// When it can't; otherwise there is no return.
pub fn launch(args: &LaunchArgs) -> Result<(), Error> {
    // Should the supervisor be killed: SIGTERM, on which a proxy ends its workers as well.
    set_pdeathsig(Signal::SIGTERM)
        .map_err(|errno| Error::io("tying a proxy to its supervisor")(errno.into()))?;
    if let Some(folder) = &args.group {
        group::join(folder).map_err(Error::io("joining a proxy's control group"))?;
    }
    let [program, arguments @ ..] = &args.command[..] else {
        return Err(Error::Usage("no program to launch".to_owned()));
    };
    let error: io::Error = Command::new(program).args(arguments).exec();
    Err(Error::io(format!("starting {}", program.display()))(error))
}
