use std::collections::HashSet;

use super::{Field, Ids, Mapping};
use crate::contract::{Error, ErrorKind, Result};
use crate::csv::Dialect;
use crate::event::{Event, EventType, PriceFormat, TimeFormat};

/// Puts a [`Mapping`] together; [`build`](Self::build) checks it.
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
    price_format: PriceFormat,
}

impl MappingBuilder {
    /// Where a [column of the event](Event::COLUMNS) comes from. Those that are not named are absent.
    pub fn field(mut self, name: impl Into<String>, field: Field) -> Self {
        self.fields.push((name.into(), field));
        self
    }

    /// How `event_time` is written; RFC 3339 otherwise.
    pub fn time_format(mut self, format: TimeFormat) -> Self {
        self.time_format = format;
        self
    }

    /// How the files are written, if not with commas, double quotes and a header.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Words that stand for no value, in any column. An empty field always does.
    pub fn nulls<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.nulls.extend(words.into_iter().map(Into::into));
        self
    }

    /// Where ids come from, for files that have none.
    pub fn ids(mut self, ids: Ids) -> Self {
        self.ids = ids;
        self
    }

    /// Whether the columns that no field is taken from are kept in [`Event::extra`]; `false` unless it is set.
    pub fn keep_extra(mut self, keep_extra: bool) -> Self {
        self.keeps_extra = keep_extra;
        self
    }

    /// Whether purchases may have no price, for files without prices; `false` unless it is set.
    pub fn price_optional(mut self, price_optional: bool) -> Self {
        self.price_optional = price_optional;
        self
    }

    /// Whether prices are written with a decimal comma, as in `12,50`, and not with a decimal point; `false` unless it is
    /// set.
    pub fn decimal_comma(mut self, decimal_comma: bool) -> Self {
        self.price_format.decimal = if decimal_comma { ',' } else { '.' };
        self
    }

    /// This may part the thousands of prices, as in `1.234,50`, in groups of three digits. Nothing may otherwise.
    pub fn thousands(mut self, separator: char) -> Self {
        self.price_format.thousands = Some(separator);
        self
    }

    /// The mapping.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when an event has no column of a name, or two fields for one; when `event_time`,
    /// `event_type`, `user_id`, `session_id` or `product_id` comes from nowhere; when files can't be written so, or are said
    /// to have no header and a field is taken from a column that is not among theirs; when a word is to mean an `event_type` that
    /// there is none of; when thousands are parted by what stands in front of decimals or in a number; when ids are to be made of the content and come from a column too.
    pub fn build(self) -> Result<Mapping> {
        self.check_thousands()?;
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
            return Err(refused(format!("nothing says where {} comes from", absent.join(", ")))
                .hint("name a column of the files, or a constant"));
        }
        if let Some(field) = column("event_type").and_then(|at| fields[at].as_ref()) {
            check_event_types(field)?;
        }
        if self.ids == Ids::Content && is_mapped("event_id") {
            return Err(
                refused("event_id comes from a column, and is to be made from the content too")
                    .hint("choose one of them"),
            );
        }
        self.dialect.check()?;
        if let Some(columns) = &self.dialect.columns {
            let of_files = fields
                .iter()
                .flatten()
                .filter_map(|field: &Field| field.source.column());
            let unknown: Vec<&str> = of_files
                .filter(|name| !columns.iter().any(|column| column == name))
                .collect();
            if !unknown.is_empty() {
                return Err(refused(format!("the files have no column {}", unknown.join(", ")))
                    .hint(format!("without a header their columns are {}", columns.join(", "))));
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
            price_format: self.price_format,
        })
    }

    /// What parts thousands must not be taken for anything else.
    pub(super) fn check_thousands(&self) -> Result<()> {
        let format = self.price_format;
        match format.thousands {
            Some(separator) if !format.can_part_thousands(separator) => {
                let decimal = format.decimal;
                let message = format!("{separator:?} can't part thousands where decimals begin with {decimal:?}");
                Err(refused(message).hint("thousands = \".\" goes with decimal = \",\""))
            }
            _ => Ok(()),
        }
    }
}

/// A word that is misspelled would have every record refused.
pub(super) fn check_event_types(field: &Field) -> Result<()> {
    let constant = field.source.constant().map(|word| field.meaning_of(word));
    let meanings = field.values.values().map(String::as_str);
    let words = meanings.chain(constant).chain(field.default.as_deref());
    let unknown = words.filter(|word| !word.is_empty() && EventType::from_name(word).is_none());
    match unknown.min() {
        None => Ok(()),
        Some(word) => {
            let known: Vec<&str> = EventType::ALL.iter().map(|of| of.as_str()).collect();
            Err(refused(format!("there is no event_type {word:?}")).hint(format!("it is one of {}", known.join(", "))))
        }
    }
}

/// The place of a column among [`Event::COLUMNS`].
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
    fn what_can_not_be() {
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
        assert!(refused(halves).starts_with("nothing says where event_type, session_id, product_id comes from"));
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
        assert!(refused(complete().thousands('.')).starts_with("'.' can't part thousands"));
        assert!(refused(complete().thousands('0')).starts_with("'0' can't part thousands"));
        let headless = complete().dialect(Dialect::default().without_header(["event_time", "user_id"]));
        assert!(refused(headless).starts_with("the files have no column event_type, session_id, product_id"));
    }
}
