//! The error of the library: a kind to branch on, a message, where it happened, and the cause.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

use super::split::Split;

/// The result of this library's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Cause = Box<dyn StdError + Send + Sync>;

/// What went wrong, where, and what to do next.
///
/// A bad *record* is never an error: it becomes a [`Reject`](crate::Reject) and the stream goes on. An error ends the
/// pipeline; everything that was committed before it stays.
// Boxed so that a `Result` stays small in the hot paths.
/// What went wrong, where, and what to do next.
///
/// A bad *record* is never an error: it becomes a [`Reject`](crate::Reject) and the stream goes on. An error ends the pipeline;
/// everything that was committed before it stays.
///
/// ```
/// use ecom_stream::{Error, ErrorKind, Split};
///
/// let err = Error::new(ErrorKind::Source, "can't read")
///     .at(&Split::new("csv", "a.csv"), 7)
///     .caused_by(std::io::Error::other("disk on fire"))
///     .hint("check the disk");
/// assert_eq!(err.kind(), ErrorKind::Source);
/// assert_eq!(err.report(), "can't read at byte 7 of csv:a.csv: disk on fire (check the disk)");
/// ```
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Inner>);

#[derive(Debug, thiserror::Error)]
struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    place: Option<SplitOffset>,
    hint: Option<Cow<'static, str>>,
    #[source]
    cause: Option<Cause>,
}

/// A byte offset in a split.
#[derive(Debug)]
struct SplitOffset {
    split: Split,
    offset: u64,
}

/// What kind of failure an [`Error`] is, to branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The pipeline was built or configured in a way that can't work. Trying again does not help.
    Configuration,
    /// The source could not read.
    Source,
    /// The sink could not write.
    Sink,
    /// The target of the sink is not as the sink needs it: a table or a column is missing, or a privilege was not granted.
    Schema,
    /// The target of the sink can't be reached.
    Unavailable,
    /// Another instance of the same pipeline has taken over, as it was told to; this one must not write any more.
    Fenced,
    /// What this run knows of its sink is out of date: another instance leads the pipeline by now, or the target of the sink has
    /// lost commits that it had acknowledged. Nothing is wrong with the pipeline. Run it again, with a new source: it continues
    /// from what the sink has then.
    Stale,
    /// A part of the pipeline panicked: a closure that was passed to an operator, a source, or the sink.
    Panicked,
}

/// The [`report`](Error::report): what a `main` prints that returns the error, and what `expect` panics with.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report())
    }
}

impl Error {
    /// An error with a message that says what went wrong. The message starts in lower case and has no full stop, because causes and
    /// the hint follow it on the same line.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            place: None,
            hint: None,
            cause: None,
        }))
    }

    /// The error for an I/O operation of a sink that failed: "can't `act` `path`". Where the cause is a common one, such as a full
    /// disk, a hint says what helps.
    pub fn io(act: &str, path: &Path, cause: io::Error) -> Self {
        let hint = match cause.kind() {
            io::ErrorKind::StorageFull => Some("the disk is full: free some space and start again"),
            io::ErrorKind::QuotaExceeded => Some("the disk quota is used up: free some space and start again"),
            io::ErrorKind::PermissionDenied => Some("the user of this process must be allowed to write there"),
            io::ErrorKind::ReadOnlyFilesystem => Some("the file system is mounted read-only: choose another directory"),
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                Some("a file is in the way: choose another directory")
            }
            _ => None,
        };
        let err = Self::new(ErrorKind::Sink, format!("can't {act} {}", path.display())).caused_by(cause);
        match hint {
            Some(hint) => err.hint(hint),
            None => err,
        }
    }

    /// Adds where in the input it happened: the byte `offset` in `split`.
    #[must_use]
    pub fn at(mut self, split: &Split, offset: u64) -> Self {
        self.0.place = Some(SplitOffset {
            split: split.clone(),
            offset,
        });
        self
    }

    /// Adds what the reader of the message can do next. It is shown in parentheses, after the causes.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the error that led to this one; [`source`](StdError::source) gives it back.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The split and the byte offset where it happened, if it happened at one.
    pub fn position(&self) -> Option<(&Split, u64)> {
        self.0.place.as_ref().map(|p| (&p.split, p.offset))
    }

    /// The message with every cause behind it, on one line: what a program prints before it ends.
    pub fn report(&self) -> String {
        let mut line = self.0.headline();
        let mut cause = StdError::source(self);
        while let Some(err) = cause {
            let text = err.to_string();
            // Drivers often repeat their cause in their own message.
            if !line.ends_with(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            cause = err.source();
        }
        if let Some(hint) = &self.0.hint {
            line.push_str(" (");
            line.push_str(hint);
            line.push(')');
        }
        line
    }
}

impl Inner {
    fn headline(&self) -> String {
        match &self.place {
            Some(place) => format!("{} at byte {} of {}", self.message, place.offset, place.split),
            None => self.message.to_string(),
        }
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_shows_the_place_the_causes_and_the_hint() {
        let split = Split::new("csv", "a.csv");
        let err = Error::new(ErrorKind::Source, "can't read")
            .at(&split, 7)
            .hint("try again")
            .caused_by(io::Error::other("broken"));
        assert_eq!(err.to_string(), "can't read at byte 7 of csv:a.csv (try again)");
        assert_eq!(err.report(), "can't read at byte 7 of csv:a.csv: broken (try again)");
        assert_eq!(format!("{err:?}"), err.report());
        assert_eq!(err.position(), Some((&split, 7)));
        assert_eq!(StdError::source(&err).unwrap().to_string(), "broken");
    }
}
