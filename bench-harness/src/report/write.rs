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

fn write_whole(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // A result is there to be read and committed; the process's umask still applies.
    let mut file = Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    // Two runs that began in the same millisecond must not overwrite each other.
    file.persist_noclobber(path)?;
    Ok(())
}
