//! Files as shops have them, loaded by the program: other layouts, by a mapping.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::fs;

use fixture::program::Ingest;
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
async fn a_mapping_loads_files_of_another_layout() {
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
async fn ready_mappings_are_named() {
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
async fn a_mapping_that_can_not_be_is_refused_at_the_start() {
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
}
