//! Tests of mappings: files of other layouts, read from a directory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use ecom_stream::memory::MemorySink;
use ecom_stream::{
    BatchStream, Checkpoint, Commit, CsvDirSource, Dialect, Event, EventType, Field, Ids, Mapping, Reason, Result,
    Rules, Sink, SourceExt, SplitState, Summary, Topology,
};
use futures::{Stream, StreamExt, stream};
use time::macros::datetime;

/// Loads files from a directory into memory, to look at the result.
async fn load(mapping: &Mapping, files: &[(&str, &str)]) -> MemorySink<Event> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let sink = MemorySink::new("events");
    let source = CsvDirSource::new(dir.path())
        .mapping(mapping)
        .settle_for(std::time::Duration::ZERO)
        .available_now(true);
    let summary = source
        .validate(Rules::default().mapping(mapping.clone()))
        .to(sink.clone())
        .run()
        .await
        .unwrap();
    assert!(summary.counts.is_balanced());
    sink
}

fn reasons(sink: &MemorySink<Event>) -> Vec<Reason> {
    sink.rejects()
        .iter()
        .map(|reject| reject.refusal.reason.clone())
        .collect()
}

#[tokio::test]
async fn the_ready_mapping_rees46_reads_its_files() {
    let text = "\
event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde-8bb3-4e00-8c23-a032dfed738c
2019-10-01 00:00:01 UTC,cart,3900821,2053013552326770905,appliances.environment.water_heater,aqua,33.20,554748717,s
2019-10-01 00:00:02 UTC,purchase,1,2,,,0.50,3,s
2019-10-01 00:00:03,view,1,2,,,0.50,3,s
2019-10-01 00:00:04 UTC,purchase,1,2,,,-0.50,3,s
2019-10-01 00:00:05 UTC,view,1,2,,,0.50,3,
";
    let sink = load(&Mapping::named("rees46").unwrap(), &[("2019-Oct.csv", text)]).await;
    let events = sink.values();
    assert_eq!(events.len(), 3);
    assert_eq!(events[0].event_time, datetime!(2019-10-01 00:00 UTC));
    assert_eq!(
        (events[0].category.as_deref(), events[0].brand.as_deref()),
        (None, Some("shiseido"))
    );
    assert_eq!(events[0].extra, None);
    assert_eq!(events[1].event_type, EventType::AddToCart);
    assert_eq!(
        events[1].category.as_deref(),
        Some("appliances.environment.water_heater")
    );
    assert_eq!(events[2].price.unwrap().cents(), 50);
    assert_eq!(
        reasons(&sink),
        [
            Reason::EVENT_TIME_MALFORMED,
            Reason::PRICE_NEGATIVE,
            Reason::SESSION_ID_MISSING
        ]
    );
}

#[tokio::test]
async fn the_ready_mapping_retailrocket_reads_its_files() {
    let text = "\
timestamp,visitorid,event,itemid,transactionid
1433221332117,257597,view,355908,
1433224214164,992329,addtocart,248676,
1433222276276,599528,transaction,356475,4000
yesterday,599528,transaction,356475,4000
";
    let sink = load(&Mapping::named("retailrocket").unwrap(), &[("events.csv", text)]).await;
    let events = sink.values();
    let types: Vec<EventType> = events.iter().map(|event| event.event_type).collect();
    assert_eq!(types, [EventType::View, EventType::AddToCart, EventType::Purchase]);
    assert_eq!(events[2].event_time, datetime!(2015-06-02 05:17:56.276 UTC));
    assert_eq!((events[2].session_id.as_str(), events[2].price), ("599528", None));
    assert_eq!(events[2].order_id.as_deref(), Some("4000"));
    assert_eq!(reasons(&sink), [Reason::EVENT_TIME_MALFORMED]);
}

/// The type, user, product, price in cents and quantity of each event.
fn sold(sink: &MemorySink<Event>) -> Vec<(EventType, String, String, Option<i64>, i32)> {
    let of = |event: &Event| {
        let price = event.price.map(|price| price.cents());
        (
            event.event_type,
            event.user_id.clone(),
            event.product_id.clone(),
            price,
            event.quantity,
        )
    };
    sink.values().iter().map(of).collect()
}

#[tokio::test]
async fn the_ready_mapping_ga4_reads_a_row_for_each_item() {
    let text = "\
event_timestamp,event_name,user_id,user_pseudo_id,session_id,transaction_id,item_id,item_name,item_category,item_brand,price,quantity,currency
1793525400123456,session_start,,1.2,1.2.7,,,,,,,,
1793525401000000,view_item,,1.2,1.2.7,(not set),SKU-1,Mug,Home,(not set),19.990000000000002,,EUR
1793525402000000,purchase,C-77,1.2,1.2.7,T-9,SKU-1,Mug,Home,,19.99,2,EUR
1793525402000000,purchase,C-77,1.2,1.2.7,T-9,SKU-2,Towel,Home,,5.0,1,EUR
1793525403000000,scroll,,1.2,1.2.7,,,,,,,,
";
    let sink = load(&Mapping::named("ga4").unwrap(), &[("ga4.csv", text)]).await;
    let event = |of, user: &str, product: &str, price, quantity| (of, user.into(), product.into(), price, quantity);
    assert_eq!(
        sold(&sink),
        [
            event(EventType::SessionStart, "1.2", "", None, 1),
            event(EventType::View, "1.2", "SKU-1", Some(1_999), 1),
            event(EventType::Purchase, "C-77", "SKU-1", Some(1_999), 2),
            event(EventType::Purchase, "C-77", "SKU-2", Some(500), 1),
        ]
    );
    let events = sink.values();
    assert_eq!(events[0].event_time, datetime!(2026-11-01 09:30:00.123456 UTC));
    assert_eq!((&events[1].order_id, &events[1].brand), (&None, &None));
    assert_eq!(events[3].order_id.as_deref(), Some("T-9"));
    assert_eq!(events[3].currency.unwrap().to_string(), "EUR");
    assert_eq!((sink.counts().filtered, sink.counts().rejected), (1, 0));
}

#[tokio::test]
async fn the_ready_mapping_woocommerce_reads_what_was_sold() {
    let text = "\
Order Number,Order Status,Order Date,Customer Note,Email (Billing),Order Total Amount,SKU,Item #,Item Name,Quantity (- Refund),Item Cost
1001,Completed,2026-11-01 09:30,\"Ring
twice\",ann@example.com,44.90,MUG-B,1,Mug blue,2,19.95
1001,Completed,2026-11-01 09:30,,ann@example.com,44.90,,2,Gift wrap,1,5
1002,Cancelled,2026-11-01 09:31,,bob@example.com,9.00,MUG-B,1,Mug blue,1,19.95
1003,Refunded,2026-11-01 09:32,,cat@example.com,9.00,MUG-B,1,Mug blue,0,19.95
";
    let sink = load(&Mapping::named("woocommerce").unwrap(), &[("orders.csv", text)]).await;
    let line = |product: &str, price, quantity| {
        let user = "ann@example.com".to_owned();
        (EventType::Purchase, user, product.to_owned(), Some(price), quantity)
    };
    assert_eq!(sold(&sink), [line("MUG-B", 1_995, 2), line("Gift wrap", 500, 1)]);
    assert_eq!(sink.values()[0].order_id.as_deref(), Some("1001"));
    assert_eq!((sink.counts().filtered, sink.counts().rejected), (2, 0));
}

#[tokio::test]
async fn the_ready_mappings_recsys15_read_files_without_a_header() {
    let clicks = "1,2014-04-07T10:51:09.277Z,214536502,0\n1,2014-04-07T10:54:09.868Z,214536500,S\n";
    let sink = load(&Mapping::named("recsys15-clicks").unwrap(), &[("clicks.csv", clicks)]).await;
    let categories: Vec<_> = sink.values().iter().map(|event| event.category.clone()).collect();
    assert_eq!(categories, [None, Some("S".to_owned())]);
    let buys = "420374,2014-04-06T18:44:58.314Z,214537888,12462,1\n420374,2014-04-06T18:44:58.325Z,214537850,0,0\n";
    let sink = load(&Mapping::named("recsys15-buys").unwrap(), &[("buys.csv", buys)]).await;
    let line = |product: &str, price| (EventType::Purchase, "420374".to_owned(), product.to_owned(), price, 1);
    assert_eq!(
        sold(&sink),
        [line("214537888", Some(1_246_200)), line("214537850", None)]
    );
}

#[tokio::test]
async fn every_ready_mapping_is_found_by_name() {
    for (name, text) in Mapping::ready() {
        assert_eq!(Mapping::named(name).unwrap(), Mapping::from_toml(text).unwrap());
    }
    let err = Mapping::named("no/such/file.toml").unwrap_err().report();
    assert!(err.starts_with("can't read the mapping no/such/file.toml: "), "{err}");
}

const SHOP: &str = r#"
delimiter = ";"
quote = "'"
header = ["when", "what", "who", "item", "cost", "colour", "size"]
nulls = ["NA", "-"]
extra = true

[event]
event_time = { column = "when", format = "%d-%m-%Y %H:%M", zone = "Europe/London" }
event_type = { column = "what", values = { Purchase = "purchase", cart = "add_to_cart", looked = "view" } }
user_id = { column = "who", default = "guest" }
session_id = { constant = "none" }
product_id = "item"
price = { column = "cost", values = { free = "0" } }
"#;

#[tokio::test]
async fn a_file_without_a_header_is_read_in_its_dialect() {
    let text = "\
01-07-2010 08:26;Purchase;17850;'white;''heart''';2.55;red;-
01-12-2010 08:26;looked;NA;85123A;NA;;
01-12-2010 08:27;cart;7;85123A;free;'a\"b';XL
28-03-2010 01:30;looked;7;85123A;;;
01-12-2010 08:28;returned;7;85123A;;;
01-12-2010 08:28;looked;7;-;;;
01-12-2010 08:28;looked;7
01-12-2010 08:28;looked;7;'a'b;;;
";
    let mapping = Mapping::from_toml(SHOP).unwrap();
    let sink = load(&mapping, &[("a.csv", text)]).await;
    let events = sink.values();
    assert_eq!(events.len(), 3);
    // In summer London is an hour ahead.
    assert_eq!(events[0].event_time, datetime!(2010-07-01 07:26 UTC));
    assert_eq!(events[0].product_id, "white;'heart'");
    assert_eq!(events[0].extra.as_deref(), Some(r#"{"colour":"red"}"#));
    assert_eq!(
        (events[1].user_id.as_str(), events[1].price, &events[1].extra),
        ("guest", None, &None)
    );
    assert_eq!(events[1].event_time, datetime!(2010-12-01 08:26 UTC));
    assert_eq!(events[2].price.unwrap().cents(), 0);
    assert_eq!(events[2].extra.as_deref(), Some(r#"{"colour":"a\"b","size":"XL"}"#));
    assert!(events.iter().all(|event| event.session_id == "none"));
    let expected = [
        Reason::EVENT_TIME_MALFORMED,
        Reason::EVENT_TYPE_UNKNOWN,
        Reason::PRODUCT_ID_MISSING,
        Reason::FIELD_COUNT,
        Reason::TEXT_AFTER_QUOTE,
    ];
    let mut found = reasons(&sink);
    found.sort();
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(found, expected);
}

fn plain() -> ecom_stream::MappingBuilder {
    let names = ["event_time", "event_type", "user_id", "session_id", "product_id"];
    names.into_iter().fold(Mapping::builder(), |mapping, name| {
        mapping.field(name, Field::column(name))
    })
}

#[tokio::test]
async fn files_that_lack_a_mapped_column_are_set_aside() {
    let files = [
        (
            "good.csv",
            "product_id,session_id,user_id,event_type,event_time\np,s,u,view,2026-11-01T00:00:00Z\n",
        ),
        ("lacks.csv", "product_id,session_id,user_id,event_type\np,s,u,view\n"),
        (
            "commas.csv",
            "product_id;session_id;user_id;event_type;event_time\np;s;u;view;2026-11-01T00:00:00Z\n",
        ),
    ];
    let mapping = plain()
        .field("brand", Field::column("brand").optional(true))
        .build()
        .unwrap();
    let sink = load(&mapping, &files).await;
    assert_eq!(sink.values().len(), 1);
    let mut set_aside: Vec<_> = sink
        .positions()
        .into_iter()
        .filter_map(|position| match position.state {
            SplitState::SetAside(refusal) => Some((position.split.path().to_owned(), refusal.reason)),
            _ => None,
        })
        .collect();
    set_aside.sort();
    let expected = [
        ("commas.csv".into(), Reason::WRONG_DELIMITER),
        ("lacks.csv".into(), Reason::COLUMN_MISSING),
    ];
    assert_eq!(set_aside, expected);

    let strict = plain().field("brand", Field::column("brand")).build().unwrap();
    assert_eq!(load(&strict, &files).await.values().len(), 0);
}

#[tokio::test]
async fn ids_are_made_from_the_place_or_from_the_content() {
    let files = [
        (
            "a.csv",
            "event_time,event_type,user_id,session_id,product_id\n2026-11-01T00:00:00Z,view,u,s,p\n2026-11-01T00:00:00Z,view,u,s,p\n",
        ),
        // The same row, with its columns in another order.
        (
            "b.csv",
            "event_type,event_time,user_id,session_id,product_id\nview,2026-11-01T00:00:00Z,u,s,p\n",
        ),
        (
            "c.csv",
            "event_type,event_time,user_id,session_id,product_id\nview,2026-11-01T00:00:00Z,u,s,q\n",
        ),
    ];
    for (ids, expected) in [(Ids::Position, 4), (Ids::Content, 2)] {
        let mapping = plain().ids(ids).build().unwrap();
        let found = load(&mapping, &files).await.values();
        let found: std::collections::HashSet<_> = found.into_iter().map(|event| event.event_id).collect();
        assert_eq!(found.len(), expected, "{ids:?}");
    }
}

#[tokio::test]
async fn an_impossible_dialect_is_an_error_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let source = CsvDirSource::new(dir.path())
        .dialect(Dialect::default().delimiter(b'"'))
        .available_now(true);
    let err = source.to(MemorySink::new("events")).run().await.unwrap_err();
    assert_eq!(err.to_string(), "delimiter and quote are both '\"'");
}

#[test]
fn the_notes_list_what_is_not_in_the_files() {
    assert_eq!(
        Mapping::from_toml(SHOP).unwrap().notes(),
        [
            "user_id is \"guest\" where the file has no value",
            "session_id is \"none\" in every event",
            "event_id is made from the file and the record number: a row that is delivered again is stored again",
        ]
    );
}

#[tokio::test]
async fn values_are_taken_from_directory_names() {
    let dir = tempfile::tempdir().unwrap();
    for (day, hour) in [("2026-11-01", "09"), ("2026-11-02", "10")] {
        let path = dir.path().join(format!("date={day}/hour={hour}"));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("a.csv"), format!("u,p\n{hour},1\n")).unwrap();
    }
    let mapping = Mapping::from_toml(
        r#"
        [event]
        event_time = { path = "date", format = "%Y-%m-%d" }
        event_type = { constant = "view" }
        user_id = "u"
        session_id = { path = "hour" }
        product_id = "p"
        "#,
    )
    .unwrap();
    let sink = MemorySink::new("events");
    let source = CsvDirSource::new(dir.path())
        .recursive(true)
        .mapping(&mapping)
        .settle_for(std::time::Duration::ZERO);
    let events = source.available_now(true).validate(Rules::default().mapping(mapping));
    events.to(sink.clone()).run().await.unwrap();
    let mut found: Vec<_> = sink
        .values()
        .into_iter()
        .map(|event| (event.event_time, event.session_id))
        .collect();
    found.sort();
    let expected = [
        (datetime!(2026-11-01 00:00 UTC), "09".into()),
        (datetime!(2026-11-02 00:00 UTC), "10".into()),
    ];
    assert_eq!(found, expected);
}

/// Runs a pipeline over `dir` into `sink`, which keeps what earlier runs stored.
async fn load_into(sink: &MemorySink<Event>, dir: &std::path::Path, mapping: Option<&Mapping>) {
    try_load_into(sink.clone(), dir, mapping).await.unwrap();
}

async fn try_load_into(sink: impl Sink<Event>, dir: &std::path::Path, mapping: Option<&Mapping>) -> Result<Summary> {
    let mut source = CsvDirSource::new(dir)
        .recursive(true)
        .settle_for(std::time::Duration::ZERO)
        .available_now(true);
    let mut rules = Rules::default();
    if let Some(mapping) = mapping {
        source = source.mapping(mapping);
        rules = rules.mapping(mapping.clone());
    }
    source.validate(rules).to(sink).run().await
}

/// Writes a file, and the directories above it.
fn put(dir: &std::path::Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

const BY_SHOP: &str = r#"
[event]
event_time = { path = "date", format = "%Y-%m-%d" }
event_type = { constant = "purchase" }
user_id = "customer"
session_id = { path = "shop" }
product_id = "sku"
price = "price"
"#;

#[tokio::test]
async fn the_same_file_under_another_date_gives_other_events() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("events"));
    let mapping = Mapping::from_toml(BY_SHOP).unwrap();
    let text = "customer,sku,price\nc,s,1\n";
    for date in ["2026-11-01", "2026-11-02"] {
        put(dir.path(), &format!("date={date}/shop=north/a.csv"), text);
    }
    load_into(&sink, dir.path(), Some(&mapping)).await;
    assert_eq!(sink.values().len(), 2);
    // In the next run too. With the same values in its path, a file is a copy.
    put(dir.path(), "date=2026-11-03/shop=north/a.csv", text);
    put(dir.path(), "date=2026-11-01/shop=north/b.csv", text);
    load_into(&sink, dir.path(), Some(&mapping)).await;
    let dates: Vec<_> = sink.values().iter().map(|event| event.event_time.day()).collect();
    assert_eq!(dates, [1, 2, 3]);
    // The file of a renamed directory has been read already.
    let at = |date: &str| dir.path().join(format!("date={date}"));
    std::fs::rename(at("2026-11-03"), at("2026-11-04")).unwrap();
    load_into(&sink, dir.path(), Some(&mapping)).await;
    assert_eq!(sink.values().len(), 3);
}

#[tokio::test]
async fn equal_rows_in_the_directories_of_two_shops_are_two_events() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("events"));
    let mapping = Mapping::from_toml(&format!("ids = \"content\"\n{BY_SHOP}")).unwrap();
    for shop in ["north", "south"] {
        let text = format!("customer,sku,price\nc,s,1\nc,{shop},2\n");
        put(dir.path(), &format!("date=2026-11-01/shop={shop}/a.csv"), &text);
    }
    // A file that has a row of an earlier one again.
    put(
        dir.path(),
        "date=2026-11-01/shop=south/b.csv",
        "price,customer,sku\n1,c,s\n3,c,s\n",
    );
    load_into(&sink, dir.path(), Some(&mapping)).await;
    let ids: std::collections::HashSet<_> = sink.values().iter().map(|event| event.event_id).collect();
    assert_eq!((sink.values().len(), ids.len()), (6, 5));
}

#[tokio::test]
async fn a_file_that_was_set_aside_is_read_by_another_mapping() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("events"));
    let text = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n\
                2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde\n";
    put(dir.path(), "oct.csv", text);
    for _ in 0..2 {
        load_into(&sink, dir.path(), None).await;
        assert!(matches!(sink.positions()[0].state, SplitState::SetAside(_)));
    }
    let epochs = sink.positions().len();
    let mapping = Mapping::named("rees46").unwrap();
    for _ in 0..2 {
        load_into(&sink, dir.path(), Some(&mapping)).await;
        assert_eq!(sink.values().len(), 1);
    }
    assert_eq!(sink.positions().len(), epochs);
    assert_eq!(sink.positions()[0].state, SplitState::Finished);
    // A finished file is not read again, whatever columns are needed now.
    load_into(&sink, dir.path(), None).await;
    assert_eq!(sink.positions()[0].state, SplitState::Finished);
}

#[tokio::test]
async fn a_file_without_a_header_that_was_set_aside_loses_no_row() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("events"));
    put(
        dir.path(),
        "a.csv",
        "2026-11-01T10:00:00Z,view,u,s,p\n2026-11-01T10:00:01Z,view,u,s,p\n",
    );
    load_into(&sink, dir.path(), None).await;
    assert!(matches!(sink.positions()[0].state, SplitState::SetAside(_)));
    let fields = Event::REQUIRED_COLUMNS.into_iter();
    let mapping = fields
        .fold(Mapping::builder(), |mapping, name| {
            mapping.field(name, Field::column(name))
        })
        .dialect(Dialect::default().without_header(Event::REQUIRED_COLUMNS))
        .build()
        .unwrap();
    load_into(&sink, dir.path(), Some(&mapping)).await;
    assert_eq!(sink.values().len(), 2);
    assert_eq!(sink.positions().len(), 1);
}

#[tokio::test]
async fn quotes_are_checked_behind_a_byte_order_mark() {
    let columns = ["event_type", "event_time", "user_id", "session_id", "product_id"];
    let fields = Event::REQUIRED_COLUMNS.into_iter();
    let mapping = fields
        .fold(Mapping::builder(), |mapping, name| {
            mapping.field(name, Field::column(name))
        })
        .dialect(Dialect::default().without_header(columns))
        .build()
        .unwrap();
    let good = "\u{feff}\"view\",2026-11-01T10:00:00Z,u,s,p\n";
    assert_eq!(load(&mapping, &[("a.csv", good)]).await.values().len(), 1);
    let sink = load(&mapping, &[("a.csv", "\u{feff}\"view,2026-11-01T10:00:00Z,u,s,p\n")]).await;
    let refusal = sink.positions()[0].state.refusal().cloned().unwrap();
    assert_eq!(refusal.reason, Reason::UNTERMINATED_QUOTE);
    let sink = load(&mapping, &[("a.csv", "\u{feff}\"vi\"ew,2026-11-01T10:00:00Z,u,s,p\n")]).await;
    assert_eq!(reasons(&sink), [Reason::TEXT_AFTER_QUOTE]);
}

#[tokio::test]
async fn prices_are_read_with_a_decimal_comma() {
    let mapping = Mapping::from_toml(
        "delimiter = \";\"\ndecimal = \",\"\n[event]\nevent_time = \"t\"\nevent_type = \"k\"\nuser_id = \"u\"\n\
         session_id = \"s\"\nproduct_id = \"p\"\nprice = \"e\"\n",
    )
    .unwrap();
    let row = |price: &str| format!("2026-11-01T10:00:00Z;view;u;s;p;{price}\n");
    let rows: String = ["12,50", "7", ",5", "12.50", "1.234,50", "1,234,5", "1,005"]
        .map(row)
        .concat();
    let sink = load(&mapping, &[("a.csv", &format!("t;k;u;s;p;e\n{rows}"))]).await;
    let prices: Vec<_> = sink.values().iter().map(|event| event.price.unwrap().cents()).collect();
    assert_eq!(prices, [1_250, 700, 50]);
    assert_eq!(
        reasons(&sink),
        [
            Reason::PRICE_MALFORMED,
            Reason::PRICE_MALFORMED,
            Reason::PRICE_MALFORMED,
            Reason::PRICE_INEXACT
        ]
    );
    assert!(
        Mapping::from_toml("decimal = \"'\"")
            .unwrap_err()
            .to_string()
            .contains("line 1, column 11")
    );
}

#[tokio::test]
async fn prices_are_read_with_a_thousands_separator() {
    let mapping = Mapping::from_toml(
        "delimiter = \";\"\ndecimal = \",\"\nthousands = \".\"\n[event]\nevent_time = \"t\"\nevent_type = \"k\"\n\
         user_id = \"u\"\nsession_id = \"s\"\nproduct_id = \"p\"\nprice = \"e\"\n",
    )
    .unwrap();
    let row = |price: &str| format!("2026-11-01T10:00:00Z;view;u;s;p;{price}\n");
    let rows: String = ["1.418,63", "1418,63", "1.000", "12.50", "1.2345", "1.418,635"]
        .map(row)
        .concat();
    let sink = load(&mapping, &[("a.csv", &format!("t;k;u;s;p;e\n{rows}"))]).await;
    let prices: Vec<_> = sink.values().iter().map(|event| event.price.unwrap().cents()).collect();
    assert_eq!(prices, [141_863, 141_863, 100_000]);
    assert_eq!(
        reasons(&sink),
        [Reason::PRICE_MALFORMED, Reason::PRICE_MALFORMED, Reason::PRICE_INEXACT]
    );
}

/// A mapping for files with a column `u` and the time that `entry` describes.
fn of_time(entry: &str) -> Result<Mapping> {
    Mapping::from_toml(&format!(
        "[event]\nevent_time = {{ {entry} }}\nevent_type = {{ constant = \"view\" }}\nuser_id = \"u\"\nsession_id = \"u\"\nproduct_id = \"u\"\n"
    ))
}

/// The times of the events in a file, and the number of its rejects.
async fn times(entry: &str, file: (&str, &str)) -> (Vec<time::OffsetDateTime>, usize) {
    let sink = load(&of_time(entry).unwrap(), &[file]).await;
    let times = sink.values().iter().map(|event| event.event_time).collect();
    (times, sink.rejects().len())
}

#[tokio::test]
async fn a_format_that_would_store_a_wrong_time_is_refused_at_the_start() {
    for (entry, told) in [
        (
            r#"column = "t", format = "[month]/[day]/[year] [hour]:[minute]:[second] [period]""#,
            "reads [period] but ignores it",
        ),
        (
            r#"column = "t", format = "%m/%d/%Y %H:%M:%S %p""#,
            "Write %I in place of %H",
        ),
        (
            r#"column = "t", format = "[year] [unix_timestamp]""#,
            "reads [year] but ignores it",
        ),
        (
            r#"column = "t", format = "%d.%m.%Y %H:%M (UTC+01:00)""#,
            r#""UTC+01:00" in the time format"#,
        ),
        (
            r#"column = "t", format = "%d.%m.%Y %H:%M MEZ""#,
            r#"Give the zone with zone = "...""#,
        ),
    ] {
        let err = of_time(entry).unwrap_err().to_string();
        assert!(err.starts_with("line 2, column ") && err.contains(told), "{err}");
    }
}

#[tokio::test]
async fn times_are_right_in_files_whose_formats_were_misread() {
    let text = "t,u\n\"11/01/2026 02:30:00 PM\",u0\n\"11/01/2026 12:00:00 AM\",u1\n";
    let entry = r#"column = "t", format = "[month]/[day]/[year] [hour repr:12]:[minute]:[second] [period]""#;
    let expected = vec![datetime!(2026-11-01 14:30 UTC), datetime!(2026-11-01 0:00 UTC)];
    assert_eq!(times(entry, ("a.csv", text)).await, (expected, 0));

    let text = "t,u\n\"1793525400.123\",u0\n\"1793525400.999\",u1\n";
    let expected = vec![
        datetime!(2026-11-01 9:30:00.123 UTC),
        datetime!(2026-11-01 9:30:00.999 UTC),
    ];
    for format in ["%s%.f", "%s.%f", "epoch_s", "[unix_timestamp].[subsecond]"] {
        let entry = format!("column = \"t\", format = \"{format}\"");
        assert_eq!(times(&entry, ("a.csv", text)).await, (expected.clone(), 0), "{format}");
    }

    let text = "t,u\n\"01.11.2026 09:30 (UTC+01:00)\",u0\n";
    for entry in [
        r#"column = "t", format = "%d.%m.%Y %H:%M (UTC+01:00)", zone = "+01:00""#,
        r#"column = "t", format = "%d.%m.%Y %H:%M (UTC%:z)""#,
    ] {
        let expected = vec![datetime!(2026-11-01 8:30 UTC)];
        assert_eq!(times(entry, ("a.csv", text)).await, (expected, 0), "{entry}");
    }

    let text = "t,u\n2026-11-01 09:30:59,u0\n2026-11-01 09:30:60,u1\n";
    let entry = r#"column = "t", format = "%Y-%m-%d %H:%M:%S""#;
    assert_eq!(
        times(entry, ("a.csv", text)).await,
        (vec![datetime!(2026-11-01 9:30:59 UTC)], 1)
    );

    let text = "event_time,u\n\"2026-11-01 09:30:00.123+01\",u0\n\"2026-11-01 09:30:00+01\",u1\n\"2026-11-01 09:30:00+00\",u2\n\
                \"2026-11-01 15:00:00+05:30\",u3\n";
    let entry = r#"column = "event_time", format = "%Y-%m-%d %H:%M:%S%.f%:::z""#;
    let (half_past_eight, half_past_nine) = (datetime!(2026-11-01 8:30 UTC), datetime!(2026-11-01 9:30 UTC));
    let expected = vec![
        datetime!(2026-11-01 8:30:00.123 UTC),
        half_past_eight,
        half_past_nine,
        half_past_nine,
    ];
    assert_eq!(times(entry, ("a.csv", text)).await, (expected, 0));
}

#[tokio::test]
async fn date_time_and_zone_are_joined_from_columns() {
    let text = "Date,Time,TimeZone,u\n2026-11-01,09:30:00,PST,u0\n2026-07-01,09:30:00,PDT,u1\n2026-07-01,09:30:00,,u2\n\
                ,09:30:00,PST,u3\n-,,,u4\n2026-07-01,09:30:00,CST,u5\n";
    let entry = r#"columns = ["Date", "Time", "TimeZone"], format = "%Y-%m-%d %H:%M:%S %Z", zones = { PST = "-08:00", PDT = "-07:00" }"#;
    let mapping = of_time(entry).unwrap();
    let sink = load(&mapping, &[("a.csv", text)]).await;
    let found: Vec<_> = sink.values().iter().map(|event| event.event_time).collect();
    assert_eq!(
        found,
        [datetime!(2026-11-01 17:30 UTC), datetime!(2026-07-01 16:30 UTC)]
    );
    assert_eq!(reasons(&sink), [Reason::EVENT_TIME_MALFORMED; 4]);
    assert_eq!(sink.rejects()[0].refusal.detail, r#"found "2026-07-01 09:30:00""#);
    assert!(
        mapping
            .notes()
            .iter()
            .any(|note| note == "event_time is joined from Date, Time, TimeZone")
    );

    // Order times of a till, with one zone for all, and a form without it where the column is empty.
    let text = "Order Date,Order Time,u\n11/01/2026,9:30 AM,C1\n11/13/2026,12:05 AM,C2\n11/13/2026,12:05 PM,C2\n";
    let entry = r#"columns = ["Order Date", "Order Time"], format = "%m/%d/%Y %I:%M %p""#;
    let expected = vec![
        datetime!(2026-11-01 9:30 UTC),
        datetime!(2026-11-13 0:05 UTC),
        datetime!(2026-11-13 12:05 UTC),
    ];
    assert_eq!(times(entry, ("a.csv", text)).await, (expected, 0));
    let text = "d,z,u\n2026-07-01 09:30,Europe/Berlin,u0\n2026-07-01 09:30,,u1\n";
    let entry = r#"columns = ["d", "z"], format = ["%Y-%m-%d %H:%M %Q", "%Y-%m-%d %H:%M"], zone = "-08:00""#;
    let expected = vec![datetime!(2026-07-01 7:30 UTC), datetime!(2026-07-01 17:30 UTC)];
    assert_eq!(times(entry, ("a.csv", text)).await, (expected, 0));
}

#[tokio::test]
async fn a_file_without_a_column_that_is_joined_is_set_aside() {
    let sink = load(
        &of_time(r#"columns = ["d", "t"], format = "%F %R""#).unwrap(),
        &[("a.csv", "d,u\n2026-11-01,u0\n")],
    )
    .await;
    let refusals: Vec<_> = sink
        .positions()
        .iter()
        .filter_map(|position| position.state.refusal().cloned())
        .collect();
    assert_eq!(refusals.len(), 1);
    assert_eq!(
        (&refusals[0].reason, refusals[0].detail.as_str()),
        (&Reason::COLUMN_MISSING, "no column t; the header has d, u")
    );
    let optional = r#"columns = ["d", "t"], format = ["%F %R", "%F"], optional = true"#;
    assert_eq!(
        times(optional, ("a.csv", "d,u\n2026-11-01,u0\n")).await,
        (vec![datetime!(2026-11-01 0:00 UTC)], 0)
    );
}

#[tokio::test]
async fn dates_are_taken_from_the_names_of_files_and_directories() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "north/2026/11/01/orders.csv", "u\nu0\n");
    put(dir.path(), "orders.csv", "u\nu1\n");
    let sink = MemorySink::new("events");
    load_into(
        &sink,
        dir.path(),
        Some(&of_time(r#"path = "{}/{}/{}/*", format = "%Y %m %d""#).unwrap()),
    )
    .await;
    assert_eq!(sink.values()[0].event_time, datetime!(2026-11-01 0:00 UTC));
    let refusals: Vec<_> = sink
        .positions()
        .iter()
        .filter_map(|position| position.state.refusal().cloned())
        .collect();
    assert_eq!(refusals.len(), 1, "a file whose path has no date is set aside");
    assert_eq!(refusals[0].reason, Reason::PATH_VALUE_MISSING);
    assert_eq!(refusals[0].detail, r#"the path "orders.csv" is not like "{}/{}/{}/*""#);
    assert!(sink.rejects().is_empty());

    // The date in the name, the time of day in a column.
    let entry = r#"path = "till_{}.csv", column = "Zeit", format = "%Y%m%d %H:%M", zone = "Europe/Berlin""#;
    let text = "Zeit,u\n09:30,u0\n21:30,u1\n,u2\n";
    let expected = vec![datetime!(2026-11-01 8:30 UTC), datetime!(2026-11-01 20:30 UTC)];
    assert_eq!(times(entry, ("till_20261101.csv", text)).await, (expected, 1));
    // A key of a directory that is not there sets the file aside too.
    let sink = load(
        &of_time(r#"path = "date", format = "%F""#).unwrap(),
        &[("a.csv", "u\nu0\n")],
    )
    .await;
    assert!(sink.rejects().is_empty() && sink.values().is_empty());
    assert_eq!(
        sink.positions()[0].state.refusal().unwrap().reason,
        Reason::PATH_VALUE_MISSING
    );
    let default = r#"path = "date", default = "2026-11-01", format = "%F""#;
    assert_eq!(
        times(default, ("a.csv", "u\nu0\n")).await.0,
        [datetime!(2026-11-01 0:00 UTC)]
    );
}

#[tokio::test]
async fn times_of_spreadsheets_and_other_languages_are_read() {
    let entry = r#"column = "t", format = "excel", zone = "Europe/Berlin""#;
    let text = "t,u\n46327.395833333336,u0\n46204.5,u1\n";
    let expected = vec![datetime!(2026-11-01 8:30 UTC), datetime!(2026-07-01 10:00 UTC)];
    assert_eq!(times(entry, ("a.csv", text)).await, (expected, 0));

    let entry = r#"column = "t", format = "%d de %B de %Y %I:%M %p", am_pm = ["a. m.", "p. m."], months = [
        "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"]"#;
    let text = "t,u\n1 de noviembre de 2026 9:30 p.\u{a0}m.,u0\n1 de noviembro de 2026 9:30 p. m.,u1\n";
    assert_eq!(
        times(entry, ("a.csv", text)).await,
        (vec![datetime!(2026-11-01 21:30 UTC)], 1)
    );

    let entry = r#"column = "t", format = ["%b %d, %Y, %I:%M:%S %p", "%Y-%m-%dT%H:%M:%S%.fZ"]"#;
    let text = "t,u\n\"Nov 1, 2026, 9:30:00\u{202f}AM\",u0\n2026-11-01T09:30:00.5Z,u1\n";
    let expected = vec![datetime!(2026-11-01 9:30 UTC), datetime!(2026-11-01 9:30:00.5 UTC)];
    assert_eq!(times(entry, ("a.csv", text)).await, (expected, 0));
}

#[tokio::test]
async fn lines_with_a_total_and_what_was_given_back_are_exact() {
    // A till: the amount is that of the line, a return has signs, in several ways.
    let mapping = Mapping::from_toml(
        r#"
        negative = "refund"
        [event]
        event_time = "event_time"
        event_type = "event_type"
        user_id = "user_id"
        session_id = "session_id"
        product_id = "product_id"
        line_total = "amount"
        quantity = "quantity"
        "#,
    )
    .unwrap();
    let text = "\
event_time,event_type,user_id,session_id,product_id,amount,quantity
2026-11-01T10:00:00Z,purchase,h1,b1,fuel,30.00,12500
2026-11-01T10:00:00Z,purchase,h1,b1,milk,3.00,3
2026-11-02T10:00:00Z,purchase,h1,b2,milk,-1.00,-1
2026-11-02T10:00:00Z,purchase,h1,b2,fuel,(10.00),3
2026-11-02T10:00:00Z,refund,h1,b2,,2.00,1
2026-11-02T10:00:00Z,purchase,h1,b2,milk,1.005,1
2026-11-02T10:00:00Z,add_to_cart,h1,b2,milk,-1.00,1
";
    let sink = load(&mapping, &[("till.csv", text)]).await;
    let lines: Vec<_> = sink
        .values()
        .iter()
        .map(|event| {
            (
                event.event_type,
                event.quantity,
                event.price.map(|price| price.cents()),
                event.revenue(),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            (EventType::Purchase, 12_500, None, 3_000),
            (EventType::Purchase, 3, Some(100), 300),
            (EventType::Refund, 1, Some(100), -100),
            (EventType::Refund, 3, None, -1_000),
            (EventType::Refund, 1, Some(200), -200),
        ]
    );
    assert_eq!(
        reasons(&sink),
        [Reason::LINE_TOTAL_INEXACT, Reason::LINE_TOTAL_NEGATIVE]
    );
    let notes = mapping.notes().join("\n");
    assert!(
        notes.contains("a negative quantity or amount is stored as a refund"),
        "{notes}"
    );

    // Without the key a negative amount is told, and what can be done.
    let strict = Mapping::from_toml(&toml_of_till()).unwrap();
    let sink = load(&strict, &[("till.csv", text)]).await;
    let told = reasons(&sink);
    assert_eq!(told[0], Reason::QUANTITY_OUT_OF_RANGE);
    assert!(told.contains(&Reason::LINE_TOTAL_NEGATIVE) && told[0].remedy().unwrap().contains("negative = \"refund\""));
    let err = Mapping::from_toml("negative = \"return\"").unwrap_err().to_string();
    assert!(
        err.starts_with("line 1, column 12: unknown variant `return`, expected `reject` or `refund`"),
        "{err}"
    );
}

fn toml_of_till() -> String {
    let columns = [
        "event_time",
        "event_type",
        "user_id",
        "session_id",
        "product_id",
        "quantity",
    ];
    let columns: String = columns.iter().map(|name| format!("{name} = \"{name}\"\n")).collect();
    format!("[event]\n{columns}line_total = \"amount\"\n")
}

#[tokio::test]
async fn orders_of_shopify_have_a_number_and_a_currency() {
    let mapping = Mapping::from_toml(
        r#"
        [event]
        event_time = { column = "Created at", format = "%Y-%m-%d %H:%M:%S %z" }
        event_type = { constant = "purchase" }
        user_id = { column = "Email", default = "unknown" }
        session_id = "Name"
        product_id = "Lineitem sku"
        product_name = "Lineitem name"
        brand = "Vendor"
        price = "Lineitem price"
        quantity = "Lineitem quantity"
        order_id = "Name"
        currency = "Currency"
        "#,
    )
    .unwrap();
    let text = "\
Name,Email,Currency,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Refunded Amount,Vendor
#1001,a@example.com,EUR,2026-10-01 10:15:41 +0200,2,Mug blue,19.95,MUG-B,0.00,Potter
#1001,,,2026-10-01 10:15:41 +0200,1,Tea towel,20.00,TT-1,,Weaver
#1002,b@example.com,CHF,2026-10-01 23:59:57 +0200,1,Lamp,132.00,LMP,30.00,Bright
#1003,c@example.com,Fr.,2026-10-01 23:59:57 +0200,1,Lamp,132.00,LMP,30.00,Bright
";
    let sink = load(&mapping, &[("orders.csv", text)]).await;
    let lines: Vec<_> = sink
        .values()
        .iter()
        .map(|event| {
            (
                event.order_id.clone().unwrap(),
                event.currency.map(|of| of.to_string()),
                event.revenue(),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("#1001".into(), Some("EUR".into()), 3_990),
            ("#1001".into(), None, 2_000),
            ("#1002".into(), Some("CHF".into()), 13_200),
        ]
    );
    assert_eq!(reasons(&sink), [Reason::CURRENCY_MALFORMED]);
}

#[tokio::test]
async fn events_of_google_analytics_need_no_product() {
    let mapping = Mapping::from_toml(
        r#"
        [event]
        event_time = { column = "event_timestamp", format = "epoch_us" }
        user_id = "user_pseudo_id"
        session_id = "ga_session_id"
        product_id = "item_id"
        price = "price_in_usd"
        quantity = "quantity"
        line_total = "item_revenue_in_usd"
        order_id = "transaction_id"
        currency = { constant = "USD" }
        [event.event_type]
        column = "event_name"
        values = { view_item = "view", begin_checkout = "checkout", add_payment_info = "payment_info", view_search_results = "search" }
        "#,
    )
    .unwrap();
    let text = "\
event_timestamp,event_name,user_pseudo_id,ga_session_id,item_id,price_in_usd,quantity,item_revenue_in_usd,transaction_id
1793525400000000,session_start,1.2,7,,,,,
1793525401000000,page_view,1.2,7,,,,,
1793525402000000,view_search_results,1.2,7,,,,,
1793525403000000,view_item,1.2,7,SKU-1,14.00,,,
1793525404000000,begin_checkout,1.2,7,SKU-1,14.00,3,,
1793525405000000,view_cart,1.2,7,,,,,
1793525406000000,add_payment_info,1.2,7,,,,,
1793525407000000,purchase,1.2,7,SKU-1,14.00,3,38.00,T-9
1793525408000000,refund,1.2,7,,,,38.00,T-9
1793525409000000,view_item,1.2,7,,,,,
1793525410000000,scroll,1.2,7,,,,,
";
    let sink = load(&mapping, &[("ga4.csv", text)]).await;
    let events = sink.values();
    let types: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(
        types,
        [
            "session_start",
            "page_view",
            "search",
            "view",
            "checkout",
            "view_cart",
            "payment_info",
            "purchase",
            "refund"
        ]
    );
    let products: Vec<&str> = events.iter().map(|event| event.product_id.as_str()).collect();
    assert_eq!(products, ["", "", "", "SKU-1", "SKU-1", "", "", "SKU-1", ""]);
    assert_eq!(events.iter().map(Event::revenue).sum::<i128>(), 0);
    assert_eq!((events[7].amount(), events[8].revenue()), (Some(3_800), -3_800));
    assert_eq!(reasons(&sink), [Reason::PRODUCT_ID_MISSING, Reason::EVENT_TYPE_UNKNOWN]);
}

/// The columns are those of events, and the times have no zone: only a mapping can read them.
const WITHOUT_ZONE: &str = "event_time,event_type,user_id,session_id,product_id,price\n\
                            2026-11-01 09:30:00,purchase,u0,s0,p0,9.90\n\
                            2026-11-01 09:30:01,purchase,u1,s1,p1,9.90\n";

/// A mapping of such files.
fn with_zone(zone: &str) -> Mapping {
    let columns = ["event_type", "user_id", "session_id", "product_id", "price"];
    let columns: String = columns.map(|name| format!("{name} = \"{name}\"\n")).concat();
    let time = format!("event_time = {{ column = \"event_time\", format = \"%Y-%m-%d %H:%M:%S\", zone = \"{zone}\" }}");
    Mapping::from_toml(&format!("[event]\n{columns}{time}\n")).unwrap()
}

/// A mapping under which every record of them is refused.
fn refusing() -> Mapping {
    let columns = ["event_type", "user_id", "session_id", "product_id"];
    let columns: String = columns.map(|name| format!("{name} = \"{name}\"\n")).concat();
    let time = "event_time = { column = \"event_time\", format = \"%d.%m.%Y\", zone = \"UTC\" }";
    Mapping::from_toml(&format!("[event]\n{columns}{time}\n")).unwrap()
}

#[tokio::test]
async fn a_file_of_which_nothing_was_stored_is_read_again_by_another_mapping() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("events"));
    put(dir.path(), "a.csv", WITHOUT_ZONE);
    let refusing = refusing();
    // Each refuses all of it. The rejects of the one before are withdrawn, and the same mapping reads nothing again.
    for (mapping, generation) in [(None, 0), (Some(&refusing), 1), (Some(&refusing), 1), (None, 2)] {
        load_into(&sink, dir.path(), mapping).await;
        let counts = sink.counts();
        assert_eq!(
            (counts.read, counts.rejected, sink.rejects().len()),
            (2, 2, 2),
            "{generation}"
        );
        assert_eq!(sink.positions()[0].split.generation(), generation);
    }
    let zone = with_zone("UTC");
    load_into(&sink, dir.path(), Some(&zone)).await;
    assert_eq!((sink.values().len(), sink.rejects().len()), (2, 0));
    assert_eq!((sink.counts().read, sink.counts().rejected), (2, 0));
    // Of what is stored, nothing is read again by any mapping.
    for mapping in [None, Some(&refusing), Some(&with_zone("Europe/Berlin"))] {
        load_into(&sink, dir.path(), mapping).await;
        assert_eq!((sink.values().len(), sink.counts().read), (2, 2));
    }
}

#[tokio::test]
async fn a_file_of_which_a_part_was_stored_is_not_read_again() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("events"));
    put(dir.path(), "a.csv", &WITHOUT_ZONE.replacen("09:30:00", "09:30:00Z", 1));
    load_into(&sink, dir.path(), None).await;
    assert_eq!((sink.values().len(), sink.rejects().len()), (1, 1));
    load_into(&sink, dir.path(), Some(&with_zone("UTC"))).await;
    assert_eq!((sink.values().len(), sink.rejects().len()), (1, 1));
}

#[tokio::test]
async fn files_with_the_same_refused_bytes_are_read_once_by_another_mapping() {
    let zone = with_zone("UTC");
    for under_new_name in [false, true] {
        let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("events"));
        put(dir.path(), "a.csv", WITHOUT_ZONE);
        put(dir.path(), "copy.csv", WITHOUT_ZONE);
        load_into(&sink, dir.path(), None).await;
        assert_eq!(sink.rejects().len(), 2);
        match under_new_name {
            // Now also the oldest file is one that was not there.
            true => {
                put(dir.path(), "b.csv", WITHOUT_ZONE);
                let old = std::fs::File::options()
                    .append(true)
                    .open(dir.path().join("b.csv"))
                    .unwrap();
                old.set_modified(std::time::UNIX_EPOCH).unwrap();
            }
            // Now only the copy is there, of which nothing was read.
            false => std::fs::remove_file(dir.path().join("a.csv")).unwrap(),
        }
        for _ in 0..2 {
            load_into(&sink, dir.path(), Some(&zone)).await;
            assert_eq!((sink.values().len(), sink.rejects().len()), (2, 0), "{under_new_name}");
            assert_eq!(sink.counts().read, 2);
        }
    }
}

#[tokio::test]
async fn a_refused_file_that_has_changed_is_read_as_new_content() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("events"));
    let zone = with_zone("UTC");
    put(dir.path(), "grown.csv", WITHOUT_ZONE);
    put(dir.path(), "other.csv", &WITHOUT_ZONE.replace("p0", "p7"));
    load_into(&sink, dir.path(), None).await;
    assert_eq!(sink.rejects().len(), 4);
    put(
        dir.path(),
        "grown.csv",
        &format!("{WITHOUT_ZONE}2026-11-01 09:30:02,view,u2,s2,p2,\n"),
    );
    put(dir.path(), "other.csv", &WITHOUT_ZONE.replace("p0", "p8"));
    load_into(&sink, dir.path(), Some(&zone)).await;
    // The rejects of content that is gone stay, since nothing else is left of it.
    assert_eq!((sink.values().len(), sink.rejects().len()), (5, 2));
    assert_eq!(sink.counts().read, 7);
}

/// Makes everything durable once the source has ended, so that the ledger knows nothing of it before.
struct CommitsAtTheEnd(MemorySink<Event>);

impl Sink<Event> for CommitsAtTheEnd {
    async fn ledger(&mut self, topology: &Topology) -> Result<Checkpoint> {
        self.0.ledger(topology).await
    }

    fn commit(self, input: impl BatchStream<Event> + 'static) -> impl Stream<Item = Result<Commit>> + Send {
        let all = stream::once(input.collect::<Vec<_>>());
        all.flat_map(move |batches| self.0.clone().commit(stream::iter(batches)))
    }
}

#[tokio::test]
async fn a_copy_of_older_content_is_read_again_before_the_file_that_has_other_content_now() {
    let (dir, sink) = (tempfile::tempdir().unwrap(), MemorySink::new("events"));
    let refused = [WITHOUT_ZONE.to_owned(), WITHOUT_ZONE.replace("p0", "p7")];
    for text in &refused {
        put(dir.path(), "a.csv", text);
        load_into(&sink, dir.path(), None).await;
    }
    put(dir.path(), "copy.csv", &refused[0]);
    let copy = std::fs::File::options().append(true).open(dir.path().join("copy.csv"));
    copy.unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    // The older generation of a.csv is withdrawn, and the newer one read again, before either is committed.
    let at_the_end = CommitsAtTheEnd(sink.clone());
    try_load_into(at_the_end, dir.path(), Some(&with_zone("UTC")))
        .await
        .unwrap();
    assert_eq!((sink.values().len(), sink.rejects().len()), (4, 0));
    assert_eq!(sink.counts().read, 4);
    let positions = sink.positions();
    let generations: Vec<_> = positions.iter().map(|position| position.split.to_string()).collect();
    assert_eq!(generations, ["csv:a.csv#2", "csv:copy.csv"]);
}
