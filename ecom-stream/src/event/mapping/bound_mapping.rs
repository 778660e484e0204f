//! A mapping bound to the header of a file: finds the values of a record by index.
//!
//! A value goes through these steps; the first that gives a text that is not empty ends in the event:
//!
//! ```text
//!  column ─ unless it is a null word ─┐
//!  path ──────────────────────────────┤
//!  first column that has a value ─────┤
//!  several of these, joined by blanks ┼─► translated by `values` ─► `default` if nothing is left
//!  constant ──────────────────────────┘
//!
//!  the first rule of `when` that holds decides before all of these
//! ```
//!
//! If the mapping says so, negative purchases are then made refunds.

use uuid::Uuid;

use super::field::FieldSource;
use super::first_of::FirstOf;
use super::row_filter::{BoundRowFilter, LeftOut};
use super::when::BoundWhen;
use super::{Field, Ids, Mapping, refunds};
use crate::contract::{Origin, Split};
use crate::csv::{CsvRecord, Header, value_in_path};
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
    /// Which records are left out.
    rows: BoundRowFilter,
    /// The split of the last record, and the values in its path.
    paths: Option<(Split, Vec<Option<String>>)>,
    /// The values that `event_time` is joined from.
    joined: Joined,
    /// The columns of fields that take the first value.
    first_of: Vec<FirstOf>,
    /// The rules of each field that has some.
    when: [Option<BoundWhen>; Event::COLUMNS.len()],
}

/// A value that is joined from several.
#[derive(Debug, Default)]
struct Joined {
    /// The index of its value among those in the path.
    path: Option<usize>,
    /// The columns that the file has.
    columns: Vec<usize>,
    /// The joined value of the current record.
    text: String,
}

/// Where the value of one event column is found.
#[derive(Debug, Clone, Copy)]
enum Slot {
    /// Nowhere: the column is not mapped, it is optional and the file doesn't have it, or it has only rules.
    Absent,
    /// In the field with this index.
    Column(usize),
    /// In the path, as the value with this index among `paths`.
    Path(usize),
    /// In the mapping itself.
    Constant,
    /// In several places, of which it is joined.
    Joined,
    /// In the first column that has a value, of those with this index among `first_of`.
    FirstOf(usize),
}

impl BoundMapping {
    /// Looks up the columns of `mapping` in `header`.
    pub(crate) fn new(mapping: &Mapping, header: &Header) -> Self {
        let mut keys = 0;
        let mut joined = Joined::default();
        let mut first_of = Vec::new();
        let fields = mapping
            .fields
            .each_ref()
            .map(|field| match field.as_ref().map(|field| &field.source) {
                None | Some(FieldSource::Rules) => Slot::Absent,
                Some(FieldSource::Column(column)) => header.index_of(column).map_or(Slot::Absent, Slot::Column),
                Some(FieldSource::Constant(_)) => Slot::Constant,
                Some(FieldSource::FirstOf(columns)) => {
                    first_of.push(FirstOf::new(columns, header));
                    Slot::FirstOf(first_of.len() - 1)
                }
                Some(FieldSource::Path(_)) => {
                    keys += 1;
                    Slot::Path(keys - 1)
                }
                Some(FieldSource::Joined { path, columns }) => {
                    joined.columns = columns.iter().filter_map(|name| header.index_of(name)).collect();
                    joined.path = path.as_ref().map(|_| keys);
                    keys += usize::from(path.is_some());
                    Slot::Joined
                }
            });
        let is_mapped = |at: usize| {
            fields
                .iter()
                .any(|slot| matches!(slot, Slot::Column(column) if *column == at))
                || joined.columns.contains(&at)
                || first_of.iter().any(|columns| columns.contains(at))
        };
        let extra = header
            .names()
            .iter()
            .enumerate()
            .filter(|(at, _)| mapping.keeps_extra && !is_mapped(*at));
        let mut by_name: Vec<usize> = (0..header.names().len()).collect();
        by_name.sort_by_key(|&at| &header.names()[at]);
        Self {
            extra: extra
                .map(|(at, _)| (at, json_text(&key_of_extra(header, at))))
                .collect(),
            fields,
            by_name,
            rows: BoundRowFilter::new(&mapping.rows, header),
            paths: None,
            joined,
            first_of,
            when: mapping.fields.each_ref().map(|field| {
                let rules = field
                    .as_ref()
                    .map(|field| &field.when)
                    .filter(|rules| !rules.is_empty())?;
                Some(BoundWhen::new(rules, header))
            }),
        }
    }

    /// Why the record is left out; `None` if it is to become an event.
    pub(crate) fn left_out<'a>(&'a self, mapping: &Mapping, record: &'a CsvRecord) -> Option<LeftOut<'a>> {
        self.rows.left_out(&mapping.nulls, record)
    }

    /// Prepares for a record; the path is only parsed if it is in another split than the one before.
    pub(crate) fn begin_record(&mut self, mapping: &Mapping, record: &CsvRecord, origin: Option<&Origin>) {
        if let Some(origin) = origin {
            self.begin_split(mapping, &origin.split);
        }
        let joined = &mut self.joined;
        joined.text.clear();
        let values = self.paths.as_ref().map(|(_, values)| values);
        let of_path = joined.path.and_then(|at| values?.get(at)?.as_deref());
        let of_columns = joined.columns.iter().filter_map(|at| record.field(*at));
        let of_columns = of_columns.filter(|text| !mapping.nulls.contains(*text));
        for value in of_path.into_iter().chain(of_columns).filter(|text| !text.is_empty()) {
            if !joined.text.is_empty() {
                joined.text.push(' ');
            }
            joined.text.push_str(value);
        }
    }

    /// Finds the values in the path of a split.
    fn begin_split(&mut self, mapping: &Mapping, split: &Split) {
        let is_path = |slot: &Slot| matches!(slot, Slot::Path(_));
        let has_paths = || self.joined.path.is_some() || self.fields.iter().any(is_path);
        if self.paths.as_ref().is_none_or(|(of, _)| of != split) && has_paths() {
            let values = mapping.path_keys().map(|key| value_in_path(split.path(), key));
            self.paths = Some((split.clone(), values.collect()));
        }
    }

    /// The values of the event's columns: nulls are absent, words are translated, and defaults fill what is absent.
    pub(crate) fn values<'a>(&'a self, mapping: &'a Mapping, record: &'a CsvRecord) -> Values<'a> {
        let mut values = std::array::from_fn(|at| {
            let field = mapping.fields[at].as_ref()?;
            let rules = self.when[at].as_ref();
            let decided = rules.and_then(|rules| rules.decide(&field.when, &mapping.nulls, record));
            if decided.is_some() {
                return decided;
            }
            let found = match self.fields[at] {
                Slot::Absent => None,
                Slot::Column(column) => record.field(column).filter(|text| !mapping.nulls.contains(*text)),
                Slot::Path(at) => self.paths.as_ref().and_then(|(_, values)| values.get(at)?.as_deref()),
                Slot::Constant => field.source.constant(),
                Slot::Joined => Some(self.joined.text.as_str()),
                Slot::FirstOf(at) => self.first_of[at].find(field, &mapping.nulls, record),
            };
            let found = found.filter(|text| !text.is_empty());
            let meant = found.map(|text| field.meaning_of(text)).filter(|text| !text.is_empty());
            meant.or(field.default.as_deref())
        });
        if mapping.negative_is_refund {
            refunds::from_negatives(&mut values, &mapping.numbers);
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

/// The key for an extra column: its name, with its number if it has none or an earlier column has the same.
fn key_of_extra(header: &Header, at: usize) -> String {
    let name = &header.names()[at];
    match name.is_empty() || header.index_of(name) != Some(at) {
        true => format!("{}_{}", if name.is_empty() { "column" } else { name }, at + 1),
        false => name.clone(),
    }
}

/// The text as a JSON string, in quotes.
fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
