use std::error::Error as StdError;
use std::path::Path;

use ecom_stream::{Error, ErrorKind};

type Cause = Box<dyn StdError + Send + Sync>;

/// Why files could not be measured, or a profile not be read, and what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{message} ({hint})")]
pub struct ProfileError {
    message: String,
    hint: &'static str,
    #[source]
    cause: Option<Cause>,
}

impl ProfileError {
    fn new(message: String, hint: &'static str) -> Self {
        Self {
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
            "this is no profile".to_owned(),
            "make one from files of events with `ecom-gen profile`",
        )
        .caused_by(cause)
    }

    pub(super) fn version(version: u32, supported: u32) -> Self {
        Self::new(
            format!(
                "the profile has version {version} of the format, and version {} is read here",
                supported
            ),
            match version < supported {
                true => "measure the files again: ecom-gen profile DIR --json > PROFILE",
                false => "a newer ecom-gen wrote it, and reads it",
            },
        )
    }

    pub(super) fn directory(dir: &Path, cause: std::io::Error) -> Self {
        Self::new(
            format!("can't list {}", dir.display()),
            "give a directory of CSV files that this user may read",
        )
        .caused_by(cause)
    }

    pub(super) fn no_files(dir: &Path) -> Self {
        Self::new(
            format!("there is no file of events in {}", dir.display()),
            "their names end in .csv and don't begin with a dot",
        )
    }

    pub(super) fn open(file: &Path, cause: std::io::Error) -> Self {
        Self::new(
            format!("can't open {}", file.display()),
            "make it readable, or move it away",
        )
        .caused_by(cause)
    }

    pub(super) fn column(file: &Path, column: &str) -> Self {
        Self::new(
            format!("{} has no column {column} in its header", file.display()),
            "name the columns as those of events are, with commas between, or move the file away",
        )
    }

    /// `records` were read before.
    pub(super) fn record(file: &Path, records: u64, cause: csv::Error) -> Self {
        Self::new(
            format!("can't read {} after record {records}", file.display()),
            "see whether its disk is well, or move the file away",
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
            "can't open a.csv: it is gone (make it readable, or move it away)"
        );
    }
}
