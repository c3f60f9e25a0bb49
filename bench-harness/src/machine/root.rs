//! Reading the small text files of `/proc`, `/sys` and `/etc`, below a folder of choice.
//!
//! On a real machine the folder is `/`. Tests lay out another machine's files in a temporary folder
//! and describe that, so an EC2 guest or a cgroup v1 host can be tested anywhere.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use procfs::FromRead;

/// The root of a file system that describes a machine.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

impl Root {
    /// This machine.
    pub fn host() -> Self {
        Self::at("/")
    }

    /// The machine whose files lie below `folder`.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Where `path`, absolute on the described machine, lies on this one.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Whether there is anything at `path`.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }

    /// The trimmed text of a file; `None` if it can't be read, is not UTF-8 or is blank.
    pub fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = std::fs::read_to_string(self.path(path)).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The whole text of a file as a value, most often a number; `None` if it is not one.
    pub fn value<T: FromStr>(&self, path: impl AsRef<Path>) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// A file in a format that procfs knows; `None` if it can't be read or parsed.
    pub fn parsed<T: FromRead>(&self, path: impl AsRef<Path>) -> Option<T> {
        T::from_file(self.path(path)).ok()
    }

    /// The names in a folder, sorted; none if it can't be read.
    pub fn names(&self, folder: impl AsRef<Path>) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

#[cfg(test)]
pub(super) mod fixture {
    //! Machines made of files.

    use tempfile::TempDir;

    use super::Root;

    /// Lays out `files` (absolute path, content) in a folder that lives as long as the guard.
    pub(in crate::machine) fn machine(files: &[(&str, &str)]) -> (TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path());
        for (path, content) in files {
            let path = root.path(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        (folder, root)
    }
}

#[cfg(test)]
mod tests {
    use procfs::LoadAverage;

    use super::fixture::machine;

    #[test]
    fn text_is_trimmed_and_blank_is_nothing() {
        let (_guard, root) = machine(&[("/sys/a", " x\n"), ("/sys/b", "\n")]);
        assert_eq!(root.text("/sys/a").as_deref(), Some("x"));
        assert_eq!(root.text("/sys/b"), None);
        assert_eq!(root.text("/sys/c"), None);
    }

    #[test]
    fn a_value_that_does_not_parse_is_nothing() {
        let (_guard, root) = machine(&[("/a", "12\n"), ("/b", "twelve\n")]);
        assert_eq!(root.value::<u32>("/a"), Some(12));
        assert_eq!(root.value::<u32>("/b"), None);
    }

    #[test]
    fn procfs_formats_are_read_below_the_folder() {
        let (_guard, root) = machine(&[("/proc/loadavg", "0.50 0.25 0.10 1/77 4242\n")]);
        assert_eq!(root.parsed::<LoadAverage>("/proc/loadavg").unwrap().latest_pid, 4242);
        assert!(root.parsed::<LoadAverage>("/proc/absent").is_none());
    }

    #[test]
    fn names_are_sorted_and_an_absent_folder_is_empty() {
        let (_guard, root) = machine(&[("/d/b", "1"), ("/d/a", "1")]);
        assert_eq!(root.names("/d"), ["a", "b"]);
        assert!(root.names("/e").is_empty());
    }
}
