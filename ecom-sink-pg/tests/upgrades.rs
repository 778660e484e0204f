//! A database with data gets a further migration, as the next version would bring one, and keeps every row.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests too"
)]

mod fixture;

use std::fs;
use std::path::Path;
use std::time::Duration;

use ecom_sink_pg::PgSink;
use ecom_sink_pg::schema::{apply, check, texts};
use ecom_stream::{CsvDirSource, Rules, SourceExt, Summary};
use fixture::schema::{SQL, current, database_with_schema, dump, grant_roles, psql, psql_file, refused, said, setup};
use fixture::{Database, database, drop_in, drop_in_text, line};
use refinery::{Migration, Runner};
use tempfile::TempDir;

/// What a further migration may do: new columns, also with values in them, a new version of a function, an index, a view.
const FURTHER: &str = "
    ALTER TABLE ecom.events ADD COLUMN IF NOT EXISTS country text NOT NULL DEFAULT 'DE';
    COMMENT ON COLUMN ecom.events.country IS 'Country of the shop.';
    ALTER TABLE ecom.ingest_split ADD COLUMN IF NOT EXISTS owner text GENERATED ALWAYS AS (mark ->> 'owner') STORED;
    COMMENT ON COLUMN ecom.ingest_split.owner IS 'Owner of the file.';
    ALTER TABLE ecom.settings ADD COLUMN IF NOT EXISTS keep_days integer;
    COMMENT ON COLUMN ecom.settings.keep_days IS 'Age at which partitions are dropped.';
    CREATE INDEX IF NOT EXISTS dead_letters_path ON ecom.dead_letters (path);
    CREATE OR REPLACE FUNCTION ecom.orders(
        since timestamptz DEFAULT '-infinity',
        until timestamptz DEFAULT 'infinity'
    ) RETURNS TABLE (
        session_id text, ordered_at timestamptz, user_id text, lines bigint, units bigint, revenue numeric
    )
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT session_id, event_time, user_id, 1, quantity, 0 FROM ecom.events WHERE event_type = 'purchase' $$;
    CREATE OR REPLACE VIEW ecom.countries AS SELECT country, count(*) AS events FROM ecom.events GROUP BY country;
    COMMENT ON VIEW ecom.countries IS 'Number of events per country.';
";

/// The files of `sql/` with a further migration, as the next version would have them.
struct NextVersion {
    files: TempDir,
    migrations: Vec<Migration>,
}

impl NextVersion {
    fn with(text: &str) -> Self {
        let mut migrations: Vec<Migration> = texts()
            .map(|(name, text)| Migration::unapplied(name, text).unwrap())
            .collect();
        let last = migrations.last().unwrap().clone();
        let number = last.version() + 1;
        let further = Migration::unapplied(&format!("V{number}__country"), text).unwrap();

        let files = tempfile::tempdir().unwrap();
        let folder = files.path().join("migrations");
        fs::create_dir(&folder).unwrap();
        for (name, text) in texts() {
            fs::write(folder.join(format!("{name}.sql")), text).unwrap();
        }
        fs::write(folder.join(format!("{further}.sql")), text).unwrap();
        // The step of the last migration once more, for this one.
        let setup = fs::read_to_string(format!("{SQL}/setup.sql")).unwrap();
        let from = setup.find(&format!("\\set checksum {}\n", last.checksum())).unwrap();
        let to = from + setup[from..].find("\\endif\n").unwrap() + "\\endif\n".len();
        let step = setup[from..to]
            .replace(&last.checksum().to_string(), &further.checksum().to_string())
            .replace(&last.to_string(), &further.to_string())
            .replace(
                &format!("version = {}", last.version()),
                &format!("version = {}", further.version()),
            )
            .replace(
                &format!("({}, '{}'", last.version(), last.name()),
                &format!("({}, '{}'", further.version(), further.name()),
            );
        let setup = format!("{}\n{step}{}", &setup[..to], &setup[to..]);
        fs::write(files.path().join("setup.sql"), setup).unwrap();
        migrations.push(further);
        Self { files, migrations }
    }

    fn name(&self) -> String {
        self.migrations.last().unwrap().to_string()
    }

    /// Upgrades as `psql -f sql/setup.sql` of that version does.
    fn setup(&self, url: &str, more: &[&str]) -> Result<(), String> {
        let output = psql_file(url, &self.files.path().join("setup.sql"), more);
        let newest = format!("The schema ecom is at {}\n", self.name());
        let said = said(&output);
        match output.status.success() {
            true => assert_eq!(said, newest),
            false => return Err(said),
        }
        Ok(())
    }

    /// Upgrades as the program of that version does.
    async fn apply(&self, db: &mut Database) -> Result<(), refinery::Error> {
        let mut runner = Runner::new(&self.migrations).set_grouped(true);
        runner.set_migration_table_name("ecom.schema_history");
        runner.run_async(&mut db.client).await.map(drop)
    }
}

async fn load(db: &Database, input: &Path) -> Summary {
    let source = CsvDirSource::new(input).settle_for(Duration::from_millis(100));
    let sink = PgSink::from_url(&db.url).unwrap();
    let pipeline = source.available_now(true).validate(Rules::default()).stamp().to(sink);
    pipeline.run().await.unwrap()
}

/// Fills every table: events in six partitions of two widths, dead letters that wait and one that was repaired, a ledger of
/// files of all kinds, operator state, settings. Gives the directory with the files.
async fn fill(db: &Database) -> TempDir {
    let input = tempfile::tempdir().unwrap();
    drop_in(input.path(), "a.csv", 0..100);
    drop_in(input.path(), "copy.csv", 0..100);
    drop_in(input.path(), "b.csv", 50..150);
    drop_in_text(input.path(), "other.csv", "no,header,of,ours\n1,2,3,4\n");
    let bad = format!("{}not,an,event\nnor,this\n{}", fixture::HEADER, line(150));
    drop_in_text(input.path(), "bad.csv", bad);
    let counts = load(db, input.path()).await.counts;
    assert_eq!((counts.stored, counts.duplicates, counts.rejected), (151, 50, 2));
    db.execute(
        "UPDATE ecom.settings SET partition_width = 'month', index_profile = 'full';
         SELECT ecom.ensure_partitions(ARRAY['2026-12-24']::date[]);
         INSERT INTO ecom.events (event_time, processed_at, event_id, quantity, event_type, user_id, session_id, product_id,
             price, extra)
         VALUES ('2026-12-24 18:00Z', now(), gen_random_uuid(), 1, 'purchase', 'u', 's', 'p', 9.99, '{\"colour\": \"red\"}');
         INSERT INTO ecom.ingest_pruned VALUES (1, 96, 1, 0, false, 'events', 'csv', 'digest');
         INSERT INTO ecom.operator_state VALUES (1, 1, 'events', 'sessions', 'key', 'value'), (2, 1, 'events', 'sums', '', '');
         UPDATE ecom.dead_letters SET resolved_at = now(), resolution = 'stored'
         WHERE id = (SELECT min(id) FROM ecom.dead_letters);
         UPDATE ecom.ingest_split SET rejected = rejected - 1, stored = stored + 1 WHERE path = 'bad.csv'",
    )
    .await;
    assert_eq!(
        db.ask("SELECT count(DISTINCT tableoid) FROM ecom.events").await,
        ["6"],
        "partitions"
    );
    input
}

/// The tables that hold data, and their columns.
async fn columns(db: &Database) -> Vec<(String, String)> {
    let sql = "
        SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'ecom'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname <> 'schema_history'
        GROUP BY c.relname ORDER BY c.relname";
    let lines = db.ask(sql).await;
    let split = |line: &String| {
        line.split_once('|')
            .map(|(table, columns)| (table.into(), columns.into()))
    };
    lines.iter().filter_map(split).collect()
}

/// Every row of every table in those columns, with the partition that it is in.
async fn rows(db: &Database, columns: &[(String, String)]) -> Vec<String> {
    let mut all = Vec::new();
    for (table, columns) in columns {
        let sql = format!("SELECT tableoid::regclass, ROW({columns}) FROM ecom.{table} ORDER BY 1::text, 2::text");
        let rows = db.ask(&sql).await;
        assert!(!rows.is_empty(), "{table} has no rows");
        all.extend(rows);
    }
    all
}

async fn history(db: &Database) -> Vec<String> {
    db.ask("SELECT * FROM ecom.schema_history ORDER BY version").await
}

/// Upgrades a database with data, by psql or by the program, and gives its schema.
async fn upgraded(by_psql: bool) -> String {
    let next = NextVersion::with(FURTHER);
    let mut db = database_with_schema().await;
    let _input = fill(&db).await;
    let columns = columns(&db).await;
    let before = (rows(&db, &columns).await, history(&db).await);
    match by_psql {
        true => next.setup(&db.url, &[]).unwrap(),
        false => next.apply(&mut db).await.unwrap(),
    }
    let upgraded = history(&db).await;
    let (last, older) = upgraded.split_last().unwrap();
    assert_eq!((rows(&db, &columns).await, older), (before.0.clone(), &before.1[..]));
    let number = next.migrations.last().unwrap().version();
    assert!(last.starts_with(&format!("{number}|country|")), "{last}");

    // What is new is there, also for the rows that were there before, and in partitions that are made from now on.
    assert_eq!(db.ask("SELECT * FROM ecom.countries").await, ["DE|152"]);
    db.execute("BEGIN; SELECT ecom.ensure_partitions(ARRAY['2027-01-01']::date[])")
        .await;
    let new = "INSERT INTO ecom.events (event_time, processed_at, event_id, quantity, event_type, user_id, session_id,
                   product_id, country)
               VALUES ('2027-01-01 12:00Z', now(), gen_random_uuid(), 1, 'view', 'u', 's', 'p', 'CH')
               RETURNING tableoid::regclass, country";
    assert_eq!(db.ask(new).await, ["ecom.events_y202701|CH"]);
    db.execute("ROLLBACK").await;
    let balance = "SELECT stored, balance_ok FROM ecom.ingest_balance";
    assert_eq!(db.ask(balance).await, ["152|t"]);
    grant_roles(&db).await;
    let right = "SELECT has_table_privilege('ecom_reader', 'ecom.countries', 'SELECT')";
    assert_eq!(db.ask(right).await, ["t"]);

    // Once more: nothing changes.
    let schema = dump(&db.url).await;
    next.apply(&mut db).await.unwrap();
    if by_psql {
        next.setup(&db.url, &[]).unwrap();
        next.setup(&db.url, &["-v", "again=on"]).unwrap();
    }
    assert_eq!(rows(&db, &columns).await, before.0);
    assert_eq!(history(&db).await, upgraded);
    assert_eq!(dump(&db.url).await, schema);

    // The older program leaves it alone.
    let expected = format!("the schema ecom is newer than this program: it has {}", next.name());
    for message in [refused(check(&db.client).await), refused(apply(&mut db.client).await)] {
        assert!(message.starts_with(&expected), "{message}");
    }
    schema
}

#[tokio::test]
async fn a_further_migration_keeps_every_row() {
    upgraded(false).await;
}

#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn a_further_migration_by_psql_keeps_every_row() {
    assert_eq!(upgraded(true).await, upgraded(false).await, "psql and the program");
}

/// Tries to upgrade a database with data, by psql or by the program, to a version whose migration fails.
async fn check_that_a_failure_changes_nothing(by_psql: bool) {
    let fails = format!("{FURTHER} UPDATE ecom.events SET quantity = 0; DELETE FROM ecom.dead_letters; SELECT 1 / 0;");
    let next = NextVersion::with(&fails);
    let mut db = database_with_schema().await;
    let _input = fill(&db).await;
    let columns = columns(&db).await;
    let before = (rows(&db, &columns).await, history(&db).await, dump(&db.url).await);
    let message = match by_psql {
        true => next.setup(&db.url, &[]).unwrap_err(),
        false => format!("{:?}", next.apply(&mut db).await.unwrap_err()),
    };
    assert!(message.contains("division by zero"), "{message}");
    let after = (rows(&db, &columns).await, history(&db).await, dump(&db.url).await);
    assert_eq!(after, before);
    check(&db.client).await.unwrap();
}

#[tokio::test]
async fn a_migration_that_fails_changes_nothing() {
    check_that_a_failure_changes_nothing(false).await;
}

#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn a_migration_that_fails_in_psql_changes_nothing() {
    check_that_a_failure_changes_nothing(true).await;
}

#[tokio::test]
async fn a_database_with_data_is_found_current_and_keeps_it() {
    let mut db = database_with_schema().await;
    let input = fill(&db).await;
    let columns = columns(&db).await;
    let before = (rows(&db, &columns).await, history(&db).await, dump(&db.url).await);
    check(&db.client).await.unwrap();
    apply(&mut db.client).await.unwrap();
    let after = (rows(&db, &columns).await, history(&db).await, dump(&db.url).await);
    assert_eq!(after, before);
    check_that_it_goes_on(&db, &input).await;
}

#[tokio::test]
#[ignore = "needs psql; `.ci/run` runs it"]
async fn setup_sql_keeps_a_database_with_data_and_restores_what_was_dropped() {
    for made_by_psql in [true, false] {
        let mut db = database().await;
        match made_by_psql {
            true => drop(setup(&db.url)),
            false => apply(&mut db.client).await.unwrap(),
        }
        let input = fill(&db).await;
        let columns = columns(&db).await;
        let before = (rows(&db, &columns).await, history(&db).await, dump(&db.url).await);
        for more in [&[][..], &["-v", "again=on"]] {
            assert_eq!(said(&psql(&db.url, "setup.sql", more)), current());
            check(&db.client).await.unwrap();
            apply(&mut db.client).await.unwrap();
            let after = (rows(&db, &columns).await, history(&db).await, dump(&db.url).await);
            assert_eq!(after, before);
        }

        // What was dropped by hand comes back, and the rows stay.
        db.execute("DROP VIEW ecom.pulse; DROP FUNCTION ecom.ensure_partitions; DROP INDEX ecom.ingest_split_content")
            .await;
        assert_eq!(said(&psql(&db.url, "setup.sql", &["-v", "again=on"])), current());
        let after = (rows(&db, &columns).await, history(&db).await, dump(&db.url).await);
        assert_eq!(after, before);
        check_that_it_goes_on(&db, &input).await;
    }
}

/// Ingest goes on where it was.
async fn check_that_it_goes_on(db: &Database, input: &TempDir) {
    drop_in(input.path(), "c.csv", 200..210);
    let counts = load(db, input.path()).await.counts;
    assert_eq!((counts.read, counts.stored), (10, 10));
}

/// A schema as it was before events had orders and currencies, with rows.
async fn before_refunds() -> Database {
    let mut db = database().await;
    let older = texts().take_while(|(name, _)| !name.ends_with("__refunds_orders_currencies"));
    let older: Vec<Migration> = older
        .map(|(name, text)| Migration::unapplied(name, text).unwrap())
        .collect();
    db.execute("CREATE SCHEMA ecom").await;
    let mut runner = Runner::new(&older).set_grouped(true);
    runner.set_migration_table_name("ecom.schema_history");
    runner.run_async(&mut db.client).await.unwrap();
    db.execute(
        "SELECT ecom.ensure_partitions(ARRAY['2026-11-10', '2026-11-11']::date[]);
         INSERT INTO ecom.events (event_time, processed_at, event_id, quantity, event_type, user_id, session_id, product_id, price)
         SELECT '2026-11-10 09:00Z'::timestamptz + n * interval '1 minute', now(), gen_random_uuid(), 1 + n % 3,
             (ARRAY['view', 'add_to_cart', 'purchase'])[1 + n % 3], 'u' || n % 50, 's' || n % 200, 'p' || n % 20, 9.90
         FROM generate_series(1, 2000) n;
         CREATE VIEW ecom.of_the_shop AS SELECT sum(revenue) AS revenue FROM ecom.orders();
         SELECT ecom.begin_merge('events_y202611', '2026-11-01Z', '2026-12-01Z');
         SELECT ecom.begin_copy('events_y202611', 'events_y20261110');",
    )
    .await;
    db
}

#[tokio::test]
async fn orders_and_currencies_come_to_a_table_with_rows_without_rewriting_it() {
    let mut db = before_refunds().await;
    let columns = columns_of_events(&db).await;
    let files = "SELECT string_agg(pg_relation_filenode(partition)::text, ',' ORDER BY partition)
                 FROM ecom.partition_bounds()";
    let sums = [
        "SELECT count(*), sum(revenue) FROM ecom.orders()",
        "SELECT revenue FROM ecom.of_the_shop",
        "SELECT * FROM ecom.top_products ORDER BY product_id",
        "SELECT * FROM ecom.lifetime_value() ORDER BY user_id",
        "SELECT * FROM ecom.events_by_type ORDER BY 1",
    ];
    let seen = async |db: &Database| {
        let mut seen = db.ask(files).await;
        seen.extend(
            db.ask(&format!("SELECT {columns} FROM ecom.events ORDER BY event_id"))
                .await,
        );
        for sql in sums {
            seen.extend(db.ask(sql).await);
        }
        seen
    };
    let before = seen(&db).await;
    apply(&mut db.client).await.unwrap();
    assert_eq!(seen(&db).await, before);
    check(&db.client).await.unwrap();

    // Older partitions take what is new, and get the index of refunds by settling. New ones have it.
    db.execute(
        "INSERT INTO ecom.events (event_time, processed_at, event_id, quantity, event_type, user_id, session_id, product_id,
             price, order_id, currency, line_total)
         VALUES ('2026-11-10 09:00Z', now(), gen_random_uuid(), 1, 'refund', 'u', 's', NULL, 9.90, '#1', 'EUR', 5.00)",
    )
    .await;
    assert_eq!(
        db.ask("SELECT revenue FROM ecom.sales_over_time('2026-11-10 08:59Z', '2026-11-10 09:01Z')")
            .await,
        ["-5.00"]
    );
    // A merge that was under way has what came.
    let merged = "SELECT event_type, product_id, order_id, currency, line_total FROM ecom.events_y202611_merging";
    assert_eq!(db.ask(merged).await, ["refund||#1|EUR|5.00"]);
    db.execute("SELECT ecom.ensure_partitions(ARRAY['2026-11-12']::date[])")
        .await;
    let index = "SELECT partition, state FROM ecom.partition_indexes WHERE index LIKE '%refund' ORDER BY 1";
    let missing = ["events_y20261110|missing", "events_y20261111|missing"];
    assert_eq!(db.ask(index).await, missing);
    for build in db
        .ask("SELECT build FROM ecom.partition_indexes WHERE state = 'missing'")
        .await
    {
        db.execute(&build).await;
    }
    assert_eq!(
        db.ask("SELECT bool_and(is_settled) FROM ecom.partitions WHERE partition < 'events_y20261112'")
            .await,
        ["t"]
    );
}

async fn columns_of_events(db: &Database) -> String {
    let columns = columns(db).await;
    columns.into_iter().find(|(table, _)| table == "events").unwrap().1
}
