//! The names of the files that the CSV directory sink writes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::contract::{Error, ErrorKind, Result};

/// The names of the files that a sink writes into a directory: `{prefix}-{sequence:06}.csv`, and
/// `.{prefix}-{sequence:06}.csv.tmp` before they are complete.
///
/// ```
/// use std::path::Path;
/// use ecom_stream::FileNames;
///
/// # fn main() -> ecom_stream::Result<()> {
/// let names = FileNames::new(Path::new("data"), "events")?;
/// assert_eq!(names.whole(7), Path::new("data/events-000007.csv"));
/// assert_eq!(names.temporary(7), Path::new("data/.events-000007.csv.tmp"));
/// assert_eq!(names.sequence("events-000007.csv"), Some(7));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct FileNames {
    dir: PathBuf,
    prefix: String,
}

impl FileNames {
    /// Names that begin with `prefix`, in `dir`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the prefix is empty, starts with a dot, or contains a slash.
    pub fn new(dir: &Path, prefix: &str) -> Result<Self> {
        // Readers skip hidden files, and a path would leave the directory.
        if prefix.is_empty() || prefix.starts_with('.') || prefix.contains(['/', '\0']) {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("{prefix:?} cannot be the prefix of a file name"),
            )
            .hint("choose a prefix that is not empty, does not start with a dot and contains no slash"));
        }
        Ok(Self {
            dir: dir.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    /// The directory of the files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of a complete file.
    pub fn whole(&self, sequence: u64) -> PathBuf {
        self.dir.join(format!("{}-{sequence:06}.csv", self.prefix))
    }

    /// The path of a file while it is being written.
    pub fn temporary(&self, sequence: u64) -> PathBuf {
        self.dir.join(format!(".{}-{sequence:06}.csv.tmp", self.prefix))
    }

    /// The number in the name of a complete file; `None` for any other name.
    pub fn sequence(&self, name: &str) -> Option<u64> {
        self.number(name.strip_suffix(".csv")?)
    }

    /// Whether that is the name of a file that is being written.
    pub fn is_temporary(&self, name: &str) -> bool {
        let stem = name.strip_prefix('.').and_then(|name| name.strip_suffix(".csv.tmp"));
        stem.is_some_and(|stem| self.number(stem).is_some())
    }

    /// Creates the directory, and those above it, unless it exists.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn create_dir(&self) -> Result<()> {
        fs::create_dir_all(&self.dir).map_err(|err| Error::io("create", &self.dir, err))
    }

    /// Writes the directory to disk, so that renamed files keep their names through a power failure.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn sync(&self) -> Result<()> {
        let synced = File::open(&self.dir).and_then(|dir| dir.sync_all());
        synced.map_err(|err| Error::io("sync", &self.dir, err))
    }

    /// The highest number of a complete file in the directory; 0 if there is none.
    #[cfg(feature = "csv-dir")]
    pub(super) fn highest_sequence(&self) -> Result<u64> {
        let highest = self.list()?.iter().filter_map(|name| self.sequence(name)).max();
        Ok(highest.unwrap_or(0))
    }

    /// The names in the directory that are valid UTF-8.
    pub(super) fn list(&self) -> Result<Vec<String>> {
        let read = || -> io::Result<Vec<String>> {
            let entries = fs::read_dir(&self.dir)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
            entries.filter_map(Result::transpose).collect()
        };
        read().map_err(|err| Error::io("list", &self.dir, err))
    }

    fn number(&self, stem: &str) -> Option<u64> {
        let digits = stem.strip_prefix(&self.prefix)?.strip_prefix('-')?;
        match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse().ok(),
            false => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_recognizes_the_names_of_its_files() {
        let names = FileNames::new(Path::new("d"), "events").unwrap();
        assert_eq!(names.whole(7), Path::new("d/events-000007.csv"));
        assert_eq!(names.sequence("events-000007.csv"), Some(7));
        assert_eq!(names.sequence("events-12345678.csv"), Some(12_345_678));
        assert!(names.is_temporary(".events-000007.csv.tmp"));
        for other in [
            "events-.csv",
            "events-+1.csv",
            "events-x-000001.csv",
            "other-000001.csv",
            "events-000001",
        ] {
            assert_eq!(names.sequence(other), None, "{other}");
        }
        for other in ["events-000007.csv", ".other-000007.csv.tmp", ".events-000007.csv"] {
            assert!(!names.is_temporary(other), "{other}");
        }
    }

    #[test]
    fn a_prefix_cannot_hide_files_or_leave_the_directory() {
        for prefix in ["", ".hidden", "a/b"] {
            assert!(FileNames::new(Path::new("d"), prefix).is_err(), "{prefix:?}");
        }
    }
}
