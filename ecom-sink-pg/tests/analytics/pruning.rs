//! What holds for all functions and views: each reads only the partitions of its span, and has a comment and a test.

use std::collections::BTreeSet;
use std::fs;

use crate::fixture::calls::{CALLS, VIEWS, Values};
use crate::fixture::schema::database_with_schema;

/// Functions of the schema that are asked about no span.
const OTHER_FUNCTIONS: [&str; 16] = [
    "begin_copy",
    "begin_merge",
    "buckets",
    "catch_up_sequences",
    "chosen_currency",
    "copy_pages",
    "create_partition",
    "ensure_partitions",
    "in_one_currency",
    "net_amount",
    "partition_bounds",
    "partition_like",
    "partition_name",
    "partition_widths",
    "replace_partitions",
    "withdraw_splits",
];

#[tokio::test]
async fn a_span_reads_its_partitions_only() {
    let db = database_with_schema().await;
    db.make_days("2026-09-01", 100).await;
    let day = Values {
        since: "2026-11-23 00:00:00+00",
        until: "2026-11-24 00:00:00+00",
        user: "u",
        product: "p",
        category: "c",
    };
    for (name, call) in CALLS {
        let plan = db.ask(&format!("EXPLAIN SELECT * FROM {}", day.put_into(call))).await;
        let read: BTreeSet<&str> = plan
            .iter()
            .filter_map(|line| line.split(" on events_y").nth(1)?.split(['_', ' ']).next())
            .collect();
        // A partition may be read for several reasons.
        match *name {
            "active_users" => assert_eq!((read.len(), read.last()), (30, Some(&"20261123")), "{name}: {plan:#?}"),
            _ => assert_eq!(Vec::from_iter(read), ["20261123"], "{name}: {plan:#?}"),
        }
    }
}

#[tokio::test]
async fn every_function_and_view_has_a_test_and_a_line_in_the_guide() {
    let db = database_with_schema().await;
    let functions = db
        .ask(
            "SELECT DISTINCT proname FROM pg_proc
             WHERE pronamespace = 'ecom'::regnamespace AND prorettype <> 'trigger'::regtype",
        )
        .await;
    let known: BTreeSet<&str> = CALLS.iter().map(|(name, _)| *name).chain(OTHER_FUNCTIONS).collect();
    assert_eq!(
        functions.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        known,
        "calls.rs has them all"
    );
    let views = "SELECT relname FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'ecom'::regnamespace";
    let views = db.ask(views).await;
    assert_eq!(
        views.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        BTreeSet::from_iter(VIEWS.iter().copied()),
        "calls.rs has them all"
    );

    let mut sources = String::new();
    let here = env!("CARGO_MANIFEST_DIR");
    let of_program = format!("{here}/../ecom-ingest/tests");
    let dirs = [
        format!("{here}/tests"),
        format!("{here}/tests/analytics"),
        format!("{of_program}/maintenance"),
        of_program,
    ];
    for dir in dirs {
        for file in fs::read_dir(dir).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let guide = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/README.md")).unwrap();
    for name in functions.iter().chain(&views) {
        let is_named = |text: &str| {
            text.split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word == name)
        };
        assert!(is_named(&sources), "no test asks ecom.{name}");
        assert!(is_named(&guide), "sql/README.md does not name ecom.{name}");
    }
}
