//! The builder of a mapping, and the checks that a mapping must pass.

use std::collections::HashSet;

use super::field::FieldSource;
use super::first_of::check_first_of;
use super::row_filter::RowFilter;
use super::when::check_when;
use super::{Field, Ids, Mapping};
use crate::contract::{Error, ErrorKind, Result};
use crate::csv::{Dialect, check_path_key};
use crate::event::long_values::LongValues;
use crate::event::{Event, EventType, NumberFormat, Rounding, TimeFormat};

/// Builds a [`Mapping`] from a [`Field`] for each column of an event. [`build`](Self::build) checks it.
///
/// ```
/// use ecom_stream::{Field, Ids, Mapping, TimeFormat};
///
/// let mapping = Mapping::builder()
///     .field("event_time", Field::column("t"))
///     .field("event_type", Field::constant("view"))
///     .field("user_id", Field::column("u"))
///     .field("session_id", Field::column("u"))
///     .field("product_id", Field::column("p"))
///     .field("price", Field::column("price"))
///     .time_format(TimeFormat::UnixSeconds)
///     .decimal_comma(true)
///     .thousands('.')
///     .nulls(["NA", "-"])
///     .ids(Ids::Content)
///     .build()?;
/// assert_eq!(mapping.time_format(), &TimeFormat::UnixSeconds);
///
/// let err = Mapping::builder().field("event_time", Field::column("t")).build().unwrap_err();
/// assert!(err.to_string().starts_with("the mapping has no field for event_type, user_id, session_id, product_id"));
/// # Ok::<(), ecom_stream::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until the mapping is built"]
pub struct MappingBuilder {
    dialect: Dialect,
    fields: Vec<(String, Field)>,
    time_format: TimeFormat,
    nulls: HashSet<String>,
    ids: Ids,
    keeps_extra: bool,
    price_optional: bool,
    negative_is_refund: bool,
    long_values: (LongValues, LongValues),
    pub(super) numbers: NumberFormat,
    pub(super) rows: RowFilter,
}

impl MappingBuilder {
    /// Sets where a [column of the event](Event::COLUMNS) comes from. Columns that are not set are absent.
    pub fn field(mut self, name: impl Into<String>, field: Field) -> Self {
        self.fields.push((name.into(), field));
        self
    }

    /// Sets the format of `event_time`; RFC 3339 by default.
    pub fn time_format(mut self, format: TimeFormat) -> Self {
        self.time_format = format;
        self
    }

    /// Sets how the files are delimited and quoted; with commas, double quotes and a header by default.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Adds words that stand for no value, in any column. An empty field always does.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Field, Header, Mapping, MappingBuilder, Rules};
    /// # fn required() -> MappingBuilder {
    /// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
    /// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    /// # }
    /// # fn event(mapping: Mapping, column: &str, value: &str) -> ecom_stream::Event {
    /// #     let header = Header::new(["event_time", "event_type", "user_id", "session_id", "product_id", column]);
    /// #     let fields = ["2026-11-01T12:00:00Z", "view", "u", "s", "p", value];
    /// #     let record = CsvRecord::new(Arc::new(header), fields).unwrap();
    /// #     Rules::default().mapping(mapping).event(&record, None, "events").unwrap()
    /// # }
    /// # fn main() -> ecom_stream::Result<()> {
    /// let mapping = required().field("brand", Field::column("make")).nulls(["NA", "-"]).build()?;
    /// assert_eq!(event(mapping, "make", "NA").brand, None);
    /// # Ok(()) }
    /// ```
    pub fn nulls<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.nulls.extend(words.into_iter().map(Into::into));
        self
    }

    /// Sets how ids are made when the files have none; [`Ids::Position`] by default.
    pub fn ids(mut self, ids: Ids) -> Self {
        self.ids = ids;
        self
    }

    /// Whether the columns that no field is taken from are kept in [`Event::extra`]; `false` by default.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Field, Header, Mapping, MappingBuilder, Rules};
    /// # fn required() -> MappingBuilder {
    /// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
    /// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    /// # }
    /// # fn event(mapping: Mapping, column: &str, value: &str) -> ecom_stream::Event {
    /// #     let header = Header::new(["event_time", "event_type", "user_id", "session_id", "product_id", column]);
    /// #     let fields = ["2026-11-01T12:00:00Z", "view", "u", "s", "p", value];
    /// #     let record = CsvRecord::new(Arc::new(header), fields).unwrap();
    /// #     Rules::default().mapping(mapping).event(&record, None, "events").unwrap()
    /// # }
    /// # fn main() -> ecom_stream::Result<()> {
    /// let mapping = required().keep_extra(true).build()?;
    /// assert_eq!(event(mapping, "colour", "red").extra.as_deref(), Some(r#"{"colour":"red"}"#));
    /// # Ok(()) }
    /// ```
    pub fn keep_extra(mut self, keep_extra: bool) -> Self {
        self.keeps_extra = keep_extra;
        self
    }

    /// Whether a purchase may have no price, for files without prices; `false` by default.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use ecom_stream::{CsvRecord, Header, Mapping, Rules};
    ///
    /// // The files of RetailRocket have no prices, so their ready mapping sets this.
    /// let rules = Rules::default().mapping(Mapping::named("retailrocket")?);
    /// let header = Arc::new(Header::new(["timestamp", "visitorid", "event", "itemid"]));
    /// let record = CsvRecord::new(header, ["1433222276276", "599528", "transaction", "356475"]).unwrap();
    /// assert_eq!(rules.event(&record, None, "events").unwrap().price, None);
    /// # Ok::<(), ecom_stream::Error>(())
    /// ```
    pub fn price_optional(mut self, price_optional: bool) -> Self {
        self.price_optional = price_optional;
        self
    }

    /// Whether a purchase with a negative quantity, price or line total is a [refund](EventType::Refund) of it without the sign, as tills and
    /// shops write what was given back; `false` by default: it is rejected. If both the quantity and the price of one piece are negative,
    /// it is rejected in any case, since either could be meant.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, EventType, Field, Header, Mapping, Rules};
    /// let names = ["event_time", "event_type", "user_id", "session_id", "product_id", "quantity", "line_total"];
    /// let fields = names.into_iter().fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)));
    /// let rules = Rules::default().mapping(fields.negative_is_refund(true).build()?);
    /// let values = ["2026-11-01T12:00:00Z", "purchase", "u", "s", "p", "-2", "-19.80"];
    /// let record = CsvRecord::new(Arc::new(Header::new(names)), values).unwrap();
    /// let event = rules.event(&record, None, "events").unwrap();
    /// assert_eq!((event.event_type, event.quantity, event.revenue()), (EventType::Refund, 2, -1_980));
    /// # Ok::<(), ecom_stream::Error>(())
    /// ```
    pub fn negative_is_refund(mut self, negative_is_refund: bool) -> Self {
        self.negative_is_refund = negative_is_refund;
        self
    }

    /// Sets what becomes of user, session and product ids of more than 64 bytes; [`LongValues::Reject`] by default.
    pub fn long_ids(mut self, long_ids: LongValues) -> Self {
        self.long_values.0 = long_ids;
        self
    }

    /// Sets what becomes of product names, categories and brands of more than 256 bytes; [`LongValues::Reject`] by default.
    pub fn long_names(mut self, long_names: LongValues) -> Self {
        self.long_values.1 = long_names;
        self
    }

    /// Whether numbers have a decimal comma, as in `12,50`, instead of a decimal point; `false` by default. If this is set either way, a
    /// quantity such as `1.000` or `1,000` can mean only one number, and is read.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Field, Header, Mapping, MappingBuilder, Rules};
    /// # fn required() -> MappingBuilder {
    /// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
    /// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    /// # }
    /// # fn event(mapping: Mapping, column: &str, value: &str) -> ecom_stream::Event {
    /// #     let header = Header::new(["event_time", "event_type", "user_id", "session_id", "product_id", column]);
    /// #     let fields = ["2026-11-01T12:00:00Z", "view", "u", "s", "p", value];
    /// #     let record = CsvRecord::new(Arc::new(header), fields).unwrap();
    /// #     Rules::default().mapping(mapping).event(&record, None, "events").unwrap()
    /// # }
    /// # fn main() -> ecom_stream::Result<()> {
    /// let mapping = required().field("price", Field::column("Preis")).decimal_comma(true).build()?;
    /// assert_eq!(event(mapping, "Preis", "12,50").price.unwrap().cents(), 1_250);
    /// # Ok(()) }
    /// ```
    pub fn decimal_comma(mut self, decimal_comma: bool) -> Self {
        self.numbers.separators.decimal = if decimal_comma { ',' } else { '.' };
        self.numbers.names_decimal = true;
        self
    }

    /// Sets the separator that prices may have between groups of three digits, as in `1.234,50`; none by default.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Field, Header, Mapping, MappingBuilder, Rules};
    /// # fn required() -> MappingBuilder {
    /// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
    /// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    /// # }
    /// # fn event(mapping: Mapping, column: &str, value: &str) -> ecom_stream::Event {
    /// #     let header = Header::new(["event_time", "event_type", "user_id", "session_id", "product_id", column]);
    /// #     let fields = ["2026-11-01T12:00:00Z", "view", "u", "s", "p", value];
    /// #     let record = CsvRecord::new(Arc::new(header), fields).unwrap();
    /// #     Rules::default().mapping(mapping).event(&record, None, "events").unwrap()
    /// # }
    /// # fn main() -> ecom_stream::Result<()> {
    /// let prices = required().field("price", Field::column("Preis")).decimal_comma(true).thousands('.');
    /// assert_eq!(event(prices.build()?, "Preis", "1.234,50").price.unwrap().cents(), 123_450);
    /// # Ok(()) }
    /// ```
    pub fn thousands(mut self, separator: char) -> Self {
        self.numbers.separators.thousands = Some(separator);
        self
    }

    /// Sets the words that may stand in front of a price or behind it: `$`, `USD`, `zł`. They are compared exactly. Without them an
    /// amount in a currency is rejected, because it may be another currency than that of the other prices.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Field, Header, Mapping, MappingBuilder, Rules};
    /// # fn required() -> MappingBuilder {
    /// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
    /// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    /// # }
    /// # fn event(mapping: Mapping, column: &str, value: &str) -> ecom_stream::Event {
    /// #     let header = Header::new(["event_time", "event_type", "user_id", "session_id", "product_id", column]);
    /// #     let fields = ["2026-11-01T12:00:00Z", "view", "u", "s", "p", value];
    /// #     let record = CsvRecord::new(Arc::new(header), fields).unwrap();
    /// #     Rules::default().mapping(mapping).event(&record, None, "events").unwrap()
    /// # }
    /// # fn main() -> ecom_stream::Result<()> {
    /// let mapping = required().field("price", Field::column("total")).currency_words(["$", "USD"]).thousands(',').build()?;
    /// assert_eq!(event(mapping.clone(), "total", "$1,234.50").price.unwrap().cents(), 123_450);
    /// assert_eq!(event(mapping, "total", "12.50 USD").price.unwrap().cents(), 1_250);
    /// # Ok(()) }
    /// ```
    pub fn currency_words<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.numbers.add_currency_words(words.into_iter().map(Into::into));
        self
    }

    /// Rounds prices with more than two decimals; by default they are rejected. A price that would become zero is rejected all the same.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Field, Header, Mapping, MappingBuilder, Rules};
    /// # fn required() -> MappingBuilder {
    /// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
    /// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    /// # }
    /// # fn event(mapping: Mapping, column: &str, value: &str) -> ecom_stream::Event {
    /// #     let header = Header::new(["event_time", "event_type", "user_id", "session_id", "product_id", column]);
    /// #     let fields = ["2026-11-01T12:00:00Z", "view", "u", "s", "p", value];
    /// #     let record = CsvRecord::new(Arc::new(header), fields).unwrap();
    /// #     Rules::default().mapping(mapping).event(&record, None, "events").unwrap()
    /// # }
    /// # fn main() -> ecom_stream::Result<()> {
    /// use ecom_stream::Rounding;
    ///
    /// let mapping = required().field("price", Field::column("total")).rounding(Rounding::HalfUp).build()?;
    /// assert_eq!(event(mapping, "total", "19.990000000000002").price.unwrap().cents(), 1_999);
    /// # Ok(()) }
    /// ```
    pub fn rounding(mut self, rounding: Rounding) -> Self {
        self.numbers.rounding = Some(rounding);
        self
    }

    /// Sets how many digits of a price are decimals, for files with whole numbers: with 2, `1990` is 19.90. The default is 0. A price that
    /// has decimals itself is rejected then.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Field, Header, Mapping, MappingBuilder, Rules};
    /// # fn required() -> MappingBuilder {
    /// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
    /// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    /// # }
    /// # fn event(mapping: Mapping, column: &str, value: &str) -> ecom_stream::Event {
    /// #     let header = Header::new(["event_time", "event_type", "user_id", "session_id", "product_id", column]);
    /// #     let fields = ["2026-11-01T12:00:00Z", "view", "u", "s", "p", value];
    /// #     let record = CsvRecord::new(Arc::new(header), fields).unwrap();
    /// #     Rules::default().mapping(mapping).event(&record, None, "events").unwrap()
    /// # }
    /// # fn main() -> ecom_stream::Result<()> {
    /// let mapping = required().field("price", Field::column("cents")).scale(2).build()?;
    /// assert_eq!(event(mapping, "cents", "1990").price.unwrap().to_string(), "19.90");
    /// # Ok(()) }
    /// ```
    pub fn scale(mut self, decimals: u32) -> Self {
        self.numbers.scale = decimals;
        self
    }

    /// Leaves out every row that has none of these values in that column of the files. Such a row is counted as filtered: it is neither
    /// stored nor rejected. The values are compared as they are in the files; `""` stands for a field without a value. With several
    /// columns a row must have one of the values in each of them. A file without the column is set aside.
    ///
    /// An [empty row](crate::CsvRecord::is_blank) is always left out.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Field, Header, Mapping, MappingBuilder, Rules};
    /// # fn required() -> MappingBuilder {
    /// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
    /// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    /// # }
    /// # fn main() -> ecom_stream::Result<()> {
    /// use ecom_stream::Reason;
    ///
    /// let rules = Rules::default().mapping(required().only("event_type", ["view", "purchase"]).build()?);
    /// let header = Arc::new(Header::new(["event_time", "event_type", "user_id", "session_id", "product_id"]));
    /// let scroll = CsvRecord::new(header, ["2026-11-01T12:00:00Z", "scroll", "u", "s", ""]).unwrap();
    /// assert_eq!(rules.event(&scroll, None, "events").unwrap_err().reason, Reason::FILTERED);
    /// # Ok(()) }
    /// ```
    pub fn only<V: Into<String>>(mut self, column: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        let values = values.into_iter().map(Into::into);
        self.rows.only.entry(column.into()).or_default().extend(values);
        self
    }

    /// Leaves out every row that has one of these values in that column of the files: the opposite of [`only`](Self::only), by the
    /// same rules.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Field, Header, Mapping, MappingBuilder, Rules};
    /// # fn required() -> MappingBuilder {
    /// #     ["event_time", "event_type", "user_id", "session_id", "product_id"].into_iter()
    /// #         .fold(Mapping::builder(), |mapping, name| mapping.field(name, Field::column(name)))
    /// # }
    /// # fn main() -> ecom_stream::Result<()> {
    /// use ecom_stream::Reason;
    ///
    /// // Without a product, and visits by the staff of the shop.
    /// let mapping = required().leave_out("product_id", [""]).leave_out("user_id", ["staff", "test"]).build()?;
    /// let rules = Rules::default().mapping(mapping);
    /// let header = Arc::new(Header::new(["event_time", "event_type", "user_id", "session_id", "product_id"]));
    /// let staff = CsvRecord::new(header, ["2026-11-01T12:00:00Z", "view", "staff", "s", "p"]).unwrap();
    /// assert_eq!(rules.event(&staff, None, "events").unwrap_err().reason, Reason::FILTERED);
    /// # Ok(()) }
    /// ```
    pub fn leave_out<V: Into<String>>(
        mut self,
        column: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into);
        self.rows.leave_out.entry(column.into()).or_default().extend(values);
        self
    }

    /// Checks the mapping and returns it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when
    /// - an event has no column with the name of a field, or two fields have the same name,
    /// - `event_time`, `event_type`, `user_id`, `session_id` or `product_id` has no field,
    /// - a word is translated to an `event_type` that doesn't exist,
    /// - a rule of a field has no column, word or value, or never decides,
    /// - the first value is to be taken from fewer than two columns, or twice from the same,
    /// - a field other than `event_time` is joined from several columns, or a pattern for the path is not clear,
    /// - ids are made from the content although `event_id` has a field,
    /// - the [dialect](Dialect) is not possible, or has no header and lacks a column that a field is taken from,
    /// - the separator of thousands is also the decimal separator, or could be part of a number,
    /// - a word of a currency could be part of a number, or the scale is above 9,
    /// - rows are chosen by no value, or the same value is both chosen and left out.
    pub fn build(self) -> Result<Mapping> {
        self.check_thousands()?;
        self.numbers.check()?;
        self.rows.check()?;
        let mut fields = [const { None }; Event::COLUMNS.len()];
        for (name, field) in self.fields {
            let Some(at) = column(&name) else {
                return Err(refused(format!("an event has no column {name:?}"))
                    .hint(format!("its columns are {}", Event::COLUMNS.join(", "))));
            };
            if fields[at].replace(field).is_some() {
                return Err(refused(format!("{name} is mapped twice")));
            }
        }
        let is_mapped = |name: &str| column(name).is_some_and(|at| fields[at].is_some());
        let absent = Event::REQUIRED_COLUMNS.iter().filter(|name| !is_mapped(name));
        let absent: Vec<&str> = absent.copied().collect();
        if !absent.is_empty() {
            return Err(refused(format!("the mapping has no field for {}", absent.join(", ")))
                .hint("map each to a column of the files, a key of their path, or a constant"));
        }
        check_sources(&fields)?;
        if let Some(field) = column("event_type").and_then(|at| fields[at].as_ref()) {
            check_event_types(field)?;
        }
        if self.ids == Ids::Content && is_mapped("event_id") {
            return Err(refused("event_id has a field, but is also to be made from the content")
                .hint("remove the field, or ids = \"content\""));
        }
        self.dialect.check()?;
        if let Some(columns) = &self.dialect.columns {
            let of_files = fields
                .iter()
                .flatten()
                .flat_map(Field::read_columns)
                .chain(self.rows.columns());
            let unknown: Vec<&str> = of_files
                .filter(|name| !columns.iter().any(|column| column == name))
                .collect();
            if !unknown.is_empty() {
                return Err(
                    refused(format!("the files have no column {}", unknown.join(", "))).hint(format!(
                        "they have no header, and the columns given for them are {}",
                        columns.join(", ")
                    )),
                );
            }
        }
        Ok(Mapping {
            dialect: self.dialect,
            fields,
            time_format: self.time_format,
            nulls: self.nulls,
            ids: self.ids,
            keeps_extra: self.keeps_extra,
            price_optional: self.price_optional,
            negative_is_refund: self.negative_is_refund,
            long_values: self.long_values,
            numbers: self.numbers,
            rows: self.rows,
        })
    }

    /// Checks that the separator of thousands has no other meaning in a price.
    pub(super) fn check_thousands(&self) -> Result<()> {
        let format = self.numbers.separators;
        match format.thousands {
            Some(separator) if !format.can_part_thousands(separator) => {
                let decimal = format.decimal;
                let message =
                    format!("{separator:?} can't separate thousands when {decimal:?} is the decimal separator");
                Err(refused(message)
                    .hint("choose a character that is not the decimal separator, a letter, a digit or a sign"))
            }
            _ => Ok(()),
        }
    }
}

/// Checks the keys and patterns for the path, and that only `event_time` is joined.
fn check_sources(fields: &[Option<Field>; Event::COLUMNS.len()]) -> Result<()> {
    for (name, field) in Event::COLUMNS.into_iter().zip(fields) {
        let Some(Field { source, when, .. }) = field else {
            continue;
        };
        check_when(when).map_err(|what| refused(format!("{name}: {what}")))?;
        if matches!(source, FieldSource::Rules) && when.is_empty() {
            return Err(refused(format!("{name} comes from rules, but has none")));
        }
        if let Some(key) = source.path() {
            check_path_key(key).map_err(|what| refused(format!("{name} has the path {key:?}: {what}")))?;
        }
        if let FieldSource::FirstOf(columns) = source {
            check_first_of(columns).map_err(|what| refused(format!("{name}: {what}")))?;
        }
        if let FieldSource::Joined { columns, .. } = source {
            if name != "event_time" {
                return Err(refused(format!(
                    "{name} is joined from several columns: only event_time can be"
                )));
            }
            if columns.is_empty() {
                return Err(refused(format!("{name} is joined from no columns")));
            }
        }
    }
    Ok(())
}

/// Checks that every word that the field gives is an event type. A misspelled one would reject every record.
pub(super) fn check_event_types(field: &Field) -> Result<()> {
    let constant = field.source.constant().map(|word| field.meaning_of(word));
    let meanings = field.values.values().map(String::as_str);
    let of_rules = field.when.iter().map(|rule| rule.value.as_str());
    let words = meanings.chain(constant).chain(of_rules).chain(field.default.as_deref());
    let unknown = words.filter(|word| !word.is_empty() && EventType::from_name(word).is_none());
    match unknown.min() {
        None => Ok(()),
        Some(word) => {
            let known: Vec<&str> = EventType::ALL.iter().map(|of| of.as_str()).collect();
            Err(refused(format!("there is no event_type {word:?}")).hint(format!("it is one of {}", known.join(", "))))
        }
    }
}

/// The index of a column in [`Event::COLUMNS`].
fn column(name: &str) -> Option<usize> {
    Event::COLUMNS.iter().position(|column| *column == name)
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> MappingBuilder {
        let names = Event::REQUIRED_COLUMNS.into_iter();
        names.fold(Mapping::builder(), |builder, name| {
            builder.field(name, Field::column(name))
        })
    }

    #[test]
    fn an_impossible_mapping_is_an_error() {
        assert!(complete().build().is_ok());
        let refused = |builder: MappingBuilder| {
            let err = builder.build().unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Configuration);
            err.to_string()
        };
        assert!(
            refused(complete().field("colour", Field::column("c"))).starts_with("an event has no column \"colour\"")
        );
        assert_eq!(
            refused(complete().field("user_id", Field::column("u"))),
            "user_id is mapped twice"
        );
        let halves = Mapping::builder()
            .field("event_time", Field::column("t"))
            .field("user_id", Field::constant("u"));
        assert!(refused(halves).starts_with("the mapping has no field for event_type, session_id, product_id"));
        let twice = complete().field("event_id", Field::column("id")).ids(Ids::Content);
        assert!(refused(twice).contains("content"));
        let typo = Field::column("t").value("cart", "add_to_card");
        let of_type = |field: Field| {
            let others = Event::REQUIRED_COLUMNS.into_iter().filter(|name| *name != "event_type");
            let builder = others.fold(Mapping::builder(), |builder, name| {
                builder.field(name, Field::column(name))
            });
            builder.field("event_type", field)
        };
        assert!(refused(of_type(typo)).starts_with("there is no event_type \"add_to_card\""));
        assert!(refused(of_type(Field::constant("Purchase"))).contains("view, add_to_cart"));
        assert!(refused(of_type(Field::column("t").default_value("none"))).contains("none"));
        assert!(of_type(Field::constant("buy").value("buy", "purchase")).build().is_ok());
        assert!(of_type(Field::column("t").value("n/a", "")).build().is_ok());
        assert!(complete().decimal_comma(true).thousands('.').build().is_ok());
        assert!(refused(complete().thousands('.')).starts_with("'.' can't separate thousands"));
        assert!(refused(complete().thousands('0')).starts_with("'0' can't separate thousands"));
        let headless = complete().dialect(Dialect::default().without_header(["event_time", "user_id"]));
        assert!(refused(headless).starts_with("the files have no column event_type, session_id, product_id"));
    }
}
