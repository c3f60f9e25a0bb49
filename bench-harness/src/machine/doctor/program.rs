//! Programs on `PATH`, and the version they report.
//!
//! A stranger's program is run, so it gets no input, little time and no say in the outcome: one
//! that hangs or fails is found all the same, with its version unknown.

use std::env;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use super::Finding;

/// How long a program may take to print its version.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many bytes of what it prints are read.
const LONGEST_OUTPUT: u64 = 4096;

/// The finding about `name`: where it lies and what `version` arguments make it print, or `fix`.
///
/// `None` for programs that have no such arguments: they would start to serve.
pub(super) fn finding(name: &str, version: Option<&[&str]>, fix: &str) -> Finding {
    let path = env::var_os("PATH").unwrap_or_default();
    finding_in(&path, name, version, fix)
}

fn finding_in(path: &OsStr, name: &str, version: Option<&[&str]>, fix: &str) -> Finding {
    let Some(file) = find(path, name) else {
        return Finding::missing(format!("no `{name}` on PATH"), fix);
    };
    let place = file.display();
    let detail = match version.map(|arguments| first_line(&file, arguments, PATIENCE)) {
        Some(Some(line)) => format!("{place}: {line}"),
        Some(None) => format!("{place}, which told no version"),
        None => format!("{place}, which can't tell its version"),
    };
    Finding::available(detail)
}

/// Folders of system programs, which are not on every user's `PATH`.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The first executable called `name` on `PATH`, or else among the system's programs.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    find(&env::var_os("PATH").unwrap_or_default(), name).or_else(|| {
        SYSTEM.map(|folder| Path::new(folder).join(name)).into_iter().find(|f| is_executable(f))
    })
}

/// The first executable called `name` in the folders of `path`.
fn find(path: &OsStr, name: &str) -> Option<PathBuf> {
    env::split_paths(path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

/// Whether `file` is a program.
pub(crate) fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The first line with anything on it that `file` prints, on standard output or else on error.
pub(crate) fn first_line(file: &Path, arguments: &[&str], patience: Duration) -> Option<String> {
    output(file, arguments, patience)?
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .map(str::to_owned)
}

/// The beginning of what `file` prints, on the first of its two streams that has anything.
pub(crate) fn output(file: &Path, arguments: &[&str], patience: Duration) -> Option<String> {
    let deadline = Instant::now() + patience;
    let mut child = Command::new(file)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let streams: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|stream| Box::new(stream) as _),
        child.stderr.take().map(|stream| Box::new(stream) as _),
    ];
    let texts = streams.map(|stream| stream.map(start_reading));
    let text = texts.into_iter().flatten().find_map(|text| {
        let left = deadline.saturating_duration_since(Instant::now());
        let text = text.recv_timeout(left).ok()?;
        (!text.trim().is_empty()).then_some(text)
    });
    // It has most often ended by itself; either way there is nothing left to do about it.
    let _ = child.kill();
    let _ = child.wait();
    text
}

/// Reads the beginning of `stream` on a thread of its own, since a program's children may hold the
/// stream open for ever.
fn start_reading(stream: Box<dyn Read + Send>) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        if stream.take(LONGEST_OUTPUT).read_to_end(&mut text).is_ok() {
            // Nobody listens once the time is up.
            let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use tempfile::TempDir;

    use super::*;

    /// A folder with a shell script in it. Another process writes it: if this one did, a child that
    /// another test starts meanwhile could have it open for writing, and then it can't be executed.
    fn script(name: &str, body: &str) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        let text = format!("#!/bin/sh\n{body}\n");
        let write = ["-c", "printf %s \"$1\" >\"$2\"", "sh", &text];
        assert!(Command::new("sh").args(write).arg(&file).status().unwrap().success());
        fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn detail(folder: &TempDir, version: Option<&[&str]>) -> String {
        match finding_in(folder.path().as_os_str(), "proxy", version, "install it") {
            Finding::Available { detail } => detail,
            Finding::Missing { reason, .. } => panic!("{reason}"),
        }
    }

    #[test]
    fn a_version_is_read_from_either_stream() {
        let folder = script("proxy", "echo; echo \"proxy $1 1.2\"; echo more");
        assert!(detail(&folder, Some(&["-v"])).ends_with("/proxy: proxy -v 1.2"));
        let folder = script("proxy", "echo 'proxy/3' >&2; exit 1");
        assert!(detail(&folder, Some(&[])).ends_with("/proxy: proxy/3"));
    }

    #[test]
    fn a_program_that_hangs_is_ended_and_told_no_version() {
        let folder = script("proxy", "exec sleep 600");
        let file = folder.path().join("proxy");
        assert_eq!(first_line(&file, &[], Duration::from_millis(50)), None);
    }

    #[test]
    fn a_program_that_prints_without_end_is_ended() {
        let folder = script("proxy", "while :; do echo 0123456789abcdef; done");
        let line = first_line(&folder.path().join("proxy"), &[], Duration::from_secs(600));
        assert_eq!(line.as_deref(), Some("0123456789abcdef"));
    }

    #[test]
    fn a_programs_children_do_not_hold_us_up() {
        let folder = script("proxy", "sleep 5 & echo 1.0");
        let file = folder.path().join("proxy");
        assert_eq!(first_line(&file, &[], Duration::from_millis(50)), None);
    }

    #[test]
    fn a_program_without_version_arguments_is_not_run() {
        let folder = script("proxy", "touch \"$(dirname \"$0\")/was-run\"");
        assert!(detail(&folder, None).ends_with("which can't tell its version"));
        assert!(!folder.path().join("was-run").exists());
    }

    #[test]
    fn a_file_that_is_not_executable_is_no_program() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("proxy"), "").unwrap();
        let finding = finding_in(folder.path().as_os_str(), "proxy", None, "install it");
        assert_eq!(finding, Finding::missing("no `proxy` on PATH", "install it"));
    }
}
