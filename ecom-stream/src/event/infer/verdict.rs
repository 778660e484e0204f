//! What is known of one field of an event: nothing, the column that it is, or the columns that it may be.

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
    /// The format of a time, where it is a part of the reading.
    pub(super) format: Option<&'static str>,
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
            format: None,
            why: why.into(),
        }
    }
}
