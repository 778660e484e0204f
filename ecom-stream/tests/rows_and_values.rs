//! Tests of mappings: which rows of a file become events, and how their values are written.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use ecom_stream::check::{CheckedFile, check_file};
use ecom_stream::memory::MemorySink;
use ecom_stream::{CsvDirSource, Event, Mapping, Reason, Rules, SourceExt};

/// Loads a file into memory, with a mapping or without one.
async fn load(mapping: Option<&Mapping>, text: &str) -> MemorySink<Event> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.csv"), text).unwrap();
    let sink = MemorySink::new("events");
    let (mut source, mut rules) = (CsvDirSource::new(dir.path()), Rules::default());
    if let Some(mapping) = mapping {
        source = source.mapping(mapping);
        rules = rules.mapping(mapping.clone());
    }
    let source = source.settle_for(std::time::Duration::ZERO).available_now(true);
    let summary = source.validate(rules).to(sink.clone()).run().await.unwrap();
    assert!(summary.counts.is_balanced());
    sink
}

async fn check(mapping: Option<&Mapping>, text: &str) -> CheckedFile {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    std::fs::write(&path, text).unwrap();
    check_file(path, mapping, Rules::default(), 2).await.unwrap()
}

fn mapping(text: &str) -> Mapping {
    Mapping::from_toml(text).unwrap_or_else(|err| panic!("{}\nin\n{text}", err.report()))
}

/// A mapping of files with the columns of an event, with these lines in front of the columns.
fn of_own_columns(lines: &str) -> Mapping {
    mapping(&with_own_columns(lines))
}

fn with_own_columns(lines: &str) -> String {
    let names = [
        "event_time",
        "event_type",
        "user_id",
        "session_id",
        "product_id",
        "price",
        "quantity",
    ];
    let fields: Vec<String> = names
        .iter()
        .map(|name| match *name {
            "price" | "quantity" => format!("{name} = {{ column = '{name}', optional = true }}\n"),
            _ => format!("{name} = '{name}'\n"),
        })
        .collect();
    format!("{lines}\n[event]\n{}", fields.concat())
}

/// Stored, rejected and filtered.
fn outcome(sink: &MemorySink<Event>) -> (usize, usize, u64) {
    (sink.values().len(), sink.rejects().len(), sink.counts().filtered)
}

fn reasons(sink: &MemorySink<Event>) -> Vec<String> {
    sink.rejects()
        .iter()
        .map(|reject| reject.refusal.reason.to_string())
        .collect()
}

/// An export of an analytics program: one kind of event in five is stored.
const GA4: &str = "\
t,e,u,s,p
2026-11-01T09:30:00Z,session_start,u1,s1,
2026-11-01T09:30:01Z,page_view,u1,s1,
2026-11-01T09:30:02Z,view_item,u1,s1,p1
2026-11-01T09:30:03Z,scroll,u1,s1,
2026-11-01T09:30:04Z,user_engagement,u1,s1,
";

fn of_ga4(lines: &str) -> Mapping {
    mapping(&format!(
        "{lines}
        [event]
        event_time = 't'
        event_type = {{ column = 'e', values = {{ view_item = 'view', page_view = '' }} }}
        user_id = 'u'
        session_id = 's'
        product_id = 'p'"
    ))
}

#[tokio::test]
async fn rows_are_chosen_by_the_values_of_their_columns() {
    for lines in [
        "only.e = ['view_item', 'purchase']",
        "leave_out = { e = ['session_start', 'page_view', 'scroll', 'user_engagement'] }",
        "leave_out.p = ['']",
        "[leave_out]\ne = ['scroll', 'user_engagement']\np = ['']\n",
        "only = { e = ['view_item'], s = ['s1', 's2'] }",
    ] {
        let sink = load(Some(&of_ga4(lines)), GA4).await;
        assert_eq!(outcome(&sink), (1, 0, 4), "{lines}");
        assert_eq!(sink.values()[0].product_id, "p1");
    }
    let other_session = of_ga4("only = { e = ['view_item'], s = ['s2'] }");
    assert_eq!(outcome(&load(Some(&other_session), GA4).await), (0, 0, 5));
    // Without a rule they are rejects or events without a product, and a word that is turned into null is another thing.
    let sink = load(Some(&of_ga4("")), GA4).await;
    assert_eq!(outcome(&sink), (2, 3, 0));
    assert_eq!(sink.rejects()[0].refusal.reason, Reason::EVENT_TYPE_MISSING);
}

#[tokio::test]
async fn rows_are_chosen_by_the_words_of_the_files_and_by_null_words() {
    let text = GA4.replace("session_start,u1,s1,", "session_start,u1,s1,(not set)");
    let sink = load(Some(&of_ga4("nulls = ['(not set)']\nleave_out.p = ['']")), &text).await;
    assert_eq!(outcome(&sink), (1, 0, 4));
    let sink = load(
        Some(&of_ga4("nulls = ['(not set)']\nleave_out.p = ['(not set)']")),
        &text,
    )
    .await;
    assert_eq!(outcome(&sink), (1, 3, 1));
    // `view` is the meaning of view_item, and no word of the files.
    assert_eq!(outcome(&load(Some(&of_ga4("only.e = ['view']")), GA4).await), (0, 0, 5));
}

#[tokio::test]
async fn empty_rows_are_filtered_with_a_mapping_and_without() {
    let text = "event_id,event_time,event_type,user_id,session_id,product_id,price
1,2026-11-01T10:00:00Z,session_start,u,s,,
2,2026-11-01T10:00:01Z,view,u,s,p,1.00
3,2026-11-01T10:00:02Z,search,u,s,,
,,,,,,
\"\", ,,,\"  \",,
";
    assert_eq!(outcome(&load(None, text).await), (3, 0, 2));
    let left_out = of_own_columns("leave_out.event_type = ['session_start', 'search']");
    assert_eq!(outcome(&load(Some(&left_out), text).await), (1, 0, 4));
    // A default is no value of the row.
    let with_defaults = mapping(
        "[event]
        event_time = { column = 'event_time', default = '2026-11-01T10:00:00Z' }
        event_type = { constant = 'view' }
        user_id = { constant = 'guest' }
        session_id = { constant = 'none' }
        product_id = { column = 'product_id', default = 'none' }",
    );
    assert_eq!(outcome(&load(Some(&with_defaults), text).await), (3, 0, 2));
    // A row in which something is said is no empty row.
    assert_eq!(
        outcome(&load(None, &text.replace(",,,,,,\n", ",,,,,,0\n")).await),
        (3, 1, 1)
    );
}

#[tokio::test]
async fn a_check_says_which_rows_are_left_out_and_by_which_rule() {
    let text = format!("{GA4},,,,\n");
    let mapping = of_ga4("leave_out = { e = ['scroll'], p = [''] }\nonly.u = ['u1']");
    let found = check(
        Some(&mapping),
        &text.replace("user_engagement,u1", "user_engagement,u2"),
    )
    .await;
    assert_eq!(
        (found.accepted, found.rejected_count(), found.filtered_count()),
        (1, 0, 5)
    );
    assert!(found.is_clean());
    let by_rule: Vec<_> = found
        .filtered
        .iter()
        .map(|(rule, found)| {
            (
                rule.as_str(),
                found.count,
                found.examples[0].line,
                found.examples[0].value.0.as_str(),
            )
        })
        .collect();
    assert_eq!(
        by_rule,
        [
            ("all fields are empty", 1, 7, "found nothing"),
            ("leave_out, by \"e\" = \"scroll\"", 1, 5, "e is \"scroll\""),
            ("leave_out, by \"p\" = \"\"", 2, 2, "p is \"\""),
            ("only, by \"u\"", 1, 6, "u is \"u2\""),
        ]
    );
    let notes = mapping.notes().join("\n");
    assert!(
        notes.contains("a row is left out, and counted as filtered, if its column \"e\" is \"scroll\""),
        "{notes}"
    );
}

#[tokio::test]
async fn a_file_without_the_column_that_rows_are_chosen_by_is_set_aside() {
    let sink = load(Some(&of_ga4("only.status = ['paid']")), GA4).await;
    let state = &sink.positions()[0].state;
    assert_eq!(state.refusal().unwrap().reason, Reason::COLUMN_MISSING);
    assert!(
        state.refusal().unwrap().detail.starts_with("no column status"),
        "{state:?}"
    );
}

#[test]
fn a_choice_of_rows_that_makes_no_sense_is_refused_with_its_place() {
    for (lines, expected) in [
        (
            "only.event_type = []",
            "line 1, column 1: only has no value for the column \"event_type\"",
        ),
        (
            "ids = 'content'\nleave_out = { user_id = [] }",
            "line 2, column 13: leave_out has no value",
        ),
        (
            "only.event_type = ['view', 'purchase']\nleave_out.event_type = ['purchase']",
            "line 2, column 1: \"purchase\" of the column \"event_type\" is in only and in leave_out",
        ),
        ("only = 'view'", "line 1, column 8: invalid type: string"),
        (
            "header = ['event_time', 'event_type', 'user_id', 'session_id', 'product_id', 'price', 'quantity']\n\
          only.status = ['paid']",
            "the files have no column status",
        ),
    ] {
        let refused = Mapping::from_toml(&with_own_columns(lines)).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{refused}");
    }
}

/// A file of purchases with these texts as price and quantity.
fn purchases(values: &[(&str, &str)]) -> String {
    let row = |(number, (price, quantity)): (usize, &(&str, &str))| {
        format!("2026-11-01T09:30:00Z,purchase,u{number},s,p,\"{price}\",\"{quantity}\"\n")
    };
    let rows: Vec<String> = values.iter().enumerate().map(row).collect();
    format!(
        "event_time,event_type,user_id,session_id,product_id,price,quantity\n{}",
        rows.concat()
    )
}

/// User, price and quantity of each event.
fn amounts(sink: &MemorySink<Event>) -> Vec<(String, i64, i32)> {
    let amount = |event: Event| (event.user_id, event.price.unwrap().cents(), event.quantity);
    sink.values().into_iter().map(amount).collect()
}

fn amount(user: &str, cents: i64, quantity: i32) -> (String, i64, i32) {
    (user.to_owned(), cents, quantity)
}

#[tokio::test]
async fn quantities_are_whole_numbers_however_they_are_written() {
    let quantities = ["1", "1.0", "2.00", "1,200", "3 ", "0.5"].map(|quantity| ("9.90", quantity));
    let text = purchases(&quantities);
    for mapping in [None, Some(of_own_columns(""))] {
        let sink = load(mapping.as_ref(), &text).await;
        let expected = [
            amount("u0", 990, 1),
            amount("u1", 990, 1),
            amount("u2", 990, 2),
            amount("u4", 990, 3),
        ];
        assert_eq!(amounts(&sink), expected);
        assert_eq!(reasons(&sink), ["quantity_malformed", "quantity_malformed"]);
    }
    let sink = load(Some(&of_own_columns("thousands = ','")), &text).await;
    assert_eq!(amounts(&sink)[3], amount("u3", 990, 1_200));
    assert_eq!(reasons(&sink), ["quantity_malformed"]);

    // One or a thousand: only a mapping that names the sign can say.
    let text = purchases(&[("9.90", "1.000"), ("9.90", "2.0")]);
    for (lines, expected) in [
        ("", vec![amount("u1", 990, 2)]),
        ("decimal = '.'", vec![amount("u0", 990, 1), amount("u1", 990, 2)]),
        ("decimal = ','\nthousands = '.'", vec![]),
    ] {
        assert_eq!(
            amounts(&load(Some(&of_own_columns(lines)), &text).await),
            expected,
            "{lines}"
        );
    }
    let german = purchases(&[("9,90", "1.000"), ("9,90", "2,0")]);
    let sink = load(Some(&of_own_columns("decimal = ','\nthousands = '.'")), &german).await;
    assert_eq!(amounts(&sink), [amount("u0", 990, 1_000), amount("u1", 990, 2)]);
}

#[tokio::test]
async fn prices_with_currencies_signs_and_noise_are_read_as_the_mapping_says() {
    let prices = [
        "$1,234.50",
        "12.50 USD",
        "€12.50",
        "19.990000000000002",
        "7.255",
        "12.50-",
        "(12.50)",
        "\u{2212}12.50",
        "1.5e1",
        "1,00,000.00",
        " 10.00",
    ]
    .map(|price| (price, "1"));
    let text = purchases(&prices);
    let sink = load(None, &text).await;
    assert_eq!(amounts(&sink), [amount("u8", 1_500, 1), amount("u10", 1_000, 1)]);
    assert_eq!(
        reasons(&sink),
        [
            "price_malformed",
            "price_malformed",
            "price_malformed",
            "price_inexact",
            "price_inexact",
            "price_negative",
            "price_negative",
            "price_negative",
            "price_malformed",
        ]
    );
    let details: Vec<String> = sink
        .rejects()
        .iter()
        .map(|reject| reject.refusal.detail.clone())
        .collect();
    let expected = "found \"12.50 USD\"; an amount in a currency needs currency_words = [\"USD\"] in a mapping";
    assert_eq!(details[1], expected);
    assert!(
        details[8].contains("which sign is in front of the decimals?"),
        "{}",
        details[8]
    );

    let lines = "thousands = ','\nrounding = 'half_up'\ncurrency_words = ['$', 'USD']";
    let sink = load(Some(&of_own_columns(lines)), &text).await;
    assert_eq!(
        amounts(&sink),
        [
            amount("u0", 123_450, 1),
            amount("u1", 1_250, 1),
            amount("u3", 1_999, 1),
            amount("u4", 726, 1),
            amount("u8", 1_500, 1),
            amount("u9", 10_000_000, 1),
            amount("u10", 1_000, 1),
        ]
    );
    // Euros are not among these prices.
    assert_eq!(
        reasons(&sink),
        ["price_malformed", "price_negative", "price_negative", "price_negative"]
    );
}

#[tokio::test]
async fn numbers_of_data_frames_are_read() {
    let text = purchases(&[
        ("10.00", "2.0"),
        (" 10.00", "2"),
        ("17.125", "2"),
        ("$10.00", "2"),
        ("0.001", "500"),
    ]);
    let sink = load(None, &text).await;
    assert_eq!(amounts(&sink), [amount("u0", 1_000, 2), amount("u1", 1_000, 2)]);
    let lines = "rounding = 'half_even'\ncurrency_words = ['$']";
    let sink = load(Some(&of_own_columns(lines)), &text).await;
    let expected = [
        amount("u0", 1_000, 2),
        amount("u1", 1_000, 2),
        amount("u2", 1_712, 2),
        amount("u3", 1_000, 2),
    ];
    assert_eq!(amounts(&sink), expected);
    // Rounded to nothing, 500 pieces would be sold for 0.00.
    assert_eq!(reasons(&sink), ["price_inexact"]);
}

#[tokio::test]
async fn prices_in_cents_are_divided() {
    let text = purchases(&[("1990", "1"), ("5", "1"), ("19.90", "1"), ("1 234 500", "1")]);
    let mapping = of_own_columns("scale = 2");
    let sink = load(Some(&mapping), &text).await;
    assert_eq!(
        amounts(&sink),
        [amount("u0", 1_990, 1), amount("u1", 5, 1), amount("u3", 1_234_500, 1)]
    );
    assert_eq!(reasons(&sink), ["price_inexact"]);
    let notes = mapping.notes();
    assert!(
        notes.contains(&"a price has 2 decimals that are not marked: 1990 is 19.90".to_owned()),
        "{notes:?}"
    );
}

#[test]
fn a_format_of_numbers_that_makes_no_sense_is_refused_with_its_place() {
    for (lines, expected) in [
        (
            "currency_words = ['$', '1']",
            "line 1, column 24: \"1\" can't be a currency word",
        ),
        (
            "currency_words = ['']",
            "line 1, column 19: \"\" can't be a currency word",
        ),
        (
            "currency_words = ['-']",
            "line 1, column 19: \"-\" can't be a currency word",
        ),
        (
            "currency_words = [' USD']",
            "line 1, column 19: \" USD\" can't be a currency word",
        ),
        (
            "currency_words = ['.']",
            "line 1, column 19: \".\" can't be a currency word",
        ),
        ("scale = 10", "line 1, column 9: a scale of 10 leaves no price"),
        ("scale = -1", "line 1, column 9: invalid value"),
        (
            "rounding = 'up'",
            "line 1, column 12: unknown variant `up`, expected `half_up` or `half_even`",
        ),
    ] {
        let refused = Mapping::from_toml(&with_own_columns(lines)).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{refused}");
    }
}

#[tokio::test]
async fn null_words_are_read_without_a_mapping_and_check_counts_what_looks_like_one() {
    let text = "event_time,event_type,user_id,session_id,product_id,brand,price
2026-11-01T09:30:00Z,view,u1,s1,p1,NULL,nan
2026-11-01T09:30:01Z,view,(not set),s1,p1,None,
2026-11-01T09:30:02Z,view,u1,s1,p1,NULL,1.50
2026-11-01T09:30:03Z,view,u1,s1,NULL,acme,
";
    let found = check(None, text).await;
    let words: Vec<_> = found
        .null_words
        .iter()
        .map(|((field, word), count)| (*field, word.as_str(), *count))
        .collect();
    let expected = [
        ("brand", "NULL", 1),
        ("brand", "None", 1),
        ("product_id", "NULL", 1),
        ("user_id", "(not set)", 1),
    ];
    assert_eq!((found.accepted, &words[..]), (3, &expected[..]));

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.csv"), text).unwrap();
    let sink = MemorySink::new("events");
    let rules = Rules::default().nulls(["NULL", "nan", "(not set)"]);
    let source = CsvDirSource::new(dir.path())
        .settle_for(std::time::Duration::ZERO)
        .available_now(true);
    source.validate(rules.clone()).to(sink.clone()).run().await.unwrap();
    let events = sink.values();
    assert_eq!(events.len(), 2);
    assert!(
        events
            .iter()
            .all(|event| event.user_id == "u1" && event.brand.is_none())
    );
    assert_eq!((events[0].price, events[1].price.unwrap().cents()), (None, 150));
    assert_eq!(reasons(&sink), ["user_id_missing", "product_id_missing"]);

    // A mapping has its own words: the user is none, and `nan` is no price.
    let mapping = of_own_columns("nulls = ['(not set)']");
    let found = check_file(dir.path().join("a.csv"), Some(&mapping), rules, 2)
        .await
        .unwrap();
    assert_eq!((found.accepted, found.rejected_count()), (2, 2));
    assert_eq!(found.null_words.len(), 1);
}
