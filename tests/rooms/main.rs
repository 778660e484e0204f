//! Checks the structure of the crates against ARCHITECTURE.md.
//!
//! Rooms are the modules that the root of a crate declares. A room uses only rooms below it, no two files use each other, and no file
//! imports a name from the root of its crate, which only re-exports.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod architecture_page;
mod crate_graph;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate_graph::CrateGraph;

/// The crates whose floors are checked, and their root files.
const CRATES: &[(&str, &str)] = &[
    ("ecom-stream", "lib.rs"),
    ("ecom-gen", "lib.rs"),
    ("ecom-sink-pg", "lib.rs"),
    ("ecom-ingest", "lib.rs"),
];

/// Programs: their files must not form cycles either.
const PROGRAMS: &[(&str, &str)] = &[("ecom-gen", "bin/ecom-gen/main.rs"), ("ecom-ingest", "main.rs")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn graph(name: &str, file: &str) -> CrateGraph {
    CrateGraph::read(&root().join(name).join("src").join(file))
}

/// Dependencies on rooms that are not below.
fn upward_dependencies(graph: &CrateGraph, stacks: &[Vec<Vec<String>>]) -> Vec<String> {
    let floor_of = |room: &str| {
        stacks.iter().enumerate().find_map(|(stack, floors)| {
            let floor = floors
                .iter()
                .position(|rooms| rooms.iter().any(|on_it| on_it == room))?;
            Some((stack, floor))
        })
    };
    let dependencies = graph.dependencies().into_iter();
    dependencies
        .filter(|(from, to)| !to.is_empty() && from[0] != to[0] && !graph.is_for_tests(from))
        .filter(|(from, to)| match (floor_of(&from[0]), floor_of(&to[0])) {
            (Some((stack, floor)), Some((other, below))) => stack != other || floor <= below,
            _ => true,
        })
        .map(|(from, to)| format!("{} uses {}", from.join("::"), to.join("::")))
        .collect()
}

#[test]
fn rooms_use_only_rooms_below_them() {
    for (name, file) in CRATES {
        let graph = graph(name, file);
        let stacks = architecture_page::floors(root(), name);
        let on_floors: BTreeSet<&str> = stacks.iter().flatten().flatten().map(String::as_str).collect();
        assert_eq!(
            graph.rooms().collect::<BTreeSet<_>>(),
            on_floors,
            "the rooms of {name}, and those on its floors in ARCHITECTURE.md"
        );
        assert!(
            graph.dependencies().len() > 5,
            "{name}: the dependencies were not found"
        );
        assert_eq!(upward_dependencies(&graph, &stacks), [""; 0], "{name}");
    }
}

#[test]
fn no_two_files_use_each_other() {
    for (name, file) in CRATES.iter().chain(PROGRAMS) {
        assert_eq!(graph(name, file).cycles(), [[""; 0]; 0], "{name}");
    }
}

#[test]
fn no_file_imports_from_the_root_of_its_crate() {
    for (name, file) in CRATES {
        assert_eq!(graph(name, file).imports_from_root(), [""; 0], "{name}");
    }
}

#[test]
fn the_listing_has_exactly_the_files_that_exist() {
    for (name, _) in CRATES {
        let src = root().join(name).join("src");
        let listed = architecture_page::listed(root(), &format!("{name}/src"));
        for path in &listed {
            let is_there = match path.strip_suffix('/') {
                Some(dir) => src.join(dir).is_dir(),
                None => src.join(format!("{path}.rs")).is_file(),
            };
            assert!(
                is_there,
                "ARCHITECTURE.md lists {path}, which does not exist in {name}/src"
            );
        }
        let mut missing = Vec::new();
        for entry in fs::read_dir(&src).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            if path.is_dir() {
                missing.push(format!("{stem}/"));
                for inner in fs::read_dir(&path).unwrap() {
                    let inner = inner.unwrap().path();
                    // The directory of a file has its tests.
                    if inner.is_dir() && !inner.with_extension("rs").exists() {
                        missing.push(format!("{stem}/{}/", inner.file_name().unwrap().to_str().unwrap()));
                    }
                }
            } else if !["lib", "main"].contains(&stem) && path.extension().is_some_and(|extension| extension == "rs") {
                missing.push(stem.to_owned());
            }
        }
        missing.retain(|path| !listed.contains(path) && !path.starts_with("bin/") && !path.ends_with("/tests/"));
        assert_eq!(
            missing, [""; 0],
            "ARCHITECTURE.md does not list these files of {name}/src"
        );
    }
}

/// A crate of three rooms, `low` below `high` below `top`, with a text added to one of its files.
fn planted(file: &str, text: &str) -> CrateGraph {
    CrateGraph::from_texts(|module| {
        let name = module.join("/");
        let own = match name.as_str() {
            "" => "mod low; mod high; mod top; pub use high::High;",
            "low" => "mod deep; pub(crate) use deep::Deep; pub(crate) struct Low;",
            "high" => "use crate::low::{Deep, Low}; pub struct High(Deep, Low);",
            "top" => "use crate::high::High; struct Top(High);",
            "low/deep" => "pub(crate) struct Deep;",
            other => panic!("{other}"),
        };
        match name == file {
            true => format!("{own}\n{text}"),
            false => own.to_owned(),
        }
    })
}

fn stacks() -> Vec<Vec<Vec<String>>> {
    vec![["low", "high", "top"].map(|room| vec![room.to_owned()]).to_vec()]
}

#[test]
fn a_planted_violation_is_found() {
    let sound = planted("", "");
    assert_eq!(upward_dependencies(&sound, &stacks()), [""; 0]);
    assert_eq!(sound.cycles(), [[""; 0]; 0]);
    assert_eq!(sound.imports_from_root(), [""; 0]);

    for text in [
        "use crate::high::High;",
        "use super::super::high::High;",
        "pub use crate::high::High;",
        "fn up() -> crate::high::High { panic!() }",
        "fn up() { assert!(crate::high::is_high()) }",
        "fn up() { use crate::high::High as Renamed; }",
        "mod within { use super::super::super::high::High; }",
    ] {
        let up = upward_dependencies(&planted("low/deep", text), &stacks());
        assert_eq!(up, ["low::deep uses high"], "{text}");
    }
    // A name that is used through a re-export is found in the file that defines it.
    let cycle = planted("low/deep", "use crate::low::Low;").cycles();
    assert_eq!(
        cycle, [[""; 0]; 0],
        "the file of a room that only re-exports uses nothing"
    );
    let cycle = planted("high", "use crate::top::Top;").cycles();
    assert_eq!(cycle, [["high", "top"]]);
    let taken = planted("top", "use crate::High as Face;").imports_from_root();
    assert_eq!(taken, ["top uses crate::High"]);
    // Rooms on the same floor, or in different stacks, must use nothing of each other.
    let floors = |text: &[&[&str]]| {
        text.iter()
            .map(|rooms| rooms.iter().map(|room| (*room).to_owned()).collect())
            .collect()
    };
    assert_eq!(
        upward_dependencies(&sound, &[floors(&[&["low"], &["high", "top"]])]),
        ["top uses high"]
    );
    assert_eq!(
        upward_dependencies(&sound, &[floors(&[&["low"], &["high"]]), floors(&[&["top"]])]),
        ["top uses high"]
    );
    // Tests may use anything.
    for text in [
        "#[cfg(test)] mod tests { use crate::high::High; }",
        "#[cfg(test)] use crate::high::High;",
    ] {
        assert_eq!(
            upward_dependencies(&planted("low/deep", text), &stacks()),
            [""; 0],
            "{text}"
        );
    }
}
