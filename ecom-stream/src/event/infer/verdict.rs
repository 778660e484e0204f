//! What is known of one field of an event: nothing, the column that it is, or the columns that it may be.

use super::time_reading::TimeReading;

/// Which column a field is taken from.
#[derive(Debug, Default)]
pub(super) enum Verdict {
    /// No column looks like the field.
    #[default]
    Unknown,
    /// One column is the field, and nothing that was seen speaks against it.
    Clear {
        column: usize,
        /// What a person should know, one comment each.
        notes: Vec<String>,
    },
    /// There are rivals, or something speaks against the only candidate. A person must decide.
    Doubtful(Vec<Candidate>),
}

/// A reading of a column that may be the right one for a field.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) column: usize,
    /// How a time is read from it, and perhaps from others.
    pub(super) time: Option<TimeReading>,
    /// Why it may be wrong, or what it would mean.
    pub(super) why: String,
}

impl Verdict {
    /// A column without anything to say about it.
    pub(super) fn clear(column: usize) -> Self {
        Self::Clear {
            column,
            notes: Vec::new(),
        }
    }

    /// The column, if it is clear.
    pub(super) fn column(&self) -> Option<usize> {
        match self {
            Self::Clear { column, .. } => Some(*column),
            Self::Unknown | Self::Doubtful(_) => None,
        }
    }

    /// Whether the column is the field, or a part of a reading that may be.
    pub(super) fn has(&self, column: usize) -> bool {
        let in_time = |candidate: &Candidate| {
            candidate
                .time
                .as_ref()
                .is_some_and(|time| time.columns.contains(&column))
        };
        let is_joined = matches!(self, Self::Doubtful(candidates) if candidates.iter().any(in_time));
        is_joined || self.columns().contains(&column)
    }

    /// The columns that it is or may be, the likeliest first.
    pub(super) fn columns(&self) -> Vec<usize> {
        match self {
            Self::Unknown => Vec::new(),
            Self::Clear { column, .. } => vec![*column],
            Self::Doubtful(candidates) => candidates.iter().map(|candidate| candidate.column).collect(),
        }
    }
}

impl Candidate {
    pub(super) fn new(column: usize, why: impl Into<String>) -> Self {
        Self {
            column,
            time: None,
            why: why.into(),
        }
    }
}
