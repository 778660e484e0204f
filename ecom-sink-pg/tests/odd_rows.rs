//! Unusual rows, tables that somebody changed, and long histories: every event is stored or becomes a dead letter.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::time::Duration;

use ecom_sink_pg::{Console, DeadLetterFilter, InstanceState, PgSink};
use ecom_stream::memory::MemorySource;
use ecom_stream::{Counts, CsvDirSource, ErrorKind, Event, EventType, Result, Rules, SourceExt, Summary};
use fixture::{Database, HEADER, database, drop_in, drop_in_text, eventually};
use tempfile::TempDir;
use time::macros::{datetime, offset};
use time::{Duration as Span, OffsetDateTime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

const NOON: OffsetDateTime = datetime!(2026-11-01 12:00 UTC);

/// A file with one event each at noon of some days.
fn file(days: std::ops::Range<i64>) -> String {
    let lines = days.map(|day| {
        let date = (NOON - Span::days(day)).date();
        format!("00000000-0000-7000-8000-{day:012x},{date}T12:00:00Z,view,u,s,p,n,c,b,1.00,1\n")
    });
    std::iter::once(HEADER.to_owned()).chain(lines).collect()
}

fn event(n: u128, user: &str) -> Event {
    event_at(NOON, n, user)
}

fn event_at(time: OffsetDateTime, n: u128, user: &str) -> Event {
    Event::new(Uuid::from_u128(n), time, EventType::View, user, "session", "product")
}

fn sink(database: &Database) -> PgSink {
    PgSink::from_url(&database.url).unwrap()
}

/// Waits for a run; one that takes a minute has failed.
async fn ends(run: impl Future<Output = Result<Summary>>) -> Counts {
    let summary = tokio::time::timeout(Duration::from_secs(60), run).await;
    summary.expect("it does not end").unwrap().counts
}

async fn load(database: &Database, input: &TempDir) -> Counts {
    let source = CsvDirSource::new(input.path()).available_now(true);
    ends(source.validate(Rules::default()).to(sink(database)).run()).await
}

async fn store(database: &Database, source: &str, events: Vec<Event>) -> Counts {
    ends(MemorySource::new(source, events).to(sink(database)).run()).await
}

async fn execute(database: &Database, sql: &str) {
    database.client.batch_execute(sql).await.unwrap();
}

async fn letters(database: &Database, reason: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM ecom.dead_letters WHERE reason = '{reason}'");
    database.number(&sql).await
}

/// A pipeline over a directory that runs until it is told to stop.
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Summary>>,
}

fn start(database: &Database, input: &TempDir) -> Running {
    let (stop, stopped) = oneshot::channel::<()>();
    let source = CsvDirSource::new(input.path()).settle_for(Duration::from_millis(50));
    let pipeline = source.validate(Rules::default()).to(sink(database));
    let stopped = async {
        let _ = stopped.await;
    };
    Running {
        stop,
        task: tokio::spawn(pipeline.run_until(stopped)),
    }
}

impl Running {
    async fn stop(self) -> Counts {
        self.stop.send(()).unwrap();
        ends(async { self.task.await.unwrap() }).await
    }
}

async fn has_rows(database: &Database, rows: i64) -> bool {
    let there = "SELECT (to_regclass('ecom.events') IS NOT NULL)::int::int8";
    database.number(there).await == 1 && database.rows().await == rows
}

#[tokio::test]
async fn months_of_history_in_a_file_each() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    for month in 0..8 {
        let days = month * 30..(month + 1) * 30;
        drop_in_text(input.path(), &format!("{month:02}.csv"), file(days));
    }
    let counts = load(&database, &input).await;
    assert_eq!((counts.stored, counts.rejected), (240, 0));
    database.check_balance().await;
}

#[tokio::test]
async fn days_of_history_in_a_file_each() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    for day in 0..200 {
        drop_in_text(input.path(), &format!("{day:03}.csv"), file(day..day + 1));
    }
    let counts = load(&database, &input).await;
    assert_eq!((counts.stored, counts.rejected), (200, 0));
    database.check_balance().await;
}

#[tokio::test]
async fn a_check_of_the_user_holds_for_the_partition_of_a_new_day_too() {
    let database = database().await;
    store(&database, "before", vec![event(1, "user")]).await;
    execute(&database, "ALTER TABLE ecom.events ADD CHECK (user_id <> 'bad')").await;
    let tomorrow = ["good", "bad"]
        .into_iter()
        .zip(2..)
        .map(|(user, n)| event_at(NOON + Span::DAY, n, user));
    let counts = store(&database, "after", tomorrow.collect()).await;
    assert_eq!((counts.stored, counts.rejected), (1, 1));
    assert_eq!(letters(&database, "sqlstate_23514").await, 1);
    database.check_balance().await;
}

#[tokio::test]
async fn if_the_first_of_two_equal_keys_is_rejected_the_second_is_stored() {
    let database = database().await;
    store(&database, "before", vec![event(1, "user")]).await;
    execute(&database, "ALTER TABLE ecom.events ADD CHECK (user_id <> 'bad')").await;
    let copies = ["bad", "bad", "good", "good"].map(|user| event(2, user));
    let counts = store(&database, "after", copies.into()).await;
    assert_eq!((counts.stored, counts.duplicates, counts.rejected), (1, 1, 2));
    let kept = database
        .number("SELECT count(*) FROM ecom.events WHERE user_id = 'good'")
        .await;
    assert_eq!(kept, 1);
    database.check_balance().await;
}

#[tokio::test]
async fn a_row_whose_key_of_the_user_is_in_the_table_is_a_dead_letter() {
    let database = database().await;
    store(&database, "before", vec![event(1, "one")]).await;
    execute(&database, "CREATE UNIQUE INDEX ON ecom.events_y20261101 (user_id)").await;
    let counts = store(
        &database,
        "after",
        vec![event(2, "one"), event(3, "two"), event(1, "one")],
    )
    .await;
    assert_eq!((counts.stored, counts.duplicates, counts.rejected), (1, 1, 1));
    assert_eq!(letters(&database, "sqlstate_23505").await, 1);
    database.check_balance().await;
}

#[tokio::test]
async fn rows_that_are_refused_for_different_reasons_are_all_found() {
    let database = database().await;
    store(&database, "before", vec![event(1, "one")]).await;
    let rules = "
        CREATE UNIQUE INDEX ON ecom.events_y20261101 (user_id);
        ALTER TABLE ecom.events ADD CHECK (user_id <> 'nobody')";
    execute(&database, rules).await;
    // The check is what the server complains of first, twice among others.
    let events = [
        (2, "nobody"),
        (3, "two"),
        (4, "one"),
        (5, "nobody"),
        (6, "two"),
        (1, "one"),
        (7, "three"),
    ];
    let events = events.map(|(n, user)| event(n, user)).to_vec();
    let counts = store(&database, "after", events).await;
    assert_eq!((counts.stored, counts.duplicates, counts.rejected), (2, 1, 4));
    assert_eq!(letters(&database, "sqlstate_23505").await, 2);
    assert_eq!(letters(&database, "sqlstate_23514").await, 2);
    database.check_balance().await;
}

#[tokio::test]
async fn a_row_that_is_refused_only_at_the_end_of_the_transaction_is_a_dead_letter() {
    let database = database().await;
    store(&database, "before", vec![event(1, "one")]).await;
    let known_users = "
        CREATE TABLE public.users (user_id text COLLATE \"C\" PRIMARY KEY);
        INSERT INTO public.users VALUES ('one'), ('two');
        ALTER TABLE ecom.events ADD FOREIGN KEY (user_id) REFERENCES public.users DEFERRABLE INITIALLY DEFERRED";
    execute(&database, known_users).await;
    let events = vec![event(2, "one"), event(3, "stranger"), event(4, "two")];
    let counts = store(&database, "after", events).await;
    assert_eq!((counts.stored, counts.rejected), (2, 1));
    assert_eq!(letters(&database, "sqlstate_23503").await, 1);
    database.check_balance().await;
}

/// A trigger on the table of events that runs this PL/pgSQL for each row.
async fn set_trigger(database: &Database, body: &str, timing: &str) {
    let trigger = format!(
        "DROP TRIGGER IF EXISTS mine ON ecom.events;
         CREATE OR REPLACE FUNCTION public.mine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN new; END $$;
         CREATE {timing} FOR EACH ROW EXECUTE FUNCTION public.mine()"
    );
    execute(database, &trigger).await;
}

const BEFORE: &str = "TRIGGER mine BEFORE INSERT ON ecom.events";
const DEFERRED: &str = "CONSTRAINT TRIGGER mine AFTER INSERT ON ecom.events DEFERRABLE INITIALLY DEFERRED";

#[tokio::test]
async fn a_row_that_a_trigger_rejects_is_a_dead_letter_whatever_its_code() {
    let database = database().await;
    store(&database, "before", vec![event(1, "one")]).await;
    let codes = ["P0001", "23514", "23505", "42501", "40001", "57014", "02000", "U0001"];
    let cases = codes.iter().flat_map(|code| [(code, BEFORE), (code, DEFERRED)]);
    for (n, (code, timing)) in (1..).zip(cases) {
        let raise = format!("IF new.user_id = 'bad' THEN RAISE 'not this one' USING ERRCODE = '{code}'; END IF;");
        set_trigger(&database, &raise, timing).await;
        let users = (0..20).map(|at| event(n * 100 + at, if at == 7 { "bad" } else { "good" }));
        let counts = store(&database, &format!("{code} {timing}"), users.collect()).await;
        assert_eq!((counts.stored, counts.rejected), (19, 1), "{code} {timing}");
    }
    for code in codes {
        let reason = format!("sqlstate_{}", code.to_lowercase());
        assert_eq!(letters(&database, &reason).await, 2, "{code}");
    }
    // What a function does wrong for one row only is that row's too.
    set_trigger(
        &database,
        "IF new.user_id = 'bad' THEN PERFORM FROM nowhere; END IF;",
        BEFORE,
    )
    .await;
    let counts = store(&database, "nowhere", vec![event(9_001, "good"), event(9_002, "bad")]).await;
    assert_eq!((counts.stored, counts.rejected), (1, 1));
    assert_eq!(letters(&database, "sqlstate_42p01").await, 1);
    database.check_balance().await;
}

/// Stores events that the database does not accept until `mend` is executed, and returns why it paused.
async fn paused_until(database: &Database, source: &str, events: Vec<Event>, mend: &str) -> String {
    let expected = events.len() as u64;
    let sink = sink(database);
    let state = sink.instance_state();
    let running = tokio::spawn(MemorySource::new(source, events).to(sink).run());
    let mut reason = String::new();
    eventually("the pause", async || {
        if let InstanceState::Failing { why } = state.now() {
            reason = why;
        }
        !reason.is_empty()
    })
    .await;
    execute(database, mend).await;
    let counts = ends(async { running.await.unwrap() }).await;
    assert_eq!((counts.stored, counts.rejected), (expected, 0), "{reason}");
    database.check_balance().await;
    reason
}

#[tokio::test]
async fn what_every_row_is_rejected_for_pauses_with_the_reason_and_rejects_none() {
    let database = database().await;
    store(&database, "before", vec![event(1, "one")]).await;
    let drop = "DROP TRIGGER mine ON ecom.events";
    for (n, timing) in [(1_000, BEFORE), (2_000, DEFERRED)] {
        set_trigger(&database, "RAISE 'closed today';", timing).await;
        let events = (n..n + 300).map(|n| event(n, "user")).collect();
        let reason = paused_until(&database, timing, events, drop).await;
        for part in [
            "every row",
            "closed today",
            "P0001",
            "a trigger or function",
            "USING CONSTRAINT",
        ] {
            assert!(reason.contains(part), "{reason}");
        }
    }
    // Whose table is missing: one row is enough.
    set_trigger(&database, "PERFORM FROM public.nowhere;", BEFORE).await;
    let reason = paused_until(&database, "missing", vec![event(3, "user")], drop).await;
    assert!(reason.contains("\"public.nowhere\" does not exist"), "{reason}");
    let column = "ALTER TABLE ecom.events ADD COLUMN mine int CHECK (mine > 0); UPDATE ecom.events SET mine = 1";
    execute(&database, column).await;
    set_trigger(
        &database,
        "IF new.mine IS NULL THEN RAISE not_null_violation; END IF;",
        BEFORE,
    )
    .await;
    let events = (4_000..4_050).map(|n| event(n, "user")).collect();
    paused_until(&database, "null", events, drop).await;
}

#[tokio::test]
async fn a_rule_with_a_name_may_reject_every_row_and_a_nameless_one_a_few() {
    let database = database().await;
    store(&database, "before", vec![event(1, "one")]).await;
    let raise = "RAISE 'too cheap' USING ERRCODE = 'check_violation', CONSTRAINT = 'my_rule';";
    set_trigger(&database, raise, BEFORE).await;
    let counts = store(&database, "named", (100..150).map(|n| event(n, "user")).collect()).await;
    assert_eq!((counts.stored, counts.rejected), (0, 50));
    set_trigger(&database, "RAISE 'too cheap';", BEFORE).await;
    let counts = store(&database, "few", (200..209).map(|n| event(n, "user")).collect()).await;
    assert_eq!((counts.stored, counts.rejected), (0, 9));
    // The good row is found, though the first ones are all bad.
    set_trigger(
        &database,
        "IF new.user_id = 'bad' THEN RAISE 'too cheap'; END IF;",
        BEFORE,
    )
    .await;
    let users = (300..330).map(|n| event(n, if n < 320 { "bad" } else { "good" }));
    let counts = store(&database, "sorted", users.collect()).await;
    assert_eq!((counts.stored, counts.rejected), (10, 20));
    database.check_balance().await;
}

#[tokio::test]
async fn an_event_trigger_that_refuses_partitions_pauses_with_its_reason() {
    let database = database().await;
    store(&database, "before", vec![event(1, "one")]).await;
    let refuse = "
        CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no DDL today'; END $$;
        CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.refuse()";
    execute(&database, refuse).await;
    let tomorrow = vec![event_at(NOON + Span::DAY, 2, "user")];
    let reason = paused_until(&database, "after", tomorrow, "DROP EVENT TRIGGER refuse").await;
    for part in [
        "creating partitions failed",
        "no DDL today",
        "an event trigger",
        "ecom.ensure_partitions",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
}

/// A database with that encoding on the shared server.
async fn database_in(encoding: &str) -> Database {
    let admin = database().await;
    let name = format!("in_{encoding}");
    let create =
        format!("CREATE DATABASE \"{name}\" ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    execute(&admin, &create).await;
    let (before, after) = admin.url.split_once("@/").unwrap();
    let (_, parameters) = after.split_once('?').unwrap();
    let url = format!("{before}@/{name}?{parameters}");
    let client = fixture::connect(&url).await;
    Database { url, client }
}

#[tokio::test]
async fn a_database_of_any_encoding_stores_what_it_can_hold_and_names_every_file() {
    // How many of the three names each of them lacks.
    for (encoding, lacking) in [
        ("LATIN1", 1),
        ("EUC_JP", 0),
        ("WIN1252", 1),
        ("KOI8R", 2),
        ("SQL_ASCII", 0),
        ("UTF8", 0),
    ] {
        let (database, input) = (database_in(encoding).await, tempfile::tempdir().unwrap());
        let row = |n: u32, name: &str| {
            format!("00000000-0000-7000-8000-{n:012x},2026-11-01T12:00:00Z,view,u,s,p,{name},c,b,1.00,1\n")
        };
        let rows = row(1, "plain") + &row(2, "\u{e9}") + &row(3, "\u{8336}");
        let names = ["plain.csv", "M\u{e4}rz.csv", "\u{8336} %u{8336}.csv"];
        drop_in_text(input.path(), names[0], format!("{HEADER}{rows}"));
        // Each with a row that no database takes, and a column that is not ours.
        for (n, name) in (10..).zip(&names[1..]) {
            let header = HEADER.replace("quantity", "quantity,\u{5099}\u{8003}");
            let bad = row(n + 20, "\u{8336}").replace("view", "\u{8336}");
            let rows = row(n, "plain") + &bad;
            let rows: String = rows.lines().map(|row| format!("{row},\u{8336}\n")).collect();
            drop_in_text(input.path(), name, format!("{header}{rows}"));
        }
        let counts = load(&database, &input).await;
        assert_eq!(
            (counts.read, counts.stored, counts.rejected),
            (7, 5 - lacking, 2 + lacking),
            "{encoding}"
        );
        assert_eq!(letters(&database, "sqlstate_22p05").await, lacking as i64, "{encoding}");
        let whole = "SELECT count(*) FROM ecom.dead_letters WHERE encode(raw, 'hex') LIKE '%e88cb6%'";
        assert_eq!(database.number(whole).await, 2 + lacking.min(1) as i64, "{encoding}");
        // They are known by their names.
        assert_eq!(load(&database, &input).await.read, 0, "{encoding}");
        for (n, name) in (50..).zip(&names[1..]) {
            let more = row(n, "plain").replace('\n', ",\n");
            let grown = std::fs::read_to_string(input.path().join(name)).unwrap() + &more;
            std::fs::write(input.path().join(name), grown).unwrap();
        }
        assert_eq!(load(&database, &input).await.read, 2, "{encoding}");
        let files = "SELECT count(*) FROM ecom.ingest_split WHERE state = 'finished' AND generation = 0";
        assert_eq!(database.number(files).await, 3, "{encoding}");
        let console = Console::from_url(&database.url).unwrap();
        let of_file = DeadLetterFilter::waiting().path(Some(names[2].to_owned()));
        let found = console.dead_letters(&of_file, 10).await.unwrap();
        assert_eq!(found.len(), 1, "{encoding}");
        assert_eq!(found[0].split.as_ref().unwrap().path(), names[2], "{encoding}");
        assert!(found[0].detail.contains('\u{8336}'), "{encoding}: {}", found[0].detail);
        database.check_balance().await;
    }
}

#[tokio::test]
async fn a_name_that_the_database_cannot_hold_is_refused_at_the_start() {
    let database = database_in("LATIN2").await;
    let sink = sink(&database).pipeline("\u{8336}");
    let run = MemorySource::new("events", vec![event(1, "user")]).to(sink).run();
    let err = tokio::time::timeout(Duration::from_secs(60), run)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Configuration);
    assert!(err.report().contains("ENCODING 'UTF8'"), "{}", err.report());
}

#[tokio::test]
async fn a_row_refused_beside_one_without_a_partition() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let running = start(&database, &input);
    drop_in_text(input.path(), "a.csv", file(0..2));
    eventually("two days", async || has_rows(&database, 2).await).await;
    execute(&database, "ALTER TABLE ecom.events ADD CHECK (user_id <> 'bad')").await;
    execute(&database, "DROP TABLE ecom.events_y20261031").await;
    let bad = file(2..3).replace("2026-10-30", "2026-11-01").replace(",u,", ",bad,");
    let good = file(3..4).replace("2026-10-29", "2026-10-31");
    drop_in_text(input.path(), "b.csv", bad + good.strip_prefix(HEADER).unwrap());
    eventually("the good one", async || has_rows(&database, 2).await).await;
    let counts = running.stop().await;
    assert_eq!((counts.stored, counts.rejected), (3, 1));
    assert_eq!(letters(&database, "sqlstate_23514").await, 1);
}

#[tokio::test]
async fn times_are_stored_in_microseconds_which_decide_about_duplicates() {
    let database = database().await;
    let source = MemorySource::new("nanoseconds", vec![event(1, "100"), event(1, "999"), event(1, "1000")]);
    let mapped = source.map(|mut event: Event| {
        event.event_time += Span::nanoseconds(event.user_id.parse().unwrap());
        event
    });
    let counts = ends(mapped.to(sink(&database)).run()).await;
    assert_eq!((counts.stored, counts.duplicates), (2, 1));
    let again = store(&database, "whole", vec![event(1, "")]).await;
    assert_eq!(again.duplicates, 1);
    database.check_balance().await;
}

#[tokio::test]
async fn times_with_an_offset_are_of_their_day_in_utc() {
    let database = database().await;
    let source = MemorySource::new("offset", (1..3).map(|n| event(n, "user")).collect());
    let mapped = source.map(|mut event: Event| {
        // Of the second of November there.
        event.event_time = event.event_time.to_offset(offset!(+14));
        event
    });
    assert_eq!(ends(mapped.to(sink(&database)).run()).await.stored, 2);
    let there = "SELECT count(*) FROM ecom.events_y20261101 WHERE event_time = '2026-11-01T12:00:00Z'";
    assert_eq!(database.number(there).await, 2);
    let again = store(&database, "in UTC", (1..3).map(|n| event(n, "user")).collect()).await;
    assert_eq!(again.duplicates, 2);
    database.check_balance().await;
}

#[tokio::test]
async fn an_event_of_a_day_too_far_away_is_a_dead_letter() {
    let database = database().await;
    let times = [
        datetime!(9999-12-31 12:00 UTC),
        datetime!(-0001-06-01 12:00 UTC),
        datetime!(9999-12-30 12:00 UTC),
        datetime!(0001-01-01 12:00 UTC),
        NOON,
    ];
    let events = times
        .into_iter()
        .zip(1..)
        .map(|(event_time, n)| event_at(event_time, n, "user"));
    let counts = store(&database, "far", events.collect()).await;
    assert_eq!((counts.stored, counts.rejected), (3, 2));
    assert_eq!(letters(&database, "event_time_out_of_range").await, 2);
    database.check_balance().await;
}

#[tokio::test]
async fn an_idle_leader_reconnects_after_its_session_is_terminated() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    drop_in(input.path(), "a.csv", 0..10);
    let running = start(&database, &input);
    eventually("the rows", async || has_rows(&database, 10).await).await;
    let leads = "SELECT coalesce(max(pid), 0)::int8 FROM pg_locks WHERE locktype = 'advisory' AND granted \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let before = database.number(leads).await;
    assert_ne!(before, 0);
    execute(&database, &format!("SELECT pg_terminate_backend({before})")).await;
    eventually("another session that leads", async || {
        let now = database.number(leads).await;
        now != 0 && now != before
    })
    .await;

    drop_in(input.path(), "b.csv", 10..20);
    eventually("more rows", async || has_rows(&database, 20).await).await;
    assert_eq!(running.stop().await.stored, 20);
    assert_eq!(database.number("SELECT fence FROM ecom.ingest_pipeline").await, 1);
    database.check_balance().await;
}
