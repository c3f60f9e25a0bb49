//! Keeping a result: a whole file or none, in a folder for the kind of machine.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use super::RunResult;
use crate::Error;

/// Refuses a folder that can't be written, before anything is measured.
///
/// # Errors
/// Names the folder and the system's reason.
pub fn check_writable(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder)
        .and_then(|()| NamedTempFile::new_in(folder))
        .map(drop)
        .map_err(|source| Error::Results { path: folder.to_owned(), source })
}

/// Writes `result` under `folder` and returns where; a reader never sees half a file.
///
/// # Errors
/// When the folder can't be written.
pub fn write(result: &RunResult, folder: &Path) -> Result<PathBuf, Error> {
    let folder = folder.join(&result.instance.name);
    let path = folder.join(format!("{}.json", result.started_at.replace(':', "")));
    let written = serde_json::to_vec_pretty(result)
        .map_err(io::Error::other)
        .and_then(|json| write_whole(&folder, &path, &json));
    written.map_err(|source| Error::Results { path: path.clone(), source })?;
    Ok(path)
}

/// Writes `bytes` to `path`, in the place of what was there; a reader never sees half a file.
///
/// # Errors
/// When it can't be written.
pub fn keep(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let kept = whole(folder, bytes).and_then(|file| Ok(file.persist(path)?));
    kept.map(drop).map_err(|source| Error::Output { path: path.to_owned(), source })
}

fn write_whole(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // Two runs that began in the same millisecond must not overwrite each other.
    whole(folder, &[bytes, b"\n"].concat())?.persist_noclobber(path)?;
    Ok(())
}

/// A file of these bytes that has no name yet.
fn whole(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    // A result is there to be read and committed; the process's umask still applies.
    let mut file = Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}
