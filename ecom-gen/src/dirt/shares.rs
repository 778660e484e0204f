//! How often each kind of fault occurs.

use ecom_stream::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::kind::FaultKind;
use crate::random::unit;

/// What is wrong with the files of a shop: each kind of fault with its share, all of them 0 unless set.
///
/// What is sent twice, late or out of order is a matter of [`Delivery`](crate::Delivery).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Dirt {
    /// Share of rows that lack their last fields.
    pub missing_field: f64,
    /// Share of rows with a text as quantity or price.
    pub wrong_type: f64,
    /// Share of rows of a type that doesn't exist.
    pub unknown_event_type: f64,
    /// Share of rows with a price below zero.
    pub negative_price: f64,
    /// Share of rows with a time that is none, or is absent, or of the year 1970.
    pub bad_time: f64,
    /// Share of rows with a byte that is not UTF-8.
    pub invalid_utf8: f64,
    /// Share of rows with a NUL byte.
    pub nul_byte: f64,
    /// Share of rows with text after a closing quote.
    pub text_after_quote: f64,
    /// Share of files with a quote in the last record that is never closed.
    pub unterminated_quote: f64,
    /// Share of files whose last line is cut off.
    pub torn_last_line: f64,
    /// Share of files that begin with a byte order mark.
    pub byte_order_mark: f64,
    /// Share of files with lines that end in CR LF.
    pub crlf: f64,
    /// Share of files that lack a column which is required.
    pub missing_column: f64,
    /// Share of files without a byte.
    pub empty_file: f64,
    /// Share of files without a row.
    pub header_only: f64,
    /// Share of files that are there with some of their rows at first, and are replaced under their name by one with all
    /// of them, in another order, when the next file is there. They have at most 20,000 rows and no other fault.
    pub rewritten: f64,
}

impl Dirt {
    /// Clean files.
    pub fn none() -> Self {
        Self::default()
    }

    /// As much as a good pipeline sees: of each kind one row in 5,000, or one file in 500.
    pub fn light() -> Self {
        Self::of(0.000_2, 0.002)
    }

    /// Of each kind one row in 200, or one file in 50.
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

    /// The share of a kind.
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

    /// Whether the shares are shares.
    ///
    /// # Errors
    ///
    /// When one lies outside 0 to 1, or those of rows or of files are more than 1 together.
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
                let message = format!("the shares of {what} with a fault are {set:?}, {sum} together");
                return Err(Error::new(ErrorKind::Configuration, message)
                    .hint("each lies between 0 and 1, and so does their sum"));
            }
        }
        Ok(())
    }

    /// Which of the kinds it is, if any, for a number from which the dice are thrown.
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
    fn each_kind_comes_by_its_share() {
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
