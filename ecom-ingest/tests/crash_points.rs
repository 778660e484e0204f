//! The program is killed at every crash point in turn and started again: each row is stored exactly once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and shows its logs"
)]

mod fixture;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fixture::program::Ingest;
use fixture::{Database, HEADER, database, drop_in, drop_in_text, eventually, line};
use futures::stream::{self, StreamExt};
use rustix::process::Signal;
use tempfile::TempDir;

/// Every crash point on the way from a file to the archive, and at which of its passes the program is killed.
const POINTS: &[(&str, &[u32])] = &[
    ("migration.locked", &[1]),
    ("migration.schema_made", &[1]),
    ("migration.applied", &[1]),
    ("claim.locked", &[1]),
    ("claim.fence_raised", &[1]),
    ("file.opened", &[1, 2, 4]),
    ("file.header_read", &[1, 3]),
    ("batch.handed_out", &[1, 2, 4]),
    ("queue.filled", &[1, 2, 4]),
    ("gather.begun", &[1, 4]),
    ("gather.added", &[1, 2, 4]),
    ("partitions.made", &[1, 2]),
    ("keys.looked_up", &[1, 2]),
    ("copy.begun", &[1, 2, 4]),
    ("copy.piece_sent", &[1, 2, 3, 7]),
    ("copy.finished", &[1, 2, 4]),
    ("turn.come", &[1, 2, 4]),
    ("epoch.failed", &[1, 2, 3]),
    ("epoch.recalled", &[1]),
    ("ledger.letters_written", &[1, 2]),
    ("commit.begun", &[1, 2, 4]),
    ("commit.acknowledged", &[1, 2, 3]),
    ("bisect.refused", &[1, 2, 5]),
    ("bisect.found", &[1, 2]),
    ("settle.ended_backend", &[1]),
    ("settle.known", &[1]),
    ("commit.before_yield", &[1, 2, 4]),
    ("commit.shown", &[1, 3]),
    ("ack.begun", &[1, 2, 4]),
    ("ack.done", &[1, 2, 4]),
    ("removal.before_aside", &[1, 2, 4]),
    ("removal.aside", &[1, 2, 4]),
    ("removal.out", &[1, 2, 4]),
    ("removal.before_back", &[1]),
    ("removal.back", &[1]),
];

/// Where a task panics instead: one of each task, and some that matter.
const PANICS: &[&str] = &[
    "claim.fence_raised",
    "file.opened:2",
    "queue.filled:2",
    "gather.added:2",
    "copy.piece_sent:2",
    "commit.acknowledged:2",
    "bisect.found",
    "settle.known",
    "ack.begun",
    "ack.done:2",
];

/// How many times it is checked whether the program has passed a point in its last step.
const LAST_STEP_POLLS: u32 = 200;
const POLL: Duration = Duration::from_millis(50);

/// How many cases run at a time.
const AT_ONCE: usize = 8;

const FILES: [&str; 4] = ["1.csv", "2.csv", "3.csv", "4.csv"];

/// A record that is no event, and one that a constraint of the table rejects.
const UNUSABLE: &str = "1,2,3\n";
const REFUSED_QUANTITY: u32 = 1_000;

/// Faults of the server, so that every branch is taken: it rejects rows, and interrupts a commit now and then.
const FAULTS: &str = "
    ALTER TABLE ecom.events ADD CONSTRAINT few CHECK (quantity < 1000);
    CREATE SEQUENCE ecom.commits;
    CREATE FUNCTION ecom.interrupt() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        -- A sequence goes on even where the transaction is rolled back.
        IF pg_catalog.nextval('ecom.commits') = 3 THEN
            RAISE 'interrupted' USING ERRCODE = '57014';
        END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER interrupt AFTER UPDATE ON ecom.ingest_pipeline DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (old.epoch <> new.epoch) EXECUTE FUNCTION ecom.interrupt()";

fn lines(numbers: Range<u32>) -> String {
    numbers.map(line).collect()
}

fn refused(n: u32) -> String {
    let line = line(n);
    let good = line.strip_suffix(",1\n").unwrap();
    format!("{good},{REFUSED_QUANTITY}\n")
}

/// Several files, of several batches and pieces; rejects, duplicates, rows that the server rejects.
fn text(file: &str) -> String {
    let body = match file {
        "1.csv" => lines(0..60) + UNUSABLE,
        "2.csv" => lines(50..2_600),
        "3.csv" => {
            let odd = [UNUSABLE, &refused(2_700), UNUSABLE, &refused(2_701)].concat();
            lines(40..60) + &lines(2_600..2_650) + &odd + &lines(2_650..2_690)
        }
        _ => lines(2_800..2_850) + UNUSABLE + &lines(0..1),
    };
    HEADER.to_owned() + &body
}

/// Where each record belongs: its file, its number there, and for an event its id.
#[derive(Default, PartialEq, Eq, Debug)]
struct Records {
    events: BTreeMap<String, (String, i64)>,
    letters: BTreeSet<(String, i64)>,
}

impl Records {
    fn expected(has_faults: bool) -> Self {
        let mut records = Self::default();
        for file in FILES {
            for (at, line) in text(file).lines().skip(1).enumerate() {
                let place = (file.to_owned(), at as i64 + 1);
                let is_refused = has_faults && line.ends_with(&REFUSED_QUANTITY.to_string());
                if is_refused || line == UNUSABLE.trim_end() {
                    records.letters.insert(place);
                } else {
                    let id = line.split(',').next().unwrap();
                    // The first stays.
                    records.events.entry(id.to_owned()).or_insert(place);
                }
            }
        }
        records
    }

    async fn stored(database: &Database) -> Self {
        let events =
            "SELECT event_id::text, path, e.record_no FROM ecom.events e JOIN ecom.ingest_split USING (split_id)";
        let letters = "SELECT path, record_no FROM ecom.dead_letters";
        let mut records = Self::default();
        for row in database.client.query(events, &[]).await.unwrap() {
            let twice = records.events.insert(row.get(0), (row.get(1), row.get(2)));
            assert_eq!(twice, None, "an event is there twice");
        }
        for row in database.client.query(letters, &[]).await.unwrap() {
            assert!(
                records.letters.insert((row.get(0), row.get(1))),
                "a letter is there twice"
            );
        }
        records
    }
}

/// One crash in a database and directories of its own.
struct Case {
    database: Database,
    input: TempDir,
    archive: TempDir,
    has_faults: bool,
}

impl Case {
    async fn new(has_faults: bool) -> Self {
        let mut database = database().await;
        if has_faults {
            ecom_sink_pg::schema::apply(&mut database.client).await.unwrap();
            database.client.batch_execute(FAULTS).await.unwrap();
        }
        Self {
            database,
            input: tempfile::tempdir().unwrap(),
            archive: tempfile::tempdir().unwrap(),
            has_faults,
        }
    }

    fn start(&self, more: &[&str], plan: &str) -> Ingest {
        let archive = self.archive.path().to_str().unwrap();
        let mut args = vec!["--archive", archive, "--settle", "0s"];
        args.extend(more);
        Ingest::start_to_crash(&self.database.url, &self.input, &args, plan)
    }

    /// Gives the program one file after the other, so that each is at least one epoch, until it ends. `None` if it never
    /// passed the point.
    async fn run_into(&self, plan: &str) -> Option<(std::process::ExitStatus, String)> {
        let mut ingest = self.start(&[], plan);
        for file in FILES {
            drop_in_text(self.input.path(), file, text(file));
            eventually("the file in the archive, or the end", async || {
                if ingest.is_stopped() {
                    // The moment between the last look at the file and its move.
                    let file = File::open(self.input.path().join(file)).unwrap();
                    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
                    ingest.signal(Signal::CONT);
                }
                ingest.has_ended() || self.archive.path().join(file).exists() && !ingest.is_stopped()
            })
            .await;
        }
        // All files may be archived by now, while the last step has not run yet.
        for _ in 0..LAST_STEP_POLLS {
            if ingest.has_ended() {
                return Some(ingest.end().await);
            }
            tokio::time::sleep(POLL).await;
        }
        None
    }

    /// Starts the program again without a crash, then checks that every record is where it belongs, once.
    async fn recovers(self, after: &str) {
        for file in FILES {
            let on_its_way_out = format!(".ecom-aside.0.{file}");
            if !self.archive.path().join(file).exists() && !self.input.path().join(on_its_way_out).exists() {
                drop_in_text(self.input.path(), file, text(file));
            }
        }
        self.start(&["--once"], "").succeed().await;
        let records = Records::stored(&self.database).await;
        assert!(records == Records::expected(self.has_faults), "{after}: {records:?}");
        self.database.check_balance().await;
        let finished = "SELECT count(*) FROM ecom.ingest_split WHERE state = 'finished' AND generation = 0";
        assert_eq!(self.database.number(finished).await, FILES.len() as i64, "{after}");
        let expected: Vec<(String, String)> = FILES.map(|file| (file.to_owned(), text(file))).into();
        assert!(files(self.archive.path()) == expected, "{after}: the archive differs");
        assert_eq!(files(self.input.path()), [], "{after}");
        self.database.remove().await;
    }
}

fn files(dir: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

async fn killed_at(point: &str, pass: u32) {
    let mut plan = format!("{point}:{pass}");
    if matches!(point, "removal.before_back" | "removal.back") {
        plan.push_str(",removal.before_aside=stop");
    }
    // With the tables there already, nothing is migrated.
    let (case, status, log) = run_into(&plan, !point.starts_with("migration.")).await;
    assert_eq!(status.signal(), Some(9), "{plan}: {status}\n{log}");
    case.recovers(&plan).await;
}

/// Tries several times: which epochs are in flight together depends on timing, and on a busy machine some points are
/// passed less often.
async fn run_into(plan: &str, has_faults: bool) -> (Case, std::process::ExitStatus, String) {
    for _ in 0..5 {
        let case = Case::new(has_faults).await;
        if let Some((status, log)) = case.run_into(plan).await {
            return (case, status, log);
        }
    }
    panic!("it never came to {plan}");
}

async fn panics_at(point: &str) {
    let (case, status, log) = run_into(&format!("{point}=panic"), true).await;
    assert!(status.code().is_some_and(|code| code != 0), "{point}: {status}\n{log}");
    assert!(log.contains("panicked"), "{point}: {log}");
    case.recovers(point).await;
}

#[tokio::test]
async fn killed_at_every_point_it_loses_nothing_and_doubles_nothing() {
    let cases = POINTS
        .iter()
        .flat_map(|(point, passes)| passes.iter().map(|&pass| killed_at(point, pass)));
    stream::iter(cases).for_each_concurrent(AT_ONCE, |case| case).await;
}

#[tokio::test]
async fn a_panic_ends_the_program_and_loses_nothing() {
    let cases = PANICS.iter().map(|point| panics_at(point));
    stream::iter(cases).for_each_concurrent(AT_ONCE, |case| case).await;
}

/// Holds COMMIT up until a lock is free.
const SLOW_COMMIT: &str = "
    CREATE FUNCTION ecom.wait() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
    BEGIN
        PERFORM pg_catalog.pg_advisory_xact_lock(7);
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER wait AFTER UPDATE ON ecom.ingest_pipeline DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (old.epoch <> new.epoch) EXECUTE FUNCTION ecom.wait()";

async fn killed_while_the_server_commits(outcome: &str) {
    let (mut database, input) = (database().await, tempfile::tempdir().unwrap());
    ecom_sink_pg::schema::apply(&mut database.client).await.unwrap();
    database.client.batch_execute(SLOW_COMMIT).await.unwrap();
    database
        .client
        .batch_execute("SELECT pg_advisory_lock(7)")
        .await
        .unwrap();
    drop_in(input.path(), "1.csv", 0..100);
    let first = Ingest::start(&database, &input, &["--settle", "0s"]);
    let committing = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'COMMIT' \
                      AND wait_event_type = 'Lock'";
    eventually("the commit", async || database.number(committing).await == 1).await;
    first.signal(Signal::KILL);
    first.end().await;
    let second = Ingest::start(&database, &input, &["--once", "--settle", "0s"]);
    eventually("the second one waiting", async || second.log().contains("trying again")).await;
    // The server hasn't noticed that nobody waits for its answer.
    assert_eq!(database.number(committing).await, 1);
    database.client.batch_execute(outcome).await.unwrap();
    second.succeed().await;
    assert_eq!(database.rows().await, 100);
    let duplicates = "SELECT sum(duplicates)::int8 FROM ecom.ingest_split";
    assert_eq!(database.number(duplicates).await, 0);
    database.check_balance().await;
}

#[tokio::test]
async fn killed_after_sending_commit_it_continues_from_what_the_server_has() {
    killed_while_the_server_commits("SELECT pg_advisory_unlock(7)").await;
    killed_while_the_server_commits(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND query = 'COMMIT' AND wait_event_type = 'Lock';
         SELECT pg_advisory_unlock(7)",
    )
    .await;
}

/// The names in the sources of a crate.
fn named_in(dir: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            named_in(&path, names);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            let found = text.split("crash_point!(\"").skip(1);
            names.extend(found.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
}

#[test]
fn every_point_in_the_sources_is_enumerated() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = Vec::new();
    for sources in ["../ecom-stream/src", "../ecom-sink-pg/src", "src"] {
        named_in(&here.join(sources), &mut names);
    }
    // The others are tested in ecom-stream/tests/csv_sink_crashes.rs, in maintenance/, rejects/, lost_commits.rs and
    // two_instances.rs. The documentation has the last one as an example.
    names.retain(|name| {
        ![
            "csv_sink.",
            "maintenance.",
            "retry.",
            "service.",
            "take_over.",
            "withdraw.",
        ]
        .iter()
        .any(|of| name.starts_with(of))
            && name != "room.step"
    });
    names.sort();
    let mut enumerated: Vec<&str> = POINTS.iter().map(|(point, _)| *point).collect();
    enumerated.sort_unstable();
    assert_eq!(names, enumerated, "each name once in the sources, and once here");
}
