//! Tables of the user's own: rows of any type, by key, merged, several in one transaction.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use ecom_sink_pg::{Decimal, EpochLimits, Events, InstanceState, Merge, PgSink, Table, Tables};
use ecom_stream::memory::MemorySource;
use ecom_stream::{Either, Error, ErrorKind, Event, EventType, Price, SourceExt, Summary, Timestamp};
use fixture::{Database, database, eventually};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

const NOON: OffsetDateTime = datetime!(2026-11-01 12:00 UTC);

fn sink<W>(database: &Database, tables: W) -> PgSink<W> {
    let sink = PgSink::from_url(&database.url).unwrap();
    sink.into_tables(tables)
}

/// A record that this library knows nothing of.
#[derive(Debug, Clone)]
struct Reading {
    sensor: Uuid,
    at: OffsetDateTime,
    celsius: Option<f64>,
    count: u64,
    total: i128,
    price: Price,
    words: Vec<String>,
    kind: EventType,
}

fn grams(count: u64) -> Decimal {
    Decimal::new(-7 * i128::from(count), 3)
}

fn readings() -> Table<Reading> {
    Table::new("plant.Readings \"raw\"")
        .column("sensor", |reading: &Reading| reading.sensor)
        .column("at", |reading| Timestamp::from(reading.at))
        .column("celsius", |reading| reading.celsius)
        .column("count", |reading| reading.count)
        .column("total", |reading| reading.total)
        .column("price", |reading| reading.price)
        .column("kilograms", |reading| grams(reading.count))
        .column("words", |reading| reading.words.clone())
        .column("kind", |reading| reading.kind)
        .create_if_missing(true)
}

#[tokio::test]
async fn rows_of_any_type_come_back() {
    let database = database().await;
    database.client.batch_execute("CREATE SCHEMA plant").await.unwrap();
    let reading = |n: u64| Reading {
        sensor: Uuid::from_u128(n.into()),
        at: NOON,
        celsius: n.is_multiple_of(2).then_some(n as f64 / 3.0),
        count: n,
        total: -(i128::from(n) << 80),
        price: Price::from_cents(n as i64 * 101).unwrap(),
        words: vec![format!("word {n}"), String::new()],
        kind: EventType::Purchase,
    };
    let source = MemorySource::new("readings", (0..1_000).map(reading).collect()).max_batch_rows(64);
    let summary = source.to(sink(&database, readings())).run().await.unwrap();
    assert_eq!((summary.counts.read, summary.counts.stored), (1_000, 1_000));

    let sql = "SELECT sensor, at, celsius, count, total::text, (price * 100)::int8, words, kind, kilograms::text
               FROM plant.\"Readings \"\"raw\"\"\" ORDER BY count";
    let rows = database.client.query(sql, &[]).await.unwrap();
    assert_eq!(rows.len(), 1_000);
    for (row, n) in rows.iter().zip(0..) {
        let expected = reading(n);
        assert_eq!(row.get::<_, Uuid>(0), expected.sensor);
        assert_eq!(row.get::<_, OffsetDateTime>(1), expected.at);
        assert_eq!(row.get::<_, Option<f64>>(2), expected.celsius);
        assert_eq!(row.get::<_, i64>(3), n as i64);
        assert_eq!(row.get::<_, String>(4), expected.total.to_string());
        assert_eq!(row.get::<_, i64>(5), expected.price.cents());
        assert_eq!(row.get::<_, Vec<String>>(6), expected.words);
        assert_eq!(row.get::<_, String>(7), "purchase");
        assert_eq!(row.get::<_, String>(8), grams(n).to_string());
    }
}

/// A key, a number, and when it came.
type Entry = (u8, i64, i64);

fn totals() -> Table<Entry> {
    Table::new("totals")
        .column("key", |entry: &Entry| entry.0)
        .merge("sum", Merge::Add, |entry| entry.1)
        .merge("least", Merge::Least, |entry| entry.1)
        .merge("greatest", Merge::Greatest, |entry| {
            (entry.1 % 3 != 0).then_some(entry.1)
        })
        .column("last", |entry| entry.2)
        .key(["key"])
        .create_if_missing(true)
}

/// A run on two connections with small epochs; after so many commits it is dropped, as by a crash.
async fn run<T, W>(database: &Database, source: MemorySource<T>, tables: W, commits: u64) -> Option<Summary>
where
    T: Clone + Send + Sync + 'static,
    W: Tables<T>,
{
    let sink = sink(database, tables)
        .epoch_limits(EpochLimits::default().max_rows(20))
        .connections(NonZeroUsize::new(3).unwrap());
    let pipeline = source.max_batch_rows(7).to(sink);
    let mut progress = pipeline.subscribe();
    let crash = async {
        for _ in 0..commits {
            progress.next().await;
        }
    };
    tokio::select! {
        summary = pipeline.run() => Some(summary.unwrap()),
        () = crash => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn merged_rows_count_once_through_crashes() {
    let database = database().await;
    let mut random = fastrand::Rng::with_seed(7);
    let entries: Vec<Entry> = (0..2_000)
        .map(|n| (random.u8(..9), random.i64(-1_000..1_000), n))
        .collect();
    let mut crashes = 0;
    let source = || MemorySource::new("entries", entries.clone());
    while run(&database, source(), totals(), 4 + random.u64(..20)).await.is_none() {
        crashes += 1;
    }
    assert!(crashes > 2, "{crashes} crashes");

    type Total = (i64, i64, Option<i64>, i64);
    let mut expected: BTreeMap<i16, Total> = BTreeMap::new();
    for (key, number, at) in entries {
        let greatest = (number % 3 != 0).then_some(number);
        let first = (0, i64::MAX, None, 0);
        let total = expected.entry(key.into()).or_insert(first);
        *total = (total.0 + number, total.1.min(number), total.2.max(greatest), at);
    }
    let sql = "SELECT key, sum, least, greatest, last FROM totals";
    let rows = database.client.query(sql, &[]).await.unwrap();
    let stored: BTreeMap<i16, Total> = rows
        .iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3), row.get(4))))
        .collect();
    assert_eq!(rows.len(), stored.len());
    assert_eq!(stored, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_tables_are_written_in_one_transaction() {
    let database = database().await;
    let event = |n: u128| Event::new(Uuid::from_u128(n), NOON, EventType::View, "u", "s", "p");
    // For each event an entry, and a line of text now and then.
    type Item = Either<Event, Either<Entry, String>>;
    let items: Vec<Item> = (0..600)
        .flat_map(|n| {
            let entry: Entry = ((n % 3) as u8, 1, n as i64);
            let line = (n % 10 == 0).then(|| Either::Right(Either::Right(format!("line {n}"))));
            [Either::Left(event(n)), Either::Right(Either::Left(entry))]
                .into_iter()
                .chain(line)
        })
        .collect();
    let lines = || {
        Table::new("public.lines")
            .column("line", String::clone)
            .create_if_missing(true)
    };
    let mut random = fastrand::Rng::with_seed(3);
    let mut crashes = 0;
    loop {
        let source = MemorySource::new("items", items.clone());
        let tables = (Events, (totals(), lines()));
        if run(&database, source, tables, 4 + random.u64(..20)).await.is_some() {
            break;
        }
        crashes += 1;
        let ledger = "SELECT coalesce(sum(stored), 0)::int8 FROM ecom.ingest_split";
        let stored: i64 = database.client.query_one(ledger, &[]).await.unwrap().get(0);
        let sql = "SELECT (SELECT count(*) FROM ecom.events) + (SELECT sum(sum) FROM totals)::int8
                        + (SELECT count(*) FROM lines)";
        let rows: i64 = database.client.query_one(sql, &[]).await.unwrap().get(0);
        // A commit may come between the two questions only while a run goes on.
        assert_eq!(rows, stored, "after {crashes} crashes");
    }
    assert!(crashes > 2, "{crashes} crashes");
    let sql =
        "SELECT (SELECT count(*) FROM ecom.events), (SELECT sum(sum)::int8 FROM totals), (SELECT count(*) FROM lines)";
    let row = database.client.query_one(sql, &[]).await.unwrap();
    assert_eq!(
        (row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)),
        (600, 600, 60)
    );
}

#[tokio::test]
async fn a_row_that_the_server_refuses_is_a_dead_letter_and_its_neighbours_stay() {
    let database = database().await;
    let make =
        "CREATE TABLE small (name text PRIMARY KEY, number smallint NOT NULL CHECK (number <> 13), at int8 UNIQUE)";
    database.client.batch_execute(make).await.unwrap();
    type Row = (String, Option<i64>, i64);
    let row = |n: i64| (format!("name {n}"), Some(n), n);
    let mut rows: Vec<Row> = (0..40).map(row).collect();
    // Rejected by a check, by the size of a column, for a null, and by a unique index.
    rows.extend([
        ("large".into(), Some(40_000), 50),
        ("null".into(), None, 51),
        ("twice".into(), Some(1), 7),
    ]);
    rows.extend((60..80).map(row));
    // 32,000 and 3,000 are too many together.
    rows.extend([("sum".into(), Some(32_000), 90), ("sum".into(), Some(3_000), 91)]);
    let small = || {
        Table::new("small")
            .column("name", |row: &Row| row.0.clone())
            .merge("number", Merge::Add, |row| row.1)
            .column("at", |row| row.2)
            .key(["name"])
    };
    let source = MemorySource::new("rows", rows.clone()).max_batch_rows(5);
    let summary = source.to(sink(&database, small())).run().await.unwrap();
    assert_eq!(summary.counts.rejected, 5, "{summary:?}");
    assert!(summary.counts.is_balanced());

    let sql = "SELECT count(*), sum(number)::int8, max(number)::int8 FROM small";
    let stored = database.client.query_one(sql, &[]).await.unwrap();
    let numbers = (0..40).filter(|n| *n != 13).chain(60..80).chain([32_000]);
    assert_eq!(stored.get::<_, i64>(0), 60);
    assert_eq!(stored.get::<_, i64>(1), numbers.sum::<i64>());
    assert_eq!(stored.get::<_, i64>(2), 32_000);
    let sql = "SELECT reason, detail FROM ecom.dead_letters ORDER BY record_no";
    let letters = database.client.query(sql, &[]).await.unwrap();
    let letters: Vec<(String, String)> = letters.iter().map(|row| (row.get(0), row.get(1))).collect();
    let reasons: Vec<&str> = letters.iter().map(|(reason, _)| reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "sqlstate_23514",
            "value_refused",
            "value_refused",
            "sqlstate_23505",
            "sqlstate_22003"
        ]
    );
    assert!(
        letters[0].1.contains("\"small\"") && letters[0].1.contains("13"),
        "{letters:?}"
    );
    assert!(letters[2].1.contains("small.number: may not be null"), "{letters:?}");
}

#[tokio::test]
async fn rows_that_fail_together_and_pass_apart_are_stored() {
    let database = database().await;
    let make = "
        CREATE TABLE orders (id int8 PRIMARY KEY, place int8 UNIQUE, total int4);
        CREATE TABLE lines (order_id int8 REFERENCES orders, line int8);
        INSERT INTO orders VALUES (1, 5, 0), (2, 6, 0), (3, 7, -2000000000)";
    database.client.batch_execute(make).await.unwrap();
    type Order = (i64, i64, i64);
    type Line = (i64, i64);
    let orders = Table::new("orders")
        .column("id", |order: &Order| order.0)
        .column("place", |order| order.1)
        .merge("total", Merge::Add, |order| order.2)
        .key(["id"]);
    let lines = Table::new("lines")
        .column("order_id", |line: &Line| line.0)
        .column("line", |line| line.1);
    let items: Vec<Either<Order, Line>> = vec![
        // The lines are copied before the orders are merged.
        Either::Left((10, 10, 1)),
        Either::Right((10, 1)),
        // In the order of the keys one would be in the place of the other.
        Either::Left((2, 8, 1)),
        Either::Left((1, 6, 1)),
        // Too many together, but not with what is there.
        Either::Left((3, 7, 1_500_000_000)),
        Either::Left((3, 7, 1_500_000_000)),
        // Of no order.
        Either::Right((99, 2)),
    ];
    let source = MemorySource::new("items", items);
    let summary = source.to(sink(&database, (orders, lines))).run().await.unwrap();
    assert_eq!((summary.counts.stored, summary.counts.rejected), (6, 1));
    let rows = database
        .client
        .query("SELECT id, place, total FROM orders ORDER BY id", &[])
        .await
        .unwrap();
    let rows: Vec<(i64, i64, i32)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(rows, [(1, 6, 1), (2, 8, 1), (3, 7, 1_000_000_000), (10, 10, 1)]);
    let reasons = "SELECT reason FROM ecom.dead_letters";
    assert_eq!(database.row(reasons).await.get::<_, String>(0), "sqlstate_23503");
}

#[tokio::test]
async fn values_that_a_column_cannot_hold_are_dead_letters() {
    let database = database().await;
    let make = "
        CREATE TABLE texts (text text PRIMARY KEY, number int8) PARTITION BY RANGE (text);
        CREATE TABLE texts_a PARTITION OF texts FOR VALUES FROM ('a') TO ('n')";
    database.client.batch_execute(make).await.unwrap();
    // Too large for an index, whatever it is compressed to; and of no partition.
    let mut random = fastrand::Rng::with_seed(5);
    let large = "a".to_owned()
        + &std::iter::repeat_with(|| random.alphanumeric())
            .take(20_000)
            .collect::<String>();
    let rows: Vec<(String, i64)> = vec![("b".into(), 1), (large, 2), ("z".into(), 3), ("c".into(), 4)];
    let texts = Table::new("texts")
        .column("text", |row: &(String, i64)| row.0.clone())
        .column("number", |row| row.1);
    let source = MemorySource::new("rows", rows);
    let summary = source.to(sink(&database, texts)).run().await.unwrap();
    assert_eq!((summary.counts.stored, summary.counts.rejected), (2, 2));
    let sql = "SELECT reason FROM ecom.dead_letters ORDER BY record_no";
    let reasons = database.client.query(sql, &[]).await.unwrap();
    let reasons: Vec<String> = reasons.iter().map(|row| row.get(0)).collect();
    assert_eq!(reasons, ["sqlstate_54000", "sqlstate_23514"]);
}

#[tokio::test]
async fn a_row_that_a_trigger_of_a_table_rejects_is_a_dead_letter() {
    let database = database().await;
    let make = "
        CREATE TABLE added (key int2, sum int8);
        CREATE TABLE merged (key int2 PRIMARY KEY, sum int8);
        CREATE FUNCTION no_sevens() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF new.key = 7 THEN RAISE 'no sevens' USING ERRCODE = TG_ARGV[0]; END IF; RETURN new; END $$;
        CREATE TRIGGER t BEFORE INSERT ON added FOR EACH ROW EXECUTE FUNCTION no_sevens('P0001');
        CREATE CONSTRAINT TRIGGER t AFTER INSERT ON merged DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION no_sevens('U7777')";
    database.client.batch_execute(make).await.unwrap();
    for name in ["added", "merged"] {
        let table = Table::new(name)
            .column("key", |entry: &Entry| entry.0)
            .column("sum", |entry| entry.1);
        let table = if name == "merged" { table.key(["key"]) } else { table };
        let entries: Vec<Entry> = (0..40).map(|n| (n, i64::from(n), 0)).collect();
        let source = MemorySource::new(name, entries);
        let sink = sink(&database, table).pipeline(name);
        let counts = source.to(sink).run().await.unwrap().counts;
        assert_eq!((counts.stored, counts.rejected), (39, 1), "{name}");
    }
    let reasons = "SELECT string_agg(reason, ' ' ORDER BY reason) FROM ecom.dead_letters";
    let reasons: String = database.row(reasons).await.get(0);
    assert_eq!(reasons, "sqlstate_p0001 sqlstate_u7777");
}

#[tokio::test]
async fn a_table_that_does_not_fit_is_reported_at_the_start() {
    let database = database().await;
    let make = "
        CREATE TABLE wrong_type (key text PRIMARY KEY, sum text);
        CREATE TABLE no_key (key int2, sum int8);
        CREATE TABLE null_key (key int2 UNIQUE, sum int8);
        CREATE TABLE more (key int2 PRIMARY KEY, sum int8, other text NOT NULL);
        CREATE TABLE fewer (key int2 PRIMARY KEY);
        CREATE TABLE computed (key int2 PRIMARY KEY, sum int8 GENERATED ALWAYS AS (key * 2) STORED);
        CREATE TABLE truths (key int2 PRIMARY KEY, sum boolean);
        CREATE TABLE closed (key int2 PRIMARY KEY, sum int8)";
    database.client.batch_execute(make).await.unwrap();
    let table = |name: &str| {
        Table::new(name)
            .column("key", |entry: &Entry| entry.0)
            .merge("sum", Merge::Add, |entry| entry.1)
    };
    let told = async |table: Table<Entry>| -> Error {
        let source = MemorySource::new("entries", vec![(1, 2, 3)]);
        source.to(sink(&database, table)).run().await.unwrap_err()
    };
    for (table, kind, message) in [
        (table("absent").key(["key"]), ErrorKind::Schema, "there is no table"),
        (
            table("wrong_type").key(["key"]),
            ErrorKind::Schema,
            "\"sum\" has the type text, which cannot hold i64",
        ),
        (
            table("no_key").key(["key"]),
            ErrorKind::Schema,
            "no primary key or unique index on exactly key",
        ),
        (table("null_key").key(["key"]), ErrorKind::Schema, "\"key\" is nullable"),
        (
            table("more").key(["key"]),
            ErrorKind::Schema,
            "\"other\" is NOT NULL without a default",
        ),
        (
            table("fewer").key(["key"]),
            ErrorKind::Schema,
            "no column \"sum\" (bigint)",
        ),
        (
            table("nowhere.made").key(["key"]).create_if_missing(true),
            ErrorKind::Schema,
            "cannot create the table \"nowhere\".\"made\"",
        ),
        (table("computed").key(["key"]), ErrorKind::Schema, "\"sum\" is computed"),
        (
            Table::new("truths")
                .merge("sum", Merge::Add, |_: &Entry| true)
                .column("key", |entry| entry.0)
                .key(["key"]),
            ErrorKind::Schema,
            "sum(boolean)",
        ),
        (table("no_key"), ErrorKind::Configuration, "to merge, but no key"),
        (
            table("no_key").key(["id"]),
            ErrorKind::Configuration,
            "no column \"id\"",
        ),
        (
            table("no_key").key(["key", "sum"]),
            ErrorKind::Configuration,
            "merges the column \"sum\"",
        ),
        (Table::new("no_key"), ErrorKind::Configuration, "has no columns"),
    ] {
        let err = told(table).await;
        let report = err.report().to_string();
        assert!(report.contains(message), "{message}: {report}");
        assert_eq!(err.kind(), kind, "{report}");
    }
    let twice = (table("closed").key(["key"]), table("closed").key(["key"]));
    let source = MemorySource::new("entries", vec![Either::<Entry, Entry>::Left((1, 2, 3))]);
    let err = source.to(sink(&database, twice)).run().await.unwrap_err();
    assert!(err.to_string().contains("by two branches"), "{err}");
}

#[tokio::test]
async fn an_existing_table_is_not_created_again() {
    let database = database().await;
    let make = "CREATE TABLE totals (key int8 PRIMARY KEY, sum numeric, least int8, greatest int8, last int8, more text DEFAULT 'x');
        ALTER TABLE totals ENABLE ROW LEVEL SECURITY";
    database.client.batch_execute(make).await.unwrap();
    let source = MemorySource::new("entries", vec![(1, 2, 3), (1, 5, 4)]);
    source.to(sink(&database, totals())).run().await.unwrap();
    let sql = "SELECT sum::int8, last, more FROM totals";
    let row = database.client.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1), row.get(2)), (7_i64, 4_i64, "x"));
}

/// A trigger that returns null leaves out the row, and the server reports no error.
async fn a_trigger_leaves_rows_out(name: &str, table: Table<(String, i64)>, event: &str) {
    let database = database().await;
    let make = format!("CREATE TABLE public.{name} (word text, number bigint, PRIMARY KEY (word, number))");
    let make = match name {
        "merged" => "CREATE TABLE public.merged (word text PRIMARY KEY, number bigint)",
        "added" => "CREATE TABLE public.added (word text, number bigint)",
        _ => &make,
    };
    let drops = format!(
        "CREATE FUNCTION public.drops() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RETURN CASE WHEN new.word <> 'b' THEN new END; END $$;
         CREATE TRIGGER drops BEFORE {event} ON public.{name} FOR EACH ROW EXECUTE FUNCTION public.drops()"
    );
    let known = format!("INSERT INTO public.{name} VALUES ('a', 1), ('b', 1)");
    for sql in [make, &known, &drops] {
        database.client.batch_execute(sql).await.unwrap();
    }
    let rows = [("a", 1), ("a", 2), ("b", 2), ("b", 3), ("c", 1)].map(|(word, number)| (word.to_owned(), number));
    let sink = sink(&database, table);
    let state = sink.instance_state();
    let running = tokio::spawn(MemorySource::new("rows", rows.to_vec()).to(sink).run());
    eventually("the pause", async || match state.now() {
        InstanceState::Failing { why } => why.contains(&format!("\"{name}\"")) && why.contains("leaves rows out"),
        _ => false,
    })
    .await;
    let sum = format!("SELECT sum(number)::int8 FROM public.{name}");
    assert_eq!(database.number(&sum).await, 2, "{name}");
    let drop = format!("SET lock_timeout = '20s'; DROP TRIGGER drops ON public.{name}");
    database.client.batch_execute(&drop).await.unwrap();
    assert_eq!(running.await.unwrap().unwrap().counts.stored, 5, "{name}");
    let expected = if name == "keys" { 10 } else { 11 };
    assert_eq!(database.number(&sum).await, expected, "{name}");
}

#[tokio::test]
async fn rows_that_a_trigger_leaves_out_pause_the_loading() {
    let table = |name: &str| Table::new(name).column("word", |row: &(String, i64)| row.0.clone());
    let merged = table("merged").merge("number", Merge::Add, |row| row.1).key(["word"]);
    let keys = table("keys").column("number", |row| row.1).key(["word", "number"]);
    let added = table("added").column("number", |row| row.1);
    tokio::join!(
        a_trigger_leaves_rows_out("merged", merged, "INSERT OR UPDATE"),
        a_trigger_leaves_rows_out("keys", keys, "INSERT"),
        a_trigger_leaves_rows_out("added", added, "INSERT"),
    );
}
