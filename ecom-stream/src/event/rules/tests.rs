//! Tests of the rules.

use std::sync::Arc;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);
const GOOD: [(&str, &str); 14] = [
    ("event_id", "01890a5d-ac96-774b-bcce-b302099a8057"),
    ("event_time", "2026-11-23T09:30:00.1234567+01:00"),
    ("event_type", "purchase"),
    ("user_id", "u1"),
    ("session_id", "s1"),
    ("product_id", "SKU-1"),
    ("product_name", "Phone, \"red\""),
    ("category", "electronics.smartphone"),
    ("brand", "acme"),
    ("price", "129.90"),
    ("quantity", "2"),
    ("order_id", "#1001"),
    ("currency", "EUR"),
    ("line_total", "250"),
];

fn validate(fields: &[(&str, &str)]) -> Result<Event, Refusal> {
    let header = Arc::new(Header::new(fields.iter().map(|(name, _)| *name)));
    let record = CsvRecord::new(header.clone(), fields.iter().map(|(_, value)| *value)).unwrap();
    let rules = Rules::default();
    let made = BoundRules::new(&rules, &header).event(&rules, &record, None, "p", NOW);
    made.map(|event| event.expect("no record here is empty"))
}

fn with(name: &str, value: &str) -> Result<Event, Refusal> {
    let fields = GOOD.map(|(n, v)| if n == name { (n, value) } else { (n, v) });
    validate(&fields)
}

#[test]
fn a_valid_record_becomes_an_event() {
    let event = validate(&GOOD).unwrap();
    assert_eq!(event.event_id.to_string(), GOOD[0].1);
    assert_eq!(event.event_time, datetime!(2026-11-23 08:30:00.123456 UTC));
    assert_eq!(event.price, Price::from_cents(12_990));
    assert_eq!(event.quantity, 2);
    assert_eq!(event.order_id.as_deref(), Some("#1001"));
    assert_eq!(event.currency, "EUR".parse().ok());
    assert_eq!(
        (event.line_total, event.amount()),
        (Price::from_cents(25_000), Some(25_000))
    );
    assert_eq!(event.product_name.as_deref(), Some("Phone, \"red\""));
}

#[test]
fn every_rule_has_its_reason() {
    let long_id = "x".repeat(65);
    let long_text = "x".repeat(257);
    let cases: &[(&str, &str, Reason)] = &[
        ("event_time", "", Reason::EVENT_TIME_MISSING),
        ("event_time", "now", Reason::EVENT_TIME_MALFORMED),
        ("event_time", "1999-12-31T23:59:59Z", Reason::EVENT_TIME_OUT_OF_RANGE),
        ("event_time", "2026-11-24T12:00:01Z", Reason::EVENT_TIME_OUT_OF_RANGE),
        // The year in UTC has five digits, or is before 0.
        (
            "event_time",
            "9999-12-31T23:59:59-01:00",
            Reason::EVENT_TIME_OUT_OF_RANGE,
        ),
        (
            "event_time",
            "0000-01-01T00:00:00+01:00",
            Reason::EVENT_TIME_OUT_OF_RANGE,
        ),
        ("event_type", "", Reason::EVENT_TYPE_MISSING),
        ("event_type", "Purchase", Reason::EVENT_TYPE_UNKNOWN),
        ("user_id", "", Reason::USER_ID_MISSING),
        ("user_id", " ", Reason::USER_ID_MISSING),
        ("user_id", &long_id, Reason::USER_ID_TOO_LONG),
        ("session_id", "", Reason::SESSION_ID_MISSING),
        ("session_id", "\u{a0} ", Reason::SESSION_ID_MISSING),
        ("session_id", &long_id, Reason::SESSION_ID_TOO_LONG),
        ("product_id", "", Reason::PRODUCT_ID_MISSING),
        ("product_id", &long_id, Reason::PRODUCT_ID_TOO_LONG),
        ("product_name", &long_text, Reason::PRODUCT_NAME_TOO_LONG),
        ("category", &long_text, Reason::CATEGORY_TOO_LONG),
        ("brand", &long_text, Reason::BRAND_TOO_LONG),
        ("order_id", &long_id, Reason::ORDER_ID_TOO_LONG),
        ("currency", "eur", Reason::CURRENCY_MALFORMED),
        ("currency", "EURO", Reason::CURRENCY_MALFORMED),
        ("currency", "\u{20ac}", Reason::CURRENCY_MALFORMED),
        ("line_total", "1,50", Reason::LINE_TOTAL_MALFORMED),
        ("line_total", "-1.50", Reason::LINE_TOTAL_NEGATIVE),
        ("line_total", "1.505", Reason::LINE_TOTAL_INEXACT),
        ("line_total", "10000000000", Reason::LINE_TOTAL_OUT_OF_RANGE),
        ("price", "NaN", Reason::PRICE_MALFORMED),
        ("price", "-1", Reason::PRICE_NEGATIVE),
        ("price", "1.005", Reason::PRICE_INEXACT),
        ("price", "10000000000", Reason::PRICE_OUT_OF_RANGE),
        ("quantity", "1.5", Reason::QUANTITY_MALFORMED),
        ("quantity", "0", Reason::QUANTITY_OUT_OF_RANGE),
        ("quantity", "2147483648", Reason::QUANTITY_OUT_OF_RANGE),
    ];
    for (name, value, reason) in cases {
        assert_eq!(with(name, value).unwrap_err().reason, *reason, "{name} = {value:?}");
    }
}

#[test]
fn a_sale_needs_a_price_or_a_line_total() {
    for event_type in EventType::ALL {
        let bare = |amount: &'static str, value: &'static str| {
            let mut fields = GOOD.map(|(name, value)| match name {
                "event_type" => (name, event_type.as_str()),
                "price" | "line_total" => (name, ""),
                _ => (name, value),
            });
            if let Some(field) = fields.iter_mut().find(|(name, _)| *name == amount) {
                field.1 = value;
            }
            validate(&fields)
        };
        match event_type.is_sale() {
            true => assert_eq!(bare("", "").unwrap_err().reason, Reason::PRICE_MISSING),
            false => assert_eq!(bare("", "").unwrap().amount(), None),
        }
        assert_eq!(bare("price", "1.25").unwrap().amount(), Some(250), "{event_type}");
        let exact = bare("line_total", "2.50").unwrap();
        assert_eq!((exact.price, exact.line_total), (Price::from_cents(125), None));
        let inexact = bare("line_total", "2.51").unwrap();
        assert_eq!((inexact.price, inexact.amount()), (None, Some(251)));
    }
}

#[test]
fn only_types_without_a_product_may_lack_it() {
    for event_type in EventType::ALL {
        let fields = GOOD.map(|(name, value)| match name {
            "event_type" => (name, event_type.as_str()),
            "product_id" => (name, ""),
            _ => (name, value),
        });
        match event_type.needs_product() {
            true => assert_eq!(validate(&fields).unwrap_err().reason, Reason::PRODUCT_ID_MISSING),
            false => assert_eq!(validate(&fields).unwrap().product_id, ""),
        }
    }
    assert_eq!(with("event_type", "checkout").unwrap().product_id, "SKU-1");
}

#[test]
fn values_at_the_limits_are_accepted() {
    for (name, value) in [
        ("user_id", "x".repeat(64)),
        ("brand", "x".repeat(256)),
        ("event_time", "2026-11-24T12:00:00Z".into()),
        ("event_time", "2000-01-01T00:00:00Z".into()),
        ("quantity", "2147483647".into()),
        ("brand", String::new()),
    ] {
        with(name, &value).unwrap();
    }
}

#[test]
fn a_text_of_blanks_is_none() {
    assert_eq!(with("brand", " ").unwrap().brand, None);
    assert_eq!(with("brand", " x").unwrap().brand.as_deref(), Some(" x"));
}

#[test]
fn an_id_that_is_not_a_uuid_gives_a_uuid() {
    assert_eq!(with("event_id", "order-1").unwrap().event_id, id_of_text("order-1"));
}
