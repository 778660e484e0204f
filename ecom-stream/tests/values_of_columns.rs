//! Tests of mappings: values that depend on several columns of a row.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use ecom_stream::memory::MemorySink;
use ecom_stream::{CsvDirSource, Event, Field, Mapping, Reason, Rules, SourceExt};

/// Loads a file into memory.
async fn load(mapping: &Mapping, text: &str) -> MemorySink<Event> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.csv"), text).unwrap();
    let sink = MemorySink::new("events");
    let source = CsvDirSource::new(dir.path()).mapping(mapping);
    let source = source.settle_for(std::time::Duration::ZERO).available_now(true);
    let rules = Rules::default().mapping(mapping.clone());
    let summary = source.validate(rules).to(sink.clone()).run().await.unwrap();
    assert!(summary.counts.is_balanced());
    sink
}

fn mapping(text: &str) -> Mapping {
    Mapping::from_toml(text).unwrap_or_else(|err| panic!("{}\nin\n{text}", err.report()))
}

fn refusal(text: &str) -> String {
    Mapping::from_toml(text).unwrap_err().to_string()
}

/// The users of the stored events, in order.
fn users(sink: &MemorySink<Event>) -> Vec<String> {
    sink.values().into_iter().map(|event| event.user_id).collect()
}

/// The GA4 export of BigQuery: `user_id` is empty until somebody signs in.
const GA4: &str = "event_timestamp,event_name,user_id,user_pseudo_id,ga_session_id,item_id,item_name,item_name_local\n\
    1793525400000000,view_item,,1096.17,1793525390,SKU1,Mug,\n\
    1793525401000000,view_item,C-77,1096.17,1793525390,SKU1,,Becher\n\
    1793525402000000,view_item,(not set),2211.08,1793525391,SKU2,,\n\
    1793525403000000,view_item,anonymous,3300.09,1793525392,SKU2,,\n\
    1793525404000000,view_item,,,1793525393,SKU2,,\n";

const GA4_MAP: &str = r#"
nulls = ["(not set)"]
[event]
event_time = { column = "event_timestamp", format = "epoch_us" }
event_type = { column = "event_name", values = { view_item = "view" } }
user_id = { first_of = ["user_id", "user_pseudo_id"], values = { anonymous = "" } }
session_id = "ga_session_id"
product_id = "item_id"
product_name = ["item_name_local", "item_name"]
"#;

#[tokio::test]
async fn the_first_of_several_columns_that_has_a_value_is_taken() {
    let sink = load(&mapping(GA4_MAP), GA4).await;
    // An empty field, a null word and a word that means no value are passed over.
    assert_eq!(users(&sink), ["1096.17", "C-77", "2211.08", "3300.09"]);
    let names: Vec<_> = sink.values().into_iter().map(|event| event.product_name).collect();
    assert_eq!(names, [Some("Mug".into()), Some("Becher".into()), None, None]);
    assert_eq!(sink.rejects().len(), 1);
    assert_eq!(sink.rejects()[0].refusal.reason, Reason::USER_ID_MISSING);
    let guest = GA4_MAP.replace("values = { anon", "default = 'guest', values = { anon");
    assert_eq!(users(&load(&mapping(&guest), GA4).await)[4], "guest");
    let notes = mapping(GA4_MAP).notes();
    assert!(notes.contains(&"user_id is the first value of user_id, user_pseudo_id".to_owned()));
}

#[tokio::test]
async fn columns_of_which_the_first_value_is_taken_are_no_extra_columns() {
    let sink = load(&mapping(&format!("extra = true\n{GA4_MAP}")), GA4).await;
    assert!(sink.values().iter().all(|event| event.extra.is_none()));
}

#[tokio::test]
async fn a_file_without_one_of_the_columns_is_set_aside_unless_they_are_optional() {
    let without = GA4.replace("user_id,user_pseudo", "member,user_pseudo");
    let sink = load(&mapping(GA4_MAP), &without).await;
    let state = &sink.positions()[0].state;
    assert_eq!(state.refusal().unwrap().reason, Reason::COLUMN_MISSING);
    assert!(
        state.refusal().unwrap().detail.starts_with("no column user_id;"),
        "{state:?}"
    );
    let optional = GA4_MAP.replace("values = { anon", "optional = true, values = { anon");
    assert_eq!(users(&load(&mapping(&optional), &without).await)[1], "1096.17");
}

#[test]
fn a_list_of_columns_that_can_not_be_meant_is_refused() {
    let with = |entry: &str| refusal(&GA4_MAP.replace(r#"["item_name_local", "item_name"]"#, entry));
    let at = "line 9, column 16: ";
    let few = "the first value is taken from two columns or more: name a single one by column";
    assert_eq!(with("[]"), format!("{at}{few}"));
    assert_eq!(with("{ first_of = ['item_name'] }"), format!("{at}{few}"));
    assert_eq!(
        with("['item_name', 'item_name']"),
        format!("{at}the column \"item_name\" is named twice: its second place is never reached")
    );
    assert!(with("{ first_of = ['a', 'b'], column = 'c' }").contains("exactly one of column, first_of, columns"));
    assert!(with("['a', 1]").starts_with("line 9, column 22: invalid type: integer"));
    let times = GA4_MAP.replace(
        r#"{ column = "event_timestamp", format = "epoch_us" }"#,
        "['day', 'time']",
    );
    assert!(refusal(&times).starts_with("line 4, column 14: a list can mean two things for event_time"));
    let builder = Mapping::builder().field("user_id", Field::first_of(["only"]));
    let builder = ["event_time", "event_type", "session_id", "product_id"]
        .into_iter()
        .fold(builder, |builder, name| builder.field(name, Field::column(name)));
    assert_eq!(builder.build().unwrap_err().to_string(), format!("user_id: {few}"));
}
