//! The sink as users of the library use it: events from memory, a real server, and faults.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use ecom_sink_pg::{EpochLimits, InstanceState, PgSink};
use ecom_stream::memory::MemorySource;
use ecom_stream::{
    Batch, BatchStream, Checkpoint, ErrorKind, Event, EventType, Position, Price, Refusal, Reject, Result, Sink,
    SourceExt, Split, StateChange, Summary, Topology, Transform,
};
use fixture::{Database, database, eventually};
use futures::{StreamExt, TryStreamExt};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use time::macros::datetime;
use time::{Duration as Span, OffsetDateTime};
use uuid::Uuid;

const NOON: OffsetDateTime = datetime!(2026-11-01 12:00 UTC);

fn event(n: u128) -> Event {
    Event::new(Uuid::from_u128(n), NOON, EventType::View, "user", "session", "product")
}

fn sink(database: &Database) -> PgSink {
    PgSink::from_url(&database.url).unwrap()
}

async fn store(database: &Database, source: &str, events: Vec<Event>) -> Summary {
    let source = MemorySource::new(source, events).max_batch_rows(100);
    source.stamp().to(sink(database)).run().await.unwrap()
}

/// Any event that the rules let in.
fn any_event() -> impl Strategy<Value = Event> {
    let id = "[^\0]{1,16}";
    let text = || prop::option::of("[^\0]{0,40}");
    let microseconds = 946_684_800_000_000_i128..1_900_000_000_000_000;
    let who = (
        any::<u128>(),
        microseconds,
        prop::sample::select(&EventType::ALL[..]),
        id,
        id,
        id,
    );
    let price = || prop::option::of(prop_oneof![0..=Price::MAX.cents(), 0..20_000_i64]);
    let further = (
        prop::option::of("[^\0]{1,64}"),
        prop::option::of("[A-Z]{3}"),
        price(),
        any::<bool>(),
    );
    (who, text(), text(), text(), price(), 1..=i32::MAX, further).prop_map(
        |((id, micros, kind, user, session, product), name, category, brand, price, quantity, further)| {
            // A few days only, so that a hundred events don't need a hundred partitions.
            let time = OffsetDateTime::from_unix_timestamp_nanos(micros * 1_000).unwrap();
            let time = NOON.replace_time(time.time()) + Span::days(i64::from(quantity % 5));
            let mut event = Event::new(Uuid::from_u128(id), time, kind, user, session, product);
            event.product_name = name;
            event.category = category;
            event.brand = brand;
            event.price = price.and_then(Price::from_cents);
            event.quantity = quantity;
            event.processed_at = Some(time + Span::microseconds(1));
            let (order_id, currency, line_total, has_product) = further;
            event.order_id = order_id.filter(|order| order.len() <= 64);
            event.currency = currency.map(|code| code.parse().unwrap());
            event.line_total = line_total.and_then(Price::from_cents);
            if !has_product && !kind.needs_product() {
                event.product_id.clear();
            }
            event
        },
    )
}

#[tokio::test]
async fn every_value_comes_back_from_the_table() {
    let database = database().await;
    let mut runner = TestRunner::default();
    let events = prop::collection::vec(any_event(), 500)
        .new_tree(&mut runner)
        .unwrap()
        .current();
    let source = MemorySource::new("values", events.clone());
    let summary = source.to(sink(&database)).run().await.unwrap();
    assert_eq!(summary.counts.stored, 500);

    let sql = "SELECT *, (price * 100)::int8 AS cents, (line_total * 100)::int8 AS total_cents FROM ecom.events ORDER BY record_no";
    let rows = database.client.query(sql, &[]).await.unwrap();
    for (row, event) in rows.iter().zip(events) {
        let mut back = Event::new(
            row.get("event_id"),
            row.get("event_time"),
            EventType::from_name(row.get("event_type")).unwrap(),
            row.get::<_, String>("user_id"),
            row.get::<_, String>("session_id"),
            row.get::<_, Option<String>>("product_id").unwrap_or_default(),
        );
        back.order_id = row.get("order_id");
        back.currency = row.get::<_, Option<&str>>("currency").map(|code| code.parse().unwrap());
        back.line_total = row.get::<_, Option<i64>>("total_cents").and_then(Price::from_cents);
        back.product_name = row.get("product_name");
        back.category = row.get("category");
        back.brand = row.get("brand");
        back.price = row.get::<_, Option<i64>>("cents").and_then(Price::from_cents);
        back.quantity = row.get("quantity");
        back.processed_at = row.get("processed_at");
        assert_eq!(back, event);
    }
}

#[tokio::test]
async fn duplicates_are_counted_wherever_they_are() {
    let database = database().await;
    // Within a batch, between batches of one epoch, between runs.
    let events: Vec<Event> = (0..400).map(|n| event(n % 150)).collect();
    let first = store(&database, "first", events).await;
    assert_eq!((first.counts.stored, first.counts.duplicates), (150, 250));
    let second = store(&database, "second", (100..300).map(event).collect()).await;
    assert_eq!((second.counts.stored, second.counts.duplicates), (150, 50));

    // The same id at another time is another event, and a view shows it.
    let mut later = event(1);
    later.event_time += Span::SECOND;
    assert_eq!(store(&database, "third", vec![later]).await.counts.stored, 1);
    assert_eq!(
        database.number("SELECT count(*) FROM ecom.ids_at_several_times").await,
        1
    );
    database.check_balance().await;
}

#[tokio::test]
async fn a_row_that_the_server_refuses_is_a_dead_letter_and_its_neighbours_are_stored() {
    let database = database().await;
    store(&database, "before", (0..50).map(event).collect()).await;
    database
        .client
        .batch_execute("ALTER TABLE ecom.events ADD CONSTRAINT few CHECK (quantity < 1000)")
        .await
        .unwrap();
    // Some rejected, some duplicates, in one epoch.
    let events = (0..300).map(|n| {
        let mut event = event(n);
        event.quantity = if n % 97 == 60 { 1_000 } else { 1 };
        event
    });
    let counts = store(&database, "after", events.collect()).await.counts;
    assert_eq!((counts.stored, counts.duplicates, counts.rejected), (247, 50, 3));
    let letters = database
        .number("SELECT count(*) FROM ecom.dead_letters WHERE reason = 'sqlstate_23514'")
        .await;
    assert_eq!(letters, 3);
    database.check_balance().await;
}

#[tokio::test]
async fn a_row_that_breaks_a_key_of_the_user_is_a_dead_letter_too() {
    let database = database().await;
    store(&database, "before", (0..50).map(event).collect()).await;
    let index = "CREATE UNIQUE INDEX ON ecom.events_y20261101 (product_id) WHERE quantity > 1";
    database.client.batch_execute(index).await.unwrap();
    let events = (25..100).map(|n| {
        let mut event = event(n);
        event.quantity = if n >= 98 { 2 } else { 1 };
        event
    });
    let counts = store(&database, "after", events.collect()).await.counts;
    // Each of the two would do alone: the first is stored.
    assert_eq!((counts.duplicates, counts.stored, counts.rejected), (25, 49, 1));
    database.check_balance().await;
}

#[tokio::test]
async fn events_of_many_days_are_stored_whole() {
    let database = database().await;
    let events = (0..600).map(|n| {
        let mut event = event(n as u128);
        event.event_time -= Span::days(n);
        event
    });
    let source = MemorySource::new("days", events.collect());
    let counts = source.to(sink(&database)).run().await.unwrap().counts;
    assert_eq!((counts.stored, counts.rejected), (600, 0));
    database.check_balance().await;
}

/// Numbers the events across runs, and keeps the number as its state.
struct Numbering;

impl Transform<Event> for Numbering {
    type Out = Event;

    fn describe(&self, topology: &mut Topology) {
        topology.add_operator("numbering");
    }

    fn apply(self, input: impl BatchStream<Event> + 'static, from: Checkpoint) -> impl BatchStream<Event> {
        try_stream! {
            let entries: Vec<StateChange> = from.state("numbering").try_collect().await?;
            let known = entries.iter().find_map(|entry| entry.value.clone());
            let mut number = known.map_or(0, |bytes| i64::from_be_bytes(bytes.try_into().unwrap()));
            for await batch in input {
                let mut batch = batch?;
                for record in &mut batch.records {
                    number += 1;
                    record.value.user_id = number.to_string();
                }
                batch.state.push(StateChange::new(Arc::from("numbering"), b"last".to_vec(), 1, Some(number.to_be_bytes().to_vec())));
                yield batch;
            }
        }
    }
}

#[tokio::test]
async fn operator_state_continues_from_the_last_commit() {
    let database = database().await;
    for run in 0..3 {
        let events = (0..250).map(|n| event(run * 1_000 + n)).collect();
        let source = MemorySource::new(format!("run {run}"), events).max_batch_rows(33);
        source.via(Numbering).to(sink(&database)).run().await.unwrap();
    }
    let gapless = "SELECT count(DISTINCT user_id::int8) = 750 AND max(user_id::int8) = 750 FROM ecom.events";
    assert!(database.row(gapless).await.get::<_, bool>(0));
    assert_eq!(database.number("SELECT count(*) FROM ecom.operator_state").await, 1);
}

/// Small epochs, so that there are many to be hit.
fn small_epochs(database: &Database) -> PgSink {
    sink(database).epoch_limits(EpochLimits::default().max_rows(500))
}

fn in_background(database: &Database, events: u128) -> tokio::task::JoinHandle<Result<Summary>> {
    let events = (0..events).map(event).collect();
    let source = MemorySource::new("background", events).max_batch_rows(100);
    tokio::spawn(source.to(small_epochs(database)).run())
}

async fn rows(database: &Database) -> i64 {
    let exists = database
        .row("SELECT to_regclass('ecom.events') IS NOT NULL")
        .await
        .get(0);
    match exists {
        true => database.rows().await,
        false => 0,
    }
}

#[tokio::test]
async fn sessions_may_be_ended_and_tables_locked_at_any_time() {
    let mut database = database().await;
    let loading = in_background(&database, 40_000);
    eventually("the first rows", async || rows(&database).await > 0).await;
    let mut ended = 0;
    while ended < 30 && !loading.is_finished() {
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE application_name LIKE 'ecom %' AND datname = current_database() AND random() < 0.7";
        ended += database.number(end).await;
        let locked = database.client.transaction().await.unwrap();
        locked
            .batch_execute("LOCK TABLE ecom.events IN ACCESS EXCLUSIVE MODE")
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        locked.commit().await.unwrap();
    }
    assert!(ended > 0, "it was over before a session could be ended");
    let summary = loading.await.unwrap().unwrap();
    assert_eq!(summary.counts.stored, 40_000);
    database.check_balance().await;
}

#[tokio::test]
async fn a_partition_may_be_dropped_while_it_runs() {
    let database = database().await;
    let loading = in_background(&database, 20_000);
    eventually("the first rows", async || rows(&database).await > 0).await;
    let drop = "SET lock_timeout = '20s'; DROP TABLE ecom.events_y20261101";
    database.client.batch_execute(drop).await.unwrap();
    let summary = loading.await.unwrap().unwrap();
    assert_eq!(summary.counts.stored, 20_000);
    assert!(rows(&database).await > 0, "the partition was made again");
}

/// Whatever differs in the row of the pipeline: none of it was written by this instance.
#[tokio::test]
async fn a_superseded_instance_commits_nothing_more() {
    let changes = [
        ("fence = fence + 1", ErrorKind::Stale),
        ("holder_id = gen_random_uuid()", ErrorKind::Stale),
        ("holder_id = NULL", ErrorKind::Stale),
        ("epoch = epoch + 1", ErrorKind::Stale),
        ("epoch = epoch + 50", ErrorKind::Stale),
        ("taken_over = ARRAY[holder_id], fence = fence + 1", ErrorKind::Fenced),
    ];
    for (change, kind) in changes {
        let database = database().await;
        let mut overtaken = small_epochs(&database);
        overtaken.ledger(&Topology::default()).await.unwrap();
        let change = format!("UPDATE ecom.ingest_pipeline SET {change}");
        database.client.batch_execute(&change).await.unwrap();
        let batch = Batch::new(vec![ecom_stream::Record::new(event(1), None)]);
        let input = futures::stream::iter([Ok(batch)]);
        let mut commits = Box::pin(overtaken.commit(input));
        let err = commits.next().await.unwrap().unwrap_err();
        assert_eq!(err.kind(), kind, "{change}: {}", err.report());
        assert_eq!(database.rows().await, 0, "{change}");
    }
}

/// A ledger that was deleted or set back is behind what the server had acknowledged.
#[tokio::test]
async fn an_idle_instance_notices_that_the_ledger_is_behind() {
    let behind = [
        "UPDATE ecom.ingest_pipeline SET epoch = epoch - 1",
        "DELETE FROM ecom.ingest_pipeline",
    ];
    for behind in behind {
        let database = database().await;
        let mut sink = small_epochs(&database);
        sink.ledger(&Topology::default()).await.unwrap();
        let state = sink.instance_state();
        let batch = Batch::new(vec![ecom_stream::Record::new(event(1), None)]);
        let input = futures::stream::iter([Ok(batch)]).chain(futures::stream::pending());
        let mut commits = Box::pin(sink.commit(input));
        assert_eq!(commits.next().await.unwrap().unwrap().epoch, 1);
        database.client.batch_execute(behind).await.unwrap();
        let err = commits.next().await.unwrap().unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Stale, "{behind}");
        assert!(err.report().contains("lost commits"), "{}", err.report());
        assert!(matches!(state.now(), InstanceState::Failing { .. }), "{behind}");
    }
}

#[tokio::test]
async fn two_pipelines_into_one_table_store_each_event_once() {
    let database = database().await;
    store(&database, "warm-up", vec![event(1 << 100)]).await;
    let run = |name: &'static str| {
        let events = (0..20_000).map(event).collect();
        let source = MemorySource::new("same", events).max_batch_rows(100);
        tokio::spawn(source.to(small_epochs(&database).pipeline(name)).run())
    };
    let (first, second) = (run("first"), run("second"));
    let (first, second) = (
        first.await.unwrap().unwrap().counts,
        second.await.unwrap().unwrap().counts,
    );
    assert_eq!(first.stored + second.stored, 20_000);
    assert_eq!(first.duplicates + second.duplicates, 20_000);
    database.check_balance().await;
}

/// A batch with something for each table of the schema.
fn batch_for_every_table(n: u128, state: Option<&[u8]>) -> Batch<Event> {
    let split = Split::new("csv", "a.csv");
    let mut batch = Batch::new(vec![ecom_stream::Record::new(event(n), None)]);
    batch.rejects.push(Reject::new(None, Refusal::new("bad", "detail")));
    batch.positions.push(Position::new(split.clone(), n as u64, n as u64));
    let counts = batch.count_of(&split);
    (counts.read, counts.filtered) = (1, 1);
    let change = StateChange::new(Arc::from("operator"), b"key".to_vec(), 1, state.map(<[u8]>::to_vec));
    batch.state.push(change);
    batch
}

/// A trigger that returns null leaves out the row, and the server reports no error.
async fn a_trigger_leaves_rows_out(table: &str, event: &str) {
    let database = database().await;
    let mut sink = sink(&database);
    sink.ledger(&Topology::default()).await.unwrap();
    let state = sink.instance_state();
    let (send, batches) = futures::channel::mpsc::unbounded();
    let mut commits = Box::pin(sink.commit(batches));
    send.unbounded_send(Ok(batch_for_every_table(1, Some(b"one")))).unwrap();
    assert_eq!(commits.next().await.unwrap().unwrap().epoch, 1);

    let trigger = format!(
        "CREATE FUNCTION public.drops() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER drops BEFORE {event} ON ecom.{table} FOR EACH ROW EXECUTE FUNCTION public.drops()"
    );
    database.client.batch_execute(&trigger).await.unwrap();
    let second = if event == "DELETE" { None } else { Some(&b"two"[..]) };
    send.unbounded_send(Ok(batch_for_every_table(2, second))).unwrap();
    let next = tokio::spawn(async move {
        let next = commits.next().await;
        (next, commits)
    });
    eventually("the pause", async || match state.now() {
        InstanceState::Failing { why } => why.contains(&format!("ecom.{table}")) && why.contains("leaves rows out"),
        _ => false,
    })
    .await;
    assert_eq!(database.rows().await, 1, "{event} of {table}");

    let drop = format!("SET lock_timeout = '20s'; DROP TRIGGER drops ON ecom.{table}");
    database.client.batch_execute(&drop).await.unwrap();
    let (next, _commits) = next.await.unwrap();
    assert_eq!(next.unwrap().unwrap().epoch, 2, "{event} of {table}");
    assert_eq!(state.now(), InstanceState::Leading);
    let counts = "SELECT count(*) FROM ecom.dead_letters";
    assert_eq!((database.rows().await, database.number(counts).await), (2, 2));
    assert_eq!(database.number("SELECT record_no FROM ecom.ingest_split").await, 2);
    let states = "SELECT count(*) FROM ecom.operator_state WHERE value = 'two'";
    assert_eq!(database.number(states).await, i64::from(event != "DELETE"));
    assert_eq!(
        database.number("SELECT count(*) FROM ecom.operator_state").await,
        i64::from(event != "DELETE")
    );
}

#[tokio::test]
async fn rows_that_a_trigger_leaves_out_pause_the_loading_in_whatever_table() {
    let cases = [
        ("ingest_split", "INSERT"),
        ("ingest_split", "UPDATE"),
        ("ingest_pipeline", "UPDATE"),
        ("dead_letters", "INSERT"),
        ("operator_state", "INSERT"),
        ("operator_state", "UPDATE"),
        ("operator_state", "DELETE"),
    ];
    let cases = cases.map(|(table, event)| a_trigger_leaves_rows_out(table, event));
    futures::future::join_all(cases).await;
}

/// At the start too: a row of the pipeline that is not stored is no lead.
#[tokio::test]
async fn a_claim_that_a_trigger_leaves_out_is_an_error() {
    for event in ["INSERT", "UPDATE"] {
        let mut database = database().await;
        ecom_sink_pg::schema::apply(&mut database.client).await.unwrap();
        let trigger = format!(
            "CREATE FUNCTION public.drops() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER drops BEFORE {event} ON ecom.ingest_pipeline FOR EACH ROW EXECUTE FUNCTION public.drops()"
        );
        database.client.batch_execute(&trigger).await.unwrap();
        let err = sink(&database)
            .ledger(&Topology::default())
            .await
            .map(drop)
            .unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Schema);
        assert!(err.report().contains("ecom.ingest_pipeline"), "{}", err.report());
        assert!(err.report().contains("leaves rows out"), "{}", err.report());
    }
}
