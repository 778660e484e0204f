//! Faults that the process survives: signals in the middle of a COPY, few file descriptors, outputs that cannot be written or that
//! nobody reads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::io::{ErrorKind, PipeReader, PipeWriter, Write, pipe};
use std::process::Command;
use std::time::Duration;

use fixture::program::{Ingest, command, once, program};
use fixture::{Database, database, drop_in, eventually};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Signal;
use tempfile::TempDir;

/// The program, stopped by SIGSTOP in the middle of the COPY of 500 rows.
async fn stopped_in_a_copy() -> (Database, TempDir, Ingest) {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    drop_in(input.path(), "1.csv", 0..500);
    let ingest = Ingest::start_to_crash(&database.url, &input, &["--settle", "0s"], "copy.piece_sent:2=stop");
    eventually("the middle of a COPY", async || ingest.is_stopped()).await;
    (database, input, ingest)
}

#[tokio::test]
async fn a_stopped_process_continues_after_sigcont() {
    let (database, _input, ingest) = stopped_in_a_copy().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(database.rows().await, 0);
    ingest.signal(Signal::CONT);
    eventually("every row", async || database.rows().await == 500).await;
    ingest.signal(Signal::TERM);
    ingest.succeed().await;
    database.check_balance().await;
}

#[tokio::test]
async fn sigterm_during_a_copy_lets_it_commit() {
    let (database, _input, ingest) = stopped_in_a_copy().await;
    ingest.signal(Signal::TERM);
    ingest.signal(Signal::CONT);
    let log = ingest.succeed().await;
    assert!(log.contains("500 stored"), "{log}");
    assert_eq!(database.rows().await, 500);
    database.check_balance().await;
}

/// A run over what is there, started by a line of shell in which `"$@"` is the program.
async fn run_by_shell(line: &str, files: u32) {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let archive = tempfile::tempdir().unwrap();
    for file in 0..files {
        drop_in(input.path(), &format!("{file}.csv"), file * 10..(file + 1) * 10);
    }
    let mut command = Command::new("sh");
    command.args(["-c", line, "sh", env!("CARGO_BIN_EXE_ecom-ingest"), "run", "--once"]);
    command.args(["--settle", "0s", "--input"]).arg(input.path());
    command.arg("--archive").arg(archive.path());
    Ingest::spawn(command.env("DATABASE_URL", &database.url))
        .succeed()
        .await;
    assert_eq!(database.rows().await, i64::from(files) * 10, "{line}");
    let archived = std::fs::read_dir(archive.path()).unwrap().count();
    assert_eq!(archived, files as usize, "{line}");
    database.check_balance().await;
}

#[tokio::test]
async fn forty_file_descriptors_are_enough() {
    run_by_shell(r#"ulimit -n 40 && exec "$@""#, 200).await;
}

#[tokio::test]
async fn a_log_that_cannot_be_written_does_not_stop_the_ingest() {
    run_by_shell(r#"exec "$@" 2>&-"#, 5).await;
    run_by_shell(r#"exec "$@" 2>/dev/full"#, 5).await;
}

/// A pipe that takes no more, so that whoever writes to it waits.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    // Byte by byte at the end, since a part of a block may still fit.
    for size in [4096, 1] {
        let full = loop {
            if let Err(err) = writer.write_all(&vec![b'x'; size]) {
                break err;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
    }
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

#[tokio::test]
async fn progress_that_nobody_reads_does_not_keep_a_run_from_ending() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    once(&database, &input).await;
    let (_reader, writer) = full_pipe();
    let mut command = command(&input, &["--progress", "json"]);
    let ingest = Ingest::spawn(command.env("DATABASE_URL", &database.url).stdout(writer));
    for file in 0..3 {
        drop_in(input.path(), &format!("{file}.csv"), file * 10..(file + 1) * 10);
        let rows = i64::from(file + 1) * 10;
        eventually("every row", async || database.rows().await == rows).await;
    }
    ingest.signal(Signal::TERM);
    let log = ingest.succeed().await;
    assert!(log.contains("stopped: "), "{log}");
    database.check_balance().await;
}

#[tokio::test]
async fn a_status_that_nobody_reads_ends_at_a_signal() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    once(&database, &input).await;
    let (_reader, writer) = full_pipe();
    let mut command = program();
    command.args(["status", "--watch=1ms"]);
    let watching = Ingest::spawn(command.env("DATABASE_URL", &database.url).stdout(writer));
    // The thread that prints has its name.
    let threads = format!("/proc/{}/task", watching.process.id());
    eventually("it prints", async || {
        std::fs::read_dir(&threads).unwrap().any(|thread| {
            let name = std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap_or_default();
            name.trim_end() == "stdout"
        })
    })
    .await;
    watching.signal(Signal::TERM);
    watching.succeed().await;
}
