//! Where a proxy's program is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Found, Lack};
use crate::machine::doctor::program;

/// How long a program may take to tell its version, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Finds `name`: as told, else where `ci/setup` installs its tools, else on `PATH` or in a folder for
/// system programs; and its version, by running it with `version`.
pub(super) fn find(
    name: &str,
    told: Option<&Path>,
    version: &[&str],
    fix: &str,
) -> Result<Found, Lack> {
    let program = match told {
        Some(told) if program::is_executable(told) => told.to_owned(),
        Some(told) => {
            return Err(Lack::new(format!("{} is no program", told.display()), fix));
        }
        None => installed(name)
            .or_else(|| program::on_path(name))
            .ok_or_else(|| Lack::new(format!("no `{name}` on PATH"), fix))?,
    };
    let version = program::first_line(&program, version, PATIENCE).ok_or_else(|| {
        Lack::new(format!("{} does not tell its version", program.display()), fix)
    })?;
    Ok(Found { program, version: brief(&version, name), module: None })
}

/// In the folder of tools beside the build that this program is from.
fn installed(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let target = own.ancestors().find(|folder| folder.ends_with("target"))?;
    let program = target.join("tools/bin").join(name);
    program::is_executable(&program).then_some(program)
}

/// A version line without the program's own path, which some begin with.
fn brief(line: &str, name: &str) -> String {
    let own = line.split_whitespace().next().filter(|word| word.ends_with(&format!("/{name}")));
    own.map_or(line, |own| line[own.len()..].trim()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_told_without_the_path() {
        assert_eq!(brief("/opt/envoy  version: 1/2", "envoy"), "version: 1/2");
        assert_eq!(brief("nginx version: nginx/1.22", "nginx"), "nginx version: nginx/1.22");
    }

    #[test]
    fn what_was_told_is_not_looked_for_elsewhere() {
        let lack = find("sh", Some(Path::new("/nonexistent/sh")), &[], "do so").unwrap_err();
        assert_eq!(lack, Lack::new("/nonexistent/sh is no program", "do so"));
        let lack = find("no-such-proxy", None, &[], "install it").unwrap_err();
        assert_eq!(lack, Lack::new("no `no-such-proxy` on PATH", "install it"));
    }
}
