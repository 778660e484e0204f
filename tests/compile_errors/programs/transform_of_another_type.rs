//~ `Lengths` does not take records of type `i64`

use ecom_stream::memory::{MemorySink, MemorySource};
use ecom_stream::{BatchStream, Checkpoint, SourceExt, Transform};
use ecom_stream::futures::TryStreamExt;

struct Lengths;

impl Transform<String> for Lengths {
    type Out = usize;

    fn apply(self, input: impl BatchStream<String> + 'static, _: Checkpoint) -> impl BatchStream<usize> {
        input.map_ok(|batch| batch.try_filter_map(|name, _| Ok(Some(name.len()))))
    }
}

async fn run() -> ecom_stream::Result<()> {
    MemorySource::new("numbers", vec![1_i64]).via(Lengths).to(MemorySink::new("test")).run().await?;
    Ok(())
}
