//! The topology: the named parts of a pipeline, as a sink sees them.

use super::directory_identity::DirectoryIdentity;
use super::error::{Error, ErrorKind, Result};

/// The named parts of a pipeline. Positions and state are stored under these names, so each name must be unique.
///
/// ```
/// use ecom_stream::Topology;
///
/// let mut topology = Topology::default();
/// topology.add_source("csv", "/data/in");
/// topology.add_operator("sessions");
/// assert!(topology.check().is_ok());
/// topology.add_source("csv", "/data/other");
/// assert!(topology.check().unwrap_err().to_string().contains("two sources"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    sources: Vec<SourceInfo>,
    operators: Vec<String>,
}

/// A source of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceInfo {
    /// The name, which is the same in every run.
    pub name: String,
    /// Where the source reads: an absolute path, or another address. A sink refuses to resume from another location under the same
    /// name, because the positions that it knows mean nothing there.
    pub location: String,
    /// Whether the source removes what it has read. Then no other pipeline may read there.
    pub is_owned: bool,
    /// What tells its directory from others, if it reads the files of one. Without it, locations are compared as they are.
    pub directory: Option<DirectoryIdentity>,
    /// The directory to which it moves the files that it has read, if it does. No other pipeline may read there: it would take
    /// them for new input.
    pub archive: Option<DirectoryIdentity>,
}

impl SourceInfo {
    /// A source that leaves what it reads where it is.
    ///
    /// ```
    /// let source = ecom_stream::SourceInfo::new("csv", "/data/in");
    /// assert!(!source.is_owned && source.directory.is_none() && source.archive.is_none());
    /// ```
    pub fn new(name: impl Into<String>, location: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            location: location.into(),
            is_owned: false,
            directory: None,
            archive: None,
        }
    }

    /// Whether both may read the same input.
    ///
    /// ```
    /// use ecom_stream::SourceInfo;
    ///
    /// let source = SourceInfo::new("orders", "topic/orders");
    /// assert!(source.overlaps(&SourceInfo::new("csv", "topic/orders")));
    /// assert!(!source.overlaps(&SourceInfo::new("orders", "topic/returns")));
    /// ```
    pub fn overlaps(&self, other: &Self) -> bool {
        match (&self.directory, &other.directory) {
            (Some(ours), Some(theirs)) => ours.overlaps(theirs),
            _ => self.location == other.location,
        }
    }

    /// Whether this one archives files to where `other` reads.
    pub fn archives_into(&self, other: &Self) -> bool {
        match (&self.archive, &other.directory) {
            (Some(archive), Some(read)) => archive.overlaps(read),
            (Some(archive), None) => archive.is_at(&other.location),
            (None, _) => false,
        }
    }
}

impl Topology {
    /// Adds a source.
    pub fn add_source(&mut self, name: impl Into<String>, location: impl Into<String>) {
        self.add(SourceInfo::new(name, location));
    }

    /// Adds a source that removes what it has read, so it must be the only one that reads there.
    pub fn add_owned_source(&mut self, name: impl Into<String>, location: impl Into<String>) {
        self.add(SourceInfo {
            is_owned: true,
            ..SourceInfo::new(name, location)
        });
    }

    /// Adds a source with all that is known of it.
    pub fn add(&mut self, source: SourceInfo) {
        self.sources.push(source);
    }

    /// Adds an operator that keeps state under `name`.
    pub fn add_operator(&mut self, name: impl Into<String>) {
        self.operators.push(name.into());
    }

    /// The sources.
    pub fn sources(&self) -> &[SourceInfo] {
        &self.sources
    }

    /// The operators that keep state.
    pub fn operators(&self) -> &[String] {
        &self.operators
    }

    /// Checks that no two sources, and no two operators, have the same name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] with the first name that is used twice.
    pub fn check(&self) -> Result<()> {
        let sources: Vec<&str> = self.sources.iter().map(|source| source.name.as_str()).collect();
        let operators: Vec<&str> = self.operators.iter().map(String::as_str).collect();
        for (what, names) in [("sources", sources), ("operators", operators)] {
            for (at, name) in names.iter().enumerate() {
                if names[..at].contains(name) {
                    let message = format!("two {what} of the pipeline are called {name:?}");
                    return Err(Error::new(ErrorKind::Configuration, message)
                        .hint("give each its own name: the ledger tells them apart by name"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_parts_with_the_same_name_are_refused() {
        let mut topology = Topology::default();
        topology.add_source("csv", "/a");
        topology.add_operator("csv");
        topology.check().unwrap();
        topology.add_source("csv", "/b");
        let err = topology.check().unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Configuration);
        assert!(err.to_string().contains("\"csv\""), "{err}");
    }
}
