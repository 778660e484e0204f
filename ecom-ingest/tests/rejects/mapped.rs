//! Rejects of files that were read by a mapping.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{Said, check_balance, ecom, export, waiting};
use crate::fixture::program::{Ingest, once};
use crate::fixture::{Database, HEADER, database, drop_in_text};

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
async fn rejects_of_plain_files_refuse_a_mapping() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    drop_in_text(
        input.path(),
        "a.csv",
        format!("{HEADER},2026-11-01T12:00:00Z,wish,u,s,p,,,,,\n"),
    );
    once(&database, &input).await;
    let said = ecom(&database, &["rejects", "retry", "--all", "--map", "rees46"]);
    assert_eq!(said.code, 1);
    let refused = "mapping_unknown: its file was read without a mapping: retry it without --map";
    assert!(said.log.contains(refused), "{}", said.log);
    assert_eq!(waiting(&database).await, 1);
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
