use std::collections::HashMap;

/// Where a column of an event comes from, and what is done to its values.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a field does nothing until it is in a mapping"]
pub struct Field {
    pub(super) source: FieldSource,
    pub(super) values: HashMap<String, String>,
    pub(super) default: Option<String>,
    pub(super) optional: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FieldSource {
    Column(String),
    Path(String),
    Constant(String),
}

impl Field {
    /// The values of that column of the file, which must have one of that name.
    pub fn column(name: impl Into<String>) -> Self {
        Self::from_source(FieldSource::Column(name.into()))
    }

    /// What the directories of the file say: `date` is `2026-11-01` in `date=2026-11-01/hour=09/a.csv`.
    pub fn path(key: impl Into<String>) -> Self {
        Self::from_source(FieldSource::Path(key.into()))
    }

    /// The same value in every event.
    pub fn constant(value: impl Into<String>) -> Self {
        Self::from_source(FieldSource::Constant(value.into()))
    }

    fn from_source(source: FieldSource) -> Self {
        Self {
            source,
            values: HashMap::new(),
            default: None,
            optional: false,
        }
    }

    /// `theirs` means `ours`; values without such a word stay as they are.
    pub fn value(mut self, theirs: impl Into<String>, ours: impl Into<String>) -> Self {
        self.values.insert(theirs.into(), ours.into());
        self
    }

    /// Where the file has no value it is this one. Each default is [said](crate::Mapping::notes).
    pub fn default_value(mut self, value: impl Into<String>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// Whether files without this column are read too, with no value or the default; `false` unless it is set.
    pub fn optional(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }
}

impl FieldSource {
    pub(super) fn column(&self) -> Option<&str> {
        match self {
            Self::Column(name) => Some(name),
            Self::Path(_) | Self::Constant(_) => None,
        }
    }

    pub(super) fn constant(&self) -> Option<&str> {
        match self {
            Self::Constant(value) => Some(value),
            Self::Column(_) | Self::Path(_) => None,
        }
    }
}
