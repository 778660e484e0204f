//! The program `ecom-gen`, run as a process.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
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

/// The names of the visible files.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

#[test]
fn the_same_seed_and_start_give_the_same_files() {
    const ARGS: &str =
        "--seed 7 --from 2026-11-01 --to 2026-11-02 --events 10k --rows-per-file 1k --steady --dirt none";
    let contents = ["--workers 1", "--workers 4"].map(|workers| {
        let dir = tempdir().unwrap();
        let output = ecom_gen(dir.path(), &format!("{ARGS} {workers}")).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        assert!(stderr.contains("seed 7") && stderr.contains("done: "), "{stderr}");
        assert!(!stderr.contains('\u{1b}'), "{stderr}");
        assert!(output.stdout.is_empty());

        let mut content = String::new();
        for name in names(dir.path()) {
            content.push_str(&fs::read_to_string(dir.path().join(name)).unwrap());
        }
        content
    });
    // No field of an event has a line break in it.
    assert!((9_000..11_000).contains(&contents[0].lines().count()));
    assert!(contents[0] == contents[1]);
}

#[test]
fn runs_into_one_directory_never_collide() {
    let dir = tempdir().unwrap();
    let run = || {
        ecom_gen(dir.path(), "--events 2k --rows-per-file 500 --dirt none")
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
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("stopped: "), "{stderr}");
    let temporary = |entry: &fs::DirEntry| entry.file_name().to_str().unwrap().ends_with(".tmp");
    assert!(
        !fs::read_dir(dir.path())
            .unwrap()
            .any(|entry| temporary(&entry.unwrap()))
    );
    assert!(names(dir.path()).iter().all(|name| name.ends_with(".csv")));
}

#[test]
fn the_same_command_continues_where_it_stopped() {
    let dir = tempdir().unwrap();
    // The past first, as fast as possible, and then live.
    let start = time::OffsetDateTime::now_utc() - time::Duration::minutes(30);
    let start = start.format(&time::format_description::well_known::Rfc3339).unwrap();
    let args = format!("--seed 7 --from {start} --rate 20/s --rows-per-file 5k --steady");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut child = ecom_gen(dir.path(), &args).stderr(Stdio::piped()).spawn().unwrap();
        let before = names(dir.path()).len();
        while names(dir.path()).len() < before + 8 {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            sleep(Duration::from_millis(10));
        }
        // A second run of the same command is refused.
        let twin = ecom_gen(dir.path(), &args).output().unwrap();
        assert!(!twin.status.success(), "{}", String::from_utf8_lossy(&twin.stderr));
        kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
    }
    for name in names(dir.path()) {
        let text = fs::read_to_string(dir.path().join(name)).unwrap();
        ids.extend(text.lines().skip(1).map(str::to_owned));
    }
    // Rows are in order, and none occurs twice except those that the shop sends twice.
    let times: Vec<&str> = ids.iter().map(|line| line.split(',').nth(1).unwrap()).collect();
    let late = times.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!(late * 200 < ids.len(), "{late} of {}", ids.len());
    let distinct: HashSet<&String> = ids.iter().collect();
    assert!(
        (ids.len() - distinct.len()) * 200 < ids.len(),
        "{} of {}",
        distinct.len(),
        ids.len()
    );
}

#[test]
fn a_number_of_events_continues_with_the_printed_options() {
    const ARGS: &str = "--events 1M --rows-per-file 1k";
    let dir = tempdir().unwrap();
    let mut child = ecom_gen(dir.path(), ARGS).stderr(Stdio::piped()).spawn().unwrap();
    while names(dir.path()).len() < 5 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    let stderr = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    let with = stderr.split_once("to continue where it stopped, add ").unwrap().1;
    let with = with.lines().next().unwrap();
    let output = ecom_gen(dir.path(), &format!("{ARGS} {with}")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Some events are sent twice.
    let names = names(dir.path());
    assert!((1_000..1_005).contains(&names.len()), "{} files", names.len());
    let prefix = |name: &String| name.rsplit_once('-').unwrap().0.to_owned();
    assert_eq!(names.iter().map(prefix).collect::<HashSet<_>>().len(), 1);
}

#[test]
fn a_profile_is_printed_and_used() {
    let dir = tempdir().unwrap();
    let history = "--seed 7 --from 2026-11-01 --to 2026-11-03 --steady";
    assert!(
        ecom_gen(dir.path(), &format!("{history} --events 30k --products 300"))
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    );
    let profile = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecom-gen"));
        let output = command.arg("profile").arg(dir.path()).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let report = profile(&[]);
    assert!(
        report.contains("sessions that buy") && report.contains("verdict"),
        "{report}"
    );
    let file = dir.path().join("profile.json");
    fs::write(&file, profile(&["--json"])).unwrap();

    let alike = tempdir().unwrap();
    let like = format!("{history} --like {}", file.display());
    let output = ecom_gen(alike.path(), &like).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The number of rows and of products is about the same.
    let size = |dir: &Path| {
        let files = names(dir).into_iter().filter(|name| name.ends_with(".csv"));
        let texts: Vec<String> = files.map(|name| fs::read_to_string(dir.join(name)).unwrap()).collect();
        let rows = || texts.iter().flat_map(|text| text.lines().skip(1));
        let products: HashSet<&str> = rows().filter_map(|row| row.split(',').nth(5)).collect();
        [rows().count() as f64, products.len() as f64]
    };
    let (alike, like) = (size(alike.path()), size(dir.path()));
    assert!(
        (0..2).all(|at| (0.9..1.1).contains(&(alike[at] / like[at]))),
        "{alike:?} and {like:?}"
    );
}

#[test]
fn parameters_are_printed_and_used() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecom-gen"));
    let output = command.args(["parameters", "--wholesale"]).output().unwrap();
    let parameters = String::from_utf8(output.stdout).unwrap();
    assert!(parameters.contains("\"cancel\": 0.148"), "{parameters}");
    let dir = tempdir().unwrap();
    let file = dir.path().join("parameters.json");
    fs::write(&file, parameters).unwrap();
    let with = format!("--events 100 --parameters {}", file.display());
    assert!(
        ecom_gen(dir.path(), &with)
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    );
    fs::write(&file, "{\"bying\": {}}").unwrap();
    let output = ecom_gen(dir.path(), &with).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("unknown field `bying`"), "{stderr}");
}

#[test]
fn a_file_that_cannot_be_written_ends_with_exit_code_1() {
    let dir = tempdir().unwrap();
    let in_the_way = dir.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    let output = ecom_gen(&in_the_way, "--events 10").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("ecom-gen: can't create") && stderr.contains("another directory"),
        "{stderr}"
    );
}

#[test]
fn invalid_arguments_end_with_exit_code_2() {
    let dir = tempdir().unwrap();
    let output = ecom_gen(dir.path(), "--rate fast").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("500/s"));
    assert!(ecom_gen(dir.path(), "--help").output().unwrap().status.success());
}

#[test]
fn a_closed_stderr_does_not_stop_the_program() {
    let dir = tempdir().unwrap();
    let mut child = ecom_gen(
        dir.path(),
        "--seed 1 --from 2026-11-01 --to 2026-11-01T00:01:00Z --rate 10/s",
    )
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
    assert!(!names(dir.path()).is_empty());
}

#[test]
fn files_with_faults_can_be_profiled() {
    let dir = tempdir().unwrap();
    let args = "--seed 1 --from 2026-11-01 --to 2026-11-02 --rate 2/s --rows-per-file 1k \
                --dirt heavy,empty-file=10%,missing-column=10%";
    assert!(ecom_gen(dir.path(), args).status().unwrap().success());
    let profile = Command::new(env!("CARGO_BIN_EXE_ecom-gen"))
        .arg("profile")
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(profile.status.success(), "{}", String::from_utf8_lossy(&profile.stderr));
    assert!(String::from_utf8_lossy(&profile.stderr).contains("skipped"));
}
