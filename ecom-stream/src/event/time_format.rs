use time::format_description::OwnedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, PrimitiveDateTime};

/// How times are written in the input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TimeFormat {
    /// `2026-11-01T09:30:00.25Z`, with any offset.
    #[default]
    Rfc3339,
    /// A whole number of seconds since 1970.
    UnixSeconds,
    /// A whole number of milliseconds since 1970.
    UnixMillis,
    /// A format with a description, made by [`described`](Self::described).
    Described(TimeDescription),
}

/// The description of a time format; see [`TimeFormat::described`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeDescription(OwnedFormatItem);

/// A description of a time format that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("can't read the time format {description:?}")]
pub struct TimeFormatError {
    description: String,
    #[source]
    cause: time::error::InvalidFormatDescription,
}

impl TimeFormat {
    /// A format described as in the `time` crate: `[year]-[month]-[day] [hour]:[minute]:[second] UTC`. A time without an
    /// offset is taken as UTC.
    ///
    /// # Errors
    ///
    /// When the description itself can't be read.
    pub fn described(description: &str) -> Result<Self, TimeFormatError> {
        match time::format_description::parse_owned::<2>(description) {
            Ok(format) => Ok(Self::Described(TimeDescription(format))),
            Err(cause) => Err(TimeFormatError {
                description: description.to_owned(),
                cause,
            }),
        }
    }

    /// The time that `text` stands for, or `None` if it is not in this format.
    pub fn parse(&self, text: &str) -> Option<OffsetDateTime> {
        match self {
            Self::Rfc3339 => OffsetDateTime::parse(text, &Rfc3339).ok(),
            Self::UnixSeconds => OffsetDateTime::from_unix_timestamp(text.parse().ok()?).ok(),
            Self::UnixMillis => {
                let nanos = text.parse::<i64>().ok().map(|millis| i128::from(millis) * 1_000_000)?;
                OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()
            }
            Self::Described(TimeDescription(format)) => OffsetDateTime::parse(text, format)
                .or_else(|_| PrimitiveDateTime::parse(text, format).map(PrimitiveDateTime::assume_utc))
                .ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn formats() {
        let noon = datetime!(2026-11-01 12:00 UTC);
        let spelled = TimeFormat::described("[year]-[month]-[day] [hour]:[minute]:[second] UTC").unwrap();
        assert_eq!(TimeFormat::Rfc3339.parse("2026-11-01T13:00:00+01:00"), Some(noon));
        assert_eq!(TimeFormat::UnixSeconds.parse("1793534400"), Some(noon));
        assert_eq!(TimeFormat::UnixMillis.parse("1793534400000"), Some(noon));
        assert_eq!(spelled.parse("2026-11-01 12:00:00 UTC"), Some(noon));
        for text in [
            "",
            "now",
            "infinity",
            "2026-11-01",
            "2026-13-01T00:00:00Z",
            "2026-11-01 12:00:00",
        ] {
            assert_eq!(TimeFormat::Rfc3339.parse(text), None, "{text}");
        }
        for text in ["", "NaN", "1e9", "99999999999999999999", "9223372036854775807"] {
            assert_eq!(TimeFormat::UnixSeconds.parse(text), None, "{text}");
        }
        assert!(TimeFormat::described("[nonsense]").is_err());
    }
}
