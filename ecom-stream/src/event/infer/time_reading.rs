//! How the time of an event is read: from one column, or from several columns whose values are joined.

use super::column::Column;
use super::time_formats;
use crate::event::TimeFormat;

/// The columns of a time with their format and zone.
#[derive(Debug, Clone)]
pub(super) struct TimeReading {
    /// The columns, in the order in which their values are joined.
    pub(super) columns: Vec<usize>,
    pub(super) format: String,
    /// The zone of all times, if their values don't say one.
    pub(super) zone: Option<String>,
    /// The abbreviations of zones in the values. A person must say what they mean.
    pub(super) abbreviations: Vec<String>,
    /// The format without the zone; `None` if a person must say first what abbreviations mean.
    parser: Option<TimeFormat>,
}

impl TimeReading {
    /// The values of one column.
    pub(super) fn of(column: usize, format: &str) -> Self {
        Self {
            columns: vec![column],
            format: format.to_owned(),
            zone: None,
            abbreviations: Vec::new(),
            parser: time_formats::parser(format).cloned(),
        }
    }

    /// The same with the values of one more column behind it.
    pub(super) fn joined_with(mut self, column: usize, format: &str) -> Self {
        self.columns.push(column);
        self.format = format!("{} {format}", self.format);
        self.parser = TimeFormat::named(&self.format).ok();
        self
    }

    /// The same in a zone.
    pub(super) fn in_zone(self, zone: &str) -> Self {
        Self {
            zone: Some(zone.to_owned()),
            ..self
        }
    }

    /// The same with abbreviations that a person must explain first.
    pub(super) fn with_abbreviations(self, abbreviations: Vec<String>) -> Self {
        Self { abbreviations, ..self }
    }

    /// The same with abbreviations behind the times.
    pub(super) fn with_abbreviations_behind(self, abbreviations: &[String]) -> Self {
        Self {
            format: format!("{} %Z", self.format),
            parser: None,
            ..self.with_abbreviations(abbreviations.to_vec())
        }
    }

    /// Whether neither the values nor the zone say where the clock is.
    pub(super) fn assumes_utc(&self) -> bool {
        self.zone.is_none() && self.parser.as_ref().is_some_and(TimeFormat::assumes_utc)
    }

    /// The texts in the columns that are no times in the format.
    pub(super) fn misfits(&self, columns: &[Column]) -> Vec<String> {
        let Some(format) = &self.parser else {
            return Vec::new();
        };
        let mut cells: Vec<_> = self.columns.iter().map(|at| columns[*at].cells.iter()).collect();
        let rows = std::iter::from_fn(|| cells.iter_mut().map(Iterator::next).collect::<Option<Vec<_>>>());
        let texts = rows.map(|row| {
            let values = row.into_iter().map(String::as_str).filter(|value| !value.is_empty());
            values.collect::<Vec<_>>().join(" ")
        });
        texts
            .filter(|text| !text.is_empty() && format.parse(text).is_none())
            .collect()
    }
}
