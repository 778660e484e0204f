//~ `Vec<{integer}>` is not a source
//~ a list of values becomes one by `MemorySource`

use ecom_stream::SourceExt;
use ecom_stream::memory::MemorySource;

fn both() -> impl SourceExt {
    MemorySource::new("numbers", vec![1]).merge(vec![2])
}
