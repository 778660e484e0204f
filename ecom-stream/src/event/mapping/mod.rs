//! Mappings: files of other layouts, and which of their columns is which field of an event.
//!
//! ```text
//!  builder ◄── file (TOML) ◄── ready (TOML in this crate)
//!     │ build: checks everything that can be checked without a file
//!     ▼
//!  Mapping ── dialect, columns ──► the source: how to read the files
//!     │
//!     └── with the header of a file ──► bound_mapping: finds a record's values by index ──► the rules
//! ```
//!
//! A `Mapping` is made by its `builder` from a `Field` for each column of an event, or read from a TOML `file`; some are `ready`.
//! Its `fingerprint` is stored with each file, so that a reject is corrected by the same mapping that read it.

mod bound_mapping;
mod builder;
mod condition;
mod field;
#[cfg(feature = "mapping")]
mod file;
mod fingerprint;
mod first_of;
#[cfg(feature = "mapping")]
mod ready;
mod refunds;
mod row_filter;
#[cfg(feature = "mapping")]
mod text_keys;
mod when;

use std::collections::HashSet;

pub(crate) use bound_mapping::{BoundMapping, Values};
pub use builder::MappingBuilder;
pub use field::Field;
use field::FieldSource;
#[cfg(feature = "mapping")]
pub(crate) use file::TO_BE_FILLED_IN;
pub(crate) use row_filter::LeftOut;
use row_filter::RowFilter;

use crate::csv::{Columns, Dialect};
use crate::event::NumberFormat;
use crate::event::long_values::{Kind, LongValues};
use crate::event::{Event, TimeFormat};

/// Makes events from files that other programs wrote: with other column names, words, time formats and delimiters.
///
/// It is used in two places: the source reads the files by it ([`CsvDirSource::mapping`](crate::CsvDirSource::mapping)), and the rules
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
/// The same mapping as a file, for [`from_toml`](Self::from_toml):
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
    negative_is_refund: bool,
    /// What becomes of long ids, and of long names.
    long_values: (LongValues, LongValues),
    numbers: NumberFormat,
    rows: RowFilter,
}

/// How the id of an event is made when its file has no column of ids.
///
/// ```
/// # use ecom_stream::{Field, Mapping, MappingBuilder};
/// # fn required() -> MappingBuilder {
/// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
/// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
/// # }
/// use ecom_stream::Ids;
///
/// # fn main() -> ecom_stream::Result<()> {
/// assert_eq!(required().build()?.ids(), Ids::Position);
/// assert_eq!(required().ids(Ids::Content).build()?.ids(), Ids::Content);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ids {
    /// From the place of the record: pipeline, source, path, generation and record number.
    ///
    /// Reading the same file again, after a crash or into another table, gives the same ids. Two equal rows are two events.
    #[default]
    Position,
    /// From the names and values of all fields, in any order of the columns, and from the values that are taken from the path.
    ///
    /// Equal rows are one event, in one file or in several. This is for files that are delivered again with rows that were in earlier
    /// ones.
    Content,
}

impl Mapping {
    /// A builder to make a mapping from, field by field.
    pub fn builder() -> MappingBuilder {
        MappingBuilder::default()
    }

    /// How the files are written.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The columns that a file must have, and the values that its path must have: those that a field is taken from, unless the field is
    /// [optional](Field::optional), and those that [rows are chosen by](MappingBuilder::only).
    ///
    /// ```
    /// use ecom_stream::{Header, Mapping};
    ///
    /// let header = Header::new(["timestamp", "visitorid", "event", "transactionid"]);
    /// assert_eq!(Mapping::named("retailrocket")?.columns().missing_in(&header), ["itemid"]);
    /// # Ok::<(), ecom_stream::Error>(())
    /// ```
    pub fn columns(&self) -> Columns {
        let of_files = || {
            self.fields().flat_map(|(_, field)| {
                let columns = field.read_columns();
                columns.map(move |column| (field, column))
            })
        };
        let required = of_files()
            .filter(|(field, _)| !field.optional)
            .map(|(_, column)| column)
            .chain(self.rows.columns());
        let columns = match self.keeps_extra {
            // No column is ignored.
            true => Columns::any().use_once(of_files().map(|(_, column)| column).chain(self.rows.columns())),
            false => Columns::new(of_files().map(|(_, column)| column).chain(self.rows.columns()), []),
        };
        let needed = |field: &&Field| !field.optional && field.default.is_none();
        let fields = self.fields().map(|(_, field)| field);
        let paths = fields.filter(needed).filter_map(|field| field.source.path());
        columns.require(required).require_in_path(paths)
    }

    /// How `event_time` is written.
    pub fn time_format(&self) -> &TimeFormat {
        &self.time_format
    }

    /// How the ids of events are made.
    pub fn ids(&self) -> Ids {
        self.ids
    }

    /// Whether a record has the same id wherever it is: the id comes from a column or from the content.
    ///
    /// ```
    /// # use ecom_stream::{Field, Mapping, MappingBuilder};
    /// # fn required() -> MappingBuilder {
    /// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
    /// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    /// # }
    /// use ecom_stream::Ids;
    ///
    /// # fn main() -> ecom_stream::Result<()> {
    /// assert!(!required().build()?.has_stable_ids());
    /// assert!(required().field("event_id", Field::column("id")).build()?.has_stable_ids());
    /// assert!(required().ids(Ids::Content).build()?.has_stable_ids());
    /// # Ok(()) }
    /// ```
    pub fn has_stable_ids(&self) -> bool {
        self.ids == Ids::Content || self.fields().any(|(name, _)| name == "event_id")
    }

    /// Whether columns that are not mapped are kept in [`Event::extra`].
    pub fn keeps_extra(&self) -> bool {
        self.keeps_extra
    }

    /// Whether a purchase may have no price.
    pub(crate) fn price_optional(&self) -> bool {
        self.price_optional
    }

    /// What becomes of long ids, and of long names.
    pub(crate) fn long_values(&self) -> (LongValues, LongValues) {
        self.long_values
    }

    /// How prices and quantities are written.
    pub(crate) fn numbers(&self) -> &NumberFormat {
        &self.numbers
    }

    /// What the mapping adds to the events that is not in the files, one sentence each: constants, defaults, ids that are made, a time
    /// zone that is assumed, what is done to prices; and which rows are left out. A program logs these notes when it starts.
    ///
    /// ```
    /// # use ecom_stream::{Field, Mapping, MappingBuilder};
    /// # fn required() -> MappingBuilder {
    /// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
    /// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    /// # }
    ///
    /// # fn main() -> ecom_stream::Result<()> {
    /// let mapping = required().field("brand", Field::column("brand").default_value("none")).build()?;
    /// assert_eq!(mapping.notes()[0], r#"brand is "none" where the file has no value"#);
    /// # Ok(()) }
    /// ```
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (name, field) in self.fields() {
            notes.extend(field.when.iter().map(|rule| rule.note(name)));
            if let Some(value) = field.source.constant() {
                let where_it_is = match field.when.is_empty() {
                    true => "in every event",
                    false => "in all other rows",
                };
                notes.push(format!("{name} is {value:?} {where_it_is}"));
            }
            if let FieldSource::Joined { path, columns } = &field.source {
                let path = path.as_ref().map(|path| format!("the path ({path})"));
                let places: Vec<String> = path.into_iter().chain(columns.iter().cloned()).collect();
                notes.push(format!("{name} is joined from {}", places.join(", ")));
            }
            if let FieldSource::FirstOf(columns) = &field.source {
                notes.push(format!("{name} is the first value of {}", columns.join(", ")));
            }
            if let Some(value) = &field.default {
                notes.push(format!("{name} is {value:?} where the file has no value"));
            }
        }
        if self.fields().all(|(name, _)| name != "event_id") {
            notes.push(match self.ids {
                Ids::Position => {
                    "event_id is made from the file and the record number: a row that is delivered again is stored again".into()
                }
                Ids::Content => "event_id is made from all fields of the row: equal rows are one event".into(),
            });
        }
        if self.time_format.assumes_utc() {
            notes.push("event_time is taken as UTC, because the files give no time zone".into());
        }
        if self.dialect.fill_short_rows {
            notes.push("rows with fewer fields than the header are filled up with empty ones".into());
        }
        if self.dialect.cut_long_rows {
            notes.push("what rows have behind the last column of the header is ignored".into());
        }
        if self.price_optional {
            notes.push("a purchase without a price is stored without one".into());
        }
        if self.negative_is_refund {
            notes.push("a purchase with a negative quantity or amount is stored as a refund".into());
        }
        let (ids, names) = self.long_values;
        notes.extend(ids.note(Kind::Id).into_iter().chain(names.note(Kind::Name)));
        notes.extend(self.numbers.notes());
        notes.extend(self.rows.notes());
        notes
    }

    /// The keys that are looked up in the directories of a file, in the order of the event's columns.
    pub(crate) fn path_keys(&self) -> impl Iterator<Item = &str> {
        self.fields().filter_map(|(_, field)| field.source.path())
    }

    /// The column of the files from which a column of an event is taken, if it is one.
    #[cfg(feature = "csv-dir")]
    pub(crate) fn column_of(&self, name: &str) -> Option<&str> {
        let (_, field) = self.fields().find(|(of, _)| *of == name)?;
        match &field.source {
            FieldSource::Column(column) => Some(column),
            _ => None,
        }
    }

    /// The columns of an event that have a field, in their order.
    fn fields(&self) -> impl Iterator<Item = (&'static str, &Field)> {
        let named = Event::COLUMNS.into_iter().zip(&self.fields);
        named.filter_map(|(name, field)| Some((name, field.as_ref()?)))
    }
}
