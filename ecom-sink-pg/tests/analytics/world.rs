//! The events of these tests, and the database that has them.

use std::ops::Range;
use std::time::Duration;

use ecom_gen::{Delivery, Rate, Shop};
use ecom_sink_pg::PgSink;
use ecom_stream::memory::MemorySource;
use ecom_stream::{Event, EventType, Price, SourceExt};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::sync::OnceCell;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::fixture::schema::ask;
use crate::fixture::{connect, database};
use crate::text::{normal, stamp};

const START: OffsetDateTime = datetime!(2026-11-02 03:00 UTC);
const SHOP_EVENTS: usize = 60_000;

/// Some events, and a database that has them.
pub(crate) struct World {
    url: String,
    pub(crate) events: Vec<Event>,
}

/// A span of time, and the events in it.
pub(crate) struct Span<'a> {
    pub(crate) since: OffsetDateTime,
    pub(crate) until: OffsetDateTime,
    pub(crate) events: Vec<&'a Event>,
}

pub(crate) async fn world() -> (&'static World, Client) {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    let world = WORLD.get_or_init(World::new).await;
    let client = connect(&world.url).await;
    client.batch_execute("SET timezone = 'UTC'").await.unwrap();
    (world, client)
}

impl World {
    async fn new() -> Self {
        let days = 5;
        let rate = Rate::per_second(SHOP_EVENTS as f64 / f64::from(days * 86_400)).unwrap();
        let shop = Shop::builder(7, START).rate(rate).products(300).shoppers(4_000);
        let shop = shop.delivery(Delivery::exact()).build();
        let mut events: Vec<Event> = shop.take(SHOP_EVENTS).collect();
        events.extend(odd_events());
        for (n, event) in events.iter_mut().enumerate() {
            // Most take less than a second, some are late, and one in a hundred comes from a clock that is ahead.
            let lag_us = match n % 100 {
                0 => -2_500_000,
                1..=4 => 90_000_000 + n as i64 * 1_000,
                _ => (n as i64 * 7_919) % 1_000_000,
            };
            event.processed_at = Some(event.event_time + time::Duration::microseconds(lag_us));
        }
        let db = database().await;
        let source = MemorySource::new("shop", events.clone());
        let summary = source.to(PgSink::from_url(&db.url).unwrap()).run().await.unwrap();
        assert_eq!(summary.counts.stored, events.len() as u64);
        db.client.batch_execute("ANALYZE ecom.events").await.unwrap();
        Self { url: db.url, events }
    }

    /// All of it, a day, and a span that begins and ends within seconds.
    pub(crate) fn spans(&self) -> Vec<Span<'_>> {
        [
            datetime!(2026-11-01 00:00 UTC)..datetime!(2026-11-09 00:00 UTC),
            datetime!(2026-11-04 00:00 UTC)..datetime!(2026-11-05 00:00 UTC),
            datetime!(2026-11-03 13:37:11.25 UTC)..datetime!(2026-11-05 02:03:04.000005 UTC),
        ]
        .into_iter()
        .map(|span| self.span(span))
        .collect()
    }

    fn span(&self, Range { start, end }: Range<OffsetDateTime>) -> Span<'_> {
        let within = |event: &&Event| event.event_time >= start && event.event_time < end;
        Span {
            since: start,
            until: end,
            events: self.events.iter().filter(within).collect(),
        }
    }
}

impl<'a> Span<'a> {
    /// Both ends as SQL.
    pub(crate) fn sql(&self) -> String {
        format!("'{}', '{}'", stamp(self.since), stamp(self.until))
    }

    pub(crate) fn of_type(&self, event_type: EventType) -> impl Iterator<Item = &'a Event> {
        self.events
            .iter()
            .copied()
            .filter(move |event| event.event_type == event_type)
    }

    /// Where buckets of that length start.
    pub(crate) fn buckets(&self, bucket: Duration) -> Vec<OffsetDateTime> {
        let mut starts = vec![self.since];
        while starts[starts.len() - 1] + bucket < self.until {
            starts.push(starts[starts.len() - 1] + bucket);
        }
        starts
    }

    /// The number of the bucket that a time lies in, from 0.
    pub(crate) fn bucket_of(&self, time: OffsetDateTime, bucket: Duration) -> usize {
        ((time - self.since).whole_microseconds() / bucket.as_micros() as i128) as usize
    }
}

/// Checks what a query gives, in its order.
pub(crate) async fn check(client: &Client, sql: &str, expected: Vec<String>) {
    compare(sql, asked(client, sql).await, expected);
}

/// Checks what a query gives in any order.
pub(crate) async fn check_set(client: &Client, sql: &str, mut expected: Vec<String>) {
    let mut found = asked(client, sql).await;
    found.sort();
    expected.sort();
    compare(sql, found, expected);
}

async fn asked(client: &Client, sql: &str) -> Vec<String> {
    ask(client, sql).await.iter().map(|line| normal(line)).collect()
}

fn compare(sql: &str, found: Vec<String>, expected: Vec<String>) {
    let expected: Vec<String> = expected.iter().map(|line| normal(line)).collect();
    let differs = found
        .iter()
        .zip(&expected)
        .position(|(found, expected)| found != expected);
    let at = differs.unwrap_or(found.len().min(expected.len()));
    assert!(
        found == expected,
        "{sql}\nrow {at} of {} is       {:?}\nof {} expected is {:?}",
        found.len(),
        found.get(at),
        expected.len(),
        expected.get(at),
    );
}

/// What a shop seldom has.
fn odd_events() -> Vec<Event> {
    let mut odd = Odd(Vec::new());
    let day = datetime!(2026-11-04 00:00 UTC);
    let just_before = |time: OffsetDateTime| time - time::Duration::microseconds(1);
    // At the bounds of a day and of the table.
    odd.view(just_before(day), "edge-1", "edge-s1", "edge-p1");
    odd.view(day, "edge-1", "edge-s1", "edge-p1");
    odd.view(
        just_before(datetime!(2026-11-05 00:00 UTC)),
        "edge-1",
        "edge-s1",
        "edge-p1",
    );
    odd.view(datetime!(2026-11-05 00:00 UTC), "edge-1", "edge-s1", "edge-p1");
    odd.view(datetime!(2026-11-01 00:00 UTC), "edge-1", "edge-s2", "edge-p1");
    odd.view(
        just_before(datetime!(2026-11-09 00:00 UTC)),
        "edge-1",
        "edge-s3",
        "edge-p1",
    );

    // Orders of several lines, some of them alike, so that there are pairs; two orders in one session.
    for order in 0..6_i64 {
        let at = datetime!(2026-11-04 10:00 UTC) + time::Duration::minutes(order * 7);
        let (user, session) = (format!("pair-u{}", order % 3), format!("pair-s{}", order / 2));
        odd.view(at - time::Duration::minutes(1), &user, &session, "pair-a");
        odd.add(at - time::Duration::seconds(30), &user, &session, "pair-a", "10.00", 1);
        for product in ["pair-a", "pair-b", "pair-c"].iter().take(1 + order as usize % 3) {
            odd.buy(at, &user, &session, product, "10.10", 1 + order as i32);
        }
        // A product twice in one order.
        odd.buy(at, &user, &session, "pair-a", "9.99", 1);
    }

    // Baskets: more taken out than put in, no price, bought without putting in, emptied and bought.
    let basket = datetime!(2026-11-04 15:00 UTC);
    odd.add(basket, "basket-1", "basket-s1", "edge-p1", "5.00", 1);
    odd.remove(
        basket + Duration::from_secs(1),
        "basket-1",
        "basket-s1",
        "edge-p1",
        "5.00",
        3,
    );
    odd.add(basket, "basket-2", "basket-s2", "edge-p2", "", 2);
    odd.buy(basket, "basket-3", "basket-s3", "edge-p2", "0.00", 2);
    odd.add(basket, "basket-4", "basket-s4", "edge-p2", "1.00", 2);
    odd.remove(
        basket + Duration::from_secs(1),
        "basket-4",
        "basket-s4",
        "edge-p2",
        "1.00",
        2,
    );
    odd.buy(
        basket + Duration::from_secs(2),
        "basket-4",
        "basket-s4",
        "edge-p2",
        "9999999999.99",
        2,
    );
    // One session of two users.
    odd.view(basket, "basket-5", "basket-s5", "edge-p1");
    odd.view(basket + Duration::from_secs(9), "basket-0", "basket-s5", "edge-p1");

    // Prices at the bounds of bands.
    for (n, price) in ["0.00", "9.99", "10.00", "10.01", "19.99", "20.00", "2000.00"]
        .iter()
        .enumerate()
    {
        let at = datetime!(2026-11-04 16:00 UTC) + time::Duration::seconds(n as i64);
        odd.add(at, "price-u", &format!("price-s{n}"), "edge-p3", price, 1);
    }

    // Categories that look like others, and products whose name changes.
    let categories = [
        "zoo",
        "zoo.cat",
        "zoo.cat.big",
        "zoo-cat",
        "zoo/cat",
        "zoocat",
        "zoo_cat",
        "zo%",
        "zoo.",
        ".zoo",
        "",
    ];
    for (n, category) in categories.iter().enumerate() {
        let at = datetime!(2026-11-04 17:00 UTC) + time::Duration::seconds(n as i64);
        let event = odd.view(at, "zoo-u", "zoo-s", &format!("zoo-p{n}"));
        event.category = Some((*category).to_owned());
        event.brand = (n % 2 == 0).then(|| "Zoo".to_owned());
        event.product_name = Some(format!("Old {n}"));
        let event = odd.buy(
            at + time::Duration::seconds(60),
            "zoo-u",
            "zoo-s",
            &format!("zoo-p{n}"),
            "3.33",
            3,
        );
        event.category = Some((*category).to_owned());
        event.product_name = Some(format!("New {n}"));
    }

    // Identifiers at several times, also across days.
    for (id, hours) in [(1_u128, [0, 1]), (2, [0, 30]), (3, [20, 26])] {
        for hour in hours {
            let at = datetime!(2026-11-04 01:00 UTC) + time::Duration::hours(hour);
            odd.view(at, "twin-u", &format!("twin-s{hour}"), "edge-p1").event_id = Uuid::from_u128(id);
        }
    }
    odd.0
}

struct Odd(Vec<Event>);

impl Odd {
    fn event(
        &mut self,
        at: OffsetDateTime,
        event_type: EventType,
        user: &str,
        session: &str,
        product: &str,
    ) -> &mut Event {
        let id = Uuid::from_u128(0xedce << 64 | self.0.len() as u128);
        self.0.push(Event::new(id, at, event_type, user, session, product));
        self.0.last_mut().unwrap()
    }

    fn view(&mut self, at: OffsetDateTime, user: &str, session: &str, product: &str) -> &mut Event {
        self.event(at, EventType::View, user, session, product)
    }

    fn add(&mut self, at: OffsetDateTime, user: &str, session: &str, product: &str, price: &str, quantity: i32) {
        self.priced(at, EventType::AddToCart, [user, session, product], price, quantity);
    }

    fn remove(&mut self, at: OffsetDateTime, user: &str, session: &str, product: &str, price: &str, quantity: i32) {
        self.priced(at, EventType::RemoveFromCart, [user, session, product], price, quantity);
    }

    fn buy(
        &mut self,
        at: OffsetDateTime,
        user: &str,
        session: &str,
        product: &str,
        price: &str,
        quantity: i32,
    ) -> &mut Event {
        self.priced(at, EventType::Purchase, [user, session, product], price, quantity)
    }

    fn priced(
        &mut self,
        at: OffsetDateTime,
        event_type: EventType,
        [user, session, product]: [&str; 3],
        price: &str,
        quantity: i32,
    ) -> &mut Event {
        let event = self.event(at, event_type, user, session, product);
        event.price = price.parse::<Price>().ok();
        event.quantity = quantity;
        event
    }
}
