//! Several time formats for one column: the first that a text is in decides.

use time::OffsetDateTime;

use super::TimeFormat;
use super::error::TimeFormatError;
use super::trial::{self, Part};
#[cfg(feature = "mapping")]
use super::zone::TimeZone;

/// Several time formats; see [`TimeFormat::any_of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeAlternatives(Vec<TimeFormat>);

impl TimeAlternatives {
    /// Checks that what is written in one of the formats is not read as another time.
    pub(super) fn new(formats: Vec<TimeFormat>) -> Result<Self, TimeFormatError> {
        if formats.is_empty() {
            return Err(TimeFormatError::Unknown(String::new()));
        }
        let all = Self(formats);
        for format in &all.0 {
            if let Some((text, time)) = trial::misread(&format.forms(), |text| all.parse_in_utc(text)) {
                return Err(TimeFormatError::Contradiction {
                    format: format.as_given().swap_remove(0),
                    text,
                    time: trial::shown(time),
                });
            }
        }
        Ok(all)
    }

    pub(super) fn parse(&self, text: &str) -> Option<OffsetDateTime> {
        self.0.iter().find_map(|format| format.parse(text))
    }

    /// The time of a text if zones made no difference.
    fn parse_in_utc(&self, text: &str) -> Option<OffsetDateTime> {
        self.0.iter().find_map(|format| {
            #[cfg(feature = "mapping")]
            if format.zone().is_some() {
                return format.clone().in_zone(TimeZone::UTC).ok()?.parse(text);
            }
            format.parse(text)
        })
    }

    pub(super) fn forms(&self) -> Vec<Vec<Part<'_>>> {
        self.0.iter().flat_map(TimeFormat::forms).collect()
    }

    /// The same formats, with the zone for those that need one.
    #[cfg(feature = "mapping")]
    pub(super) fn in_zone(self, zone: TimeZone) -> Result<Self, TimeFormatError> {
        let mut is_used = false;
        let formats = self
            .0
            .into_iter()
            .map(|format| match format.clone().in_zone(zone.clone()) {
                Ok(format) => {
                    is_used = true;
                    format
                }
                Err(_) => format,
            });
        let formats = formats.collect();
        match is_used {
            true => Ok(Self(formats)),
            false => Err(TimeFormatError::NeedsNoZone),
        }
    }

    pub(super) fn assumes_utc(&self) -> bool {
        self.0.iter().any(TimeFormat::assumes_utc)
    }

    /// What the formats were made from, one after the other.
    pub(super) fn as_given(&self) -> Vec<String> {
        self.0.iter().flat_map(TimeFormat::as_given).collect()
    }
}
