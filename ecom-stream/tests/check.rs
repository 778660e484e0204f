//! Tests of checking a file without a database.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use ecom_stream::check::{CheckedFile, check_file};
use ecom_stream::{Field, Mapping, Reason, Rules};

async fn check(name: &str, text: impl AsRef<[u8]>, mapping: Option<&Mapping>) -> CheckedFile {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    check_file(path, mapping, Rules::default(), 2).await.unwrap()
}

#[tokio::test]
async fn a_check_counts_and_shows_accepted_and_rejected_records() {
    let text = "event_time,event_type,user_id,session_id,product_id,product_name,colour\n\
                2026-11-01T12:00:00Z,view,u1,s,p,\"two\nlines\",red\n\
                \n\
                2026-11-01T12:00:00Z,wish,u2,s,p,,\n\
                now,view,u3,s,p,,\n\
                2026-11-01T12:00:00Z,hope,u4,s,p,,\n\
                2026-11-01T12:00:00Z,view,u5\n\
                2026-11-01T12:00:00Z,pray,u6,s,p,,\n\
                2026-11-01T12:00:00Z,view,u7,s,p,,";
    let found = check("a.csv", text, None).await;
    assert_eq!((found.accepted, found.rejected_count()), (2, 5));
    assert!(!found.is_clean() && found.unusable.is_none());
    assert_eq!(found.ignored_columns, ["colour"]);
    let users: Vec<_> = found
        .events
        .iter()
        .map(|event| (event.value.user_id.as_str(), event.line, event.record))
        .collect();
    assert_eq!(users, [("u1", 2, 1), ("u7", 10, 7)]);
    let unknown = &found.rejected[&Reason::EVENT_TYPE_UNKNOWN];
    assert_eq!(unknown.count, 3);
    let examples: Vec<_> = unknown
        .examples
        .iter()
        .map(|one| (one.line, one.value.0.as_str()))
        .collect();
    assert_eq!(examples, [(5, "found \"wish\""), (7, "found \"hope\"")]);
    assert_eq!(found.rejected[&Reason::FIELD_COUNT].examples[0].line, 8);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_has_its_reason() {
    let found = check("a.csv", "a;b\n1;2\n", None).await;
    assert_eq!(found.unusable.unwrap().reason, Reason::WRONG_DELIMITER);
    let found = check("a.csv", "a;b\n1;2\n3;4", None).await;
    assert_eq!((found.unread_lines, found.ready_mapping), (2, None));
    let retailrocket = "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n";
    let found = check("a.csv", retailrocket, None).await;
    assert_eq!((found.unread_lines, found.ready_mapping), (1, Some("retailrocket")));
    let mapping = Mapping::named("rees46").unwrap();
    let found = check("a.csv", retailrocket, Some(&mapping)).await;
    assert!(found.unusable.is_some() && found.ready_mapping.is_none());
    let found = check("a.csv.gz", "a;b\n1;2\n", None).await;
    assert_eq!(found.unusable.unwrap().reason, Reason::COMPRESSED_DAMAGED);
    let found = check(
        "a.csv",
        "event_time,event_type,user_id,session_id,product_id\n2026-11-01T12:00:00Z,view,u,s,\"p\n",
        None,
    )
    .await;
    assert_eq!(found.unusable.unwrap().reason, Reason::UNTERMINATED_QUOTE);
    assert!(check("a.csv", "", None).await.is_clean());
    let missing = check_file("no/such.csv", None, Rules::default(), 1).await.unwrap_err();
    assert!(missing.report().starts_with("can't read no/such.csv: "), "{missing}");
}

#[tokio::test]
async fn a_compressed_file_is_checked_by_a_mapping() {
    use tokio::io::AsyncWriteExt;
    let mut encoder = async_compression::tokio::write::GzipEncoder::new(Vec::new());
    encoder.write_all(b"t,u\n1,a\nx,b\n").await.unwrap();
    encoder.shutdown().await.unwrap();
    let mapping = Mapping::builder()
        .field("event_time", Field::column("t"))
        .time_format(ecom_stream::TimeFormat::UnixSeconds)
        .field("user_id", Field::column("u"))
        .field("event_type", Field::constant("view"))
        .field("session_id", Field::constant("s"))
        .field("product_id", Field::constant("p"));
    let found = check("a.csv.gz", encoder.into_inner(), Some(&mapping.build().unwrap())).await;
    assert_eq!(found.rejected[&Reason::EVENT_TIME_MALFORMED].examples[0].line, 3);
    assert_eq!(found.rejected[&Reason::EVENT_TIME_OUT_OF_RANGE].examples[0].line, 2);
}

#[tokio::test]
async fn a_check_says_whether_a_source_reads_a_file_of_that_name() {
    let text = "event_time,event_type,user_id,session_id,product_id\n";
    for (name, is_read) in [
        ("a.csv", true),
        ("a.CSV", true),
        ("a.txt", false),
        (".a.csv", false),
        ("a.csv.part", false),
    ] {
        assert_eq!(check(name, text, None).await.is_read_by_name, is_read, "{name}");
    }
}
