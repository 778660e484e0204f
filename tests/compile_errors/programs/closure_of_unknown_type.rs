//~ type annotations needed
//~ consider giving this closure parameter an explicit type

use std::time::Duration;

use ecom_stream::aggregate::Sum;
use ecom_stream::memory::{MemorySink, MemorySource};
use ecom_stream::{SourceExt, Timestamp};

struct Sale {
    second: i64,
    cents: i64,
}

async fn run() -> ecom_stream::Result<()> {
    MemorySource::<Sale>::new("sales", Vec::new())
        .event_time(|sale: &Sale| Timestamp::from_micros(sale.second), Duration::ZERO)
        .key_by(|_| ())
        .tumbling(Duration::from_secs(60))
        .aggregate(Sum::of(|sale| sale.cents))
        .to(MemorySink::new("test"))
        .run()
        .await?;
    Ok(())
}
