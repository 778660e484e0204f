//! The program `ecom-gen`, run as its users run it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

fn ecom_gen(output: &Path, args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecom-gen"));
    command.arg("--output").arg(output).args(args.split_whitespace());
    command
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_same_seed_and_start_give_the_same_files() {
    const ARGS: &str = "--seed 7 --start 2026-11-01T00:00:00Z --rate max --events 10k --rows-per-file 1k";
    let contents = [(); 2].map(|()| {
        let dir = tempdir().unwrap();
        let output = ecom_gen(dir.path(), ARGS).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        assert!(
            told.contains("seed 7") && told.contains("done: 10,000 events"),
            "{told}"
        );
        assert!(!told.contains('\u{1b}'), "{told}");
        assert!(output.stdout.is_empty());

        let names = names(dir.path());
        assert_eq!(names.len(), 10);
        let mut content = String::new();
        for name in names {
            let text = fs::read_to_string(dir.path().join(name)).unwrap();
            // No field of an event has a line break in it.
            assert_eq!(text.lines().count(), 1 + 1_000);
            content.push_str(&text);
        }
        content
    });
    assert!(contents[0] == contents[1]);
}

#[test]
fn runs_into_one_directory_never_collide() {
    let dir = tempdir().unwrap();
    let run = || {
        ecom_gen(dir.path(), "--rate max --events 2k --rows-per-file 500")
            .stderr(Stdio::null())
            .spawn()
    };
    let together: Vec<Child> = (0..3).map(|_| run().unwrap()).collect();
    for mut child in together {
        assert!(child.wait().unwrap().success());
    }
    assert!(run().unwrap().wait().unwrap().success());
    assert_eq!(names(dir.path()).len(), 4 * 4);
}

#[test]
fn a_live_run_stops_at_a_signal() {
    let dir = tempdir().unwrap();
    let mut child = ecom_gen(dir.path(), "--every 100ms..200ms")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !names(dir.path()).iter().any(|name| name.ends_with(".csv")) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        sleep(Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("stopped: "), "{told}");
    let names = names(dir.path());
    assert!(
        names
            .iter()
            .all(|name| name.ends_with(".csv") && !name.starts_with('.')),
        "{names:?}"
    );
}

#[test]
fn what_can_not_be_written_is_told_with_exit_code_1() {
    let dir = tempdir().unwrap();
    let in_the_way = dir.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    let output = ecom_gen(&in_the_way, "--rate max --events 10").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("ecom-gen: can't create") && told.contains("another directory"),
        "{told}"
    );
}

#[test]
fn wrong_arguments_end_with_exit_code_2() {
    let dir = tempdir().unwrap();
    let output = ecom_gen(dir.path(), "--rate fast").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("500/s"));
    assert!(ecom_gen(dir.path(), "--help").output().unwrap().status.success());
}
