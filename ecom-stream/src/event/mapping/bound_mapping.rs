//! A mapping bound to the header of a file: finds the values of a record by index.
//!
//! A value goes through these steps; the first that gives a text that is not empty ends in the event:
//!
//! ```text
//!  column ─ unless it is a null word ─┐
//!  path ──────────────────────────────┼─► translated by `values` ─► `default` if nothing is left
//!  constant ──────────────────────────┘
//! ```
//!
//! If the mapping says so, negative purchases are then made refunds.

use std::borrow::Cow;

use uuid::Uuid;

use super::field::FieldSource;
use super::{Field, Ids, Mapping, refunds};
use crate::contract::{Origin, Split};
use crate::csv::{CsvRecord, Header, from_path};
use crate::event::{Event, id_of_origin, id_of_parts};

/// A mapping whose columns were looked up in one header.
///
/// For each record, [`begin_record`](Self::begin_record) comes first, since values may be taken from the path of the record's file.
/// Then [`values`](Self::values), [`id_of_origin`](Self::id_of_origin) and [`extra`](Self::extra) can be called in any order.
#[derive(Debug)]
pub(crate) struct BoundMapping {
    /// Where the value of each event column is found.
    fields: [Slot; Event::COLUMNS.len()],
    /// For mappings that keep extra columns: the index of each column that no field is taken from, and its name as a JSON string.
    extra: Vec<(usize, String)>,
    /// The indexes of all columns in the order of their names, for ids made from the content.
    by_name: Vec<usize>,
    /// The split of the last record, and the values in its path.
    paths: Option<(Split, Vec<Option<String>>)>,
}

/// Where the value of one event column is found.
#[derive(Debug, Clone, Copy)]
enum Slot {
    /// Nowhere: the column is not mapped, or it is optional and the file doesn't have it.
    Absent,
    /// In the field with this index.
    Column(usize),
    /// In the path, as the value with this index among `paths`.
    Path(usize),
    /// In the mapping itself.
    Constant,
}

impl BoundMapping {
    /// Looks up the columns of `mapping` in `header`.
    pub(crate) fn new(mapping: &Mapping, header: &Header) -> Self {
        let mut keys = 0;
        let fields = mapping
            .fields
            .each_ref()
            .map(|field| match field.as_ref().map(|field| &field.source) {
                None => Slot::Absent,
                Some(FieldSource::Column(column)) => header.index_of(column).map_or(Slot::Absent, Slot::Column),
                Some(FieldSource::Constant(_)) => Slot::Constant,
                Some(FieldSource::Path(_)) => {
                    keys += 1;
                    Slot::Path(keys - 1)
                }
            });
        let is_mapped = |at: usize| {
            fields
                .iter()
                .any(|slot| matches!(slot, Slot::Column(column) if *column == at))
        };
        let extra = header
            .names()
            .iter()
            .enumerate()
            .filter(|(at, _)| mapping.keeps_extra && !is_mapped(*at));
        let mut by_name: Vec<usize> = (0..header.names().len()).collect();
        by_name.sort_by_key(|&at| &header.names()[at]);
        Self {
            extra: extra.map(|(at, name)| (at, json_text(name))).collect(),
            fields,
            by_name,
            paths: None,
        }
    }

    /// Prepares for a record of the split in `origin`; the path is only parsed if it is another split than before.
    pub(crate) fn begin_record(&mut self, mapping: &Mapping, origin: Option<&Origin>) {
        let Some(split) = origin.map(|origin| &origin.split) else {
            return;
        };
        let has_paths = || self.fields.iter().any(|slot| matches!(slot, Slot::Path(_)));
        if self.paths.as_ref().is_none_or(|(of, _)| of != split) && has_paths() {
            let values = mapping.path_keys().map(|key| value_in_path(split.path(), key));
            self.paths = Some((split.clone(), values.collect()));
        }
    }

    /// The values of the event's columns: nulls are absent, words are translated, and defaults fill what is absent.
    pub(crate) fn values<'a>(&'a self, mapping: &'a Mapping, record: &'a CsvRecord) -> Values<'a> {
        let mut values = std::array::from_fn(|at| {
            let field = mapping.fields[at].as_ref()?;
            let found = match self.fields[at] {
                Slot::Absent => None,
                Slot::Column(column) => record.field(column).filter(|text| !mapping.nulls.contains(*text)),
                Slot::Path(at) => self.paths.as_ref().and_then(|(_, values)| values.get(at)?.as_deref()),
                Slot::Constant => field.source.constant(),
            };
            let found = found.filter(|text| !text.is_empty());
            let meant = found.map(|text| field.meaning_of(text)).filter(|text| !text.is_empty());
            meant.or(field.default.as_deref())
        });
        if mapping.negative_is_refund {
            refunds::from_negatives(&mut values);
        }
        values
    }

    /// The id of a record without a column of ids, made as the mapping says: from its place or from its content.
    pub(crate) fn id_of_origin(
        &self,
        mapping: &Mapping,
        record: &CsvRecord,
        origin: Option<&Origin>,
        pipeline: &str,
    ) -> Uuid {
        match (mapping.ids, origin) {
            (Ids::Position, Some(origin)) => id_of_origin(pipeline, origin),
            (Ids::Content, _) | (Ids::Position, None) => {
                let names = record.header().names();
                let columns = self
                    .by_name
                    .iter()
                    .flat_map(|&at| [names[at].as_str(), record.field(at).unwrap_or_default()]);
                // The values in the path belong to the row: equal rows in two directories are two events.
                let said = self.paths.iter().flat_map(|(_, values)| values);
                let paths = mapping.path_keys().zip(said);
                let paths = paths.flat_map(|(key, value)| [key, value.as_deref().unwrap_or_default()]);
                id_of_parts(columns.chain(paths))
            }
        }
    }

    /// The values of the columns that no field is taken from, as a JSON object; `None` if all of them are empty.
    pub(crate) fn extra(&self, mapping: &Mapping, record: &CsvRecord) -> Option<Box<str>> {
        let mut json = String::new();
        for (at, key) in &self.extra {
            let value = record
                .field(*at)
                .filter(|text| !text.is_empty() && !mapping.nulls.contains(*text));
            if let Some(value) = value {
                json.push(if json.is_empty() { '{' } else { ',' });
                json.push_str(key);
                json.push(':');
                json.push_str(&json_text(value));
            }
        }
        if json.is_empty() {
            return None;
        }
        json.push('}');
        Some(json.into())
    }
}

/// The values of a record, one for each of [`Event::COLUMNS`]; `None` is absent.
pub(crate) type Values<'a> = [Option<&'a str>; Event::COLUMNS.len()];

impl Field {
    /// The word that `text` is translated to; `text` itself if there is no translation.
    pub(super) fn meaning_of<'a>(&'a self, text: &'a str) -> &'a str {
        match self.values.is_empty() {
            true => text,
            false => self.values.get(text).map_or(text, String::as_str),
        }
    }
}

/// The text as a JSON string, in quotes.
fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The value of `key` in the directories of `path`, which are called `key=value` as Hive and Spark write them. Percent escapes are
/// decoded. `None` if there is no such directory, or its value is Hive's word for null.
///
/// `date=2026-11-01/hour=09%3A30/a.csv` has `2026-11-01` for `date` and `09:30` for `hour`.
pub(crate) fn value_in_path(path: &str, key: &str) -> Option<String> {
    let (directories, _) = path.rsplit_once('/')?;
    let value = directories
        .split('/')
        .find_map(|name| name.strip_prefix(key)?.strip_prefix('='))?;
    // Hive writes null like this.
    (value != "__HIVE_DEFAULT_PARTITION__").then(|| {
        // The original name of the directory, if it is UTF-8.
        let name = from_path(value).into_string();
        percent_decoded(name.as_deref().unwrap_or(value)).into_owned()
    })
}

/// The text with `%3A` and the like decoded; unchanged if the result would not be UTF-8 or would have a NUL.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |byte: &u8| char::from(*byte).to_digit(16);
        (decoded, rest) = match (first, after) {
            (b'%', [high, low, after @ ..]) if hex(high).is_some() && hex(low).is_some() => {
                decoded.push((hex(high).unwrap_or_default() << 4 | hex(low).unwrap_or_default()) as u8);
                (decoded, after)
            }
            _ => {
                decoded.push(*first);
                (decoded, after)
            }
        };
    }
    // PostgreSQL can't store a NUL in text.
    let decoded = String::from_utf8(decoded).ok().filter(|text| !text.contains('\0'));
    decoded.map_or(text.into(), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_from_directory_names() {
        let path = "date=2026-11-01/hour=09%3A30/a=b/x=y.csv";
        assert_eq!(value_in_path(path, "date").as_deref(), Some("2026-11-01"));
        assert_eq!(value_in_path(path, "hour").as_deref(), Some("09:30"));
        for (path, value) in [
            ("d=%zz%/f.csv", "%zz%"),
            ("d=%00/f.csv", "%00"),
            ("d=a\\\\b/f.csv", "a\\b"),
            ("d=\\xff/f.csv", "\\xff"),
        ] {
            assert_eq!(value_in_path(path, "d").as_deref(), Some(value));
        }
        for none in ["x", "dat", "minute"] {
            assert_eq!(value_in_path(path, none), None, "{none}");
        }
        assert_eq!(value_in_path("d=__HIVE_DEFAULT_PARTITION__/f.csv", "d"), None);
    }
}
