//! The job that `docs/from-spark.md` compares with PySpark: loads CSV files into PostgreSQL, and runs a query with windows.
//!
//! `DATABASE_URL=… cargo run --example from_spark -- DIR` loads the files of a directory, then ends.

#![allow(clippy::print_stdout, reason = "this is a program")]

use std::path::Path;
use std::time::Duration;

use ecom_sink_pg::PgSink;
use ecom_stream::aggregate::{Count, Sum};
use ecom_stream::operators::Windowed;
use ecom_stream::{AfterCommit, CsvDirSource, Event, EventType, Price, Rules, Source, SourceExt, Summary, stop_signal};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Loads the files of `input` into the database `url`, and moves them to `archive`.
pub(crate) async fn ingest(input: &Path, archive: &Path, url: &str) -> Outcome<Summary> {
    let summary = CsvDirSource::new(input)
        .after_commit(AfterCommit::Archive(archive.to_owned()))
        .available_now(true)
        .validate(Rules::default())
        .filter(|event| event.event_type != EventType::RemoveFromCart)
        .stamp()
        .to(PgSink::from_url(url)?)
        .run_until(stop_signal()?)
        .await?;
    Ok(summary)
}

/// The number of purchases and their revenue in cents, for each category and five minutes.
pub(crate) fn revenue(
    events: impl Source<Item = Event> + 'static,
) -> impl Source<Item = Windowed<Option<String>, (u64, i128)>> + 'static {
    events
        .filter(|event| event.event_type == EventType::Purchase)
        .event_time(|event: &Event| event.event_time, Duration::from_secs(30))
        .key_by(|event: &Event| event.event_id)
        .named("each event once")
        .deduplicate(Duration::from_mins(10))
        .key_by(|event: &Event| event.category.clone())
        .tumbling(Duration::from_mins(5))
        .aggregate((Count, Sum::of(|event: &Event| event.price.map_or(0, Price::cents))))
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let input = std::env::args_os()
        .nth(1)
        .ok_or("the directory with the CSV files is missing: pass it as an argument")?;
    let input = Path::new(&input);
    let archive = input.with_extension("done");
    let summary = ingest(input, &archive, &std::env::var("DATABASE_URL")?).await?;
    println!("{:?}", summary.counts);

    // Reads the same files again for the query. Its results stay in memory here.
    let events = CsvDirSource::new(archive)
        .available_now(true)
        .validate(Rules::default());
    let sink = ecom_stream::memory::MemorySink::new("revenue");
    revenue(events).to(sink.clone()).last_run(true).run().await?;
    for result in sink.values() {
        println!("{:?} {} {:?}", result.key, result.window, result.value);
    }
    Ok(())
}
