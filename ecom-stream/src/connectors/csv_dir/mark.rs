//! The mark of a file: what the ledger keeps with a position, so that the file is recognized in a later run.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};

use crate::contract::{Mark, Position};
use crate::csv::Dialect;

/// Size, modification time and inode of a file. A file with the same values counts as unchanged and is not read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct FileStat {
    /// In bytes, compressed if the file is.
    pub(super) size: u64,
    /// In nanoseconds since 1970.
    pub(super) mtime_ns: i64,
    pub(super) inode: u64,
}

/// What the source must know about a file in a later run: the [`Mark`] of its position, as JSON.
///
/// Fields that have their default value are left out. The ledger's views and the console read some of the keys, and stored
/// marks must stay readable: the keys never change, whatever the fields are called here. A new field needs a default.
///
/// ```json
/// {"size":172,"mtime_ns":1793534400000000000,"inode":13,"digest":"af13…","columns":["event_time","event_type"]}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileMark {
    /// What the file was like when it was read up to this position.
    #[serde(flatten)]
    pub(super) stat: FileStat,
    /// The BLAKE3 digest of everything before the offset, decompressed, in hexadecimal.
    pub(super) digest: String,
    /// Whether the last record was accepted although no line end follows it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) unterminated: bool,
    /// Whether everything was read but a last record that no line end follows yet, and that waits for one. Then nothing more can
    /// be read as long as `stat` stays.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) waits_for_line_end: bool,
    /// The number of blank lines before the offset.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) blank_lines: u64,
    /// Whether the file changed while it was read, and ended in damage. Then an equal `stat` means nothing, and the next scan
    /// reads the file again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) changing: bool,
    /// The path of the finished split with the same bytes, if this file is a copy.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) copy_of: Option<String>,
    /// The path under which reading went on, if the file was renamed before it was finished.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) renamed_to: Option<String>,
    /// For a file that was set aside: the hash of the columns and the dialect that its header was checked against. A run
    /// with another hash tries the file again.
    #[serde(rename = "layout", default, skip_serializing_if = "is_default")]
    pub(super) header_hash: Option<String>,
    /// The column names of its header. A reject can be corrected and retried by them when the file is gone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) columns: Vec<String>,
    /// The columns that the schema does not know.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) ignored_columns: Vec<String>,
    /// Whether a mapping makes events from its records. Then a reject of it can be retried with that mapping only.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) mapped: bool,
    /// The fingerprint of that mapping.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) mapping: Option<String>,
    /// How the fields of a reject are separated; `None` for the default dialect.
    #[serde(rename = "written", default, skip_serializing_if = "is_default")]
    pub(super) dialect: Option<MarkDialect>,
}

/// Delimiter and quote character of a file that does not use commas and double quotes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MarkDialect {
    pub(super) delimiter: char,
    /// `None` if fields are never quoted.
    pub(super) quote: Option<char>,
}

impl MarkDialect {
    /// What a mark says about `dialect`; `None` if that is the default one.
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

impl FileStat {
    /// Takes the values from the metadata of the system.
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
    /// Reads the mark of a position; `None` if another kind of source made it.
    pub(super) fn of(position: &Position) -> Option<Self> {
        serde_json::from_str(position.mark.as_json()?).ok()
    }

    /// The JSON that the ledger stores.
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
    fn a_mark_comes_back_equal_from_its_json() {
        let mark = FileMark {
            stat: FileStat {
                size: u64::MAX >> 1,
                mtime_ns: i64::MIN,
                inode: u64::MAX,
            },
            digest: "ab".into(),
            unterminated: true,
            waits_for_line_end: true,
            blank_lines: 3,
            changing: true,
            copy_of: Some("b.csv".into()),
            renamed_to: Some("c.csv".into()),
            header_hash: Some("ab".into()),
            columns: vec!["\"x\"".into(), "y".into()],
            ignored_columns: vec!["\"x\"".into()],
            mapped: true,
            mapping: Some("cd".into()),
            dialect: MarkDialect::of(&Dialect::default().delimiter(b'\t').quote(None)),
        };
        let position = Position {
            split: Split::new("csv", "a.csv"),
            offset: 1,
            record: 1,
            state: SplitState::Open,
            mark: mark.to_mark(),
        };
        assert_eq!(FileMark::of(&position), Some(mark));
        // Marks are stored, and views read them: these keys are other than the names of the fields.
        let json = position.mark.as_json().unwrap();
        assert!(
            json.contains(r#""layout":"ab""#) && json.contains(r#""written":{"#),
            "{json}"
        );
    }
}
