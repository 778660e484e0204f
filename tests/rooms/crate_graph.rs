//! The files of a crate, and the dependencies between them: which file uses names of which other file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path as FilePath;

use crate::source::{Path, Source};

/// A file, and another file of the same crate from which it uses a name, by their module paths.
pub(crate) type Dependency = (Path, Path);

/// The files of a crate, by module path. The path of the root, `lib.rs` or `main.rs`, is empty.
#[derive(Debug, Default)]
pub(crate) struct CrateGraph {
    files: BTreeMap<Path, Source>,
    /// Modules that are compiled for tests only.
    for_tests: BTreeSet<Path>,
}

impl CrateGraph {
    /// Reads the crate whose root is the file `root`, with all its modules.
    pub(crate) fn read(root: &FilePath) -> Self {
        let dir = root.parent().unwrap();
        let read = |module: &[String]| {
            if module.is_empty() {
                return fs::read_to_string(root).unwrap();
            }
            let path = module.iter().fold(dir.to_owned(), |path, name| path.join(name));
            fs::read_to_string(path.with_extension("rs"))
                .or_else(|_| fs::read_to_string(path.join("mod.rs")))
                .unwrap_or_else(|err| panic!("{}: {err}", path.display()))
        };
        Self::from_texts(read)
    }

    /// Builds the graph of a crate. `read` returns the text of a module.
    pub(crate) fn from_texts(read: impl Fn(&[String]) -> String) -> Self {
        let mut graph = Self::default();
        let mut to_read = vec![(Path::new(), false)];
        while let Some((module, is_test)) = to_read.pop() {
            let source = Source::parse(&read(&module), &module).unwrap_or_else(|err| panic!("{module:?}: {err}"));
            for (child, child_is_test) in &source.children {
                let child = [module.as_slice(), std::slice::from_ref(child)].concat();
                to_read.push((child, is_test || *child_is_test));
            }
            if is_test {
                graph.for_tests.insert(module.clone());
            }
            graph.files.insert(module, source);
        }
        graph
    }

    /// The rooms: the modules that the root of the crate declares.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &str> {
        self.files[&Path::new()].children.keys().map(String::as_str)
    }

    pub(crate) fn is_for_tests(&self, module: &[String]) -> bool {
        self.for_tests.contains(module)
    }

    /// All dependencies between files, except those of the root of the crate.
    pub(crate) fn dependencies(&self) -> BTreeSet<Dependency> {
        let mut dependencies = BTreeSet::new();
        for (module, source) in self.files.iter().filter(|(module, _)| !module.is_empty()) {
            // A re-export from below the module itself is no dependency.
            let from_elsewhere = source.re_exports.iter().filter(|path| !path.starts_with(module));
            for path in source.uses.iter().chain(from_elsewhere) {
                if let Some(target) = self.defining_file(path)
                    && target != *module
                {
                    dependencies.insert((module.clone(), target));
                }
            }
        }
        dependencies
    }

    /// Names that files, except those of tests, import from the root of the crate instead of the room that defines them.
    pub(crate) fn imports_from_root(&self) -> Vec<String> {
        let root = &self.files[&Path::new()];
        let exported: BTreeSet<&String> = self.files.values().flat_map(|source| &source.exports).collect();
        let mut found = Vec::new();
        for (module, source) in self
            .files
            .iter()
            .filter(|(at, _)| !at.is_empty() && !self.is_for_tests(at))
        {
            for path in source.uses.iter().chain(&source.re_exports) {
                let first = &path[0];
                if !root.children.contains_key(first) && !exported.contains(first) {
                    found.push(format!("{} uses crate::{}", module.join("::"), path.join("::")));
                }
            }
        }
        found
    }

    /// The file that defines the item of a path, found by following re-exports.
    fn defining_file(&self, path: &[String]) -> Option<Path> {
        let mut module = Path::new();
        let mut rest = path.to_vec();
        // The bound ends the search if names re-export each other in a cycle.
        for _ in 0..100 {
            let source = &self.files[&module];
            let Some(name) = rest.first() else { return Some(module) };
            if source.children.contains_key(name) {
                module.push(rest.remove(0));
            } else if source.defines.contains(name) {
                return Some(module);
            } else if let Some(from) = source.names.get(name) {
                rest = [from.as_slice(), &rest[1..]].concat();
                module.clear();
            } else if name == "*" {
                return Some(module);
            } else {
                // A macro that is exported to the root; otherwise a name from a glob import, or one that a macro defines.
                let exporter = self.files.iter().find(|(_, source)| source.exports.contains(name));
                return exporter
                    .map(|(at, _)| at.clone())
                    .or((!module.is_empty()).then_some(module));
            }
        }
        None
    }

    /// Groups of files that use each other, directly or through others.
    pub(crate) fn cycles(&self) -> Vec<Vec<String>> {
        let dependencies = self.dependencies();
        let mut reaches: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
        for module in self.files.keys() {
            let mut seen = BTreeSet::new();
            let mut to_visit = vec![module];
            while let Some(at) = to_visit.pop() {
                for (_, target) in dependencies.iter().filter(|(from, _)| from == at) {
                    if seen.insert(target) {
                        to_visit.push(target);
                    }
                }
            }
            reaches.insert(module, seen);
        }
        let mut cycles = BTreeSet::new();
        for (module, reached) in &reaches {
            if reached.contains(module) {
                let both = reached.iter().filter(|other| reaches[**other].contains(module));
                cycles.insert(both.map(|path| path.join("::")).collect::<Vec<_>>());
            }
        }
        cycles.into_iter().collect()
    }
}
