//! The share of rows and files that have each kind of fault.

use ecom_stream::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::kind::FaultKind;
use crate::random::unit;

/// The share of rows or files that have each kind of fault. The default is 0 for all kinds: clean files.
///
/// Copies, late events and events out of order are set with [`Delivery`](crate::Delivery).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Dirt {
    /// Share of rows that lack their last fields.
    pub missing_field: f64,
    /// Share of rows with a text instead of a number as quantity or price.
    pub wrong_type: f64,
    /// Share of rows with an unknown event type.
    pub unknown_event_type: f64,
    /// Share of rows with a negative price.
    pub negative_price: f64,
    /// Share of rows whose time is malformed, missing, or in the year 1970.
    pub bad_time: f64,
    /// Share of rows with a byte that is not valid UTF-8.
    pub invalid_utf8: f64,
    /// Share of rows with a NUL byte.
    pub nul_byte: f64,
    /// Share of rows with text after a closing quote.
    pub text_after_quote: f64,
    /// Share of files whose last record has a quote that is not closed.
    pub unterminated_quote: f64,
    /// Share of files whose last line is cut off.
    pub torn_last_line: f64,
    /// Share of files that begin with a byte order mark.
    pub byte_order_mark: f64,
    /// Share of files whose lines end with CR LF.
    pub crlf: f64,
    /// Share of files that lack a required column.
    pub missing_column: f64,
    /// Share of empty files.
    pub empty_file: f64,
    /// Share of files with a header and no rows.
    pub header_only: f64,
    /// Share of files that are replaced. The first version has only some of the rows; when the next file is written,
    /// the second version takes its place under the same name, with all rows in another order. Such files have at most
    /// 20,000 rows and no other fault.
    pub rewritten: f64,
}

impl Dirt {
    /// Clean files.
    pub fn none() -> Self {
        Self::default()
    }

    /// Little dirt, as in a good pipeline: each kind affects one row in 5,000 or one file in 500.
    pub fn light() -> Self {
        Self::of(0.000_2, 0.002)
    }

    /// Much dirt: each kind affects one row in 200 or one file in 50.
    pub fn heavy() -> Self {
        Self::of(0.005, 0.02)
    }

    fn of(rows: f64, files: f64) -> Self {
        Self {
            missing_field: rows,
            wrong_type: rows,
            unknown_event_type: rows,
            negative_price: rows,
            bad_time: rows,
            invalid_utf8: rows,
            nul_byte: rows,
            text_after_quote: rows,
            unterminated_quote: files,
            torn_last_line: files,
            byte_order_mark: files,
            crlf: files,
            missing_column: files,
            empty_file: files,
            header_only: files,
            rewritten: files,
        }
    }

    /// The share of rows or files with this kind of fault.
    pub fn share(&self, kind: FaultKind) -> f64 {
        match kind {
            FaultKind::MissingField => self.missing_field,
            FaultKind::WrongType => self.wrong_type,
            FaultKind::UnknownEventType => self.unknown_event_type,
            FaultKind::NegativePrice => self.negative_price,
            FaultKind::BadTime => self.bad_time,
            FaultKind::InvalidUtf8 => self.invalid_utf8,
            FaultKind::NulByte => self.nul_byte,
            FaultKind::TextAfterQuote => self.text_after_quote,
            FaultKind::UnterminatedQuote => self.unterminated_quote,
            FaultKind::TornLastLine => self.torn_last_line,
            FaultKind::ByteOrderMark => self.byte_order_mark,
            FaultKind::Crlf => self.crlf,
            FaultKind::MissingColumn => self.missing_column,
            FaultKind::EmptyFile => self.empty_file,
            FaultKind::HeaderOnly => self.header_only,
            FaultKind::Rewritten => self.rewritten,
        }
    }

    /// Checks the shares.
    ///
    /// # Errors
    ///
    /// If a share is outside 0 to 1, or if the shares of rows or those of files add up to more than 1.
    pub fn check(&self) -> Result<()> {
        for (what, kinds) in [("rows", FaultKind::OF_ROWS), ("files", FaultKind::OF_FILES)] {
            let shares = kinds.map(|kind| self.share(kind));
            let sum = shares.iter().sum::<f64>();
            let fits = shares.iter().all(|share| (0.0..=1.0).contains(share)) && sum <= 1.0;
            if !fits {
                let set: Vec<_> = kinds
                    .into_iter()
                    .zip(shares)
                    .filter(|(_, share)| *share != 0.0)
                    .collect();
                let message = format!("the shares of {what} with faults are {set:?}, which add up to {sum}");
                return Err(Error::new(ErrorKind::Configuration, message)
                    .hint("each share must be between 0 and 1, and so must their sum"));
            }
        }
        Ok(())
    }

    /// The kind of fault, if any, for a random number.
    pub(super) fn draw(&self, kinds: [FaultKind; 8], key: u64) -> Option<FaultKind> {
        let mut dice = unit(key);
        kinds.into_iter().find(|kind| {
            let share = self.share(*kind);
            let is_it = dice < share;
            dice -= share;
            is_it
        })
    }

    pub(super) fn has_row_faults(&self) -> bool {
        FaultKind::OF_ROWS.iter().any(|kind| self.share(*kind) > 0.0)
    }

    pub(super) fn has_file_faults(&self) -> bool {
        FaultKind::OF_FILES.iter().any(|kind| self.share(*kind) > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::mix;

    #[test]
    fn each_kind_occurs_as_often_as_its_share() {
        let dirt = Dirt::heavy();
        let picked = |kind| {
            (0..200_000)
                .filter(|at| dirt.draw(FaultKind::OF_FILES, mix(*at)) == Some(kind))
                .count()
        };
        for kind in FaultKind::OF_FILES {
            assert!((3_700..4_300).contains(&picked(kind)), "{kind:?}");
        }
        assert_eq!(Dirt::none().draw(FaultKind::OF_ROWS, 0), None);
        assert!(!Dirt::none().has_row_faults() && !Dirt::none().has_file_faults());
    }

    #[test]
    fn shares_are_checked() {
        for dirt in [Dirt::none(), Dirt::light(), Dirt::heavy()] {
            dirt.check().unwrap();
        }
        let negative = Dirt {
            crlf: -0.1,
            ..Dirt::none()
        };
        let too_much = Dirt {
            nul_byte: 0.6,
            bad_time: 0.6,
            ..Dirt::none()
        };
        for dirt in [negative, too_much] {
            assert!(dirt.check().unwrap_err().report().contains("between 0 and 1"));
        }
        let read: Dirt = serde_json::from_str(r#"{"crlf": 0.25}"#).unwrap();
        assert_eq!(
            read,
            Dirt {
                crlf: 0.25,
                ..Dirt::none()
            }
        );
        assert!(serde_json::from_str::<Dirt>(r#"{"clrf": 0.25}"#).is_err());
    }
}
