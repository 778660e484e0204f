use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::contract::{Error, ErrorKind, Result};

/// The names of the files that a sink writes into a directory: `{prefix}-{sequence:06}.csv`, and
/// `.{prefix}-{sequence:06}.csv.tmp` before they are whole.
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
    /// When the prefix is empty, starts with a dot or has a slash in it.
    pub fn new(dir: &Path, prefix: &str) -> Result<Self> {
        // A hidden file would be passed over by readers, a path would leave the directory.
        if prefix.is_empty() || prefix.starts_with('.') || prefix.contains(['/', '\0']) {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("{prefix:?} can't be the prefix of a file name"),
            )
            .hint("it must not be empty, start with a dot or have a slash in it"));
        }
        Ok(Self {
            dir: dir.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The name of a whole file.
    pub fn whole(&self, sequence: u64) -> PathBuf {
        self.dir.join(format!("{}-{sequence:06}.csv", self.prefix))
    }

    /// The name of a file while it is written.
    pub fn temporary(&self, sequence: u64) -> PathBuf {
        self.dir.join(format!(".{}-{sequence:06}.csv.tmp", self.prefix))
    }

    /// The number in the name of a whole file.
    pub fn sequence(&self, name: &str) -> Option<u64> {
        self.number(name.strip_suffix(".csv")?)
    }

    /// Whether a file of that name was not whole.
    pub fn is_temporary(&self, name: &str) -> bool {
        let stem = name.strip_prefix('.').and_then(|name| name.strip_suffix(".csv.tmp"));
        stem.is_some_and(|stem| self.number(stem).is_some())
    }

    /// Makes the directory, unless it is there.
    ///
    /// # Errors
    ///
    /// When it can't be made.
    pub fn create_dir(&self) -> Result<()> {
        fs::create_dir_all(&self.dir).map_err(|err| Error::io("create", &self.dir, err))
    }

    /// Forces the names to disk.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn sync(&self) -> Result<()> {
        let synced = File::open(&self.dir).and_then(|dir| dir.sync_all());
        synced.map_err(|err| Error::io("sync", &self.dir, err))
    }

    /// The highest number in the name of a file that is there; 0 without any.
    pub(super) fn highest_sequence(&self) -> Result<u64> {
        let highest = self.list()?.iter().filter_map(|name| self.sequence(name)).max();
        Ok(highest.unwrap_or(0))
    }

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
    fn names_are_recognised() {
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
    fn a_prefix_stays_in_the_directory() {
        for prefix in ["", ".hidden", "a/b"] {
            assert!(FileNames::new(Path::new("d"), prefix).is_err(), "{prefix:?}");
        }
    }
}
