//! The program is killed at every crash point of writing files, and started again: then the directory is as if nothing had
//! happened, to the byte.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use tempfile::tempdir;

/// Each point, and at which of its passes.
const POINTS: &[(&str, u32)] = &[
    ("files_sink.created", 1),
    ("files_sink.created", 3),
    ("files_sink.part_written", 1),
    ("files_sink.part_written", 4),
    ("files_sink.before_rename", 1),
    ("files_sink.before_rename", 4),
    ("files_sink.renamed", 1),
    ("files_sink.renamed", 3),
    ("files_sink.truth_written", 1),
    ("files_sink.truth_written", 3),
    ("files_sink.committed", 1),
    ("files_sink.committed", 3),
];

/// Writes some files, the same ones each time.
fn run(dir: &Path, crash_at: &str) -> ExitStatus {
    let args = "--seed 7 --from 2026-11-01 --to 2026-11-01T00:01:00Z --steady --rate 50/s --rows-per-file 500 \
                --dirt heavy,rewritten=30% --truth";
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecom-gen"));
    command.arg("--output").arg(dir).args(args.split_whitespace());
    command.env("ECOM_CRASH_AT", crash_at).output().unwrap().status
}

/// The files that can be seen, with their bytes, by name.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let file = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read(path).unwrap())
    };
    entries.map(file).filter(|(name, _)| !name.starts_with('.')).collect()
}

#[test]
fn killed_at_every_point_it_goes_on_as_if_nothing_had_happened() {
    let reference = tempdir().unwrap();
    assert!(run(reference.path(), "").success());
    let reference = files(reference.path());
    assert!(reference.len() > 5, "{:?}", reference.keys());

    for (point, pass) in POINTS {
        let dir = tempdir().unwrap();
        let status = run(dir.path(), &format!("{point}:{pass}"));
        assert_eq!(status.signal(), Some(9), "{point}:{pass}: {status}");
        // What has its name is whole; of a file that is written twice it may be the first version.
        for (name, bytes) in files(dir.path()) {
            if name.ends_with(".csv") && reference[&name] != bytes {
                let whole = String::from_utf8_lossy(&reference[&name]).lines().count();
                assert!(
                    String::from_utf8_lossy(&bytes).lines().count() < whole,
                    "{point}:{pass}, {name}"
                );
            }
        }
        assert!(run(dir.path(), "").success());
        let after = files(dir.path());
        assert!(after.keys().eq(reference.keys()), "{point}:{pass}: {:?}", after.keys());
        for (name, bytes) in &after {
            assert!(*bytes == reference[name], "{point}:{pass}: {name}");
        }
    }
}

#[test]
fn every_point_in_the_sources_is_enumerated() {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/files")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let points = text.split("crash_point!(\"").skip(1);
        found.extend(points.map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    found.sort_unstable();
    let mut enumerated: Vec<&str> = POINTS.iter().map(|(point, _)| *point).collect();
    enumerated.sort_unstable();
    enumerated.dedup();
    assert_eq!(found, enumerated);
}
