//! A process that writes CSV files is killed at every crash point: a file with its final name is complete.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use ecom_stream::memory::MemorySource;
use ecom_stream::{CsvDirSink, Event, EventType, SourceExt};
use tempfile::tempdir;
use time::macros::datetime;
use uuid::Uuid;

/// Each crash point, at which of its passes the process is killed, and how many files are complete then.
const POINTS: &[(&str, u32, usize)] = &[
    ("csv_sink.created", 1, 0),
    ("csv_sink.created", 3, 2),
    ("csv_sink.row_written", 1, 0),
    ("csv_sink.row_written", 125, 2),
    ("csv_sink.before_rename", 1, 0),
    ("csv_sink.before_rename", 4, 3),
    ("csv_sink.renamed", 1, 1),
    ("csv_sink.renamed", 3, 3),
];

const ROWS_PER_FILE: usize = 50;
const FILES: usize = 4;
const DIRECTORY: &str = "ECOM_TEST_DIRECTORY";

/// The process that is killed: this program again, with only this test and with a directory.
#[tokio::test]
async fn writes_files_when_it_is_given_a_directory() {
    let Some(dir) = std::env::var_os(DIRECTORY) else { return };
    let event = |number: usize| {
        let id = Uuid::from_u128(number as u128);
        Event::new(id, datetime!(2026-11-01 12:00 UTC), EventType::View, "u", "s", "p")
    };
    let events = (0..ROWS_PER_FILE * FILES).map(event).collect();
    let sink = CsvDirSink::new(dir).max_rows(ROWS_PER_FILE as u64).roll_every(None);
    MemorySource::new("events", events).to(sink).run().await.unwrap();
}

fn run(dir: &Path, crash_at: &str) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "writes_files_when_it_is_given_a_directory"]);
    command.env(DIRECTORY, dir).env("ECOM_CRASH_AT", crash_at);
    command.output().unwrap().status
}

/// The files, by name, with their text.
fn files(dir: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let file = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    let mut files: Vec<_> = entries.map(file).collect();
    files.sort();
    files
}

#[test]
fn a_sink_killed_at_every_crash_point_leaves_only_complete_files() {
    let reference = tempdir().unwrap();
    assert!(run(reference.path(), "").success());
    let reference = files(reference.path());
    assert_eq!(reference.len(), FILES);

    for &(point, pass, whole) in POINTS {
        let dir = tempdir().unwrap();
        let status = run(dir.path(), &format!("{point}:{pass}"));
        assert_eq!(status.signal(), Some(9), "{point}:{pass}: {status}");
        let (hidden, named): (Vec<_>, Vec<_>) = files(dir.path())
            .into_iter()
            .partition(|(name, _)| name.starts_with('.'));
        assert!(named == reference[..whole], "{point}:{pass}");
        assert_eq!(hidden.len(), usize::from(point != "csv_sink.renamed"), "{point}:{pass}");

        // The next run removes what was not finished, and replaces nothing.
        assert!(run(dir.path(), "").success());
        let after = files(dir.path());
        assert_eq!(after.len(), whole + FILES, "{point}:{pass}");
        assert!(after[..whole] == reference[..whole], "{point}:{pass}");
        for (name, text) in after {
            assert!(!name.starts_with('.'), "{point}:{pass} left {name}");
            assert_eq!(text.lines().count(), 1 + ROWS_PER_FILE, "{point}:{pass}, {name}");
        }
    }
}

#[test]
fn every_crash_point_of_the_sink_is_tested() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/connectors/csv_dir/open_file.rs");
    let text = fs::read_to_string(sources).unwrap();
    let found = text.split("crash_point!(\"").skip(1);
    let mut names: Vec<&str> = found.map(|rest| rest.split('"').next().unwrap()).collect();
    names.sort_unstable();
    let mut enumerated: Vec<&str> = POINTS.iter().map(|(point, ..)| *point).collect();
    enumerated.sort_unstable();
    enumerated.dedup();
    assert_eq!(names, enumerated);
}
