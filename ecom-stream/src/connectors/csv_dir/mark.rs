use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};

use crate::contract::{Mark, Position};
use crate::csv::Dialect;

/// What tells cheaply whether a file may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) size: u64,
    pub(super) mtime_ns: i64,
    pub(super) inode: u64,
}

/// How a file is known again: kept with its position, as JSON, so that it can be read in the ledger too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileMark {
    #[serde(flatten)]
    pub(super) stamp: Stamp,
    /// BLAKE3 of everything before the offset, in hex.
    pub(super) digest: String,
    /// Whether the last record was taken although it had no terminator.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) unterminated: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) blank_lines: u64,
    /// Whether it changed while it was read up to damage: then its stamp says nothing, and it is looked at again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) changing: bool,
    /// The path of the split that had the same bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) copy_of: Option<String>,
    /// The path under which reading went on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) renamed_to: Option<String>,
    /// Of a file that was set aside: how its header was read.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) layout: Option<String>,
    /// The names in its header, by which rejects of it can be mended when the file is gone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) columns: Vec<String>,
    /// Columns that the schema doesn't know.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) ignored_columns: Vec<String>,
    /// Whether a mapping makes events of its records: then nothing else may, when a reject of it is mended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) mapped: bool,
    /// The fingerprint of that mapping, by which another is noticed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) mapping: Option<String>,
    /// How rejects of it are to be taken apart; the default says nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) written: Option<Written>,
}

/// What parts and quotes the fields of a file, where that isn't commas and double quotes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) delimiter: char,
    pub(super) quote: Option<char>,
}

impl Written {
    pub(super) fn of(dialect: &Dialect) -> Option<Self> {
        let (common, of) = (Dialect::default(), dialect);
        ((of.delimiter, of.quote) != (common.delimiter, common.quote)).then(|| Self {
            delimiter: char::from(of.delimiter),
            quote: of.quote.map(char::from),
        })
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.len(),
            mtime_ns: metadata
                .mtime()
                .saturating_mul(1_000_000_000)
                .saturating_add(metadata.mtime_nsec()),
            inode: metadata.ino(),
        }
    }
}

impl FileMark {
    /// The mark of a position that this source made; `None` for one that it didn't make.
    pub(super) fn of(position: &Position) -> Option<Self> {
        serde_json::from_str(position.mark.as_json()?).ok()
    }

    pub(super) fn to_mark(&self) -> Mark {
        // A struct of numbers and strings always has a JSON form.
        serde_json::to_string(self).map_or(Mark::NONE, Mark::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Split, SplitState};

    #[test]
    fn marks_round_trip() {
        let mark = FileMark {
            stamp: Stamp {
                size: u64::MAX >> 1,
                mtime_ns: i64::MIN,
                inode: u64::MAX,
            },
            digest: "ab".into(),
            unterminated: true,
            blank_lines: 3,
            changing: true,
            copy_of: Some("b.csv".into()),
            renamed_to: Some("c.csv".into()),
            layout: Some("ab".into()),
            columns: vec!["\"x\"".into(), "y".into()],
            ignored_columns: vec!["\"x\"".into()],
            mapped: true,
            mapping: Some("cd".into()),
            written: Written::of(&Dialect::default().delimiter(b'\t').quote(None)),
        };
        let position = Position {
            split: Split::new("csv", "a.csv"),
            offset: 1,
            record: 1,
            state: SplitState::Open,
            mark: mark.to_mark(),
        };
        assert_eq!(FileMark::of(&position), Some(mark));
    }
}
