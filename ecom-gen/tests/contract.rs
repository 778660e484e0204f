//! The source of events keeps the contract of a source.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ecom_gen::{Pace, Rate, Shop, ShopSource};
use ecom_stream::memory::MemorySink;
use ecom_stream::operators::Stamp;
use ecom_stream::{SourceExt, testing};
use time::OffsetDateTime;
use time::macros::datetime;

const START: OffsetDateTime = datetime!(2026-11-01 12:00 UTC);

/// 60 events in batches of 7.
fn shop() -> ShopSource {
    // A low rate, so that the shop opens quickly. The events take only three seconds, because a live source starts its
    // clock anew after each cut.
    let shop = Shop::builder(5, START)
        .products(100)
        .rate(Rate::per_second(20.0).unwrap());
    let shop = ShopSource::new(shop);
    shop.pace(Pace::AsFastAsPossible).events(60).max_batch_rows(7)
}

#[tokio::test]
async fn a_shop_as_fast_as_possible() {
    testing::source(shop).check().await;
    testing::source(|| {
        shop()
            .filter(|event| event.price.is_some())
            .merge(shop().name("second"))
    })
    .check()
    .await;
    let stamped = || shop().via(Stamp::new(|| START));
    testing::pipeline(stamped, async || MemorySink::new("test"))
        .check()
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_live_shop() {
    let live = || {
        let opened = tokio::time::Instant::now();
        shop().pace(Pace::Live).clock(move || START + opened.elapsed())
    };
    testing::source(live).check().await;
}
