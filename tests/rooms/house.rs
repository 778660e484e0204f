//! A crate as a house: its files, and the arrows from each to those that it takes names from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path as FilePath;

use crate::source::{Path, Source};

/// A file of a crate and another that it takes something from, by their modules.
pub(crate) type Arrow = (Path, Path);

/// The files of a crate, by their modules; that of `lib.rs` or `main.rs` is empty.
#[derive(Debug, Default)]
pub(crate) struct House {
    files: BTreeMap<Path, Source>,
    /// Modules that are there for tests alone.
    for_tests: BTreeSet<Path>,
}

impl House {
    /// Reads the crate whose root is the file `root`.
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

    /// Reads the crate whose modules have the texts that `read` gives.
    pub(crate) fn from_texts(read: impl Fn(&[String]) -> String) -> Self {
        let mut house = Self::default();
        let mut to_read = vec![(Path::new(), false)];
        while let Some((module, is_test)) = to_read.pop() {
            let source = Source::parse(&read(&module), &module).unwrap_or_else(|err| panic!("{module:?}: {err}"));
            for (child, child_is_test) in &source.children {
                let child = [module.as_slice(), std::slice::from_ref(child)].concat();
                to_read.push((child, is_test || *child_is_test));
            }
            if is_test {
                house.for_tests.insert(module.clone());
            }
            house.files.insert(module, source);
        }
        house
    }

    /// The rooms: what the root of the crate declares.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &str> {
        self.files[&Path::new()].children.keys().map(String::as_str)
    }

    pub(crate) fn is_for_tests(&self, module: &[String]) -> bool {
        self.for_tests.contains(module)
    }

    /// Every arrow, but those of the root of the crate.
    pub(crate) fn arrows(&self) -> BTreeSet<Arrow> {
        let mut arrows = BTreeSet::new();
        for (module, source) in self.files.iter().filter(|(module, _)| !module.is_empty()) {
            // What a module hands out of itself is no arrow.
            let from_elsewhere = source.hands_out.iter().filter(|path| !path.starts_with(module));
            for path in source.takes.iter().chain(from_elsewhere) {
                if let Some(target) = self.definer(path)
                    && target != *module
                {
                    arrows.insert((module.clone(), target));
                }
            }
        }
        arrows
    }

    /// What files, but those of tests, take from the face of the crate and not from the room that has it.
    pub(crate) fn taken_from_the_face(&self) -> Vec<String> {
        let root = &self.files[&Path::new()];
        let exported: BTreeSet<&String> = self.files.values().flat_map(|source| &source.exports).collect();
        let mut found = Vec::new();
        for (module, source) in self
            .files
            .iter()
            .filter(|(at, _)| !at.is_empty() && !self.is_for_tests(at))
        {
            for path in source.takes.iter().chain(&source.hands_out) {
                let first = &path[0];
                if !root.children.contains_key(first) && !exported.contains(first) {
                    found.push(format!("{} takes crate::{}", module.join("::"), path.join("::")));
                }
            }
        }
        found
    }

    /// The file that defines what a path leads to, through all that hands it on.
    fn definer(&self, path: &[String]) -> Option<Path> {
        let mut module = Path::new();
        let mut rest = path.to_vec();
        // A name that is handed on in a circle would never end.
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
                // A macro of the root; else a name by a glob, or one that a macro makes.
                let exporter = self.files.iter().find(|(_, source)| source.exports.contains(name));
                return exporter
                    .map(|(at, _)| at.clone())
                    .or((!module.is_empty()).then_some(module));
            }
        }
        None
    }

    /// Files that take from each other, directly or through others.
    pub(crate) fn circles(&self) -> Vec<Vec<String>> {
        let arrows = self.arrows();
        let mut reaches: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
        for module in self.files.keys() {
            let mut seen = BTreeSet::new();
            let mut to_see = vec![module];
            while let Some(at) = to_see.pop() {
                for (_, target) in arrows.iter().filter(|(from, _)| from == at) {
                    if seen.insert(target) {
                        to_see.push(target);
                    }
                }
            }
            reaches.insert(module, seen);
        }
        let mut circles = BTreeSet::new();
        for (module, reached) in &reaches {
            if reached.contains(module) {
                let both = reached.iter().filter(|other| reaches[**other].contains(module));
                circles.insert(both.map(|path| path.join("::")).collect::<Vec<_>>());
            }
        }
        circles.into_iter().collect()
    }
}
