//! Pipelines that break the contract.

use ecom_stream::memory::{MemorySink, MemorySource};
use ecom_stream::{SourceExt, testing};
use futures::{StreamExt, TryStreamExt};

use crate::breaks;
use crate::transforms::{changes, does, sum};

#[tokio::test]
async fn pipelines_that_lose_state_or_records_are_found() {
    let numbers = || MemorySource::new("numbers", (0..50).collect()).max_batch_rows(3);
    let forgetful = move || {
        let yields = |batch| async {
            tokio::task::yield_now().await;
            Ok(batch)
        };
        numbers()
            .via(does(sum))
            .via(does(move |batches| batches.and_then(yields).boxed()))
    };
    let store = async || MemorySink::new("test");
    let law = "a pipeline that was cut ends with the same contents as one that was not";
    breaks(law, testing::pipeline(forgetful, store).check()).await;
    let uncounted = move || {
        let drops = changes(|_, batch| batch.records.truncate(1));
        numbers().via(drops)
    };
    breaks(
        "read = records + rejects + filtered",
        testing::pipeline(uncounted, store).check(),
    )
    .await;
}
