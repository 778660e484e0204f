//! The builder of a time format that needs more than its text: a zone, several formats, tables of names.

use std::sync::Arc;

use super::directives::directives;
use super::error::{TimeFormatError, zone_as_text};
use super::names::Names;
use super::{TimeDescription, TimeFormat, TimePattern, TimeZone};

/// Builds a [`TimeFormat`] with a zone, tables of names, or several forms. [`build`](Self::build) checks it.
///
/// ```
/// use ecom_stream::TimeFormat;
/// use time::macros::datetime;
///
/// let format = TimeFormat::builder()
///     .format("%d %b %Y %H:%M %Z")
///     .months([
///         "janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.",
///     ])
///     .zones([("HNEC", "+01:00"), ("HAEC", "+02:00")])
///     .build()?;
/// assert_eq!(format.parse("1 août 2026 09:30 HAEC"), Some(datetime!(2026-08-01 7:30 UTC)));
/// # Ok::<(), ecom_stream::TimeFormatError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until the format is built"]
pub struct TimeFormatBuilder {
    formats: Vec<String>,
    zone: Option<TimeZone>,
    months: Vec<String>,
    weekdays: Vec<String>,
    am_pm: Vec<String>,
    zones: Vec<(String, String)>,
}

impl TimeFormatBuilder {
    /// Adds a format by its [name, pattern or description](TimeFormat::named). Of several, the first that a text is in decides; see
    /// [`TimeFormat::any_of`]. Without any it is RFC 3339.
    pub fn format(mut self, text: impl Into<String>) -> Self {
        self.formats.push(text.into());
        self
    }

    /// Sets the zone of times that don't say one; see [`TimeFormat::in_zone`]. A zone that is only literal text of the format, such as
    /// the `MEZ` of `%d.%m.%Y %H:%M MEZ`, needs it.
    pub fn zone(mut self, zone: TimeZone) -> Self {
        self.zone = Some(zone);
        self
    }

    /// Sets the names that `%b` and `%B` read, January to December. Names that are written in several ways follow in further rounds of
    /// twelve. Upper and lower case are the same.
    pub fn months<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.months = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the names that `%a` and `%A` read, Monday to Sunday, in the same way. A weekday that is not that of the date is an error.
    ///
    /// ```
    /// use ecom_stream::TimeFormat;
    ///
    /// let format = TimeFormat::builder()
    ///     .format("%a %d.%m.%Y")
    ///     .weekdays(["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"])
    ///     .build()?;
    /// assert!(format.parse("So 01.11.2026").is_some());
    /// assert!(format.parse("Mo 01.11.2026").is_none());
    /// # Ok::<(), ecom_stream::TimeFormatError>(())
    /// ```
    pub fn weekdays<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.weekdays = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the words that `%p` reads: that of the morning and that of the afternoon.
    ///
    /// ```
    /// use ecom_stream::TimeFormat;
    /// use time::macros::datetime;
    ///
    /// let format = TimeFormat::builder().format("%d/%m/%Y %I:%M %p").am_pm(["a. m.", "p. m."]).build()?;
    /// assert_eq!(format.parse("01/11/2026 09:30 p. m."), Some(datetime!(2026-11-01 21:30 UTC)));
    /// # Ok::<(), ecom_stream::TimeFormatError>(())
    /// ```
    pub fn am_pm<N: Into<String>>(mut self, words: impl IntoIterator<Item = N>) -> Self {
        self.am_pm = words.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what the abbreviations mean that `%Z` reads: each is a zone as [`TimeZone::named`] takes it. `%Z` also reads `UTC`, `GMT`,
    /// names of the IANA database and offsets.
    pub fn zones<N: Into<String>, Z: Into<String>>(mut self, zones: impl IntoIterator<Item = (N, Z)>) -> Self {
        let zones = zones.into_iter().map(|(name, zone)| (name.into(), zone.into()));
        self.zones = zones.collect();
        self
    }

    /// Checks the format and returns it.
    ///
    /// # Errors
    ///
    /// Those of [`TimeFormat::named`], [`TimeFormat::any_of`] and [`TimeFormat::in_zone`]; [`TimeFormatError::Names`] when a table has the
    /// wrong number of names or no format reads from it, [`TimeFormatError::Zone`] when an abbreviation means no zone.
    pub fn build(self) -> Result<TimeFormat, TimeFormatError> {
        let names = Names::new(self.months, self.weekdays, self.am_pm, self.zones)?;
        let patterns = self.formats.iter().filter(|format| format.contains('%'));
        let letters: Vec<char> = patterns
            .flat_map(|pattern| directives(pattern))
            .filter_map(|part| part.letter())
            .collect();
        if let Some((table, directive)) = names.unused(&letters) {
            return Err(TimeFormatError::Names(format!(
                "{table} has no effect: no format has {directive}, which would read from it"
            )));
        }
        let names = (!names.is_empty()).then(|| Arc::new(names));
        let zone = self.zone;
        let mut formats = Vec::new();
        for text in &self.formats {
            formats.push(one(text, names.as_ref(), zone.is_some())?);
        }
        let format = match formats.len() {
            0 => TimeFormat::default(),
            1 => formats.swap_remove(0),
            _ => TimeFormat::any_of(formats)?,
        };
        match zone {
            Some(zone) => format.in_zone(zone),
            None => Ok(format),
        }
    }
}

/// One of the formats. If it `has_zone` from outside, its literal text may name one.
fn one(text: &str, names: Option<&Arc<Names>>, has_zone: bool) -> Result<TimeFormat, TimeFormatError> {
    let is_described = !text.contains('%') && text.contains('[');
    let (format, zone_text) = match text {
        _ if text.contains('%') => {
            let (pattern, zone_text) = TimePattern::new(text, names)?;
            (TimeFormat::Strptime(pattern), zone_text)
        }
        _ if is_described => {
            let (description, zone_text) = TimeDescription::new(text)?;
            (TimeFormat::Described(description), zone_text)
        }
        _ => (TimeFormat::named(text)?, None),
    };
    match zone_text {
        Some(zone_text) if !has_zone => Err(zone_as_text(text, zone_text)),
        _ => Ok(format),
    }
}
