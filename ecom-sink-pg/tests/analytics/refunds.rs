//! What views and functions do with refunds, with several currencies, with orders that have a number, and with events without a
//! product. The values are worked out by hand.

use ecom_sink_pg::PgSink;
use ecom_stream::memory::MemorySource;
use ecom_stream::{Event, EventType, Price, SourceExt};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::fixture::database;
use crate::world::check;

const DAYS: &str = "'2026-11-10', '2026-11-12'";

/// A number, as that of an order, and a currency.
type Of = (Option<&'static str>, Option<&'static str>);

/// Order #1 in EUR has three lines, one with a discount and one that has only a total, and two refunds on the next day; the order of
/// s2 has no number and no currency, and what is given back on the same receipt; order #2 is in CHF, and so is a basket of s4.
fn events() -> Vec<Event> {
    let mut events = Vec::new();
    let mut event =
        |at: OffsetDateTime, kind, who: [&str; 3], amounts: [Option<i64>; 2], quantity, (order, currency): Of| {
            let id = Uuid::from_u128(events.len() as u128);
            let mut event = Event::new(id, at, kind, who[0], who[1], who[2]);
            [event.price, event.line_total] = amounts.map(|cents| cents.and_then(Price::from_cents));
            (event.quantity, event.order_id) = (quantity, order.map(Into::into));
            event.currency = currency.and_then(|currency| currency.parse().ok());
            let described = match who[2] {
                "p1" => Some(("Pot", "a.b", "x")),
                "p2" => Some(("Pan", "a.c", "x")),
                _ => None,
            };
            if let Some((name, category, brand)) = described {
                event.product_name = Some(name.into());
                (event.category, event.brand) = (Some(category.into()), Some(brand.into()));
            }
            events.push(event);
        };
    let at = |minute: i64| datetime!(2026-11-10 09:00 UTC) + time::Duration::minutes(minute);
    let next_day = 24 * 60;
    let nothing: Of = (None, None);
    let first: Of = (Some("#1"), Some("EUR"));
    event(at(0), EventType::SessionStart, ["u1", "s1", ""], [None; 2], 1, nothing);
    event(at(1), EventType::Search, ["u1", "s1", ""], [None; 2], 1, nothing);
    event(
        at(2),
        EventType::View,
        ["u1", "s1", "p1"],
        [Some(1_000), None],
        1,
        nothing,
    );
    event(
        at(3),
        EventType::AddToCart,
        ["u1", "s1", "p1"],
        [Some(1_000), None],
        3,
        (None, Some("EUR")),
    );
    event(at(4), EventType::Checkout, ["u1", "s1", ""], [None; 2], 1, nothing);
    event(
        at(5),
        EventType::Purchase,
        ["u1", "s1", "p1"],
        [Some(1_000), Some(2_700)],
        3,
        first,
    );
    event(
        at(5),
        EventType::Purchase,
        ["u1", "s1", "p2"],
        [None, Some(1_000)],
        3,
        first,
    );
    event(
        at(6),
        EventType::Purchase,
        ["u1", "s1", "p3"],
        [Some(500), None],
        1,
        first,
    );
    event(
        at(next_day + 60),
        EventType::Refund,
        ["u1", "s1", "p1"],
        [Some(900), None],
        1,
        first,
    );
    event(
        at(next_day + 120),
        EventType::Refund,
        ["u1", "s1", ""],
        [Some(400), None],
        1,
        first,
    );
    event(
        at(30),
        EventType::Purchase,
        ["u2", "s2", "p1"],
        [Some(2_000), None],
        1,
        nothing,
    );
    event(
        at(30),
        EventType::Refund,
        ["u2", "s2", "p1"],
        [Some(2_000), None],
        1,
        nothing,
    );
    event(
        at(60),
        EventType::Purchase,
        ["u3", "s3", "p1"],
        [Some(800), None],
        2,
        (Some("#2"), Some("CHF")),
    );
    event(
        at(65),
        EventType::AddToCart,
        ["u3", "s4", "p1"],
        [Some(800), None],
        2,
        (None, Some("CHF")),
    );
    events
}

async fn shop() -> Client {
    let db = database().await;
    let source = MemorySource::new("shop", events());
    let summary = source
        .stamp()
        .to(PgSink::from_url(&db.url).unwrap())
        .run()
        .await
        .unwrap();
    assert_eq!(summary.counts.stored, 14);
    db.client.batch_execute("SET timezone = 'UTC'").await.unwrap();
    db.client
}

async fn gives(client: &Client, sql: &str, expected: &[&str]) {
    let expected = expected.iter().map(|line| (*line).to_owned()).collect();
    check(client, &sql.replace("DAYS", DAYS), expected).await;
}

#[tokio::test]
async fn revenue_is_net_and_never_over_several_currencies() {
    let client = shop().await;
    gives(
        &client,
        "SELECT event_type, events, revenue FROM ecom.events_by_type(DAYS)",
        &[
            "purchase|5|",
            "refund|3|-33.00",
            "add_to_cart|2|0",
            "checkout|1|0",
            "search|1|0",
            "session_start|1|0",
            "view|1|0",
        ],
    )
    .await;
    gives(
        &client,
        "SELECT minute, events, purchases, revenue FROM ecom.events_per_minute(DAYS)
         WHERE purchases > 0 OR revenue <> 0 ORDER BY 1",
        &[
            "2026-11-10 09:05:00+00|2|2|37",
            "2026-11-10 09:06:00+00|1|1|5",
            "2026-11-10 09:30:00+00|2|1|0",
            "2026-11-10 10:00:00+00|1|1|16",
            "2026-11-11 10:00:00+00|1|0|-9.00",
            "2026-11-11 11:00:00+00|1|0|-4.00",
        ],
    )
    .await;
    gives(
        &client,
        "SELECT * FROM ecom.hour_by_weekday(DAYS) WHERE events > 0",
        &["2|9|10|4|42", "2|10|2|1|16", "3|10|1|0|-9.00", "3|11|1|0|-4.00"],
    )
    .await;
    let sales = "SELECT * FROM ecom.sales_over_time(DAYS, '1 day')";
    let (first, second) = ("2026-11-10 00:00:00+00", "2026-11-11 00:00:00+00");
    gives(
        &client,
        sales,
        &[&format!("{first}|3|3|10||"), &format!("{second}|0|0|0|-13.00|")],
    )
    .await;
    gives(
        &client,
        "SELECT * FROM ecom.revenue_by_currency(DAYS)",
        &["EUR|3|7|42|2|13|29", "CHF|1|2|16|0|0|16", "|1|1|20|1|20|0"],
    )
    .await;
    gives(
        &client,
        "SELECT * FROM ecom.refunds_over_time(DAYS)",
        &[&format!("{first}|1|1|1|20||"), &format!("{second}|2|1|1|13|0|")],
    )
    .await;

    // A currency is chosen for the session, in any case of letters, and then for all.
    client.batch_execute("SET ecom.currency = 'eur'").await.unwrap();
    for _ in ["session", "settings"] {
        let euros = &[&*format!("{first}|2|2|8|42|21"), &*format!("{second}|0|0|0|-13.00|")];
        gives(&client, sales, euros).await;
        gives(
            &client,
            "SELECT event_type, events, revenue FROM ecom.events_by_type(DAYS) LIMIT 2",
            &["purchase|5|62", "refund|3|-33.00"],
        )
        .await;
        gives(
            &client,
            "SELECT * FROM ecom.refunds_over_time(DAYS)",
            &[&format!("{first}|1|1|1|20|62|0.3226"), &format!("{second}|2|1|1|13|0|")],
        )
        .await;
        client
            .batch_execute("RESET ecom.currency; UPDATE ecom.settings SET currency = 'EUR'")
            .await
            .unwrap();
    }
    client.batch_execute("SET ecom.currency = 'CHF'").await.unwrap();
    gives(
        &client,
        sales,
        &[&format!("{first}|2|2|3|16|8"), &format!("{second}|0|0|0|0|")],
    )
    .await;
    let wrong = client.batch_execute("UPDATE ecom.settings SET currency = 'euro'").await;
    assert_eq!(wrong.unwrap_err().code().unwrap().code(), "23514");
}

#[tokio::test]
async fn an_order_is_known_by_its_number_and_reduced_by_its_refunds() {
    let client = shop().await;
    gives(
        &client,
        "SELECT * FROM ecom.orders(DAYS) ORDER BY 1",
        &[
            "s1|2026-11-10 09:05:00+00|u1|3|7|29",
            "s2|2026-11-10 09:30:00+00|u2|1|1|0",
            "s3|2026-11-10 10:00:00+00|u3|1|2|16",
        ],
    )
    .await;
    // On the first day nothing of #1 was given back.
    gives(
        &client,
        "SELECT revenue FROM ecom.orders('2026-11-10', '2026-11-11') ORDER BY session_id",
        &["42", "0", "16"],
    )
    .await;
    gives(
        &client,
        "SELECT * FROM ecom.order_details(DAYS) ORDER BY session_id",
        &[
            "#1|s1|2026-11-10 09:05:00+00|u1|EUR|3|7|42",
            "|s2|2026-11-10 09:30:00+00|u2||1|1|20",
            "#2|s3|2026-11-10 10:00:00+00|u3|CHF|1|2|16",
        ],
    )
    .await;
    gives(
        &client,
        "SELECT refunded_at, order_id, session_id, user_id, product_id, quantity, currency, amount
         FROM ecom.refunds(DAYS) ORDER BY 1",
        &[
            "2026-11-10 09:30:00+00||s2|u2|p1|1||20",
            "2026-11-11 10:00:00+00|#1|s1|u1|p1|1|EUR|9",
            "2026-11-11 11:00:00+00|#1|s1|u1||1|EUR|4",
        ],
    )
    .await;
    // p3 was bought a minute later, and belongs to #1 all the same.
    gives(
        &client,
        "SELECT product_a, product_b, orders, share_of_orders FROM ecom.product_pairs(DAYS, 1) ORDER BY 1, 2",
        &["p1|p2|1|0.333333", "p1|p3|1|0.333333", "p2|p3|1|0.333333"],
    )
    .await;
    gives(
        &client,
        "SELECT session_id, ended_at - started_at, events, views, adds, purchases, orders, units, revenue
         FROM ecom.session_summary(DAYS) ORDER BY 1",
        &[
            "s1|00:06:00|10|1|1|3|1|7|29",
            "s2|00:00:00|2|0|0|1|1|1|0",
            "s3|00:00:00|1|0|0|1|1|2|16",
            "s4|00:00:00|1|0|1|0|0|0|0",
        ],
    )
    .await;
    gives(
        &client,
        "SELECT user_id, orders, units, revenue, revenue_per_order FROM ecom.lifetime_value(DAYS)",
        &["u1|1|7|29|29", "u3|1|2|16|16", "u2|1|1|0|0"],
    )
    .await;
    gives(
        &client,
        "SELECT user_id, orders, revenue, revenue_per_order FROM ecom.lifetime_value('2026-11-11', '2026-11-12')",
        &["u1|0|-13.00|"],
    )
    .await;
    gives(
        &client,
        "SELECT baskets, purchased, abandoned, abandoned_value FROM ecom.basket_abandonment(DAYS)",
        &["2|1|1|16", "0|0|0|0"],
    )
    .await;
    client.batch_execute("SET ecom.currency = 'EUR'").await.unwrap();
    gives(
        &client,
        "SELECT session_id, revenue FROM ecom.orders(DAYS) ORDER BY 1",
        &["s1|29", "s2|0"],
    )
    .await;
    gives(
        &client,
        "SELECT abandoned, abandoned_value FROM ecom.basket_abandonment('2026-11-10', '2026-11-11')",
        &["1|0"],
    )
    .await;
}

#[tokio::test]
async fn products_are_reduced_by_their_refunds_and_events_without_one_are_not_counted() {
    let client = shop().await;
    let products = "SELECT product_id, views, adds, purchases, units, revenue FROM ecom.top_products(DAYS)";
    gives(&client, products, &["p2|0|0|1|3|10", "p3|0|0|1|1|5", "p1|1|2|3|6|"]).await;
    let tree = "SELECT category, purchases, units, revenue FROM ecom.category_tree(DAYS)";
    gives(&client, tree, &["a|4|9|", "a.b|3|6|", "a.c|1|3|10"]).await;
    client.batch_execute("SET ecom.currency = 'EUR'").await.unwrap();
    gives(&client, products, &["p1|1|2|3|6|18", "p2|0|0|1|3|10", "p3|0|0|1|1|5"]).await;
    gives(&client, tree, &["a|4|9|28", "a.b|3|6|18", "a.c|1|3|10"]).await;
    gives(
        &client,
        "SELECT brand, views, purchases, revenue FROM ecom.top_brands(DAYS)",
        &["x|1|4|28", "|0|1|5"],
    )
    .await;
    gives(
        &client,
        "SELECT category, views, purchases, revenue FROM ecom.top_categories(DAYS)",
        &["a.b|1|3|18", "a.c|0|1|10", "|0|1|5"],
    )
    .await;
    gives(
        &client,
        "SELECT product_id, units, revenue FROM ecom.products_of_category('a', DAYS)",
        &["p1|6|18", "p2|3|10"],
    )
    .await;
    // p2 costs 10 for three; the purchase in CHF is left out.
    gives(
        &client,
        "SELECT price_from, price_to, views, purchases, units, revenue FROM ecom.price_bands(DAYS, '{4,9,10}')",
        &["|4|0|1|3|10", "4|9|0|1|1|5", "9|10|0|0|0|-9.00", "10||1|2|4|27"],
    )
    .await;
    gives(
        &client,
        "SELECT event_type FROM ecom.product_timeline('p1', DAYS) ORDER BY event_time, event_id LIMIT 3 OFFSET 3",
        &["purchase", "refund", "purchase"],
    )
    .await;
    gives(&client, "SELECT count(*) FROM ecom.user_timeline('u1', DAYS)", &["10"]).await;
    // Events without a product lack no name, and p3 lacks name, category and brand.
    gives(
        &client,
        "SELECT events, without_name, without_category, without_brand, without_price FROM ecom.quality_by_day(DAYS)",
        &["12|1|1|1|0", "2|0|0|0|0"],
    )
    .await;
    gives(&client, "SELECT sum(events) FROM ecom.lag_over_time(DAYS)", &["14"]).await;
}

#[tokio::test]
async fn a_refund_is_no_visit() {
    let client = shop().await;
    gives(
        &client,
        "SELECT users, buyers FROM ecom.users_over_time(DAYS)",
        &["3|3", "0|0"],
    )
    .await;
    gives(
        &client,
        "SELECT buckets_later, users FROM ecom.cohort_retention(DAYS)",
        &["0|3", "1|0"],
    )
    .await;
    gives(
        &client,
        "SELECT * FROM ecom.active_users('2026-11-11 11:30Z')",
        &["0|0|3|3"],
    )
    .await;
    let funnel = "SELECT step, sessions FROM ecom.conversion_funnel(DAYS)";
    gives(&client, funnel, &["view|1", "add_to_cart|1", "purchase|1"]).await;
    let funnel = "SELECT step, users FROM ecom.conversion_funnel_by_user(DAYS)";
    gives(&client, funnel, &["view|1", "add_to_cart|1", "purchase|1"]).await;
}

#[tokio::test]
async fn lines_and_refunds_without_a_currency_are_in_that_of_their_order() {
    let client = shop().await;
    // As an export that has the currency in the first line of an order only, and refunds without one.
    let order = "INSERT INTO ecom.events (event_time, processed_at, event_id, quantity, event_type, user_id, session_id,
                     product_id, price, order_id, currency)
                 SELECT at::timestamptz, now(), gen_random_uuid(), 1, kind, 'u9', 's9', 'p1', price, '#9', currency
                 FROM (VALUES ('2026-11-10 12:00Z', 'purchase', 30.00, 'EUR'), ('2026-11-10 12:01Z', 'purchase', 20.00, NULL),
                              ('2026-11-11 12:00Z', 'refund', 5.00, NULL), ('2026-11-11 12:00Z', 'refund', 1.00, 'EUR'))
                     e (at, kind, price, currency)";
    client.batch_execute(order).await.unwrap();
    let orders =
        "SELECT user_id, lines, units, revenue FROM ecom.orders(DAYS) WHERE session_id = 's9' ORDER BY revenue";
    gives(&client, orders, &["u9|2|2|44"]).await;
    let details = "SELECT currency, lines, amount FROM ecom.order_details(DAYS) WHERE order_id = '#9' ORDER BY 1";
    gives(&client, details, &["EUR|2|50"]).await;
    let sessions = "SELECT orders, purchases, revenue FROM ecom.session_summary(DAYS) WHERE session_id = 's9'";
    gives(&client, sessions, &["1|2|44"]).await;

    // An order in two currencies has a row for each, and one for what could be in either.
    client.batch_execute(&order.replace("'EUR'", "'CHF'")).await.unwrap();
    gives(&client, orders, &["u9|1|1|29", "u9|1|1|29", "u9|2|2|30"]).await;
    gives(&client, details, &["CHF|1|30", "EUR|1|30", "|2|40"]).await;
}

#[tokio::test]
async fn pulse_subtracts_refunds() {
    let client = shop().await;
    let now = "INSERT INTO ecom.events (event_time, processed_at, event_id, quantity, event_type, user_id, session_id,
                   product_id, price, currency)
               SELECT now() - interval '10 minutes', now(), gen_random_uuid(), 2, kind, 'u', 's', 'p', price, currency
               FROM (VALUES ('purchase', 10.00, 'EUR'), ('refund', 3.00, 'EUR')) e (kind, price, currency)";
    client
        .batch_execute("SELECT ecom.ensure_partitions(ARRAY[(now() - interval '10 minutes')::date])")
        .await
        .unwrap();
    client.batch_execute(now).await.unwrap();
    let pulse = "SELECT orders_last_hour, revenue_last_hour FROM ecom.pulse";
    gives(&client, pulse, &["1|14"]).await;
    client.batch_execute(&now.replace("'EUR'", "'CHF'")).await.unwrap();
    gives(&client, pulse, &["2|"]).await;
    client.batch_execute("SET ecom.currency = 'CHF'").await.unwrap();
    gives(&client, pulse, &["1|14"]).await;
}

#[tokio::test]
async fn amounts_and_currencies_by_the_functions_that_all_use() {
    let client = shop().await;
    gives(
        &client,
        "SELECT ecom.net_amount(kind, 2, 3, total, currency, 'EUR')
         FROM (VALUES ('purchase', NULL, 'EUR'), ('purchase', 5, NULL), ('purchase', NULL, 'CHF'), ('refund', 5, 'EUR'),
                      ('view', 5, 'EUR')) e (kind, total, currency)",
        &["6", "5", "", "-5", ""],
    )
    .await;
    gives(
        &client,
        "SELECT ecom.in_one_currency(amount, lowest, highest, chosen)
         FROM (VALUES (1, 'CHF', 'EUR', NULL), (1, 'CHF', 'EUR', 'EUR'), (1, 'EUR', 'EUR', NULL), (1, NULL, NULL, NULL),
                      (NULL, NULL, NULL, NULL)) e (amount, lowest, highest, chosen)",
        &["", "1", "1", "1", "0"],
    )
    .await;
    gives(&client, "SELECT ecom.chosen_currency()", &[""]).await;
    gives(
        &client,
        "SELECT category, amount, lowest, highest FROM ecom.category_totals(DAYS) ORDER BY 1",
        &["a.b|34|CHF|EUR", "a.c|10|EUR|EUR", "|5|EUR|EUR"],
    )
    .await;
}
