//! What a pipeline is put together from, by name.

use super::error::{Error, ErrorKind, Result};

/// The named parts of a pipeline. The names are the keys of its positions and its state, so each must be unique.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    sources: Vec<SourceInfo>,
    operators: Vec<String>,
}

/// A source of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceInfo {
    /// The name, the same in every run.
    pub name: String,
    /// Where it reads: an absolute path, or another address. A sink refuses to go on from another location under the
    /// same name, since the positions it knows mean nothing there.
    pub location: String,
    /// Whether it takes away what it has read. Then no other pipeline may read there.
    pub is_owned: bool,
}

impl Topology {
    /// Adds a source.
    pub fn add_source(&mut self, name: impl Into<String>, location: impl Into<String>) {
        self.sources.push(SourceInfo {
            name: name.into(),
            location: location.into(),
            is_owned: false,
        });
    }

    /// Adds a source that takes away what it has read, and so must be the only one that reads there.
    pub fn add_owned_source(&mut self, name: impl Into<String>, location: impl Into<String>) {
        self.sources.push(SourceInfo {
            name: name.into(),
            location: location.into(),
            is_owned: true,
        });
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

    /// Checks that each name stands for one source, or one operator.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] that names the first one that is given twice.
    pub fn check(&self) -> Result<()> {
        let sources: Vec<&str> = self.sources.iter().map(|source| source.name.as_str()).collect();
        let operators: Vec<&str> = self.operators.iter().map(String::as_str).collect();
        for (what, names) in [("sources", sources), ("operators", operators)] {
            for (at, name) in names.iter().enumerate() {
                if names[..at].contains(name) {
                    let message = format!("two {what} of the pipeline are called {name:?}");
                    return Err(Error::new(ErrorKind::Configuration, message)
                        .hint("give each a name of its own: the ledger tells them apart by it"));
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
    fn a_name_given_twice_is_refused() {
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
