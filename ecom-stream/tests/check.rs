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

#[tokio::test]
async fn what_is_unlikely_of_real_events_is_told() {
    let head = "event_id,event_time,event_type,user_id,session_id,product_id,price,quantity\n";
    let told = async |rows: &[&str]| {
        let text = head.to_owned() + &rows.join("\n") + "\n";
        let found = check("a.csv", text, None).await;
        assert_eq!(found.accepted as usize, rows.len());
        let doubts = found
            .doubts
            .into_iter()
            .map(|doubt| format!("{}: {}", doubt.field, doubt.text));
        doubts.collect::<Vec<_>>()
    };
    // An ordinary file has none, and a single event can be anything.
    let good = [
        "a,2026-11-01T10:00:00Z,view,u1,s1,p,12.50,1",
        "b,2026-11-02T10:00:01Z,purchase,u2,s2,p,1.00,2",
        "c,2026-11-03T11:00:00Z,view,u2,s2,p,,",
    ];
    assert!(told(&good).await.is_empty());
    assert!(told(&["a,2026-11-01T00:00:00Z,view,u1,s1,p,1,1"]).await.is_empty());

    let changed = async |from: &str, to: &str| {
        let rows = good.map(|row| row.replace(from, to));
        told(&rows.each_ref().map(String::as_str)).await
    };
    for (from, to, beginning) in [
        (
            "b,2026-11-02T10:00:01Z",
            "a,2026-11-01T10:00:00Z",
            "event_id: 1 of 3 events have the id and time of an earlier one",
        ),
        (
            "b,",
            "a,",
            "event_id: 1 of 3 events have the id of an earlier one, at another time",
        ),
        ("T10:00:00Z", "T00:00:00Z", "event_time: All 2 events"),
        (",u1,", ",u2,", "user_id: All 3 events have the same user."),
        (
            ",s2,",
            ",s1,",
            "session_id: All 3 events have the same session, but several users.",
        ),
        (",u1,", ",guest,", "user_id: 1 of 3 events have the user_id \"guest\"."),
        (
            ",p,",
            ",Unknown,",
            "product_id: 3 of 3 events have the product_id \"Unknown\".",
        ),
        (
            ",1.00,2",
            ",30.00,12500",
            "quantity: A purchase has 12500 pieces of 30.00 each.",
        ),
    ] {
        let found = match beginning.contains("All 2 events") {
            true => {
                told(&[
                    "a,2026-11-01T00:00:00Z,view,u1,s1,p,,",
                    "b,2026-11-02T00:00:00Z,view,u2,s2,p,,",
                ])
                .await
            }
            false => changed(from, to).await,
        };
        assert!(
            found.len() == 1 && found[0].starts_with(beginning),
            "{beginning}\n{found:?}"
        );
    }
    let of_prices = async |prices: [&str; 2]| {
        let rows = [
            format!("a,2026-11-01T10:00:00Z,view,u1,s1,p,{},1", prices[0]),
            format!("b,2026-11-02T10:00:01Z,view,u2,s2,p,{},1", prices[1]),
        ];
        told(&rows.each_ref().map(String::as_str)).await
    };
    for (prices, part) in [
        (
            ["1990", "2490"],
            "price: All 2 prices are whole numbers; the one in the middle is 2490.00.",
        ),
        (["1.980", "980"], "\"1.980\" is stored as 1.98."),
        (
            ["1500000.00", "990000.50"],
            "price: The price in the middle of 2 is 1500000.00.",
        ),
        (["0.02", "0.01"], "price: The price in the middle of 2 is 0.02."),
        (["0.00", "0.00"], "price: More than half of 2 prices are 0.00."),
    ] {
        let found = of_prices(prices).await;
        assert!(found.len() == 1 && found[0].contains(part), "{part}\n{found:?}");
    }
    for prices in [["19.90", "2490"], ["1.98", "3"], ["10", "20"]] {
        assert!(of_prices(prices).await.is_empty(), "{prices:?}");
    }
}

#[tokio::test]
async fn times_in_another_zone_that_are_days_are_told() {
    let mapping = Mapping::from_toml(
        r#"
        [event]
        event_time = { column = "day", format = "%d.%m.%Y", zone = "Asia/Tokyo" }
        event_type = { constant = "view" }
        user_id = "user"
        session_id = "user"
        product_id = "user"
        "#,
    );
    let found = check(
        "a.csv",
        "day,user\n13.11.2026,a\n14.11.2026,b\n",
        Some(&mapping.unwrap()),
    )
    .await;
    assert_eq!(found.doubts.len(), 1);
    assert!(
        found.doubts[0]
            .text
            .contains("All 2 events are at the same time of day, 15:00:00.0 UTC"),
        "{found:?}"
    );
}
