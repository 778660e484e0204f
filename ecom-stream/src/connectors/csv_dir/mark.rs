//! The mark of a file: what the ledger keeps with a position, so that the file is recognized in a later run.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contract::{Mark, Position, Reason, SplitState};
use crate::csv::Dialect;

/// Size, modification time, inode and change time of a file. A file with the same values counts as unchanged and is not read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct FileStat {
    /// In bytes, compressed if the file is.
    pub(super) size: u64,
    /// In nanoseconds since 1970.
    pub(super) mtime_ns: i64,
    pub(super) inode: u64,
    /// When content or metadata last changed, in nanoseconds since 1970. Unlike the modification time it cannot be set, so it also
    /// tells of content that was written in place with the old size and time. `None` in the marks of earlier versions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) ctime_ns: Option<i64>,
}

/// File systems take their times from a clock that ticks this often, or more often.
const TICK_NS: i64 = 20_000_000;
/// The same for file systems that have only whole seconds, or even ones.
const COARSE_TICK_NS: i64 = 2_000_000_000;

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
    /// Whether the file changed while it was read, and ended in damage or in other content. Then an equal `stat` means nothing,
    /// and the next scan reads the file again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) changing: bool,
    /// The path of the finished split with the same bytes, if this file is a copy.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) copy_of: Option<String>,
    /// The path under which reading went on, if the file was renamed before it was finished.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) renamed_to: Option<String>,
    /// For a file that was set aside, or ended because of its encoding: the hash of the columns and the dialect that its header was
    /// checked against. A run with another hash tries the file again.
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

/// How the fields of a file are told apart that does not use commas and double quotes only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MarkDialect {
    pub(super) delimiter: char,
    /// `None` if fields are never quoted.
    pub(super) quote: Option<char>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) escape: Option<char>,
    /// Whether blanks around values count as nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) trim: bool,
}

impl MarkDialect {
    /// What a mark says about `dialect`; `None` if that is the default one.
    pub(super) fn of(dialect: &Dialect) -> Option<Self> {
        let (common, of) = (Dialect::default(), dialect);
        let told_apart = |by: &Dialect| (by.delimiter, by.quote, by.escape, by.trim);
        (told_apart(of) != told_apart(&common)).then(|| Self {
            delimiter: char::from(of.delimiter),
            quote: of.quote.map(char::from),
            escape: of.escape.map(char::from),
            trim: of.trim,
        })
    }
}

/// Whether a split with this state may be read further by another dialect.
pub(super) fn depends_on_dialect(state: &SplitState) -> bool {
    match state {
        SplitState::SetAside(_) => true,
        SplitState::Damaged(refusal) => refusal.reason == Reason::WRONG_ENCODING,
        SplitState::Open | SplitState::Finished | SplitState::Withdrawn => false,
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl FileStat {
    /// Takes the values from the metadata of the system.
    pub(super) fn of(metadata: &Metadata) -> Self {
        let ns = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            size: metadata.len(),
            mtime_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            inode: metadata.ino(),
            ctime_ns: Some(ns(metadata.ctime(), metadata.ctime_nsec())),
        }
    }

    /// Whether nothing tells that the content changed between `self` and `other`.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.is_same_but_ctime(other)
            && (self.ctime_ns == other.ctime_ns || self.ctime_ns.is_none() || other.ctime_ns.is_none())
    }

    /// The same, but for the change time, which changes when a file is renamed or linked.
    pub(super) fn is_same_but_ctime(&self, other: &Self) -> bool {
        (self.size, self.mtime_ns, self.inode) == (other.size, other.mtime_ns, other.inode)
    }

    /// For how long after its last change another one may leave these values as they are: one tick of the file system's clock.
    pub(super) fn tick(&self) -> Duration {
        Duration::from_nanos(self.tick_ns().unsigned_abs())
    }

    fn tick_ns(&self) -> i64 {
        match self.changed_ns() % 1_000_000_000 {
            0 => COARSE_TICK_NS,
            _ => TICK_NS,
        }
    }

    fn changed_ns(&self) -> i64 {
        self.ctime_ns.unwrap_or(self.mtime_ns)
    }

    /// Whether a change after `wall_ns`, a time of the wall clock, would change these values.
    pub(super) fn tells_changes_after(&self, wall_ns: i64) -> bool {
        wall_ns.saturating_sub(self.changed_ns()).saturating_abs() > self.tick_ns()
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
    use crate::contract::Split;

    #[test]
    fn a_mark_without_a_change_time_is_that_of_any() {
        let mark: FileMark = serde_json::from_str(r#"{"size":172,"mtime_ns":5,"inode":13,"digest":"af"}"#).unwrap();
        let now = FileStat {
            ctime_ns: Some(7),
            ..mark.stat
        };
        assert!(mark.stat.is_same(&now) && mark.stat != now);
        let later = FileStat {
            ctime_ns: Some(8),
            ..now
        };
        assert!(!now.is_same(&later) && now.is_same_but_ctime(&later));
    }

    #[test]
    fn a_change_is_told_once_the_clock_has_ticked() {
        let changed = |ctime_ns| FileStat {
            size: 0,
            mtime_ns: 0,
            inode: 1,
            ctime_ns: Some(ctime_ns),
        };
        for (at, tick) in [(5_000_000_001, TICK_NS), (6_000_000_000, COARSE_TICK_NS)] {
            let stat = changed(at);
            assert!(!stat.tells_changes_after(at + tick) && stat.tells_changes_after(at + tick + 1));
            // A clock that was set back does not reach it for a while.
            assert!(stat.tells_changes_after(at - tick - 1));
        }
    }

    #[test]
    fn a_mark_comes_back_equal_from_its_json() {
        let mark = FileMark {
            stat: FileStat {
                size: u64::MAX >> 1,
                mtime_ns: i64::MIN,
                inode: u64::MAX,
                ctime_ns: Some(i64::MAX),
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
            dialect: MarkDialect::of(&Dialect::default().delimiter(b'\t').escape(Some(b'\\')).trim(true)),
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
