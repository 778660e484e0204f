//! Rejects of files that were read by a mapping.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{Said, check_balance, ecom, export, waiting};
use crate::fixture::program::{Ingest, once};
use crate::fixture::{Database, HEADER, database, drop_in_text, eventually, line};

const REES46: &str = "\
event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde
2019-10-01 00:00:01 UTC,cart,3900821,2053013552326770905,appliances,aqua,33.20,,9333dfbd
2019-10-01 00:00:02 UTC,remove,3900821,2053013552326770905,appliances,aqua,33.20,554748717,9333dfbd
";

async fn loaded(name: &str, text: &str, map: &str) -> (Database, TempDir) {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    drop_in_text(input.path(), name, text);
    Ingest::start(&database, &input, &["--once", "--map", map])
        .succeed()
        .await;
    database.check_balance().await;
    (database, input)
}

fn retry_by(database: &Database, file: &Path, map: &str) -> Said {
    ecom(database, &["rejects", "retry", file.to_str().unwrap(), "--map", map])
}

#[tokio::test]
async fn rejects_of_mapped_files_are_retried_only_with_the_mapping() {
    let (database, input) = loaded("oct.csv", REES46, "rees46").await;
    assert_eq!((database.rows().await, waiting(&database).await), (1, 2));
    let said = ecom(&database, &["rejects", "list"]);
    for part in [
        "fix    fill in the id\n",
        "fix    write it as its mapping says\n",
        "rejects retry DIR/rejects.csv --map MAPPING. Each row",
        "rejects retry reject-1/rejects.csv --map MAPPING\n",
    ] {
        assert!(said.out.contains(part), "{part}\n{}", said.out);
    }

    let dir = tempfile::tempdir().unwrap();
    let file = export(&database, dir.path(), &[]);
    let exported = fs::read_to_string(&file).unwrap();
    let row = "1,user_id_missing,absent or empty,oct.csv,2,2019-10-01 00:00:01 UTC,cart,3900821,2053013552326770905,";
    assert!(exported.contains(row), "{exported}");
    let mended = exported
        .replace("33.20,,", "33.20,541312140,")
        .replace("remove,", "remove_from_cart,");
    fs::write(&file, &mended).unwrap();

    let said = ecom(&database, &["rejects", "retry", file.to_str().unwrap()]);
    assert_eq!(said.code, 1);
    let refused = "reject_id 1: mapping_missing: its file was read with a mapping: retry it with that mapping, --map";
    assert!(said.log.contains(refused), "{}", said.log);
    let said = ecom(&database, &["rejects", "retry", "--all"]);
    assert!(said.log.contains(refused), "{}", said.log);
    assert_eq!((database.rows().await, waiting(&database).await), (1, 2));

    let said = retry_by(&database, &file, "rees46");
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, "2 stored, 0 duplicates, 0 retried before, 0 still rejected\n"),
        "{}",
        said.log
    );
    check_balance(&database).await;

    // They are what they would have been had the file been sound, ids and all.
    let sound = fs::read_to_string(input.path().join("oct.csv")).unwrap();
    let sound = sound
        .replace("33.20,,", "33.20,541312140,")
        .replace("remove,", "remove_from_cart,");
    let (other, _input) = loaded("oct.csv", &sound, "rees46").await;
    assert_eq!(events(&database).await, events(&other).await);
}

async fn events(database: &Database) -> String {
    const EVENTS: &str = "
        SELECT string_agg((to_jsonb(e) - 'processed_at')::text, ' ' ORDER BY record_no) FROM ecom.events e";
    database.row(EVENTS).await.get(0)
}

const SHOP: &str = "
ids = \"content\"
extra = true
delimiter = ';'
quote = \"'\"

[event]
event_time = { column = \"When\", format = \"%d.%m.%Y %H:%M\", zone = \"Europe/Berlin\" }
event_type = { constant = \"purchase\" }
user_id = \"Who\"
session_id = \"Who\"
product_id = \"What\"
price = \"Price\"
";

#[tokio::test]
async fn other_delimiters_are_exported_as_commas_and_ids_of_whole_rows_stay_the_same() {
    let map = tempfile::NamedTempFile::new().unwrap();
    fs::write(map.path(), SHOP).unwrap();
    let map = map.path().to_str().unwrap();
    let good =
        "When;Who;What;Price;Colour\n01.07.2026 09:00;ada;lamp;9.50;'red; or blue'\n02.07.2026 09:00;bob;cup;3;white\n";
    let (database, _input) = loaded("july.csv", &good.replace("9.50", "dear"), map).await;
    let dir = tempfile::tempdir().unwrap();
    let file = export(&database, dir.path(), &[]);
    let exported = fs::read_to_string(&file).unwrap();
    assert_eq!(
        exported,
        "reject_id,reject_reason,reject_detail,reject_file,reject_record,When,Who,What,Price,Colour\n\
         1,price_malformed,\"found \"\"dear\"\"\",july.csv,1,01.07.2026 09:00,ada,lamp,dear,red; or blue\n"
    );
    fs::write(&file, exported.replace(",dear,", ",9.50,")).unwrap();
    let said = retry_by(&database, &file, map);
    assert_eq!(said.code, 0, "{}", said.log);
    check_balance(&database).await;
    let (other, _input) = loaded("july.csv", good, map).await;
    assert_eq!(events(&database).await, events(&other).await);
}

#[tokio::test]
async fn rejects_of_plain_files_are_retried_with_a_mapping() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let map = tempfile::NamedTempFile::new().unwrap();
    let columns = ["event_id", "event_type", "user_id", "session_id", "product_id"];
    let columns: String = columns.map(|name| format!("{name} = \"{name}\"\n")).concat();
    let time = "event_time = { column = \"event_time\", format = \"%Y-%m-%d %H:%M:%S\", zone = \"UTC\" }";
    fs::write(map.path(), format!("[event]\n{columns}{time}\n")).unwrap();
    let map = map.path().to_str().unwrap();
    // A part of the file was stored, so it is not read again.
    let text = format!(
        "{HEADER}{}x-1,2026-11-01 12:00:00,view,u,s,p,,,,,\nx-2,2026-11-01,view,u,s,p,,,,,\n",
        line(1)
    );
    drop_in_text(input.path(), "a.csv", text);
    once(&database, &input).await;
    assert_eq!((database.rows().await, waiting(&database).await), (1, 2));
    let log = Ingest::start(&database, &input, &["--once", "--map", map])
        .succeed()
        .await;
    assert!(log.contains("all read before"), "{log}");

    let said = ecom(&database, &["rejects", "retry", "--all", "--map", "rees46"]);
    let refused = "the mapping names columns that a.csv does not have: ";
    assert!(said.code != 0 && said.log.contains(refused), "{}", said.log);
    let said = ecom(
        &database,
        &["rejects", "retry", "--reason", "event_time_malformed", "--map", map],
    );
    assert_eq!(
        (said.code, said.out.as_str()),
        (1, "1 stored, 0 duplicates, 0 retried before, 1 still rejected\n")
    );
    let warning = "a.csv was read without a mapping";
    assert_eq!(said.log.matches(warning).count(), 1, "{}", said.log);
    assert_eq!((database.rows().await, waiting(&database).await), (2, 1));
    check_balance(&database).await;
}

/// The columns are those of events, and the times have no zone.
const WITHOUT_ZONE: &str = "\
event_time,event_type,user_id,session_id,product_id,price
2026-11-01 09:30:00,purchase,u0,s0,p0,9.90
2026-11-01 09:30:01,purchase,u1,s1,p1,9.90
2026-11-01 09:30:02,purchase,u2,s2,p2,9.90
2026-11-01 09:30:03,purchase,u3,s3,p3,9.90
";

/// A mapping of such files, in a file.
fn with_zone() -> tempfile::NamedTempFile {
    let map = tempfile::NamedTempFile::new().unwrap();
    let columns = ["event_type", "user_id", "session_id", "product_id", "price"];
    let columns: String = columns.map(|name| format!("{name} = \"{name}\"\n")).concat();
    let time = "event_time = { column = \"event_time\", format = \"%Y-%m-%d %H:%M:%S\", zone = \"UTC\" }";
    fs::write(map.path(), format!("[event]\n{columns}{time}\n")).unwrap();
    map
}

/// A mapping that refuses all of them.
fn refusing() -> tempfile::NamedTempFile {
    let map = with_zone();
    let text = fs::read_to_string(map.path()).unwrap();
    fs::write(map.path(), text.replace("%Y-%m-%d %H:%M:%S", "%d.%m.%Y")).unwrap();
    map
}

/// How many dead letters there are with each resolution.
async fn resolutions(database: &Database) -> String {
    const RESOLUTIONS: &str = "
        SELECT coalesce(string_agg(r.letters, ' ' ORDER BY r.letters), '') FROM (
            SELECT coalesce(resolution, 'waiting') || ' ' || count(*) AS letters FROM ecom.dead_letters GROUP BY resolution
        ) r";
    database.row(RESOLUTIONS).await.get(0)
}

#[tokio::test]
async fn a_file_that_was_refused_as_a_whole_is_read_again_by_a_mapping() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let (zone, refusing) = (with_zone(), refusing());
    let run = async |map: &tempfile::NamedTempFile| {
        let args = ["--once", "--map", map.path().to_str().unwrap()];
        let log = Ingest::start(&database, &input, &args).succeed().await;
        check_balance(&database).await;
        log
    };
    drop_in_text(input.path(), "a.csv", WITHOUT_ZONE);
    once(&database, &input).await;
    assert_eq!((database.rows().await, waiting(&database).await), (0, 4));
    // Another mapping that fails as well, twice: the second time it has read the file before.
    for _ in 0..2 {
        run(&refusing).await;
        assert_eq!(resolutions(&database).await, "read_again 4 waiting 4");
    }
    let log = run(&zone).await;
    assert!(log.contains("reading it again from the start"), "{log}");
    assert_eq!(resolutions(&database).await, "read_again 8");
    assert_eq!(database.rows().await, 4);

    // Whatever else somebody tries then names what to do, or does nothing.
    let said = ecom(&database, &["rejects", "retry", "--all", "--map", "rees46"]);
    assert_eq!((said.code, said.out.as_str()), (0, "no rejected records are waiting\n"));
    let said = ecom(&database, &["rejects", "list", "--all"]);
    let done = "done   its file was read again by another mapping\n";
    assert_eq!(said.out.matches(done).count(), 8, "{}", said.out);
    drop_in_text(input.path(), "b.csv", WITHOUT_ZONE);
    for map in [&zone, &refusing] {
        run(map).await;
    }
    assert_eq!(database.rows().await, 4);
    let counts = "SELECT concat_ws(' ', files, files_finished, read, stored, rejected) FROM ecom.ingest_balance";
    assert_eq!(database.row(counts).await.get::<_, String>(0), "2 2 4 4 0");
    let states = "SELECT string_agg(path || '#' || generation || ' ' || state, ', ' ORDER BY path, generation) FROM ecom.ingest_split";
    let expected = "a.csv#0 withdrawn, a.csv#1 withdrawn, a.csv#2 finished, b.csv#0 finished";
    assert_eq!(database.row(states).await.get::<_, String>(0), expected);
}

#[tokio::test]
async fn a_copy_of_a_refused_file_is_read_by_a_mapping_and_a_part_that_was_retried_stays() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let zone = with_zone();
    let map = zone.path().to_str().unwrap();
    drop_in_text(input.path(), "a.csv", WITHOUT_ZONE);
    drop_in_text(input.path(), "copy.csv", WITHOUT_ZONE);
    drop_in_text(input.path(), "retried.csv", WITHOUT_ZONE.replace("p0", "p7"));
    once(&database, &input).await;
    assert_eq!(waiting(&database).await, 8);
    let said = ecom(&database, &["rejects", "retry", "--id", "5", "--map", map]);
    assert_eq!(said.code, 0, "{}", said.log);
    // Only the copy is left, of which nothing was read.
    fs::remove_file(input.path().join("a.csv")).unwrap();
    for _ in 0..2 {
        Ingest::start(&database, &input, &["--once", "--map", map])
            .succeed()
            .await;
        check_balance(&database).await;
        assert_eq!(database.rows().await, 5);
        assert_eq!(resolutions(&database).await, "read_again 4 stored 1 waiting 3");
    }
}

#[tokio::test]
async fn killed_while_it_reads_a_file_again_it_loses_nothing_and_doubles_nothing() {
    let zone = with_zone();
    let args = ["--once", "--map", zone.path().to_str().unwrap()];
    for point in [
        "file.header_read",
        "batch.handed_out",
        "withdraw.letters",
        "commit.begun",
        "commit.acknowledged",
    ] {
        let (database, input) = (database().await, tempfile::tempdir().unwrap());
        drop_in_text(input.path(), "a.csv", WITHOUT_ZONE);
        once(&database, &input).await;
        let (status, log) = Ingest::start_to_crash(&database.url, &input, &args, point).end().await;
        assert!(!status.success(), "{point}\n{log}");
        check_balance(&database).await;
        // All or nothing.
        let has = (database.rows().await, resolutions(&database).await);
        let expected = match point {
            "commit.acknowledged" => (4, "read_again 4".to_owned()),
            _ => (0, "waiting 4".to_owned()),
        };
        assert_eq!(has, expected, "{point}");
        for _ in 0..2 {
            Ingest::start(&database, &input, &args).succeed().await;
            assert_eq!(
                (database.rows().await, resolutions(&database).await),
                (4, "read_again 4".to_owned())
            );
            check_balance(&database).await;
        }
    }
}

#[tokio::test]
async fn a_reject_that_is_retried_while_its_file_is_read_again_is_stored_once() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let zone = with_zone();
    let map = zone.path().to_str().unwrap();
    drop_in_text(input.path(), "a.csv", WITHOUT_ZONE);
    once(&database, &input).await;
    // Stopped when it has read the file again and not committed that.
    let stopped = "batch.handed_out=stop";
    let ingest = Ingest::start_to_crash(&database.url, &input, &["--once", "--map", map], stopped);
    eventually("the first batch", async || ingest.is_stopped()).await;
    let said = ecom(&database, &["rejects", "retry", "--id", "2", "--map", map]);
    assert_eq!(said.code, 0, "{}", said.log);
    ingest.signal(Signal::CONT);
    let log = ingest.succeed().await;
    assert!(log.contains("were retried meanwhile"), "{log}");
    assert_eq!(
        (database.rows().await, resolutions(&database).await),
        (1, "stored 1 waiting 3".to_owned())
    );
    check_balance(&database).await;
    // The others can be retried too.
    let said = ecom(&database, &["rejects", "retry", "--all", "--map", map]);
    assert_eq!(said.code, 0, "{}", said.log);
    assert_eq!(
        (database.rows().await, resolutions(&database).await),
        (4, "stored 4".to_owned())
    );
}

#[tokio::test]
async fn a_different_mapping_is_warned_of_once_per_file_and_rows_are_stored() {
    let (dir, reject) = (tempfile::tempdir().unwrap(), "01.07.2026 09:00;ada;lamp;dear;red\n");
    let map = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let right = map("right.toml", SHOP);
    let wrong = map("wrong.toml", &SHOP.replace("Europe/Berlin", "America/New_York"));
    let text = format!("When;Who;What;Price;Colour\n{reject}{reject}");
    let (database, _input) = loaded("july.csv", &text, &right).await;
    let args = ["--once", "--map", &wrong, "--pipeline", "other"];
    let other = tempfile::tempdir().unwrap();
    drop_in_text(other.path(), "elsewhere.csv", format!("{text}{reject}"));
    Ingest::start(&database, &other, &args).succeed().await;
    assert_eq!(waiting(&database).await, 5);

    // The same header, and another mapping: another file.
    let to = dir.path().join("exported");
    let said = ecom(&database, &["rejects", "export", "--to", to.to_str().unwrap()]);
    for part in [
        "rejects.csv --map MAPPING\n",
        "correct the rows of other, keep",
        "rejects-2.csv --map MAPPING\n",
    ] {
        assert!(said.out.contains(part), "{part}\n{}", said.out);
    }
    let mend = |name: &str| {
        let file = to.join(name);
        let exported = fs::read_to_string(&file).unwrap();
        fs::write(&file, exported.replace(",dear,", ",9.50,")).unwrap();
        file
    };
    let said = retry_by(&database, &mend("rejects-2.csv"), &wrong);
    assert_eq!(
        (said.code, said.log.contains("a different mapping")),
        (0, false),
        "{}",
        said.log
    );
    let said = retry_by(&database, &mend("rejects.csv"), &wrong);
    assert_eq!(said.code, 0, "{}", said.log);
    let warning = "july.csv was read with a different mapping";
    assert_eq!(said.log.matches(warning).count(), 1, "{}", said.log);
    check_balance(&database).await;
}

#[tokio::test]
async fn a_mapping_with_missing_columns_is_refused_once() {
    let (database, _input) = loaded("oct.csv", REES46, "rees46").await;
    let dir = tempfile::tempdir().unwrap();
    let file = export(&database, dir.path(), &[]);
    for said in [
        retry_by(&database, &file, "retailrocket"),
        ecom(&database, &["rejects", "retry", "--all", "--map", "retailrocket"]),
    ] {
        assert_ne!(said.code, 0);
        let refused = "the mapping names columns that oct.csv does not have: timestamp, event, visitorid";
        assert_eq!(said.log.matches(refused).count(), 1, "{}", said.log);
        assert!(said.log.contains("(check --map;"), "{}", said.log);
        assert!(!said.log.contains("event_time_missing"), "{}", said.log);
    }
    assert_eq!((database.rows().await, waiting(&database).await), (1, 2));
}

#[tokio::test]
async fn rejects_that_the_mapping_leaves_out_by_now_count_as_filtered() {
    let map = tempfile::NamedTempFile::new().unwrap();
    let fields = "[event]\nevent_time = 't'\nevent_type = { column = 'e', values = { view_item = 'view' } }\n\
                  user_id = 'u'\nsession_id = 'u'\nproduct_id = 'p'\n";
    fs::write(map.path(), fields).unwrap();
    let text = "t,e,u,p\n2026-11-01T09:30:00Z,user_engagement,u1,\n2026-11-01T09:30:01Z,view_item,u1,p1\n\
                2026-11-01T09:30:02Z,scroll,u1,\n2026-11-01T09:30:03Z,view_item,u1,\n,,,\n";
    let (database, input) = loaded("ga4.csv", text, map.path().to_str().unwrap()).await;
    assert_eq!((database.rows().await, waiting(&database).await), (1, 3));

    fs::write(map.path(), format!("only.e = ['view_item']\n{fields}")).unwrap();
    let map = map.path().to_str().unwrap();
    let said = ecom(&database, &["rejects", "retry", "--all", "--map", map]);
    let expected = "0 stored, 0 duplicates, 2 filtered, 0 retried before, 1 still rejected\n";
    assert_eq!(said.out, expected, "{}", said.log);
    check_balance(&database).await;
    let said = ecom(&database, &["status"]);
    let counts = "5 read = 1 stored + 0 duplicates + 1 rejected + 3 filtered";
    assert!(said.out.contains(counts), "{}", said.out);
    let said = ecom(&database, &["rejects", "retry", "--all", "--map", map]);
    assert_eq!(said.out, "0 stored, 0 duplicates, 0 retried before, 1 still rejected\n");

    // In a further file they are no rejects from the start.
    drop_in_text(input.path(), "more.csv", text.replace("u1", "u2"));
    let run = Ingest::start(&database, &input, &["--once", "--map", map]);
    let log = run.succeed().await;
    check_balance(&database).await;
    let counts = "5 records read: 1 stored, 0 duplicates, 1 rejected, 3 filtered";
    assert!(log.contains(counts), "{log}");
}

#[tokio::test]
async fn a_file_that_was_stored_in_part_under_its_former_name_is_not_read_again() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let (first, rest) = WITHOUT_ZONE.rsplit_once("09:30:03").unwrap();
    let first = first.replace("09:30:00", "09:30:00Z").replace("09:30:01", "09:30:01Z");
    let first = first.replace("09:30:02", "09:30:02Z");
    // The last record has no line end yet, so that the file stays open.
    drop_in_text(input.path(), "a.csv", &first);
    let (status, log) = Ingest::start(&database, &input, &["--once"]).end().await;
    assert!(
        status.code() == Some(1) && log.contains("their last record has no line end"),
        "{log}"
    );
    fs::rename(input.path().join("a.csv"), input.path().join("b.csv")).unwrap();
    fs::write(input.path().join("b.csv"), format!("{first}09:30:03{rest}")).unwrap();
    once(&database, &input).await;
    assert_eq!((database.rows().await, waiting(&database).await), (3, 1));
    // All that was read as b.csv was rejected.
    let zone = with_zone();
    let map = zone.path().to_str().unwrap();
    Ingest::start(&database, &input, &["--once", "--map", map])
        .succeed()
        .await;
    assert_eq!((database.rows().await, waiting(&database).await), (3, 1));
}

#[tokio::test]
async fn a_run_warns_of_files_of_which_every_record_is_rejected() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    for n in 0..12 {
        let text = WITHOUT_ZONE.replace("p0", &format!("p-{n}"));
        drop_in_text(input.path(), &format!("{n:02}.csv"), text);
    }
    let log = once(&database, &input).await;
    let file = input.path().join("00.csv").display().to_string();
    let told = format!(
        "00.csv: all 4 records are rejected, 4 of them for event_time_malformed, such as record 1 of 00.csv: found \
         \"2026-11-01 09:30:00\": ecom-ingest infer {file} > MAP proposes a mapping, and run --map MAP then reads the file again"
    );
    assert!(log.contains("WARN") && log.contains(&told), "{log}");
    // The first three, and the tenth.
    assert_eq!(log.matches("all 4 records are rejected").count(), 4, "{log}");
    assert!(log.contains("it is the 10th such file in a row"), "{log}");
    let summary =
        "48 of 48 records read were rejected, 48 of them for event_time_malformed, such as record 1 of 00.csv";
    assert!(log.contains(summary), "{log}");
    // Every message on the way names the next command.
    let said = ecom(&database, &["check", &file]);
    let infer = format!("ecom-ingest infer {file} proposes a mapping, to be used with --map");
    assert!(said.out.contains(&infer), "{}", said.out);
    let said = ecom(&database, &["rejects", "list"]);
    assert!(
        said.out
            .contains("rejects retry --all --map MAP retries their rejects with it"),
        "{}",
        said.out
    );

    let refusing = refusing();
    let map = refusing.path().to_str().unwrap();
    let log = Ingest::start(&database, &input, &["--once", "--map", map])
        .succeed()
        .await;
    let told =
        format!("ecom-ingest check {file} --map {map} shows more; correct the mapping, and run --map MAP then reads");
    assert!(log.contains(&told), "{log}");
    let zone = with_zone();
    let log = Ingest::start(&database, &input, &["--once", "--map", zone.path().to_str().unwrap()])
        .succeed()
        .await;
    assert!(!log.contains("rejected,") && database.rows().await == 48, "{log}");
}

#[tokio::test]
async fn with_fail_over_a_run_with_too_many_rejects_has_an_exit_code_of_its_own() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let run = async |more: &[&str]| {
        let (status, log) = Ingest::start(&database, &input, more).end().await;
        (status.code(), log)
    };
    let bad = "x-1,2026-11-01 12:00:00,view,u,s,p,,,,,\n";
    let good: String = (0..9).map(line).collect();
    drop_in_text(input.path(), "a.csv", format!("{HEADER}{good}{bad}"));
    let (code, log) = run(&["--once", "--fail-over", "9.9%"]).await;
    assert!(
        code == Some(8) && log.contains("more records are rejected than --fail-over allows"),
        "{log}"
    );
    // Everything is stored all the same, and what was read before does not count again.
    assert_eq!(database.rows().await, 9);
    assert_eq!(run(&["--once", "--fail-over", "0%"]).await.0, Some(0));
    let good: String = (10..19).map(line).collect();
    drop_in_text(input.path(), "b.csv", format!("{HEADER}{good}{bad}"));
    assert_eq!(run(&["--once", "--fail-over", "10%"]).await.0, Some(0));
    // A file that cannot be used has no records to count.
    drop_in_text(input.path(), "c.csv", "a,b\n1,2\n");
    assert_eq!(run(&["--once", "--fail-over", "10%"]).await.0, Some(8));
    let (code, log) = run(&["--fail-over", "10%"]).await;
    assert!(code == Some(3) && log.contains("--fail-over needs --once"), "{log}");
    let (code, log) = run(&["--once", "--fail-over", "10"]).await;
    assert!(
        code == Some(2) && log.contains("write a percentage below 100, such as 5%"),
        "{log}"
    );
}
