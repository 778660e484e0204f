//! The program loads files with other layouts, by a mapping.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::fs;

use fixture::program::{Ingest, program};
use fixture::{database, drop_in_text};

const MAP: &str = r#"
delimiter = ";"
extra = true

[event]
event_time = { column = "InvoiceDate", format = "%d-%m-%Y %H:%M" }
event_type = { constant = "purchase" }
user_id = "Customer"
session_id = "Invoice"
product_id = "Stock"
price = "Price"
"#;

#[tokio::test]
async fn a_mapping_loads_files_with_other_columns() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let map = tempfile::NamedTempFile::new().unwrap();
    fs::write(map.path(), MAP).unwrap();
    let text = "Invoice;Stock;Colour;InvoiceDate;Price;Customer\n\
                1;85123A;red;01-12-2010 08:26;2.55;17850\n\
                1;71053;;01-12-2010 08:26;3.39;17850\n\
                2;71053;;13-13-2010 08:26;3.39;17850\n";
    drop_in_text(input.path(), "retail.csv", text);
    let more = ["--once", "--map", map.path().to_str().unwrap()];
    let log = Ingest::start(&database, &input, &more).succeed().await;
    assert!(log.contains("event_type is \"purchase\" in every event"), "{log}");
    assert!(log.contains("event_time is taken as UTC"), "{log}");
    assert!(log.contains("2 stored, 0 duplicates, 1 rejected"), "{log}");
    database.check_balance().await;
    let sql =
        "SELECT count(*) FROM ecom.events WHERE event_time = '2010-12-01 08:26Z' AND price > 2 AND user_id = '17850'";
    assert_eq!(database.number(sql).await, 2);
    // One row has a colour, and its neighbour in the same COPY has none.
    let extras = "SELECT string_agg(coalesce(extra ->> 'Colour', 'none'), ' ' ORDER BY record_no) FROM ecom.events";
    assert_eq!(database.row(extras).await.get::<_, String>(0), "red none");
}

#[tokio::test]
async fn built_in_mappings_are_chosen_by_name() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let text = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n\
                2019-10-01 00:00:00 UTC,cart,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde\n";
    drop_in_text(input.path(), "2019-Oct.csv", text);
    let log = Ingest::start(&database, &input, &["--once", "--map", "rees46"])
        .succeed()
        .await;
    assert!(log.contains("1 stored"), "{log}");
    let sql =
        "SELECT count(*) FROM ecom.events WHERE event_type = 'add_to_cart' AND brand = 'shiseido' AND extra IS NULL";
    assert_eq!(database.number(sql).await, 1);
}

#[tokio::test]
async fn an_invalid_mapping_is_refused_at_the_start() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let map = tempfile::NamedTempFile::new().unwrap();
    fs::write(map.path(), MAP.replace("Customer", "Customer\"\ncolour = \"Colour")).unwrap();
    let more = ["--once", "--map", map.path().to_str().unwrap()];
    let (status, log) = Ingest::start(&database, &input, &more).end().await;
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(
        log.contains("line 9, column 1: unknown field `colour`, expected one of `event_id`"),
        "{log}"
    );
    assert!(!log.contains("loading"), "{log}");
}

/// A file, and what the program says of it: exit code, standard output and log.
fn told(file: &str, text: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(file), text).unwrap();
    let output = program().current_dir(dir.path()).args(more).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

const REES46: &str = "\
event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde
2019-10-01 00:00:01 UTC,cart,3900821,2053013552326770905,appliances,aqua,33.20,554748717,9333dfbd
2019-10-01 00:00:02 UTC,view,3900821,2053013552326770905,appliances,aqua,-1,554748717,9333dfbd
";

#[test]
fn check_shows_what_would_be_stored_without_a_database() {
    let (code, out, _) = told(
        "oct.csv",
        REES46,
        &["check", "oct.csv", "--map", "rees46", "--examples", "1"],
    );
    assert_eq!(code, Some(7));
    let expected = "\
event_id is made from the file and the record number: a row that is delivered again is stored again
oct.csv: 2 to be stored, 1 rejected
  rejected: 1 for price_negative
    oct.csv:4: found \"-1\", in 2019-10-01 00:00:02 UTC,view,3900821,2053013552326770905,appliances,aqua,-1,554748717,9333dfbd
  columns that are not stored: category_id
  stored: oct.csv:2
    event_time   2019-10-01T00:00:00Z
    event_type   view
    user_id      541312140
    session_id   72d76fde
    product_id   44600062
    brand        shiseido
    price        35.79
    quantity     1
";
    assert_eq!(out, expected);
    let good = REES46.replace(",-1,", ",1,");
    assert_eq!(
        told("oct.csv", &good, &["check", "oct.csv", "--map", "rees46"]).0,
        Some(0)
    );
    let (code, out, _) = told("oct.csv", REES46, &["check", "oct.csv"]);
    assert_eq!(code, Some(7));
    assert!(
        out.contains("nothing in it can be used: column_missing: no column session_id"),
        "{out}"
    );
    assert!(
        out.starts_with("oct.csv: nothing to be stored, 3 lines not read\n"),
        "{out}"
    );
    assert!(out.contains("use --map rees46\n") && !out.contains("infer"), "{out}");
    let (_, out, _) = told("oct.csv", &REES46.replace("brand", "marca"), &["check", "oct.csv"]);
    assert!(out.contains("ecom-ingest infer oct.csv proposes a mapping"), "{out}");
    let quoted = REES46.replace(",aqua,-1", ",\"LAMPE, \"\"ROT\"\"\nNEU\",-1");
    let (_, out, _) = told("oct.csv", &quoted, &["check", "oct.csv", "--map", "rees46"]);
    assert!(out.contains(",appliances,\"LAMPE, \"\"ROT\"\"\\nNEU\",-1,"), "{out}");
}

#[test]
fn infer_proposes_a_mapping_that_check_can_use() {
    let (code, out, log) = told("oct.csv", REES46, &["infer", "oct.csv"]);
    assert_eq!((code, log.as_str()), (Some(0), ""));
    let map = tempfile::NamedTempFile::new().unwrap();
    fs::write(map.path(), &out).unwrap();
    let (code, out, _) = told(
        "oct.csv",
        REES46,
        &["check", "oct.csv", "--map", map.path().to_str().unwrap()],
    );
    assert_eq!(code, Some(7));
    assert!(out.contains("oct.csv: 2 to be stored, 1 rejected"), "{out}");

    let lacking = REES46.replace("user_session", "colour");
    let (code, out, log) = told("oct.csv", &lacking, &["infer", "oct.csv"]);
    assert_eq!(code, Some(0));
    assert!(
        out.contains("# TO BE FILLED IN: no column looks like session_id."),
        "{out}"
    );
    assert!(log.contains("fill in before you use it: session_id"), "{log}");
    let (code, _, log) = told("oct.csv", REES46, &["infer", "none.csv"]);
    assert_eq!(code, Some(1));
    assert!(log.contains("can't read none.csv: No such file or directory"), "{log}");
}

#[tokio::test]
async fn compressed_files_and_subdirectories_are_loaded() {
    use std::process::Command;
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let day = input.path().join("date=2019-10-01");
    fs::create_dir(&day).unwrap();
    drop_in_text(&day, "oct.csv", REES46);
    let zipped = Command::new("gzip").arg(day.join("oct.csv")).status().unwrap();
    assert!(zipped.success() && day.join("oct.csv.gz").exists());
    let more = ["--once", "--recursive", "--map", "rees46"];
    let log = Ingest::start(&database, &input, &more).succeed().await;
    assert!(log.contains("2 stored, 0 duplicates, 1 rejected"), "{log}");
    database.check_balance().await;
    let path = database.row("SELECT path FROM ecom.ingest_status").await;
    assert_eq!(path.get::<_, String>(0), "date=2019-10-01/oct.csv.gz");
}

#[tokio::test]
async fn files_with_other_names_are_loaded_on_request_and_tsv_files_always() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let text = "event_time,event_type,user_id,session_id,product_id\n\
                2026-11-01T09:30:00Z,view,u1,s1,p1\n\
                2026-11-01T09:30:01Z,view,,s1,p1\n";
    drop_in_text(input.path(), "a.tsv", text.replace(',', "\t"));
    drop_in_text(input.path(), "b.txt", text.replace("p1", "p2"));
    drop_in_text(input.path(), "c.md", text);
    let log = Ingest::start(&database, &input, &["--once"]).succeed().await;
    assert!(log.contains("1 stored, 0 duplicates, 1 rejected"), "{log}");
    assert!(log.contains("2 with names that are not read"), "{log}");
    let log = Ingest::start(&database, &input, &["--once", "--names", "*.txt"])
        .succeed()
        .await;
    assert!(log.contains("1 stored, 0 duplicates, 1 rejected"), "{log}");
    database.check_balance().await;
    // A second run finds nothing new, and counts what it knows.
    let log = Ingest::start(&database, &input, &["--once", "--names", "*.txt"])
        .succeed()
        .await;
    assert!(log.contains(": 2, all read before"), "{log}");

    let file = input.path().join("b.txt");
    let check = |more: &[&str]| {
        let mut command = program();
        let said = command.arg("check").arg(&file).args(more).output().unwrap();
        String::from_utf8(said.stdout).unwrap()
    };
    assert!(check(&[]).contains("a run skips it"), "{}", check(&[]));
    assert!(!check(&["--names", "*.txt"]).contains("a run skips it"));
    let (status, log) = Ingest::start(&database, &input, &["--once", "--names", "orders_*.csv"])
        .end()
        .await;
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(log.contains("are read without being named"), "{log}");
}

/// Text that doesn't compress, so that an index has to hold all of it.
fn noise(bytes: usize) -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + (state % 90) as u8)
    };
    let letters = std::iter::repeat_with(&mut letter).filter(|letter| !['"', ',', '\''].contains(letter));
    letters.take(bytes).collect()
}

#[tokio::test]
async fn long_ids_and_names_are_kept_in_the_table_and_its_indexes() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let map = tempfile::NamedTempFile::new().unwrap();
    let keep = "long_ids = 'keep'\nlong_names = 'keep'\n";
    let columns = [
        "event_time",
        "event_type",
        "user_id",
        "session_id",
        "product_id",
        "product_name",
        "category",
        "brand",
    ];
    let fields: String = columns.iter().map(|name| format!("{name} = '{name}'\n")).collect();
    fs::write(map.path(), format!("{keep}[event]\n{fields}")).unwrap();
    let (id, name) = (noise(1_024), noise(2_048));
    let row = |id: &str, name: &str| format!("2026-11-01T09:30:00Z,view,{id},{id},{id},{name},{name},{name}\n");
    let rows = [row(&id, &name), row(&noise(1_025), "n"), row("u", &noise(2_049))];
    drop_in_text(
        input.path(),
        "a.csv",
        format!("{}\n{}", columns.join(","), rows.concat()),
    );
    let more = ["--once", "--map", map.path().to_str().unwrap()];
    let log = Ingest::start(&database, &input, &more).succeed().await;
    assert!(log.contains("1 stored, 0 duplicates, 2 rejected"), "{log}");
    database.check_balance().await;
    let settled = program()
        .args(["settle", "--database-url", &database.url])
        .output()
        .unwrap();
    assert!(settled.status.success(), "{}", String::from_utf8_lossy(&settled.stderr));
    let found = database
        .row("SELECT user_id, product_name, category FROM ecom.events")
        .await;
    let found: [String; 3] = [found.get(0), found.get(1), found.get(2)];
    assert_eq!(found, [id, name.clone(), name]);
    let indexes = "SELECT count(*) FROM ecom.partition_indexes WHERE state = 'valid' AND starts = '2026-11-01Z'";
    assert_eq!(database.number(indexes).await, 3);
}

#[tokio::test]
async fn words_for_no_value_are_named_by_an_option() {
    let (database, input) = (database().await, tempfile::tempdir().unwrap());
    let text = "event_time,event_type,user_id,session_id,product_id,brand\n\
                2026-11-01T09:30:00Z,view,u1,s1,p1,NULL\n\
                2026-11-01T09:30:01Z,view,(not set),s1,p1,acme\n";
    drop_in_text(input.path(), "a.csv", text);
    let file = input.path().join("a.csv");
    let check = |more: &[&str]| {
        let out = program().arg("check").arg(&file).args(more).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let said = check(&[]);
    assert!(
        said.contains("looks like no value: brand is \"NULL\" in 1; --nulls NULL makes it none"),
        "{said}"
    );
    let option = "--nulls '(not set)' makes it none";
    assert!(said.contains(option), "{said}");
    let nulls = ["--nulls", "NULL,(not set)"];
    assert!(check(&nulls).contains("a.csv: 1 to be stored, 1 rejected\n"));

    let log = Ingest::start(&database, &input, &["--once", nulls[0], nulls[1]])
        .succeed()
        .await;
    assert!(
        log.contains("these words mean no value, in any column: \"(not set)\", \"NULL\""),
        "{log}"
    );
    assert!(log.contains("1 stored, 0 duplicates, 1 rejected"), "{log}");
    assert_eq!(
        database
            .number("SELECT count(*) FROM ecom.events WHERE brand IS NULL")
            .await,
        1
    );
    let (status, log) = Ingest::start(&database, &input, &["--once", "--nulls", "NULL", "--map", "rees46"])
        .end()
        .await;
    assert!(!status.success() && log.contains("cannot be used with"), "{log}");
    let (status, log) = Ingest::start(&database, &input, &["--once", "--nulls", "NULL,,nan"])
        .end()
        .await;
    assert!(!status.success() && log.contains("a word is empty"), "{log}");
}
