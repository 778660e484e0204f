//! The rooms of the crates: what takes from what, as ARCHITECTURE.md says it.
//!
//! Rooms are the modules that a crate's root declares. Each takes only from rooms below it, no two files take from each
//! other, and nobody takes a name from the crate's root, which only hands names out.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod house;
mod page;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use house::House;

/// The crates whose rooms are on floors, and the files that are their roots.
const CRATES: &[(&str, &str)] = &[
    ("ecom-stream", "lib.rs"),
    ("ecom-gen", "lib.rs"),
    ("ecom-sink-pg", "lib.rs"),
    ("ecom-ingest", "lib.rs"),
];

/// Programs, whose files are not in circles either.
const PROGRAMS: &[(&str, &str)] = &[("ecom-gen", "bin/ecom-gen/main.rs"), ("ecom-ingest", "main.rs")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn house(name: &str, file: &str) -> House {
    House::read(&root().join(name).join("src").join(file))
}

/// The arrows between rooms that don't run down.
fn arrows_up(house: &House, stacks: &[Vec<Vec<String>>]) -> Vec<String> {
    let floor_of = |room: &str| {
        stacks.iter().enumerate().find_map(|(stack, floors)| {
            let floor = floors
                .iter()
                .position(|rooms| rooms.iter().any(|on_it| on_it == room))?;
            Some((stack, floor))
        })
    };
    let arrows = house.arrows().into_iter();
    arrows
        .filter(|(from, to)| !to.is_empty() && from[0] != to[0] && !house.is_for_tests(from))
        .filter(|(from, to)| match (floor_of(&from[0]), floor_of(&to[0])) {
            (Some((stack, floor)), Some((other, below))) => stack != other || floor <= below,
            _ => true,
        })
        .map(|(from, to)| format!("{} takes from {}", from.join("::"), to.join("::")))
        .collect()
}

#[test]
fn arrows_run_down() {
    for (name, file) in CRATES {
        let house = house(name, file);
        let stacks = page::floors(root(), name);
        let on_floors: BTreeSet<&str> = stacks.iter().flatten().flatten().map(String::as_str).collect();
        assert_eq!(
            house.rooms().collect::<BTreeSet<_>>(),
            on_floors,
            "the rooms of {name} and its floors"
        );
        assert!(house.arrows().len() > 5, "{name}: the arrows are not found");
        assert_eq!(arrows_up(&house, &stacks), [""; 0], "{name}");
    }
}

#[test]
fn no_files_take_from_each_other() {
    for (name, file) in CRATES.iter().chain(PROGRAMS) {
        assert_eq!(house(name, file).circles(), [[""; 0]; 0], "{name}");
    }
}

#[test]
fn nobody_takes_from_the_root_of_his_crate() {
    for (name, file) in CRATES {
        assert_eq!(house(name, file).taken_from_the_face(), [""; 0], "{name}");
    }
}

#[test]
fn what_is_listed_is_there_and_what_is_there_is_listed() {
    for (name, _) in CRATES {
        let src = root().join(name).join("src");
        let listed = page::listed(root(), &format!("{name}/src"));
        for path in &listed {
            let is_there = match path.strip_suffix('/') {
                Some(dir) => src.join(dir).is_dir(),
                None => src.join(format!("{path}.rs")).is_file(),
            };
            assert!(is_there, "ARCHITECTURE.md lists {path}, which is not in {name}/src");
        }
        let mut missing = Vec::new();
        for entry in fs::read_dir(&src).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            if path.is_dir() {
                missing.push(format!("{stem}/"));
                for inner in fs::read_dir(&path).unwrap() {
                    let inner = inner.unwrap().path();
                    // That of a file has its tests.
                    if inner.is_dir() && !inner.with_extension("rs").exists() {
                        missing.push(format!("{stem}/{}/", inner.file_name().unwrap().to_str().unwrap()));
                    }
                }
            } else if !["lib", "main"].contains(&stem) && path.extension().is_some_and(|extension| extension == "rs") {
                missing.push(stem.to_owned());
            }
        }
        missing.retain(|path| !listed.contains(path) && !path.starts_with("bin/") && !path.ends_with("/tests/"));
        assert_eq!(missing, [""; 0], "{name}/src has what ARCHITECTURE.md does not list");
    }
}

/// A crate of three rooms, `low` below `high` below `top`, with something planted in one of its files.
fn planted(file: &str, text: &str) -> House {
    House::from_texts(|module| {
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
fn a_planted_arrow_is_found() {
    let sound = planted("", "");
    assert_eq!(arrows_up(&sound, &stacks()), [""; 0]);
    assert_eq!(sound.circles(), [[""; 0]; 0]);
    assert_eq!(sound.taken_from_the_face(), [""; 0]);

    for text in [
        "use crate::high::High;",
        "use super::super::high::High;",
        "pub use crate::high::High;",
        "fn up() -> crate::high::High { panic!() }",
        "fn up() { assert!(crate::high::is_high()) }",
        "fn up() { use crate::high::High as Renamed; }",
        "mod within { use super::super::super::high::High; }",
    ] {
        let up = arrows_up(&planted("low/deep", text), &stacks());
        assert_eq!(up, ["low::deep takes from high"], "{text}");
    }
    // What is taken through the door of a room is found in the file that has it.
    let circle = planted("low/deep", "use crate::low::Low;").circles();
    assert_eq!(
        circle, [[""; 0]; 0],
        "the file of a room that only hands out takes nothing"
    );
    let circle = planted("high", "use crate::top::Top;").circles();
    assert_eq!(circle, [["high", "top"]]);
    let taken = planted("top", "use crate::High as Face;").taken_from_the_face();
    assert_eq!(taken, ["top takes crate::High"]);
    // Rooms on one floor, or in stacks of their own, take nothing from each other.
    let floors = |text: &[&[&str]]| {
        text.iter()
            .map(|rooms| rooms.iter().map(|room| (*room).to_owned()).collect())
            .collect()
    };
    assert_eq!(
        arrows_up(&sound, &[floors(&[&["low"], &["high", "top"]])]),
        ["top takes from high"]
    );
    assert_eq!(
        arrows_up(&sound, &[floors(&[&["low"], &["high"]]), floors(&[&["top"]])]),
        ["top takes from high"]
    );
    // Tests may take what they like.
    for text in [
        "#[cfg(test)] mod tests { use crate::high::High; }",
        "#[cfg(test)] use crate::high::High;",
    ] {
        assert_eq!(arrows_up(&planted("low/deep", text), &stacks()), [""; 0], "{text}");
    }
}
