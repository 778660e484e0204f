//! The errors of measuring and of reading profiles.

use std::error::Error as StdError;
use std::path::Path;

use ecom_stream::{Error, ErrorKind};

type Cause = Box<dyn StdError + Send + Sync>;

/// An error while measuring files or reading a profile. Its message says what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{message} ({hint})")]
pub struct ProfileError {
    kind: ProfileErrorKind,
    message: String,
    hint: &'static str,
    #[source]
    cause: Option<Cause>,
}

/// The kind of a [`ProfileError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProfileErrorKind {
    /// The text is not a profile.
    NotAProfile,
    /// The profile has another version of the format.
    UnsupportedVersion,
    /// The directory contains no file of events.
    NoFiles,
    /// A file lacks a required column.
    MissingColumn,
    /// A directory or a file cannot be read.
    Unreadable,
}

impl ProfileError {
    /// The kind of the error.
    pub fn kind(&self) -> ProfileErrorKind {
        self.kind
    }

    fn new(kind: ProfileErrorKind, message: String, hint: &'static str) -> Self {
        Self {
            kind,
            message,
            hint,
            cause: None,
        }
    }

    fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub(super) fn json(cause: serde_json::Error) -> Self {
        Self::new(
            ProfileErrorKind::NotAProfile,
            "this is not a profile".to_owned(),
            "create one from files of events with `ecom-gen profile DIR --json`",
        )
        .caused_by(cause)
    }

    pub(super) fn version(version: u32, supported: u32) -> Self {
        Self::new(
            ProfileErrorKind::UnsupportedVersion,
            format!(
                "the profile has version {version} of the format, but this program reads version {}",
                supported
            ),
            match version < supported {
                true => "measure the files again: ecom-gen profile DIR --json > PROFILE",
                false => "it was written by a newer ecom-gen: use that one",
            },
        )
    }

    pub(super) fn directory(dir: &Path, cause: std::io::Error) -> Self {
        Self::new(
            ProfileErrorKind::Unreadable,
            format!("cannot list {}", dir.display()),
            "give a directory of CSV files that this user may read",
        )
        .caused_by(cause)
    }

    pub(super) fn no_files(dir: &Path) -> Self {
        Self::new(
            ProfileErrorKind::NoFiles,
            format!("{} contains no file of events", dir.display()),
            "file names must end in .csv and must not begin with a dot",
        )
    }

    pub(super) fn open(file: &Path, cause: std::io::Error) -> Self {
        Self::new(
            ProfileErrorKind::Unreadable,
            format!("cannot open {}", file.display()),
            "make it readable, or move it to another directory",
        )
        .caused_by(cause)
    }

    pub(super) fn column(file: &Path, column: &str) -> Self {
        Self::new(
            ProfileErrorKind::MissingColumn,
            format!("{} has no column {column} in its header", file.display()),
            "name the columns like those of `ecom-gen`, separated by commas, or move the file to another directory",
        )
    }

    /// The file could not be read after this number of records.
    pub(super) fn record(file: &Path, records: u64, cause: csv::Error) -> Self {
        Self::new(
            ProfileErrorKind::Unreadable,
            format!("cannot read {} after record {records}", file.display()),
            "check the disk, or move the file to another directory",
        )
        .caused_by(cause)
    }
}

impl From<ProfileError> for Error {
    fn from(err: ProfileError) -> Self {
        let error = Self::new(ErrorKind::Source, err.message).hint(err.hint);
        match err.cause {
            Some(cause) => error.caused_by(cause),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_reports_cause_and_next_step() {
        let cause = std::io::Error::other("it is gone");
        let err = Error::from(ProfileError::open(Path::new("a.csv"), cause));
        assert_eq!(
            err.report(),
            "cannot open a.csv: it is gone (make it readable, or move it to another directory)"
        );
    }
}
