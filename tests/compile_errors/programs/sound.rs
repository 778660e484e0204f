//! Compiles: what the others have wrong is right here.

use std::time::Duration;

use ecom_sink_pg::{PgSink, Table};
use ecom_stream::aggregate::Sum;
use ecom_stream::memory::MemorySource;
use ecom_stream::{SourceExt, Timestamp};

struct Sale {
    second: i64,
    shop: String,
    cents: i64,
}

async fn run(sink: PgSink) -> ecom_stream::Result<()> {
    let minutes = Table::new("minutes")
        .column("shop", |(shop, _): &(String, i64)| shop.clone())
        .column("cents", |(_, cents): &(String, i64)| *cents);
    MemorySource::<Sale>::new("sales", Vec::new())
        .event_time(|sale: &Sale| Timestamp::from_micros(sale.second * 1_000_000), Duration::ZERO)
        .key_by(|sale| sale.shop.clone())
        .tumbling(Duration::from_secs(60))
        .aggregate(Sum::of(|sale: &Sale| sale.cents))
        .map(|minute| (minute.key, minute.value as i64))
        .to(sink.into_tables(minutes))
        .run()
        .await?;
    Ok(())
}
