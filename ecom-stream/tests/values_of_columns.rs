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

/// An event log in which what happened stands in two columns, as in hotel searches and click streams.
const CLICKS: &str = "ts,action,target,step,who,visit,item\n\
    2026-11-01T09:30:00Z,click,buy,,u1,s1,p1\n\
    2026-11-01T09:31:00Z,click,image,,u1,s1,p1\n\
    2026-11-01T09:32:00Z,submit,checkout,2,u1,s1,p1\n\
    2026-11-01T09:33:00Z,submit,checkout,n/a,u1,s1,p1\n\
    2026-11-01T09:34:00Z,show,,,u1,s1,p1\n\
    2026-11-01T09:35:00Z,show,buy,,u1,s1,p1\n";

const CLICKS_MAP: &str = r#"
nulls = ["n/a"]
price_optional = true
[event]
event_time = "ts"
user_id = "who"
session_id = "visit"
product_id = "item"
[event.event_type]
default = "view"
when = [
    { if = { action = "click", target = ["buy", "add"] }, then = "add_to_cart" },
    { if = { action = "submit", step = "" }, then = "remove_from_cart" },
    { if = { action = "submit" }, then = "purchase" },
]
"#;

fn types(sink: &MemorySink<Event>) -> Vec<&'static str> {
    sink.values().iter().map(|event| event.event_type.as_str()).collect()
}

#[tokio::test]
async fn the_first_rule_that_holds_decides_the_type() {
    let sink = load(&mapping(CLICKS_MAP), CLICKS).await;
    // A null word is no value; a rule needs all of its columns; the default is for all other rows.
    let expected = ["add_to_cart", "view", "purchase", "remove_from_cart", "view", "view"];
    assert_eq!(types(&sink), expected);
    let notes = mapping(CLICKS_MAP).notes();
    let note = r#"event_type is "add_to_cart" in a row if its column "action" is "click" and its column "target" is "add" or "buy""#;
    assert!(notes.contains(&note.to_owned()), "{notes:?}");
    // Rules come before a column, whose words are translated; without a default, other rows have no type.
    let shows = CLICKS_MAP.replace("default = \"view\"", "column = 'action'\nvalues = { show = 'view' }");
    let sink = load(&mapping(&shows), CLICKS).await;
    assert_eq!(
        types(&sink),
        ["add_to_cart", "purchase", "remove_from_cart", "view", "view"]
    );
    assert_eq!(sink.rejects()[0].refusal.reason, Reason::EVENT_TYPE_UNKNOWN);
    let no_default = CLICKS_MAP.replace("default = \"view\"", "");
    let sink = load(&mapping(&no_default), CLICKS).await;
    assert_eq!((sink.values().len(), sink.rejects().len()), (3, 3));
    assert_eq!(sink.rejects()[0].refusal.reason, Reason::EVENT_TYPE_MISSING);
    // A rule can be beside a constant, of any column.
    let pairs = format!(
        "{CLICKS_MAP}\n[event.quantity]\nconstant = '1'\nwhen = [{{ if = {{ target = 'image' }}, then = '2' }}]"
    );
    let sink = load(&mapping(&pairs), CLICKS).await;
    assert_eq!(sink.values().iter().map(|event| event.quantity).sum::<i32>(), 7);
    assert!(
        mapping(&pairs)
            .notes()
            .contains(&"quantity is \"1\" in all other rows".to_owned())
    );
}

#[tokio::test]
async fn a_file_without_a_column_of_a_rule_is_set_aside_unless_the_field_is_optional() {
    let without = CLICKS.replace(",target,", ",place,");
    let sink = load(&mapping(CLICKS_MAP), &without).await;
    let state = &sink.positions()[0].state;
    assert!(
        state.refusal().unwrap().detail.starts_with("no column target;"),
        "{state:?}"
    );
    let optional = CLICKS_MAP.replace("default =", "optional = true\ndefault =");
    let sink = load(&mapping(&optional), &without).await;
    assert_eq!(types(&sink)[..3], ["view", "view", "purchase"]);
}

#[test]
fn rules_that_can_not_be_meant_are_refused() {
    let rule = "{ if = { action = \"submit\" }, then = \"purchase\" },";
    let with = |other: &str| refusal(&CLICKS_MAP.replace(rule, other));
    for (other, says) in [
        (
            "{ if = {}, then = 'view' }",
            "rule 3 of when has no column: a value for all other rows is the default",
        ),
        (
            "{ if = { action = [] }, then = 'view' }",
            "rule 3 of when has no word for the column \"action\"",
        ),
        ("{ if = { action = 'x' }, then = '' }", "rule 3 of when gives no value"),
        (
            "{ if = { action = 'click', target = 'add', step = '1' }, then = 'view' }",
            "rule 3 of when never decides: rule 1 holds for all of its rows and comes first",
        ),
        (
            "{ if = { action = 'x' }, then = 'add_to_card' }",
            "there is no event_type \"add_to_card\"",
        ),
        ("{ if = { action = 'x' } }", "missing field `then`"),
        (
            "{ if = { action = 1 }, then = 'view' }",
            "expected a text, or a list of texts",
        ),
        ("{ if = { action = 'x' }, than = 'view' }", "unknown field `than`"),
    ] {
        let err = with(other);
        assert!(err.starts_with("line ") && err.contains(says), "{err}");
    }
    let none = CLICKS_MAP.split("when = [").next().unwrap();
    assert!(
        refusal(none).contains("a default needs a column or a path"),
        "{}",
        refusal(none)
    );
    let headless = format!("header = ['ts', 'action', 'who', 'visit', 'item', 'step']\n{CLICKS_MAP}");
    assert!(refusal(&headless).starts_with("the files have no column target"));
    let names = ["event_time", "user_id", "session_id", "product_id"];
    let builder = names.into_iter().fold(Mapping::builder(), |builder, name| {
        builder.field(name, Field::column(name))
    });
    let err = builder.field("event_type", Field::rules()).build().unwrap_err();
    assert_eq!(err.to_string(), "event_type comes from rules, but has none");
}

#[tokio::test]
async fn long_ids_and_names_are_rejected_cut_or_kept_as_the_mapping_says() {
    // A marketplace: titles of 90 CJK characters, and ids made of an address and a hash.
    let (title, id) = ("精選".repeat(45), |n: u32| {
        format!("{}:{n}", "visitor@shop.example/".repeat(4))
    });
    let rows = (1..=3).map(|n| format!("2026-11-01T09:3{n}:00Z,{},s,p,{title},brand\n", id(n % 2)));
    let text: String = std::iter::once("ts,who,visit,item,title,brand\n".to_owned())
        .chain(rows)
        .collect();
    let with = |keys: &str| {
        mapping(&format!(
            "{keys}\n[event]\nevent_time = 'ts'\nevent_type = {{ constant = 'view' }}\nuser_id = 'who'\n\
             session_id = 'visit'\nproduct_id = 'item'\nproduct_name = 'title'\nbrand = 'brand'"
        ))
    };
    let rejected = load(&with(""), &text).await;
    assert_eq!(rejected.rejects().len(), 3);
    assert_eq!(rejected.rejects()[0].refusal.reason, Reason::USER_ID_TOO_LONG);
    let half = load(&with("long_ids = 'keep'"), &text).await;
    assert_eq!(half.rejects()[0].refusal.reason, Reason::PRODUCT_NAME_TOO_LONG);

    let kept = with("long_ids = 'keep'\nlong_names = 'keep'");
    let sink = load(&kept, &text).await;
    assert_eq!(users(&sink), [id(1), id(0), id(1)]);
    assert_eq!(sink.values()[0].product_name.as_deref(), Some(title.as_str()));
    assert!(
        kept.notes()
            .contains(&"ids of more than 64 bytes are kept, up to 1024 bytes".to_owned())
    );

    let cut = with("long_ids = 'cut'\nlong_names = 'cut'");
    let sink = load(&cut, &text).await;
    let users = users(&sink);
    // Two users with the same beginning stay two, and one stays one.
    assert!(
        users
            .iter()
            .all(|user| user.len() == 64 && user.starts_with("visitor@shop.example/"))
    );
    assert!(users[0] == users[2] && users[0] != users[1], "{users:?}");
    assert_eq!(sink.values()[0].product_name.as_deref(), Some(&title[..255]));
    let says = "ids of more than 64 bytes are cut; they end with a hash of the whole id";
    assert!(cut.notes().contains(&says.to_owned()));

    let err = refusal("long_ids = 'widen'");
    assert!(
        err.starts_with("line 1, column 12: unknown variant `widen`, expected one of `reject`, `cut`, `keep`"),
        "{err}"
    );
}
