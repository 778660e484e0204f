//! Several epochs in flight: copied in parallel, committed in order, whatever happens to one of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::num::NonZeroUsize;
use std::ops::Range;

use ecom_sink_pg::{EpochLimits, PgSink};
use ecom_stream::memory::MemorySource;
use ecom_stream::{Event, EventType, Result, SourceExt, Summary};
use fixture::{Database, database, eventually};
use time::macros::datetime;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Rows of an epoch.
const ROWS: usize = 10;

/// An event with a product `gate n` is held up in the middle of its COPY until the test opens gate `n`. One with the product
/// `interrupted` ends the first COPY that it is in.
const GATES: &str = "
    CREATE SEQUENCE ecom.interruptions;
    CREATE FUNCTION ecom.gate() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
    BEGIN
        IF new.product_id LIKE 'gate %' THEN
            PERFORM pg_catalog.pg_advisory_xact_lock_shared(substr(new.product_id, 6)::int8);
        END IF;
        IF new.brand = 'interrupted' THEN
            -- A sequence goes on even where the transaction is rolled back.
            IF pg_catalog.nextval('ecom.interruptions') = 1 THEN
                RAISE 'interrupted' USING ERRCODE = '57014';
            END IF;
        END IF;
        RETURN new;
    END $$;
    CREATE TRIGGER gate BEFORE INSERT ON ecom.events FOR EACH ROW EXECUTE FUNCTION ecom.gate()";

/// Those of our sessions that have copied and wait for their turn.
const COPIED: &str = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'ecom %' \
                      AND state = 'idle in transaction' AND query LIKE '%COPY%'";

struct Gates(Database);

impl Gates {
    /// So many gates, numbered from 1, all closed.
    async fn closed(gates: u32) -> Self {
        let mut database = database().await;
        ecom_sink_pg::schema::apply(&mut database.client).await.unwrap();
        database.client.batch_execute(GATES).await.unwrap();
        for gate in 1..=gates {
            let close = format!("SELECT pg_advisory_lock({gate})");
            database.client.batch_execute(&close).await.unwrap();
        }
        Self(database)
    }

    async fn open(&self, gate: u32) {
        let open = format!("SELECT pg_advisory_unlock({gate})");
        self.0.client.batch_execute(&open).await.unwrap();
    }

    /// The gates at which some COPY waits.
    async fn waiting(&self) -> Vec<u32> {
        let waiting =
            "SELECT objid::int8 FROM pg_locks JOIN pg_database d ON d.oid = database AND d.datname = current_database()
                       WHERE locktype = 'advisory' AND objsubid = 1 AND NOT granted ORDER BY 1";
        let rows = self.0.client.query(waiting, &[]).await.unwrap();
        rows.iter().map(|row| row.get::<_, i64>(0) as u32).collect()
    }

    async fn are_waiting(&self, at: &[u32], copied: i64) {
        eventually("all epochs in flight", async || {
            self.waiting().await == at && self.0.number(&format!("SELECT count(*) {COPIED}")).await == copied
        })
        .await;
    }

    /// Loads events in epochs of [`ROWS`].
    fn load(&self, pipeline: &str, connections: usize, events: Vec<Event>) -> JoinHandle<Result<Summary>> {
        let sink = PgSink::from_url(&self.0.url)
            .unwrap()
            .pipeline(pipeline)
            .connections(NonZeroUsize::new(connections).unwrap())
            .epoch_limits(EpochLimits::default().max_rows(ROWS));
        let source = MemorySource::new("memory", events).max_batch_rows(ROWS);
        tokio::spawn(source.to(sink).run())
    }

    /// The transactions that stored each epoch of an only pipeline, in the order of the epochs.
    async fn transactions(&self) -> Vec<i64> {
        let sql = format!(
            "SELECT DISTINCT ON ((record_no - 1) / {ROWS}) xmin::text::int8 FROM ecom.events ORDER BY (record_no - 1) / {ROWS}"
        );
        let rows = self.0.client.query(&sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

fn event(id: usize) -> Event {
    let noon = datetime!(2026-11-01 12:00 UTC);
    Event::new(
        Uuid::from_u128(id as u128),
        noon,
        EventType::View,
        "user",
        "session",
        "product",
    )
}

fn events(ids: Range<usize>) -> Vec<Event> {
    ids.map(event).collect()
}

fn gate(id: usize, gate: u32) -> Event {
    let mut event = event(id);
    event.product_id = format!("gate {gate}");
    event
}

/// Epochs, the first of which is held up at gate 1.
fn first_held_up(epochs: usize) -> Vec<Event> {
    let mut events = events(0..epochs * ROWS);
    events[0] = gate(0, 1);
    events
}

#[tokio::test]
async fn two_pipelines_whose_epochs_hold_each_others_keys_store_each_once() {
    let gates = Gates::closed(2).await;
    let (a, b) = (100..100 + ROWS, 200..200 + ROWS);
    let epochs = |first: Event, older: &Range<usize>, younger: &Range<usize>| {
        let mut epochs = vec![first];
        epochs.extend(events(older.start..older.end - 1));
        epochs.extend(events(younger.clone()));
        epochs
    };
    // Each younger epoch has the keys that the older one of the other pipeline is about to copy.
    let first = gates.load("first", 2, epochs(gate(1, 1), &a, &b));
    let second = gates.load("second", 2, epochs(gate(2, 2), &b, &a));
    gates.are_waiting(&[1, 2], 2).await;
    // From here on each older epoch waits for a younger one that waits for the older one before it: no cycle of locks.
    gates.open(1).await;
    gates.open(2).await;
    let (first, second) = (
        first.await.unwrap().unwrap().counts,
        second.await.unwrap().unwrap().counts,
    );
    // The gates, and both sets but for one row of the older ones that made room for the gate.
    assert_eq!(first.stored + second.stored, 2 + 2 * ROWS as u64);
    assert_eq!(first.duplicates + second.duplicates, 2 * (ROWS as u64 - 1));
    gates.0.check_balance().await;
}

#[tokio::test]
async fn when_the_oldest_fails_the_younger_ones_are_copied_again_after_it() {
    let gates = Gates::closed(1).await;
    let mut events = first_held_up(3);
    events[0].brand = Some("interrupted".into());
    let loading = gates.load("only", 3, events);
    gates.are_waiting(&[1], 2).await;
    gates.open(1).await;
    let counts = loading.await.unwrap().unwrap().counts;
    assert_eq!((counts.stored, counts.duplicates), (3 * ROWS as u64, 0));
    let transactions = gates.transactions().await;
    // The younger ones had begun before, and did so again.
    assert_eq!(transactions.iter().min(), transactions.first(), "{transactions:?}");
    gates.0.check_balance().await;
}

#[tokio::test]
async fn when_a_younger_one_fails_it_waits_for_the_older_ones() {
    let gates = Gates::closed(1).await;
    let mut events = first_held_up(3);
    events[ROWS].brand = Some("interrupted".into());
    let loading = gates.load("only", 3, events);
    // The second has failed, and the third was recalled.
    gates.are_waiting(&[1], 0).await;
    eventually("the failure of the second", async || {
        gates
            .0
            .number("SELECT is_called::int::int8 FROM ecom.interruptions")
            .await
            == 1
    })
    .await;
    gates.open(1).await;
    let counts = loading.await.unwrap().unwrap().counts;
    assert_eq!((counts.stored, counts.duplicates), (3 * ROWS as u64, 0));
    gates.0.check_balance().await;
}

#[tokio::test]
async fn the_connection_of_a_younger_one_may_break() {
    let gates = Gates::closed(1).await;
    let loading = gates.load("only", 2, first_held_up(4));
    gates.are_waiting(&[1], 1).await;
    let ended = format!("SELECT count(pg_terminate_backend(pid)) {COPIED}");
    assert_eq!(gates.0.number(&ended).await, 1);
    gates.open(1).await;
    let counts = loading.await.unwrap().unwrap().counts;
    assert_eq!((counts.stored, counts.duplicates), (4 * ROWS as u64, 0));
    gates.0.check_balance().await;
}

#[tokio::test]
async fn the_first_of_two_rows_with_one_key_is_stored_whatever_epochs_they_are_in() {
    let gates = Gates::closed(1).await;
    let mut events = first_held_up(3);
    // The same as one that is in flight, twice.
    events[ROWS + 3] = event(5);
    events[2 * ROWS + 3] = event(5);
    let loading = gates.load("only", 3, events);
    gates.are_waiting(&[1], 2).await;
    gates.open(1).await;
    let counts = loading.await.unwrap().unwrap().counts;
    assert_eq!((counts.stored, counts.duplicates), (3 * ROWS as u64 - 2, 2));
    let place = "SELECT record_no FROM ecom.events WHERE event_id = '00000000-0000-0000-0000-000000000005'";
    assert_eq!(gates.0.number(place).await, 6);
    gates.0.check_balance().await;
}

#[tokio::test]
async fn a_row_of_a_younger_epoch_replaces_a_rejected_one_with_its_key() {
    let gates = Gates::closed(1).await;
    let few = "ALTER TABLE ecom.events ADD CONSTRAINT few CHECK (quantity < 1000)";
    gates.0.client.batch_execute(few).await.unwrap();
    let mut events = first_held_up(3);
    // Of four rows with one key the server rejects the first two.
    let mut refused = event(5);
    refused.quantity = 1_000;
    events[5] = refused.clone();
    events[ROWS + 2] = refused;
    events[ROWS + 3] = event(5);
    events[2 * ROWS + 3] = event(5);
    let loading = gates.load("only", 3, events);
    gates.are_waiting(&[1], 2).await;
    gates.open(1).await;
    let counts = loading.await.unwrap().unwrap().counts;
    assert_eq!(
        (counts.stored, counts.duplicates, counts.rejected),
        (3 * ROWS as u64 - 3, 1, 2)
    );
    let place = "SELECT record_no FROM ecom.events WHERE event_id = '00000000-0000-0000-0000-000000000005'";
    assert_eq!(gates.0.number(place).await, ROWS as i64 + 4);
    gates.0.check_balance().await;
}

#[tokio::test]
async fn epochs_are_committed_in_order_whichever_copy_ends_first() {
    const EPOCHS: usize = 12;
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..3 {
        let gates = Gates::closed(EPOCHS as u32).await;
        let mut events = events(0..EPOCHS * ROWS);
        for epoch in 0..EPOCHS {
            events[epoch * ROWS] = gate(epoch * ROWS, epoch as u32 + 1);
        }
        let loading = gates.load("only", 4, events);
        let mut opened = [false; EPOCHS];
        for done in 0..EPOCHS {
            // Four at a time, fewer at the end.
            let committed = opened.iter().take_while(|opened| **opened).count();
            let at_gates: Vec<u32> = (committed..EPOCHS.min(committed + 4))
                .filter(|epoch| !opened[*epoch])
                .map(|epoch| epoch as u32 + 1)
                .collect();
            gates.are_waiting(&at_gates, (done - committed) as i64).await;
            eventually("the commits before them", async || {
                gates.0.number("SELECT epoch FROM ecom.ingest_pipeline").await == committed as i64
            })
            .await;
            assert_eq!(gates.0.rows().await, (committed * ROWS) as i64, "a prefix");
            let next = *random.choice(&at_gates).unwrap();
            opened[next as usize - 1] = true;
            gates.open(next).await;
        }
        let counts = loading.await.unwrap().unwrap().counts;
        assert_eq!((counts.stored, counts.duplicates), ((EPOCHS * ROWS) as u64, 0));
        gates.0.check_balance().await;
    }
}
