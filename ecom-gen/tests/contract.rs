//! The shop keeps the contract of a source.

use ecom_gen::{Pace, Shop, ShopSource};
use ecom_stream::memory::MemorySink;
use ecom_stream::operators::Stamp;
use ecom_stream::{SourceExt, testing};
use time::OffsetDateTime;
use time::macros::datetime;

const START: OffsetDateTime = datetime!(2026-11-01 00:00 UTC);

/// Sixty events in batches of 7.
fn shop() -> ShopSource {
    let shop = ShopSource::new(Shop::builder(5, START).products(100).shoppers(100));
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
    let stamped = || shop().then(Stamp::new(|| START));
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
