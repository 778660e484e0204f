//! Mappings in TOML files: the keys, and errors with line and column.
//!
//! The text is deserialized into structs that mirror the file, keeping the span of each value that can be wrong, and then goes through
//! the same builder as a mapping in code.
//!
//! ```toml
//! delimiter = ";"                 # one ASCII character
//! quote = "'"                     # one ASCII character, or "" for none
//! header = ["time", "kind"]       # for files without a header
//! encoding = "windows-1252"       # as browsers name it
//! escape = "\\"                   # one ASCII character: "27\" monitor"
//! comment = ["#", "Total,"]       # or one text: lines that begin with it are no records
//! skip = 3                        # lines above the header
//! trim = true                     # without blanks around values
//! short_rows = "fill"             # or "reject"
//! long_rows = "cut"               # or "reject"
//! nulls = ["NA", "-"]             # words for no value
//! ids = "content"                 # or "position"
//! extra = true                    # keep the other columns
//! price_optional = true           # purchases may have no price
//! negative = "refund"             # or "reject"
//! long_ids = "cut"                # or "keep", or "reject"; long_names likewise
//! decimal = ","                   # or "."
//! thousands = "."                 # one character
//! currency_words = ["$", "USD"]   # may stand beside a price
//! rounding = "half_up"            # or "half_even"
//! scale = 2                       # prices are in cents
//! only = { kind = ["cart"] }      # the other rows are left out
//! leave_out = { who = ["bot"] }   # these rows are left out
//!
//! [event]
//! event_time = { columns = ["date", "time"], format = "%d.%m.%Y %H:%M", zone = "Europe/Berlin" }
//! event_type = { column = "kind", values = { cart = "add_to_cart" } }
//! quantity = { constant = "1", when = [{ if = { kind = "pair" }, then = "2" }] }
//! user_id = "customer"            # short for { column = "customer" }
//! session_id = { path = "visit" } # from the directories: visit=7/a.csv
//! product_id = { column = "sku", default = "none" }
//! brand = { column = "make", optional = true }
//! product_name = ["title", "name"] # short for { first_of = ["title", "name"] }
//! category = { constant = "lamps" }
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::builder::check_event_types;
use super::first_of::check_first_of;
use super::text_keys::{LongRows, OneOrMany, ShortRows};
use super::when::check_when;
use super::{Field, Ids, Mapping, MappingBuilder};
use crate::contract::{Error, ErrorKind, Result};
use crate::csv::{Dialect, check_path_key};
use crate::event::long_values::LongValues;
use crate::event::{Rounding, TimeFormat, TimeFormatError, TimeZone};

/// What `infer` writes where a person must decide. A mapping that still has it is refused.
pub(crate) const TO_BE_FILLED_IN: &str = "TO BE FILLED IN";

/// The top level of a mapping file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingFile {
    delimiter: Option<Spanned<String>>,
    quote: Option<Spanned<String>>,
    header: Option<Vec<String>>,
    encoding: Option<Spanned<String>>,
    escape: Option<Spanned<String>>,
    comment: Option<Spanned<OneOrMany>>,
    skip: Option<u32>,
    #[serde(default)]
    trim: bool,
    short_rows: Option<ShortRows>,
    long_rows: Option<LongRows>,
    #[serde(default)]
    nulls: Vec<String>,
    #[serde(default)]
    ids: IdsWord,
    #[serde(default)]
    extra: bool,
    #[serde(default)]
    price_optional: bool,
    #[serde(default)]
    negative: NegativeWord,
    #[serde(default)]
    long_ids: LongWord,
    #[serde(default)]
    long_names: LongWord,
    decimal: Option<Spanned<String>>,
    thousands: Option<Spanned<String>>,
    #[serde(default)]
    currency_words: Vec<Spanned<String>>,
    rounding: Option<RoundingWord>,
    scale: Option<Spanned<u32>>,
    only: Option<Spanned<BTreeMap<String, Vec<String>>>>,
    leave_out: Option<Spanned<BTreeMap<String, Vec<String>>>>,
    #[serde(default)]
    event: EventTable,
}

/// The value of the key `ids`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum IdsWord {
    #[default]
    Position,
    Content,
}

/// The value of the keys `long_ids` and `long_names`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LongWord {
    #[default]
    Reject,
    Cut,
    Keep,
}

impl From<LongWord> for LongValues {
    fn from(word: LongWord) -> Self {
        match word {
            LongWord::Reject => Self::Reject,
            LongWord::Cut => Self::Cut,
            LongWord::Keep => Self::Keep,
        }
    }
}

/// The value of the key `rounding`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RoundingWord {
    HalfUp,
    HalfEven,
}

/// The value of the key `negative`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NegativeWord {
    #[default]
    Reject,
    Refund,
}

/// The table `[event]`: an entry for each of [`Event::COLUMNS`](crate::Event::COLUMNS).
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventTable {
    event_id: Option<Entry>,
    event_time: Option<Entry>,
    event_type: Option<Entry>,
    user_id: Option<Entry>,
    session_id: Option<Entry>,
    product_id: Option<Entry>,
    product_name: Option<Entry>,
    category: Option<Entry>,
    brand: Option<Entry>,
    price: Option<Entry>,
    quantity: Option<Entry>,
    order_id: Option<Entry>,
    currency: Option<Entry>,
    line_total: Option<Entry>,
}

/// An entry of the table `[event]`, with its place in the text.
type Entry = Spanned<FieldEntry>;

/// An entry: a text, which is the name of a column; a list of texts, the columns of which the first with a value counts; or a table.
#[derive(Debug)]
struct FieldEntry(FieldTable);

/// An entry as a table. Exactly one of `column`, `first_of`, `columns`, `path` and `constant` must be there; only `event_time` is joined from a path
/// and columns.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldTable {
    column: Option<String>,
    first_of: Option<Vec<String>>,
    /// Whether `first_of` was written as a list and no more. It isn't a key.
    #[serde(skip)]
    is_list: bool,
    /// Only for `event_time`.
    columns: Option<Vec<String>>,
    path: Option<String>,
    constant: Option<String>,
    #[serde(default)]
    values: BTreeMap<String, String>,
    default: Option<String>,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    when: Vec<WhenTable>,
    /// Only for `event_time`, like those below.
    format: Option<Spanned<OneOrMany>>,
    zone: Option<Spanned<String>>,
    zones: Option<Spanned<BTreeMap<String, String>>>,
    months: Option<Spanned<Vec<String>>>,
    weekdays: Option<Spanned<Vec<String>>>,
    am_pm: Option<Spanned<Vec<String>>>,
}

/// A rule of a field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhenTable {
    #[serde(rename = "if")]
    columns: BTreeMap<String, OneOrMany>,
    #[serde(rename = "then")]
    value: String,
}

impl Mapping {
    /// The mapping that a TOML text describes. `docs/files.md` lists the keys.
    ///
    /// ```
    /// use ecom_stream::Mapping;
    ///
    /// let err = Mapping::from_toml("decimals = ','").unwrap_err().to_string();
    /// assert!(err.starts_with("line 1, column 1: unknown field `decimals`"));
    /// assert!(err.ends_with("(did you mean decimal?)"));
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] with line and column when the text is not valid TOML, has an unknown key, or a value that is not
    /// possible; and the errors of [`MappingBuilder::build`].
    pub fn from_toml(text: &str) -> Result<Self> {
        let file: MappingFile = toml::from_str(text).map_err(|err| {
            let message = err.message().replace('\n', ", ");
            let near = nearest(&message).map(|known| format!("did you mean {known}?"));
            let refused = refused(text, err.span(), message);
            match near {
                Some(hint) => refused.hint(hint),
                None => refused,
            }
        })?;
        file.into_builder(text)?.build()
    }

    /// Reads a mapping from a TOML file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the file can't be read, and the errors of [`from_toml`](Self::from_toml).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let refused = |what: &str| {
            Error::new(
                ErrorKind::Configuration,
                format!("can't {what} the mapping {}", path.display()),
            )
        };
        let text = fs::read_to_string(path).map_err(|err| refused("read").caused_by(err))?;
        Self::from_toml(&text).map_err(|err| refused("use").caused_by(err))
    }
}

impl MappingFile {
    /// Puts the values into a builder. `text` is the whole file, for the places of errors.
    fn into_builder(self, text: &str) -> Result<MappingBuilder> {
        let mut dialect = Dialect::default();
        if let Some(delimiter) = self.delimiter {
            let byte = one_byte(&delimiter)
                .ok_or_else(|| refused(text, Some(delimiter.span()), "delimiter must be one ASCII character"))?;
            dialect = dialect.delimiter(byte);
        }
        if let Some(quote) = self.quote {
            let byte = match quote.as_ref().as_str() {
                "" => None,
                _ => Some(one_byte(&quote).ok_or_else(|| {
                    refused(
                        text,
                        Some(quote.span()),
                        "quote must be one ASCII character, or empty if fields are never quoted",
                    )
                })?),
            };
            dialect = dialect.quote(byte);
        }
        if let Some(names) = self.header {
            dialect = dialect.without_header(names);
        }
        if let Some(name) = self.encoding {
            dialect = dialect
                .encoding(name.as_ref())
                .map_err(|err| refused(text, Some(name.span()), err.to_string()))?;
        }
        if let Some(escape) = self.escape {
            let byte = one_byte(&escape)
                .ok_or_else(|| refused(text, Some(escape.span()), "escape must be one ASCII character"))?;
            dialect = dialect.escape(Some(byte));
            dialect
                .check()
                .map_err(|err| refused(text, Some(escape.span()), err.to_string()))?;
        }
        if let Some(comment) = self.comment {
            let span = comment.span();
            dialect = comment
                .into_inner()
                .into_texts()
                .into_iter()
                .fold(dialect, Dialect::comment);
            dialect
                .check()
                .map_err(|err| refused(text, Some(span), err.to_string()))?;
        }
        if let Some(lines) = self.skip {
            dialect = dialect.skip_lines(lines);
        }
        dialect = dialect
            .trim(self.trim)
            .fill_short_rows(self.short_rows == Some(ShortRows::Fill))
            .cut_long_rows(self.long_rows == Some(LongRows::Cut));
        let mut builder = Mapping::builder()
            .dialect(dialect)
            .nulls(self.nulls)
            .long_ids(self.long_ids.into())
            .long_names(self.long_names.into())
            .ids(match self.ids {
                IdsWord::Position => Ids::Position,
                IdsWord::Content => Ids::Content,
            });
        if self.extra {
            builder = builder.keep_extra(true);
        }
        if self.price_optional {
            builder = builder.price_optional(true);
        }
        builder = builder.negative_is_refund(matches!(self.negative, NegativeWord::Refund));
        if let Some(decimal) = self.decimal {
            builder = match decimal.as_ref().as_str() {
                "." => builder.decimal_comma(false),
                "," => builder.decimal_comma(true),
                _ => {
                    let what = "decimal must be \".\" or \",\"";
                    return Err(refused(text, Some(decimal.span()), what));
                }
            };
        }
        if let Some(thousands) = self.thousands {
            let Some(separator) = one_char(&thousands) else {
                let what = "thousands must be one character";
                return Err(refused(text, Some(thousands.span()), what));
            };
            builder = builder.thousands(separator);
            builder
                .check_thousands()
                .map_err(|err| refused(text, Some(thousands.span()), err.to_string()))?;
        }
        if let Some(rounding) = self.rounding {
            builder = builder.rounding(match rounding {
                RoundingWord::HalfUp => Rounding::HalfUp,
                RoundingWord::HalfEven => Rounding::HalfEven,
            });
        }
        if let Some(scale) = self.scale {
            builder = builder.scale(*scale.as_ref());
            (builder.numbers.check()).map_err(|err| refused(text, Some(scale.span()), err.to_string()))?;
        }
        for word in self.currency_words {
            let span = word.span();
            builder = builder.currency_words([word.into_inner()]);
            (builder.numbers.check()).map_err(|err| refused(text, Some(span), err.to_string()))?;
        }
        let rows_at = self.leave_out.as_ref().or(self.only.as_ref()).map(Spanned::span);
        for (column, values) in self.only.map(Spanned::into_inner).into_iter().flatten() {
            builder = builder.only(column, values);
        }
        for (column, values) in self.leave_out.map(Spanned::into_inner).into_iter().flatten() {
            builder = builder.leave_out(column, values);
        }
        (builder.rows.check()).map_err(|err| refused(text, rows_at, err.to_string()))?;
        for (name, entry) in self.event.into_entries() {
            let Some(entry) = entry else { continue };
            let span = entry.span();
            let FieldEntry(table) = entry.into_inner();
            if table.column.as_deref() == Some(TO_BE_FILLED_IN) {
                let what = format!("{name} is still to be filled in: name a column, or remove the line");
                return Err(refused(text, Some(span), what));
            }
            if name == "event_time" {
                if table.is_list {
                    let message = "write columns = [...] to join date and time, or first_of = [...] for the first that has a value";
                    return Err(refused(
                        text,
                        Some(span),
                        format!("a list can mean two things for event_time: {message}"),
                    ));
                }
                if let Some(format) = table.time_format(text)? {
                    builder = builder.time_format(format);
                }
            } else if let Some(key) = table.first_time_key() {
                let message = format!("only event_time can have {key}: remove it here");
                return Err(refused(text, Some(span), message));
            }
            let field = table
                .into_field()
                .map_err(|message| refused(text, Some(span.clone()), message))?;
            if name == "event_type" {
                check_event_types(&field).map_err(|err| refused(text, Some(span), err.to_string()))?;
            }
            builder = builder.field(name, field);
        }
        Ok(builder)
    }
}

impl EventTable {
    /// The entries with the names of their columns, in the order of the event's columns.
    fn into_entries(self) -> [(&'static str, Option<Entry>); 14] {
        [
            ("event_id", self.event_id),
            ("event_time", self.event_time),
            ("event_type", self.event_type),
            ("user_id", self.user_id),
            ("session_id", self.session_id),
            ("product_id", self.product_id),
            ("product_name", self.product_name),
            ("category", self.category),
            ("brand", self.brand),
            ("price", self.price),
            ("quantity", self.quantity),
            ("order_id", self.order_id),
            ("currency", self.currency),
            ("line_total", self.line_total),
        ]
    }
}

impl FieldTable {
    /// The keys that make the format of `event_time`, and whether they are given.
    fn format_keys(&self) -> [(&'static str, bool); 6] {
        [
            ("format", self.format.is_some()),
            ("zone", self.zone.is_some()),
            ("zones", self.zones.is_some()),
            ("months", self.months.is_some()),
            ("weekdays", self.weekdays.is_some()),
            ("am_pm", self.am_pm.is_some()),
        ]
    }

    /// The first key that is only for `event_time`, if there is one.
    fn first_time_key(&self) -> Option<&'static str> {
        let joined = [
            ("columns", self.columns.is_some()),
            ("a path beside a column", self.path.is_some() && self.column.is_some()),
        ];
        let mut keys = joined.into_iter().chain(self.format_keys());
        keys.find_map(|(key, is_given)| is_given.then_some(key))
    }

    /// The format of `event_time`, if a key for it is given.
    fn time_format(&self, text: &str) -> Result<Option<TimeFormat>> {
        if !self.format_keys().iter().any(|(_, is_given)| *is_given) {
            return Ok(None);
        }
        let mut builder = TimeFormat::builder();
        let formats = match self.format.as_ref().map(Spanned::as_ref) {
            None => &[],
            Some(OneOrMany::One(format)) => std::slice::from_ref(format),
            Some(OneOrMany::Many(formats)) => formats.as_slice(),
        };
        for format in formats {
            builder = builder.format(format);
        }
        let span_of_zone = self.zone.as_ref().map(Spanned::span);
        if let Some(zone) = &self.zone {
            let zone = TimeZone::named(zone.as_ref());
            builder = builder.zone(zone.map_err(|err| refused(text, span_of_zone.clone(), err.to_string()))?);
        }
        let span_of_zones = self.zones.as_ref().map(Spanned::span);
        if let Some(zones) = &self.zones {
            builder = builder.zones(zones.as_ref().clone());
        }
        let mut span_of_names = None;
        if let Some(names) = &self.weekdays {
            span_of_names = Some(names.span());
            builder = builder.weekdays(names.as_ref().clone());
        }
        if let Some(words) = &self.am_pm {
            span_of_names = Some(words.span());
            builder = builder.am_pm(words.as_ref().clone());
        }
        if let Some(names) = &self.months {
            span_of_names = Some(names.span());
            builder = builder.months(names.as_ref().clone());
        }
        let format = builder.build().map_err(|err| {
            let span = match err {
                TimeFormatError::NeedsNoZone => span_of_zone,
                TimeFormatError::Zone(_) => span_of_zones,
                TimeFormatError::Names(_) => span_of_names.or(span_of_zones),
                _ => self.format.as_ref().map(Spanned::span),
            };
            refused(text, span, err.to_string()).caused_by(err)
        });
        format.map(Some)
    }

    /// The field, or what is wrong with the table.
    fn into_field(self) -> Result<Field, String> {
        if let Some(key) = &self.path {
            check_path_key(key)?;
        }
        let mut field = match (self.first_of, self.column, self.columns, self.path, self.constant) {
            (Some(names), None, None, None, None) => {
                check_first_of(&names)?;
                Field::first_of(names)
            }
            (None, Some(column), None, None, None) => Field::column(column),
            (None, None, Some(columns), None, None) => Field::columns(columns),
            (None, None, None, Some(key), None) => Field::path(key),
            (None, Some(column), None, Some(key), None) => Field::path_and_columns(key, [column]),
            (None, None, Some(columns), Some(key), None) => Field::path_and_columns(key, columns),
            (None, None, None, None, Some(value)) => Field::constant(value),
            (None, None, None, None, None) if !self.when.is_empty() => Field::rules(),
            // Probably meant as the value of every event.
            (None, None, None, None, None) if self.default.is_some() => {
                return Err("a default needs a column or a path: a value for every event is a constant".to_owned());
            }
            _ => return Err("a field needs exactly one of column, first_of, columns, path and constant".to_owned()),
        };
        for rule in self.when {
            let columns = rule.columns.into_iter();
            field = field.when(columns.map(|(column, words)| (column, words.into_texts())), rule.value);
        }
        check_when(&field.when)?;
        for (theirs, ours) in self.values {
            field = field.value(theirs, ours);
        }
        if let Some(value) = self.default {
            field = field.default_value(value);
        }
        Ok(match self.optional {
            true => field.optional(true),
            false => field,
        })
    }
}

impl<'de> Deserialize<'de> for FieldEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = FieldEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "the name of a column, a list of names, or a table such as { column = \"price\", default = \"0\" }",
                )
            }

            fn visit_str<E>(self, name: &str) -> Result<FieldEntry, E> {
                Ok(FieldEntry(FieldTable {
                    column: Some(name.to_owned()),
                    ..FieldTable::default()
                }))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<FieldEntry, A::Error> {
                let names = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(FieldEntry(FieldTable {
                    first_of: Some(names),
                    is_list: true,
                    ..FieldTable::default()
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FieldEntry, A::Error> {
                FieldTable::deserialize(MapAccessDeserializer::new(map)).map(FieldEntry)
            }
        }

        deserializer.deserialize_any(Entries)
    }
}

/// The known name that is most like the unknown one, if any is close. serde's message has the unknown name and then the known ones,
/// each between backticks.
fn nearest(message: &str) -> Option<&str> {
    let unknown = message.strip_prefix("unknown ")?;
    let mut names = unknown.split('`').skip(1).step_by(2);
    let word = names.next()?;
    names
        .map(|known| (strsim::normalized_damerau_levenshtein(word, known), known))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

fn one_byte(text: &Spanned<String>) -> Option<u8> {
    match text.as_ref().as_bytes() {
        [byte] if byte.is_ascii() => Some(*byte),
        _ => None,
    }
}

fn one_char(text: &Spanned<String>) -> Option<char> {
    let mut chars = text.as_ref().chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// A configuration error; with a span, the message begins with its line and column in `text`.
fn refused(text: &str, span: Option<Range<usize>>, message: impl Into<String>) -> Error {
    let message = message.into();
    let before = span.and_then(|span| text.get(..span.start));
    Error::new(
        ErrorKind::Configuration,
        match before {
            Some(before) => {
                let line = before.matches('\n').count() + 1;
                let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
                format!("line {line}, column {column}: {message}")
            }
            None => message,
        },
    )
}

#[cfg(test)]
mod tests;
