use std::borrow::Cow;

use uuid::Uuid;

use super::field::FieldSource;
use super::{Field, Ids, Mapping};
use crate::contract::{Origin, Split};
use crate::csv::{CsvRecord, Header, from_path};
use crate::event::{Event, id_of_origin, id_of_parts};

/// A mapping with the columns of one header looked up.
#[derive(Debug)]
pub(crate) struct BoundMapping {
    fields: [Slot; Event::COLUMNS.len()],
    /// What no field is taken from, with its name as a key of JSON, for the mappings that keep it.
    extra: Vec<(usize, String)>,
    /// The columns by their names, for ids that are made of the content.
    by_name: Vec<usize>,
    /// Of the file that the last record came from.
    paths: Option<(Split, Vec<Option<String>>)>,
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    /// The file has no such column, and the field no such value.
    Absent,
    Column(usize),
    /// The place among the paths.
    Path(usize),
    Constant,
}

impl BoundMapping {
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

    /// To be told of each record before its [`values`](Self::values) are asked for.
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

    /// The values of an event's columns, as the rules want them.
    pub(crate) fn values<'a>(&'a self, mapping: &'a Mapping, record: &'a CsvRecord) -> Values<'a> {
        std::array::from_fn(|at| {
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
        })
    }

    /// The id of a record that has none.
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
                // What the directories say is of the row as well: rows that are alike in two of them are two events.
                let said = self.paths.iter().flat_map(|(_, values)| values);
                let paths = mapping.path_keys().zip(said);
                let paths = paths.flat_map(|(key, value)| [key, value.as_deref().unwrap_or_default()]);
                id_of_parts(columns.chain(paths))
            }
        }
    }

    /// What is in columns that no field is taken from, as a JSON object; `None` if that is nothing.
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

/// One for each of [`Event::COLUMNS`].
pub(crate) type Values<'a> = [Option<&'a str>; Event::COLUMNS.len()];

impl Field {
    pub(super) fn meaning_of<'a>(&'a self, text: &'a str) -> &'a str {
        match self.values.is_empty() {
            true => text,
            false => self.values.get(text).map_or(text, String::as_str),
        }
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What a directory in `path` says of `key`: `key=value`, with what is special to file systems in percents.
pub(crate) fn value_in_path(path: &str, key: &str) -> Option<String> {
    let (directories, _) = path.rsplit_once('/')?;
    let value = directories
        .split('/')
        .find_map(|name| name.strip_prefix(key)?.strip_prefix('='))?;
    // Hive's word for null.
    (value != "__HIVE_DEFAULT_PARTITION__").then(|| {
        // As the directory is called, where that is a text.
        let name = from_path(value).into_string();
        percent_decoded(name.as_deref().unwrap_or(value)).into_owned()
    })
}

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
    // No text of the database has a NUL.
    let decoded = String::from_utf8(decoded).ok().filter(|text| !text.contains('\0'));
    decoded.map_or(text.into(), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_say_what_their_files_have_in_common() {
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
