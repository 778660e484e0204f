//! The output of `ecom-ingest status`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use fixture::program::{Ingest, once, program};
use fixture::{Database, HEADER, database, drop_in, drop_in_text, eventually, line};
use serde_json::Value;

fn status(database: &Database, more: &[&str]) -> String {
    let mut program = program();
    let output = program
        .arg("status")
        .args(more)
        .env("DATABASE_URL", &database.url)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(database: &Database) -> Value {
    serde_json::from_str(&status(database, &["--json"])).unwrap()
}

#[tokio::test]
async fn half_an_upload_is_shown_and_loaded_when_it_is_whole() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let whole: String = std::iter::once(HEADER.to_owned()).chain((0..5).map(line)).collect();
    // The upload breaks off inside the third row, in a value or behind all of its values.
    let third = HEADER.len() + line(0).len() + line(1).len();
    for (name, at) in [("a.csv", third + line(2).len() - 1), ("b.csv", third + 20)] {
        drop_in_text(input.path(), name, &whole[..at]);
    }
    for _ in 0..2 {
        let (ended, log) = Ingest::start(&database, &input, &["--once"]).end().await;
        assert_eq!(ended.code(), Some(1), "{log}");
        assert!(
            log.contains("a.csv") && log.contains("--unterminated-record store"),
            "{log}"
        );
        assert_eq!(database.rows().await, 2);
        let shown = status(&database, &[]);
        assert!(shown.contains("2 open") && shown.contains("no_line_end"), "{shown}");
        assert_eq!(json(&database)["pipelines"][0]["unusable_files"][0]["state"], "open");
    }
    // One goes on; the other comes again, and is complete although its last line has no end.
    drop_in_text(input.path(), "a.csv", &whole);
    drop_in_text(input.path(), "b.csv", format!("{whole}{}", line(5).trim_end()));
    let more = ["--once", "--unterminated-record", "store"];
    Ingest::start(&database, &input, &more).succeed().await;
    assert_eq!(database.rows().await, 6);
    assert!(!status(&database, &[]).contains("no_line_end"));
    database.check_balance().await;
}

#[tokio::test]
async fn status_shows_files_records_rejects_and_next_steps() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let output = program()
        .arg("status")
        .env("DATABASE_URL", &database.url)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("there is no schema ecom in this database"),
        "{output:?}"
    );
    for (command, expected) in [("apply", "is up to date"), ("check", "fits this program")] {
        let output = program()
            .args(["schema", command])
            .env("DATABASE_URL", &database.url)
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains(expected), "{output:?}");
    }
    assert!(status(&database, &[]).starts_with("no pipeline has run on this database yet"));

    drop_in(input.path(), "a.csv", 0..1_000);
    drop_in_text(
        input.path(),
        "b.csv",
        format!("{HEADER}{}1,2\n{}\"open", line(1_001), line(1_002)),
    );
    // Whoever writes the files writes to the terminal of whoever looks, too.
    drop_in_text(input.path(), "c.csv", "what\x1b[2J,ever\n1,2\n");
    once(&database, &input).await;
    let text = status(&database, &[]);
    assert!(!text.contains('\x1b') && text.contains("what\\u{1b}[2J"), "{text}");
    let place = input.path().canonicalize().unwrap();
    for part in [
        &format!("pipeline events: {}", place.display()),
        "runs      not at the moment; the last was ecom ",
        "files     1 finished, 0 open, 1 damaged, 1 set aside",
        "records   1,003 read = 1,002 stored + 0 duplicates + 1 rejected + 0 filtered",
        "/s in the last minute",
        " from a file's last write to its commit",
        "rejected  field_count              1 waiting, the last ",
        "damaged   b.csv after record 3, byte ",
        "set aside c.csv: column_missing",
        &format!(
            "next      to load new files: ecom-ingest run --input {} --pipeline events\n",
            place.display()
        ),
        "next      to see the rejected records and how to fix them: ecom-ingest rejects list",
        &format!(
            "next      to load files with other columns: ecom-ingest infer {}/c.csv proposes a mapping for run --map",
            place.display()
        ),
        "next      to read a damaged or set-aside file: replace it with a complete, corrected one under the same \
         name;",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    // A rate is that of its whole span, however long ago the last commit in it was.
    database
        .client
        .batch_execute(
            "UPDATE ecom.ingest_split SET first_seen_at = first_seen_at - interval '1 min', \
             updated_at = updated_at - interval '1 min', finished_at = finished_at - interval '1 min'",
        )
        .await
        .unwrap();
    let told = json(&database);
    let pipeline = &told["pipelines"][0];
    assert_eq!(pipeline["records"]["stored"], 1_002);
    assert_eq!(pipeline["files"]["set_aside"], 1);
    assert_eq!(pipeline["running"], false);
    assert_eq!(pipeline["rejects"][0]["reason"], "field_count");
    for (span, seconds) in [("5m", 300.0), ("15m", 900.0)] {
        let rate = pipeline["records_per_second"][span].as_f64().unwrap();
        assert!((rate - 1_003.0 / seconds).abs() < 0.1, "{span}: {pipeline}");
    }
    assert_eq!(json(&database)["pipelines"].as_array().unwrap().len(), 1);

    // As it was told.
    drop_in_text(
        input.path(),
        "b.csv",
        format!("{HEADER}{}1,2\n{}{}", line(1_001), line(1_002), line(1_003)),
    );
    once(&database, &input).await;
    let text = status(&database, &[]);
    for part in [
        "2 finished, 0 open, 0 damaged",
        "1,004 read = 1,003 stored + 0 duplicates + 1 rejected",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[tokio::test]
async fn a_pipeline_that_does_not_exist_is_an_error() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    drop_in(input.path(), "a.csv", 0..10);
    once(&database, &input).await;
    for args in [
        &["status", "--only", "event"][..],
        &["status", "--json", "--only", "event"],
    ] {
        let mut program = program();
        let output = program.args(args).env("DATABASE_URL", &database.url).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
        let expected = "no pipeline of the name \"event\" has run on this database yet (did you mean \"events\"?)";
        assert!(said.contains(expected), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    assert!(status(&database, &["--only", "events"]).starts_with("pipeline events: "));
}

/// What `schema print` prints.
fn printed_schema() -> String {
    let printed = program().args(["schema", "print"]).output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    String::from_utf8(printed.stdout).unwrap()
}

#[test]
fn schema_print_prints_the_script_for_psql() {
    assert_eq!(printed_schema(), ecom_sink_pg::schema::script());
}

#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn schema_print_is_a_script_that_does_what_apply_does() {
    let database = database().await;
    fixture::schema::psql_script(&database.url, &printed_schema());
    let mut check = program();
    let output = check
        .args(["schema", "check"])
        .env("DATABASE_URL", &database.url)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn status_shows_the_map_option_if_a_mapping_was_used() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    once(&database, &input).await;
    let text = status(&database, &[]);
    assert!(text.contains("  commits   no commits yet\n"), "{text}");
    drop_in_text(
        input.path(),
        "a.csv",
        "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n\
         2019-10-01 00:00:00 UTC,view,1,2,home.light,acme,1.50,3,s\n",
    );
    let log = Ingest::start(&database, &input, &["--once", "--map", "rees46"])
        .succeed()
        .await;
    let text = status(&database, &[]);
    assert!(text.contains(" --pipeline events --map MAPPING\n"), "{log}{text}");
}

#[tokio::test]
async fn status_shows_the_running_instance() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    drop_in(input.path(), "a.csv", 0..10);
    let ingest = Ingest::start(&database, &input, &[]);
    eventually("the first commit", async || {
        let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'ecom' AND tablename = 'schema_history'";
        database.number(sql).await == 1
            && database
                .client
                .query("SELECT FROM ecom.events", &[])
                .await
                .is_ok_and(|rows| rows.len() == 10)
    })
    .await;
    let told = json(&database);
    assert_eq!(told["pipelines"][0]["running"], true, "{told}");
    assert!(status(&database, &[]).contains("runs      ecom "), "{}", ingest.log());
}

#[tokio::test]
async fn watch_repeats_the_status_and_ends_when_nobody_reads() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    once(&database, &input).await;
    let mut program = program();
    program
        .args(["status", "--watch=10ms", "--json"])
        .env("DATABASE_URL", &database.url);
    let mut watching = program.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        let told: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(told["pipelines"][0]["name"], "events");
    }
    drop(lines);
    let mut status = None;
    eventually("its end", async || {
        status = watching.try_wait().unwrap();
        status.is_some()
    })
    .await;
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn watch_ends_cleanly_on_a_signal() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    use rustix::process::Signal;
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    once(&database, &input).await;
    for signal in [Signal::INT, Signal::TERM] {
        let mut program = program();
        program
            .args(["status", "--watch=1h"])
            .env("DATABASE_URL", &database.url);
        let mut watching = Ingest::spawn(program.stdout(Stdio::piped()));
        let mut first = String::new();
        let mut shown = BufReader::new(watching.process.stdout.take().unwrap());
        shown.read_line(&mut first).unwrap();
        assert!(first.starts_with("pipeline events"), "{first}");
        watching.signal(signal);
        assert_eq!(watching.succeed().await, "");
    }
}

/// Those who look need not be those who write.
#[tokio::test]
async fn the_reader_role_may_run_status() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    drop_in(input.path(), "a.csv", 0..10);
    once(&database, &input).await;
    fixture::schema::grant_roles(&database).await;
    let url = format!("{}&user=ecom_reader", database.url);
    for command in [&["status"][..], &["rejects", "list"]] {
        let output = program().args(command).env("DATABASE_URL", &url).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}
