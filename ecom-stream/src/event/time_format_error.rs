//! The error of time formats and time zones that can't be used.

use std::error::Error as StdError;

/// Why a time format or a time zone can't be used.
///
/// ```
/// use ecom_stream::{TimeFormat, TimeFormatError, TimeZone};
///
/// assert!(matches!(TimeFormat::named("iso"), Err(TimeFormatError::Unknown(_))));
/// assert!(matches!(TimeFormat::named("%H:%M"), Err(TimeFormatError::Incomplete(_))));
/// assert!(matches!(TimeZone::named("Mars"), Err(TimeFormatError::Zone(_))));
///
/// let err = TimeFormat::Rfc3339.in_zone(TimeZone::UTC).unwrap_err();
/// assert!(err.to_string().starts_with("`zone` has no effect here"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TimeFormatError {
    /// The description or the pattern is not valid.
    #[error("the time format {format:?} is not valid")]
    Malformed {
        /// The format as it was given.
        format: String,
        /// What is wrong with it.
        #[source]
        cause: Box<dyn StdError + Send + Sync>,
    },
    /// A time in this format does not determine the day, or the half of the day.
    #[error(
        "the time format {0:?} does not determine the time: it needs year, month and day, and a 12-hour clock (%I) needs %p or \
         a [period]"
    )]
    Incomplete(String),
    /// It is neither the name of a format nor a pattern.
    #[error(
        "{0:?} is not a time format: use rfc3339, epoch_s, epoch_ms, epoch_us, or a pattern such as \
         \"%d-%m-%Y %H:%M\" or \"[day]-[month]-[year] [hour]:[minute]\""
    )]
    Unknown(String),
    /// There is no time zone with this name.
    #[error("there is no time zone {0:?}: use UTC, a name such as Europe/Berlin, or an offset such as +02:00")]
    Zone(String),
    /// Times in this format already determine their zone, so another one would have no effect.
    #[error(
        "`zone` has no effect here: the format of `event_time` already contains a time zone, an offset (`%z`) or a Unix \
         timestamp. Remove `zone`."
    )]
    NeedsNoZone,
}
