//! Files of other layouts: which of their columns is what of an event.
//!
//! A `Mapping` is put together by its `builder` from a `Field` for each column of an event, or read from a TOML `file`; some
//! are `ready`. It says how the files are written to the source, and once for each header it becomes an `bound_mapping`, which
//! finds the values of a record without looking anything up by name.

mod bound_mapping;
mod builder;
mod field;
mod file;
mod fingerprint;
mod ready;

use std::collections::HashSet;

pub(crate) use bound_mapping::{BoundMapping, Values, value_in_path};
pub use builder::MappingBuilder;
pub use field::Field;
use field::FieldSource;

use crate::csv::{Columns, Dialect};
use crate::event::PriceFormat;
use crate::event::{Event, TimeFormat};

/// What makes events of files that other programs wrote for other ends: other column names, words, times, delimiters.
///
/// It has two users: the source reads the files by it ([`CsvDirSource::mapping`](crate::CsvDirSource::mapping)), and the rules
/// make events by it ([`Rules::mapping`](crate::Rules::mapping)).
///
/// ```no_run
/// use ecom_stream::{CsvDirSource, Field, Mapping, Rules, SourceExt, TimeFormat, memory::MemorySink};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mapping = Mapping::builder()
///     .field("event_time", Field::column("ts"))
///     .field("event_type", Field::column("action").value("cart", "add_to_cart"))
///     .field("user_id", Field::column("customer"))
///     .field("session_id", Field::column("visit"))
///     .field("product_id", Field::column("sku"))
///     .time_format(TimeFormat::UnixMillis)
///     .build()?;
/// CsvDirSource::new("data")
///     .mapping(&mapping)
///     .validate(Rules::default().mapping(mapping))
///     .to(MemorySink::new("events"))
///     .run()
///     .await?;
/// # Ok(()) }
/// ```
///
/// The same as a file, for [`from_toml`](Self::from_toml):
///
/// ```
/// # let text = r#"
/// [event]
/// event_time = { column = "ts", format = "epoch_ms" }
/// event_type = { column = "action", values = { cart = "add_to_cart" } }
/// user_id = "customer"
/// session_id = "visit"
/// product_id = "sku"
/// # "#;
/// # ecom_stream::Mapping::from_toml(text).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    dialect: Dialect,
    /// One for each of [`Event::COLUMNS`].
    fields: [Option<Field>; Event::COLUMNS.len()],
    time_format: TimeFormat,
    nulls: HashSet<String>,
    ids: Ids,
    keeps_extra: bool,
    price_optional: bool,
    price_format: PriceFormat,
}

/// Where the id of an event comes from whose file has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ids {
    /// From where the record stands: pipeline, source, path, generation and record number. Reading the same file again, after
    /// a crash or into another table, gives the same ids; two rows are two events, even if they are alike.
    #[default]
    Position,
    /// From the names and the values of all its fields, in whatever order the columns stand, and what is taken from the path.
    /// Rows that are alike are one event, in one file or in several: for files that are sent again with rows that were sent
    /// before.
    Content,
}

impl Mapping {
    /// A mapping to be put together, field by field.
    pub fn builder() -> MappingBuilder {
        MappingBuilder::default()
    }

    /// How the files are written.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The columns that a file must have: all that a field is taken from, unless it is [optional](Field::optional).
    pub fn columns(&self) -> Columns {
        let of_files = || {
            self.fields()
                .filter_map(|(_, field)| Some((field, field.source.column()?)))
        };
        let required = of_files()
            .filter(|(field, _)| !field.optional)
            .map(|(_, column)| column);
        match self.keeps_extra {
            // None is unknown.
            true => Columns::any().require(required),
            false => Columns::new(of_files().map(|(_, column)| column), []).require(required),
        }
    }

    /// How `event_time` is written.
    pub fn time_format(&self) -> &TimeFormat {
        &self.time_format
    }

    /// Where ids come from.
    pub fn ids(&self) -> Ids {
        self.ids
    }

    /// Whether a record has the same id wherever it stands: from a column of ids, or by its content.
    pub fn has_stable_ids(&self) -> bool {
        self.ids == Ids::Content || self.fields().any(|(name, _)| name == "event_id")
    }

    /// Whether columns that are not mapped are kept in [`Event::extra`].
    pub fn keeps_extra(&self) -> bool {
        self.keeps_extra
    }

    /// Whether a purchase may be without a price.
    pub(crate) fn price_optional(&self) -> bool {
        self.price_optional
    }

    /// How prices are written.
    pub(crate) fn price_format(&self) -> PriceFormat {
        self.price_format
    }

    /// What is not in the files and yet in the events, one line each: constants, defaults, made ids, assumed zones.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (name, field) in self.fields() {
            if let Some(value) = field.source.constant() {
                notes.push(format!("{name} is {value:?} in every event"));
            }
            if let Some(value) = &field.default {
                notes.push(format!("{name} is {value:?} where the file has no value"));
            }
        }
        if self.fields().all(|(name, _)| name != "event_id") {
            notes.push(match self.ids {
                Ids::Position => {
                    "event_id is made from file and record number: a row that comes again is stored again".into()
                }
                Ids::Content => "event_id is made from all fields of the row: rows that are alike are one event".into(),
            });
        }
        if self.time_format.assumes_utc() {
            notes.push("event_time is taken as UTC, since the files say no zone".into());
        }
        if self.price_optional {
            notes.push("a purchase without a price is stored without one".into());
        }
        notes
    }

    /// What is asked of the directories of a file, in the order of the event's columns.
    pub(crate) fn path_keys(&self) -> impl Iterator<Item = &str> {
        self.fields().filter_map(|(_, field)| match &field.source {
            FieldSource::Path(key) => Some(key.as_str()),
            FieldSource::Column(_) | FieldSource::Constant(_) => None,
        })
    }

    /// The columns of an event that come from somewhere.
    fn fields(&self) -> impl Iterator<Item = (&'static str, &Field)> {
        let named = Event::COLUMNS.into_iter().zip(&self.fields);
        named.filter_map(|(name, field)| Some((name, field.as_ref()?)))
    }
}
