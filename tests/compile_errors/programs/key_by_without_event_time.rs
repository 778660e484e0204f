//~ the records have no event time: `Sale` is not `Timed`
//~ call `.event_time(…)` before this

use std::time::Duration;

use ecom_stream::SourceExt;
use ecom_stream::aggregate::Count;
use ecom_stream::memory::{MemorySink, MemorySource};

struct Sale {
    shop: String,
}

async fn run() -> ecom_stream::Result<()> {
    MemorySource::<Sale>::new("sales", Vec::new())
        .key_by(|sale: &Sale| sale.shop.clone())
        .tumbling(Duration::from_secs(60))
        .aggregate(Count)
        .to(MemorySink::new("test"))
        .run()
        .await?;
    Ok(())
}
