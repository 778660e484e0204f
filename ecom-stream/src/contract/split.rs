//! Splits and positions: what is read, and how far.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

/// What a source reads in order and can resume, such as one CSV file. Cheap to clone.
///
/// A file that is rewritten under its name is read again from the start as the next *generation* of the same path: to
/// the sink that is another split, with counts of its own.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Split(Arc<Identity>);

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct Identity {
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
        Self(Arc::new(Identity {
            source: source.into(),
            path: path.into(),
            generation,
        }))
    }

    /// The name of the source, unique in its pipeline.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// What the source calls it: for a directory of files the name of the file.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// How often the path had been given new content before; 0 for the first.
    pub fn generation(&self) -> u32 {
        self.0.generation
    }

    /// The same path with new content.
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
    /// Where reading resumes; for a file the number of bytes before it.
    pub offset: u64,
    /// How many records lie before `offset`, so the number of the last record that was read.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SplitState {
    /// There may be more.
    Open,
    /// Read to its end.
    Finished,
    /// Read up to damage that nothing behind it can be trusted for. What was read before stays.
    Damaged(Refusal),
    /// Not read at all, because nothing in it can be used.
    SetAside(Refusal),
}

impl SplitState {
    /// The word for it in a ledger: `open`, `finished`, `damaged` or `set_aside`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Finished => "finished",
            Self::Damaged(_) => "damaged",
            Self::SetAside(_) => "set_aside",
        }
    }

    /// Why a damaged split, or one set aside, is not read on.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Damaged(refusal) | Self::SetAside(refusal) => Some(refusal),
            Self::Open | Self::Finished => None,
        }
    }
}

/// What a source needs to recognise a split again: a JSON object, opaque to the sink, which keeps it with the position
/// and hands it back unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(Option<Box<str>>);

impl Mark {
    /// No mark: for sources that know their splits by name.
    pub const NONE: Self = Self(None);

    /// A mark from the text of a JSON object, which must have no `\u0000` in it: PostgreSQL can't take that apart.
    pub fn new(json: impl Into<Box<str>>) -> Self {
        Self(Some(json.into()))
    }

    /// The JSON text, if there is a mark.
    pub fn as_json(&self) -> Option<&str> {
        self.0.as_deref()
    }
}
