//! Fields of a record as typed values, for records that are not events.

use std::fmt::Display;
use std::str::FromStr;

use super::CsvRecord;
use crate::contract::Refusal;

impl CsvRecord {
    /// The value of a column that must have a value.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Header};
    /// let header = Arc::new(Header::new(["sensor", "celsius", "Serial No."]));
    /// let record = CsvRecord::new(header, ["kitchen", "warm", ""]).unwrap();
    /// assert_eq!(record.parse::<String>("sensor").unwrap(), "kitchen");
    ///
    /// let refusal = record.parse::<f64>("celsius").unwrap_err();
    /// assert_eq!(refusal.to_string(), r#"celsius_malformed: found "warm": invalid float literal"#);
    /// assert_eq!(record.parse::<u64>("Serial No.").unwrap_err().reason.as_str(), "serial_no_missing");
    /// ```
    ///
    /// # Errors
    ///
    /// A refusal with a reason code made from the column's name: `celsius_missing` when the field is empty or there is no such
    /// column, `celsius_malformed` when the text can't be parsed. In a code the name is in lower case, and `_` replaces what is
    /// neither a letter nor a digit.
    pub fn parse<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, Refusal> {
        self.parse_with(column, str::parse)
    }

    /// The value of a column that may be empty or absent; then it is `None`.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Header};
    /// let record = CsvRecord::new(Arc::new(Header::new(["stock", "weight"])), ["", "heavy"]).unwrap();
    /// assert_eq!(record.parse_optional::<u32>("stock").unwrap(), None);
    /// assert_eq!(record.parse_optional::<u32>("colour").unwrap(), None);
    /// assert_eq!(record.parse_optional::<u32>("weight").unwrap_err().reason.as_str(), "weight_malformed");
    /// ```
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), when there is a text and it is not such a value.
    pub fn parse_optional<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, Refusal> {
        match self.get(column) {
            None | Some("") => Ok(None),
            Some(_) => self.parse(column).map(Some),
        }
    }

    /// The value that `f` makes of the text of a column that must have a value.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ecom_stream::{CsvRecord, Header};
    /// use time::{OffsetDateTime, format_description::well_known::Rfc3339};
    ///
    /// # let header = Arc::new(Header::new(["at"]));
    /// # let record = CsvRecord::new(header, ["2026-11-01T12:00:00Z"]).unwrap();
    /// let at = record.parse_with("at", |text| OffsetDateTime::parse(text, &Rfc3339)).unwrap();
    /// assert_eq!(at.hour(), 12);
    /// ```
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_with<T, E: Display>(&self, column: &str, f: impl FnOnce(&str) -> Result<T, E>) -> Result<T, Refusal> {
        match self.get(column) {
            None => Err(Refusal::new(code(column, "missing"), format!("no column {column}"))),
            Some("") => Err(Refusal::new(code(column, "missing"), "the field is empty")),
            Some(text) => f(text).map_err(|err| {
                let refusal = Refusal::found(code(column, "malformed"), text);
                Refusal {
                    detail: format!("{}: {err}", refusal.detail),
                    ..refusal
                }
            }),
        }
    }
}

/// The reason code for a column: its name in snake case, then `_` and `what`.
///
/// | column | code for `missing` |
/// |---|---|
/// | `celsius` | `celsius_missing` |
/// | `Serial No.` | `serial_no_missing` |
fn code(column: &str, what: &str) -> String {
    let mut code = String::with_capacity(column.len() + what.len() + 1);
    for letter in column.chars().chain(['_']) {
        match letter.is_alphanumeric() {
            true => code.extend(letter.to_lowercase()),
            false if code.ends_with('_') => {}
            false => code.push('_'),
        }
    }
    code + what
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::csv::Header;
    use crate::event::Price;

    #[test]
    fn a_value_that_cannot_be_parsed_has_its_code_and_is_shown() {
        let header = Arc::new(Header::new(["unit price", "n", "note"]));
        let record = CsvRecord::new(header, ["1.234", "", &"é".repeat(300)]).unwrap();
        let refused = |refusal: Refusal| refusal.to_string();
        assert_eq!(
            refused(record.parse::<Price>("unit price").unwrap_err()),
            r#"unit_price_malformed: found "1.234": more than two decimals"#
        );
        assert_eq!(
            refused(record.parse::<u8>("n").unwrap_err()),
            "n_missing: the field is empty"
        );
        assert_eq!(refused(record.parse::<u8>("m").unwrap_err()), "m_missing: no column m");
        assert!(refused(record.parse::<u8>("note").unwrap_err()).len() < 400);
        assert_eq!(record.parse_optional::<u8>("n").unwrap(), None);
        assert_eq!(record.parse_optional::<u8>("m").unwrap(), None);
        assert_eq!(
            record.parse_optional::<u8>("note").unwrap_err().reason.as_str(),
            "note_malformed"
        );
    }
}
