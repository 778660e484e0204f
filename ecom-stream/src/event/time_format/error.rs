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
    /// A part of the format makes no difference, so times that depend on it would be wrong.
    #[error(
        "the time format {format:?} reads {part} but ignores it: {text:?} would be {time}. {}",
        instead_of(part)
    )]
    Ignored {
        /// The format as it was given.
        format: String,
        /// The part that is ignored.
        part: String,
        /// A text that shows it.
        text: String,
        /// The time that the text would stand for.
        time: String,
    },
    /// Literal text of the format names a time zone, which is not read.
    #[error(
        "{text:?} in the time format {format:?} is only text: it does not say in which zone the times are. Give the zone with \
         zone = \"...\", such as \"Europe/Berlin\" or \"+01:00\"; or, where the text has an offset, read it with %:z (+01:00), \
         %z (+0100) or %:::z (+01)"
    )]
    ZoneAsText {
        /// The format as it was given.
        format: String,
        /// The text that names a zone.
        text: String,
    },
    /// The pattern has abbreviations of zones, whose meaning is not given.
    #[error(
        "%Z in the time format {0:?} reads names and abbreviations of time zones. Abbreviations have several meanings: say what they \
         mean with zones = {{ PST = \"-08:00\", PDT = \"-07:00\" }}; for names such as Europe/Berlin alone, write %Q"
    )]
    NeedsZones(String),
    /// A table of names can't be used.
    #[error("{0}")]
    Names(String),
    /// Two formats of a list read the same text as different times.
    #[error(
        "the time formats in the list contradict each other: {text:?} is written by {format:?}, but would be read as {time}. Remove one \
         of the formats, or change their order"
    )]
    Contradiction {
        /// The format by which the text was written.
        format: String,
        /// The text.
        text: String,
        /// The time as which it would be read.
        time: String,
    },
    /// It is neither the name of a format nor a pattern.
    #[error(
        "{0:?} is not a time format: use rfc3339, epoch_s, epoch_ms, epoch_us, epoch_ns, excel, excel_1904, or a pattern such as \
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

/// What to write instead of a part that is ignored.
fn instead_of(part: &str) -> &'static str {
    match part {
        "%p" | "%P" => "Write %I in place of %H for a 12-hour clock, or remove the %p",
        "[period]" => "Write [hour repr:12] in place of [hour] for a 12-hour clock, or remove the [period]",
        _ => "Write it only once, or leave it out",
    }
}

/// The error for literal text that names a zone, without a zone that says what it means.
pub(super) fn zone_as_text(format: &str, text: String) -> TimeFormatError {
    TimeFormatError::ZoneAsText {
        format: format.to_owned(),
        text,
    }
}

/// The error for a format that its crate doesn't accept.
pub(super) fn malformed(format: &str, cause: impl StdError + Send + Sync + 'static) -> TimeFormatError {
    TimeFormatError::Malformed {
        format: format.to_owned(),
        cause: Box::new(cause),
    }
}
