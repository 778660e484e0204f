//~ does not store records of type `Sale`
//~ `into_tables(Table::new(…).column(…))` names a table for records of another type

use ecom_sink_pg::PgSink;
use ecom_stream::SourceExt;
use ecom_stream::memory::MemorySource;

struct Sale;

async fn run(sink: PgSink) -> ecom_stream::Result<()> {
    MemorySource::<Sale>::new("sales", Vec::new()).to(sink).run().await?;
    Ok(())
}
