//! Splits and positions: what a source reads, and how far it has read.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

/// A part of the input that a source reads in order and can resume, such as one CSV file. Cheap to clone.
///
/// A file that is rewritten under the same name is read again from the start, as the next *generation* of the same path. To the
/// sink that is another split, with its own counts.
///
/// ```
/// use ecom_stream::Split;
///
/// let split = Split::new("csv", "2026/orders.csv");
/// assert_eq!(split.to_string(), "csv:2026/orders.csv");
/// assert_eq!(split.next_generation().to_string(), "csv:2026/orders.csv#1");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Split(Arc<Inner>);

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct Inner {
    source: Arc<str>,
    path: String,
    generation: u32,
}

impl Split {
    /// The first generation of `path` in the source of that name.
    pub fn new(source: impl Into<Arc<str>>, path: impl Into<String>) -> Self {
        Self::with_generation(source, path, 0)
    }

    /// A given generation of `path`.
    pub fn with_generation(source: impl Into<Arc<str>>, path: impl Into<String>, generation: u32) -> Self {
        Self(Arc::new(Inner {
            source: source.into(),
            path: path.into(),
            generation,
        }))
    }

    /// The name of the source, unique in its pipeline.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The name of the split in its source: for a directory of files, the path of the file in it.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// How many times the content under this path was replaced before; 0 for the first content.
    pub fn generation(&self) -> u32 {
        self.0.generation
    }

    /// The next generation: the same path with new content.
    #[must_use]
    pub fn next_generation(&self) -> Self {
        Self::with_generation(self.0.source.clone(), self.0.path.clone(), self.0.generation + 1)
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.source, self.0.path)?;
        match self.0.generation {
            0 => Ok(()),
            n => write!(f, "#{n}"),
        }
    }
}

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Split({self})")
    }
}

/// How far a split was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Position {
    /// The split.
    pub split: Split,
    /// Where reading resumes; for a file, the number of bytes before that place.
    pub offset: u64,
    /// How many records are before `offset`, which is also the number of the last record that was read.
    pub record: u64,
    /// Whether there is more to read.
    pub state: SplitState,
    /// What the source needs to recognise the split again.
    pub mark: Mark,
}

impl Position {
    /// After `record` records, which end at `offset`. The split is open, and the position has no mark.
    pub fn new(split: Split, offset: u64, record: u64) -> Self {
        Self {
            split,
            offset,
            record,
            state: SplitState::Open,
            mark: Mark::NONE,
        }
    }

    /// The same position of a split in that state.
    #[must_use]
    pub fn with_state(mut self, state: SplitState) -> Self {
        self.state = state;
        self
    }

    /// The same position with that mark.
    #[must_use]
    pub fn with_mark(mut self, mark: Mark) -> Self {
        self.mark = mark;
        self
    }
}

/// Whether a split has more to read.
///
/// ```
/// use ecom_stream::{Reason, Refusal, SplitState};
///
/// let state = SplitState::SetAside(Refusal::new(Reason::COLUMN_MISSING, "no column user_id"));
/// assert_eq!(state.as_str(), "set_aside");
/// assert_eq!(state.refusal().unwrap().reason, Reason::COLUMN_MISSING);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SplitState {
    /// There may be more to read.
    Open,
    /// The split was read to its end.
    Finished,
    /// The split was read up to a damage after which nothing can be trusted. The records before it stay.
    Damaged(Refusal),
    /// The split was not read at all, because nothing in it can be used, for example because its header lacks a column.
    SetAside(Refusal),
    /// Nothing of the split was stored, and its records are read again as those of another split. Its rejects are withdrawn in
    /// the commit of this state, and its records do not count any more.
    ///
    /// Only splits for which [`Ledger::nothing_stored`](super::Ledger::nothing_stored) has answered get it.
    Withdrawn,
}

impl SplitState {
    /// The word that a ledger stores for it: `open`, `finished`, `damaged`, `set_aside` or `withdrawn`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Finished => "finished",
            Self::Damaged(_) => "damaged",
            Self::SetAside(_) => "set_aside",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Why a split that is damaged or set aside is not read further.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Damaged(refusal) | Self::SetAside(refusal) => Some(refusal),
            Self::Open | Self::Finished | Self::Withdrawn => None,
        }
    }
}

/// What a source needs to recognise a split again: a JSON object. A sink does not look into it: it stores the mark with the
/// position and returns it unchanged.
///
/// ```
/// use ecom_stream::Mark;
///
/// assert_eq!(Mark::new(r#"{"inode":7}"#).as_json(), Some(r#"{"inode":7}"#));
/// assert_eq!(Mark::NONE.as_json(), None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(Option<Box<str>>);

impl Mark {
    /// No mark: for sources that recognise their splits by name.
    pub const NONE: Self = Self(None);

    /// A mark with the text of a JSON object. The text must not contain `\u0000`, which PostgreSQL's `jsonb` can't hold.
    pub fn new(json: impl Into<Box<str>>) -> Self {
        Self(Some(json.into()))
    }

    /// The JSON text, if there is a mark.
    pub fn as_json(&self) -> Option<&str> {
        self.0.as_deref()
    }
}
