//~ `Sum` can't add up values of type `String`

use std::time::Duration;

use ecom_stream::aggregate::Sum;
use ecom_stream::memory::{MemorySink, MemorySource};
use ecom_stream::{SourceExt, Timestamp};

struct Sale {
    second: i64,
}

async fn run() -> ecom_stream::Result<()> {
    MemorySource::<Sale>::new("sales", Vec::new())
        .event_time(|sale: &Sale| Timestamp::from_micros(sale.second), Duration::ZERO)
        .key_by(|_| ())
        .tumbling(Duration::from_secs(60))
        .aggregate(Sum::of(|sale: &Sale| sale.second.to_string()))
        .to(MemorySink::new("test"))
        .run()
        .await?;
    Ok(())
}
