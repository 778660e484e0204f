//! Why a time format or a time zone can't be used.

use std::error::Error as StdError;

/// A time format that can't be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TimeFormatError {
    /// The description or the pattern can't be read.
    #[error("can't read the time format {format:?}")]
    Malformed {
        /// As it was given.
        format: String,
        /// What is wrong with it.
        #[source]
        cause: Box<dyn StdError + Send + Sync>,
    },
    /// The pattern leaves open at which day or hour.
    #[error(
        "the time format {0:?} leaves open which day it is, or which half of it (%I needs %p, an hour of twelve a period)"
    )]
    Incomplete(String),
    /// It is neither a name nor a pattern.
    #[error(
        "{0:?} is no time format: it is rfc3339, epoch_s, epoch_ms, epoch_us, or a pattern such as \
         \"%d-%m-%Y %H:%M\" or \"[day]-[month]-[year] [hour]:[minute]\""
    )]
    Unknown(String),
    /// There is no such time zone.
    #[error("there is no time zone {0:?}: it is UTC, a name such as Europe/Berlin, or an offset such as +02:00")]
    Zone(String),
    /// Such times have a zone of their own.
    #[error("these times need no zone: they say it, or count since 1970")]
    NeedsNoZone,
}
