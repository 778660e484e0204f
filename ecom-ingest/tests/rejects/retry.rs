//! Rejected rows are listed, corrected and retried.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::{check_balance, ecom, export, retry, waiting};
use crate::fixture::program::{Ingest, once, program};
use crate::fixture::{Database, HEADER, database, drop_in, drop_in_text, eventually, line};

/// Three bad records between good ones; the first has no id.
async fn with_rejects() -> (Database, TempDir) {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let text = [
        HEADER,
        &line(1),
        ",2026-11-01T12:00:00Z,purchase,u,s,p,\"Lamp, small\",c,b,,1\n",
        &line(2),
        "x-1,2026-11-01T12:00:01Z,wish,u,s,p,n,c,b,1.50,1\n",
        "x-2,2026-11-01T12:00:02Z,view,u\n",
        &line(4),
    ]
    .concat();
    drop_in_text(input.path(), "a.csv", text);
    once(&database, &input).await;
    database.check_balance().await;
    (database, input)
}

#[tokio::test]
async fn each_reject_is_listed_with_how_to_fix_and_retry_it() {
    let (database, _input) = with_rejects().await;
    let said = ecom(&database, &["rejects", "list"]);
    for part in [
        "a.csv record 2, byte ",
        "why    price_missing: absent or empty",
        "row    ,2026-11-01T12:00:00Z,purchase,u,s,p,\"Lamp, small\",c,b,,1",
        "fix    give the purchase its price",
        "why    event_type_unknown: found \"wish\"",
        "why    field_count: ",
        "retry  ecom-ingest rejects export --id 3 --to reject-3, correct it, ecom-ingest rejects retry \
         reject-3/rejects.csv",
    ] {
        assert!(said.out.contains(part), "{part}\n{}", said.out);
    }
    let said = ecom(&database, &["rejects", "list", "--reason", "price_missing"]);
    assert_eq!(said.out.matches("why ").count(), 1, "{}", said.out);
}

#[tokio::test]
async fn a_filter_that_matches_nothing_still_reports_other_rejects() {
    let (database, _input) = with_rejects().await;
    let to = tempfile::tempdir().unwrap();
    let to = to.path().to_str().unwrap();
    for choice in [
        ["--file", "b.csv"],
        ["--id", "999"],
        ["--reason", "late"],
        ["--reason", "sqlstate_23514"],
    ] {
        for command in [&["list"][..], &["export", "--to", to], &["retry"]] {
            let said = ecom(&database, &[&["rejects"], command, &choice].concat());
            assert_eq!(
                (said.code, said.out.as_str()),
                (0, "no rejected records match; 3 others are waiting\n"),
                "{}",
                said.log
            );
        }
    }
    for command in [&["list"][..], &["export", "--to", to], &["retry"]] {
        let said = ecom(&database, &[&["rejects"], command, &["--only", "event"]].concat());
        let expected = "no pipeline of the name \"event\" has run on this database yet (did you mean \"events\"?)";
        assert!(said.log.contains(expected), "{}", said.log);
        assert_eq!((said.code, said.out.as_str()), (3, ""));
    }
    database
        .client
        .batch_execute("INSERT INTO ecom.ingest_pipeline (pipeline) VALUES ('other')")
        .await
        .unwrap();
    let said = ecom(&database, &["rejects", "list", "--only", "other"]);
    let expected = "no rejected records match; 3 others are waiting\n";
    assert_eq!((said.code, said.out.as_str()), (0, expected), "{}", said.log);
    let said = ecom(&database, &["rejects", "list", "--reason", "price_mising"]);
    assert_ne!(said.code, 0);
    let expected = "no such reason: price_mising (did you mean price_missing?)";
    assert!(said.log.contains(expected), "{}", said.log);

    let own = "UPDATE ecom.dead_letters SET reason = 'too_dear', resolved_at = now()";
    database.client.batch_execute(own).await.unwrap();
    let said = ecom(&database, &["rejects", "list", "--reason", "too_dear"]);
    assert_eq!((said.code, said.out.as_str()), (0, "no rejected records are waiting\n"));
}

#[tokio::test]
async fn corrected_rows_are_stored_once_and_counts_stay_balanced() {
    let (database, input) = with_rejects().await;
    let dir = tempfile::tempdir().unwrap();
    let file = export(&database, &dir.path().join("made"), &[]);
    // Rows may have personal data.
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let exported = fs::read_to_string(&file).unwrap();
    let mut lines = exported.lines();
    assert_eq!(
        lines.next().unwrap(),
        format!(
            "reject_id,reject_reason,reject_detail,reject_file,reject_record,{}",
            HEADER.trim_end()
        )
    );
    assert_eq!(
        lines.nth(1).unwrap(),
        "2,price_missing,absent or empty,a.csv,2,,2026-11-01T12:00:00Z,purchase,u,s,p,\"Lamp, small\",c,b,,1"
    );

    // Two are mended, the third is not.
    let mended = exported.replace("c,b,,1", "c,b,9.90,1").replace("wish", "view");
    fs::write(&file, &mended).unwrap();
    let said = retry(&database, &file);
    assert_eq!(said.code, 1, "{}", said.log);
    assert_eq!(said.out, "2 stored, 0 duplicates, 0 retried before, 1 still rejected\n");
    assert!(said.log.contains("rejects.csv record 1"), "{}", said.log);
    let line = "rejects.csv record 1, reject_id 1: field_count: 4 fields where the header has 11";
    assert!(said.log.contains(line), "{}", said.log);
    assert_eq!((database.rows().await, waiting(&database).await), (5, 1));
    check_balance(&database).await;

    // Again, and in a file of its own: nothing is stored twice.
    let said = retry(&database, &file);
    assert_eq!(said.out, "0 stored, 0 duplicates, 2 retried before, 1 still rejected\n");
    let rest = mended.replace("2026-11-01T12:00:02Z,view,u", "2026-11-01T12:00:02Z,view,u,s,p,,,,,");
    fs::write(&file, &rest).unwrap();
    let said = retry(&database, &file);
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, "1 stored, 0 duplicates, 2 retried before, 0 still rejected\n")
    );
    assert_eq!((database.rows().await, waiting(&database).await), (6, 0));
    check_balance(&database).await;

    // Rows know where they came from, and the one without an id has that of its place in the first file.
    let price = "SELECT count(*) FROM ecom.events e JOIN ecom.ingest_split s USING (split_id)
                 WHERE s.path = 'a.csv' AND e.record_no = 2 AND e.price = 9.90 AND e.product_name = 'Lamp, small'";
    assert_eq!(database.number(price).await, 1);
    let again = database_of_mended(&input).await;
    let id = "SELECT event_id::text FROM ecom.events WHERE record_no = 2";
    let ids: Vec<String> = vec![database.row(id).await.get(0), again.row(id).await.get(0)];
    assert_eq!(ids[0], ids[1]);

    let said = ecom(&database, &["rejects", "list"]);
    assert_eq!(said.out, "no rejected records are waiting\n");
    let said = ecom(&database, &["rejects", "list", "--all"]);
    assert_eq!(said.out.matches("done   retried").count(), 3, "{}", said.out);

    // The next run changes nothing.
    once(&database, &input).await;
    assert_eq!(database.rows().await, 6);
    check_balance(&database).await;
}

/// A database into which the file was loaded as it would be had it been sound.
async fn database_of_mended(input: &TempDir) -> Database {
    let (other, mended) = (database().await, tempfile::tempdir().unwrap());
    let text = fs::read_to_string(input.path().join("a.csv")).unwrap();
    drop_in_text(mended.path(), "a.csv", text.replace("c,b,,1", "c,b,9.90,1"));
    once(&other, &mended).await;
    other
}

#[tokio::test]
async fn rejects_retried_unchanged_are_reported_by_original_place_in_order() {
    let (database, input) = with_rejects().await;
    let other = HEADER.replace("brand,", "maker,brand,");
    drop_in_text(
        input.path(),
        "b.csv",
        format!("{other},2026-11-01T12:00:00Z,wish,u,s,p,,,,,,\n"),
    );
    once(&database, &input).await;
    let said = ecom(&database, &["rejects", "retry", "--all"]);
    assert_eq!(said.code, 1);
    let told: Vec<usize> = [
        "a.csv record 5, reject_id 1: field_count: 4 fields where the header has 11 (",
        "a.csv record 2, reject_id 2: price_missing: absent or empty (give the purchase its price)",
        "a.csv record 4, reject_id 3: event_type_unknown: found \"wish\" (",
        "b.csv record 1, reject_id 4: event_type_unknown: found \"wish\" (",
        "4 rows still rejected (write them to files with ecom-ingest rejects export --to DIR",
    ]
    .iter()
    .map(|part| said.log.find(part).unwrap_or_else(|| panic!("{part}\n{}", said.log)))
    .collect();
    assert!(told.is_sorted(), "{}", said.log);
    assert!(!said.log.contains("ecom-ingest-retry-"), "{}", said.log);
    assert_eq!(waiting(&database).await, 4);
}

#[tokio::test]
async fn an_event_that_the_table_has_counts_as_a_duplicate() {
    let (database, _input) = with_rejects().await;
    let dir = tempfile::tempdir().unwrap();
    let file = export(&database, dir.path(), &["--reason", "event_type_unknown"]);
    let exported = fs::read_to_string(&file).unwrap();
    let (header, row) = exported.split_once('\n').unwrap();
    let of_another = line(1);
    let prefix = row.split(",x-1").next().unwrap();
    fs::write(&file, format!("{header}\n{prefix},{of_another}")).unwrap();
    let said = retry(&database, &file);
    assert_eq!(
        said.out, "0 stored, 1 duplicates, 0 retried before, 0 still rejected\n",
        "{}",
        said.log
    );
    assert_eq!((database.rows().await, waiting(&database).await), (3, 2));
    check_balance(&database).await;
}

#[tokio::test]
async fn a_crash_at_any_point_of_a_retry_stores_nothing_twice_and_loses_nothing() {
    for point in ["retry.locked", "retry.inserted", "retry.settled", "retry.committed"] {
        let (database, _input) = with_rejects().await;
        let dir = tempfile::tempdir().unwrap();
        let file = export(&database, dir.path(), &["--reason", "price_missing"]);
        let mended = fs::read_to_string(&file).unwrap().replace("c,b,,1", "c,b,9.90,1");
        fs::write(&file, mended).unwrap();
        let mut command = program();
        command
            .args(["rejects", "retry"])
            .arg(&file)
            .env("DATABASE_URL", &database.url);
        let (status, log) = Ingest::spawn(command.env("ECOM_CRASH_AT", point)).end().await;
        assert!(!status.success(), "{point}: it was to crash\n{log}");
        let said = retry(&database, &file);
        assert_eq!(said.code, 0, "{point}\n{}", said.log);
        assert_eq!((database.rows().await, waiting(&database).await), (4, 2), "{point}");
        check_balance(&database).await;
    }
}

#[tokio::test]
async fn rows_rejected_by_the_server_can_be_retried_unchanged_once_the_constraint_is_gone() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    once(&database, &input).await;
    let rule = "ALTER TABLE ecom.events ADD CONSTRAINT no_lamps CHECK (user_id <> 'user-2') NOT VALID";
    database.client.batch_execute(rule).await.unwrap();
    drop_in(input.path(), "a.csv", 0..5);
    once(&database, &input).await;
    assert_eq!((database.rows().await, waiting(&database).await), (4, 1));

    for choice in [&["--all"][..], &["--all", "--reason", "sqlstate_23514"]] {
        let said = ecom(&database, &[&["rejects", "retry"], choice].concat());
        assert_eq!(said.code, 1);
        assert!(said.log.contains("sqlstate_23514"), "{}", said.log);
    }
    check_balance(&database).await;

    database
        .client
        .batch_execute("ALTER TABLE ecom.events DROP CONSTRAINT no_lamps")
        .await
        .unwrap();
    let said = ecom(&database, &["rejects", "retry", "--reason", "sqlstate_23514"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, "1 stored, 0 duplicates, 0 retried before, 0 still rejected\n")
    );
    assert_eq!((database.rows().await, waiting(&database).await), (5, 0));
    check_balance(&database).await;
}

#[tokio::test]
async fn files_that_cannot_be_retried_are_reported_and_change_nothing() {
    let (database, _input) = with_rejects().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.csv");
    for (text, code, expected) in [
        ("a,b\n1,2\n".to_owned(), 1, "has no column reject_id"),
        (
            format!("reject_id,{HEADER}99,{}", line(3)),
            1,
            "there is no dead letter with this reject_id",
        ),
        (
            format!("reject_id,{HEADER}nonsense,{}", line(3)),
            1,
            "there is no dead letter with this reject_id",
        ),
        (format!("reject_id,{HEADER}1,\"open"), 1, "unterminated_quote"),
    ] {
        fs::write(&file, text).unwrap();
        let said = retry(&database, &file);
        assert_eq!(said.code, code, "{}", said.log);
        assert!(said.log.contains(expected), "{expected}\n{}", said.log);
    }
    let said = retry(&database, Path::new("/nonexistent.csv"));
    assert!(said.log.contains("cannot open /nonexistent.csv"), "{}", said.log);
    assert_eq!((database.rows().await, waiting(&database).await), (3, 3));

    let to = dir.path().join("one").display().to_string();
    let said = ecom(&database, &["rejects", "export", "--id", "1", "--to", &to]);
    assert!(said.out.starts_with(&format!("1 reject in {to}\n")), "{}", said.out);

    // A file that is there is not overwritten.
    export(&database, dir.path(), &[]);
    let said = ecom(&database, &["rejects", "export", "--to", dir.path().to_str().unwrap()]);
    assert_eq!(said.code, 1);
    assert!(
        said.log.contains("already exists (choose another directory"),
        "{}",
        said.log
    );
}

/// How many rows of the ledger and of the dead letters were read so far. Sessions tell when they end.
async fn rows_read(database: &Database) -> i64 {
    eventually("what the sessions did", async || {
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ecom %'
                        AND datname = current_database()";
        database.number(sessions).await == 0
    })
    .await;
    let sql = "SELECT ((SELECT sum(idx_tup_read) FROM pg_stat_user_indexes
                        WHERE relname IN ('ingest_split', 'dead_letters'))
                     + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables
                        WHERE relname IN ('ingest_split', 'dead_letters')))::int8";
    database.number(sql).await
}

#[tokio::test]
async fn a_retry_looks_up_its_rejects_and_files_however_many_there_are() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    // As many files as a transaction has rows.
    for n in 0..500 {
        let bad = ",2026-11-01T12:00:00Z,wish,u,s,p,,,,,\n";
        drop_in_text(input.path(), &format!("{n}.csv"), [HEADER, &line(n), bad].concat());
    }
    once(&database, &input).await;
    let others = "
        ALTER TABLE ecom.ingest_split SET (autovacuum_enabled = off);
        ALTER TABLE ecom.dead_letters SET (autovacuum_enabled = off);
        INSERT INTO ecom.ingest_split (split_id, pipeline, source, path, state, read_offset, finished_at, mark)
        SELECT 9000000000000 + n, 'events', 'csv', n || '-old.csv', 'finished', 96, now(), '{\"size\": 96}'
        FROM generate_series(1, 20000) AS n;
        INSERT INTO ecom.dead_letters (pipeline, epoch, split_id, path, reason, detail, resolved_at, resolution)
        SELECT 'events', 1, 9000000000000 + n, n || '-old.csv', 'field_count', '', now(), 'stored'
        FROM generate_series(1, 20000) AS n;
        ANALYZE ecom.ingest_split, ecom.dead_letters";
    database.client.batch_execute(others).await.unwrap();
    let to = tempfile::tempdir().unwrap();
    let file = export(&database, to.path(), &[]);
    let corrected = fs::read_to_string(&file).unwrap().replace(",wish,", ",view,");
    fs::write(&file, corrected).unwrap();
    let before = rows_read(&database).await;
    let said = retry(&database, &file);
    assert!(
        said.out.starts_with("500 stored, 0 duplicates"),
        "{}{}",
        said.out,
        said.log
    );
    let read = rows_read(&database).await - before;
    assert!(read < 10 * 500, "{read} rows were read to retry 500");
}

/// A till in our own layout: the fields that few events have, in a plain file, in a dead letter, and in a row that is retried.
#[tokio::test]
async fn orders_currencies_and_totals_of_lines_are_loaded_and_retried() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let text = "event_time,event_type,user_id,session_id,product_id,quantity,order_id,currency,line_total\n\
                2026-11-01T10:00:00Z,purchase,h1,b1,fuel,12500,#1,EUR,30.00\n\
                2026-11-01T10:00:00Z,purchase,h1,b1,milk,3,#1,eur,3.01\n\
                2026-11-01T10:05:00Z,search,h1,b1,,,,,\n\
                2026-11-02T10:00:00Z,refund,h1,b1,,,#1,EUR,1.00\n";
    drop_in_text(input.path(), "till.csv", text);
    Ingest::start(&database, &input, &["--once"]).succeed().await;
    assert_eq!((database.rows().await, waiting(&database).await), (3, 1));
    let dir = tempfile::tempdir().unwrap();
    let file = export(&database, dir.path(), &[]);
    let exported = fs::read_to_string(&file).unwrap();
    assert!(exported.contains("1,currency_malformed,"), "{exported}");
    fs::write(&file, exported.replace(",eur,", ",EUR,")).unwrap();
    let said = retry(&database, &file);
    assert_eq!(said.code, 0, "{}", said.log);
    check_balance(&database).await;
    let rows = "SELECT string_agg(concat_ws('|', product_id, price, line_total, order_id, currency), ' ' ORDER BY event_time, product_id)
                FROM ecom.events";
    let rows: String = database.client.query_one(rows, &[]).await.unwrap().get(0);
    assert_eq!(rows, "fuel|30.00|#1|EUR milk|3.01|#1|EUR  1.00|#1|EUR");
    let revenue = "SELECT revenue::text FROM ecom.orders()";
    let revenue: String = database.client.query_one(revenue, &[]).await.unwrap().get(0);
    assert_eq!(revenue, "32.01");
}
