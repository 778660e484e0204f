//! Latency: the time from the rename of a file until its rows are committed.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ecom_gen::IdVersion;
use ecom_sink_pg::PgSink;
use ecom_stream::{
    BatchStream, Checkpoint, Commit, CsvDirSource, Event, Result, Rules, Sink, SourceExt, SplitState, Topology,
};
use futures::{Stream, StreamExt};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::data;
use crate::stage::{Stage, connect};
use crate::table::{Table, percentile};
use crate::{Outcome, Scale};

const ROWS_PER_FILE: u64 = 200;

/// A file a second, and as many as are 20,000 rows a second.
pub(crate) async fn latency(stage: &Stage, scale: Scale, table: &mut Table) -> Outcome<()> {
    for (files_per_s, seconds) in [(1, 60), (100, 20)] {
        let seconds = if scale.quick { 2 } else { seconds };
        let (mut of_files, mut bare) = measure(stage, files_per_s, files_per_s * seconds).await?;
        let [p50, p99] = [50, 99].map(|percent| percentile(&mut of_files, percent));
        let [bare_p50, bare_p99] = [50, 99].map(|percent| percentile(&mut bare, percent));
        let what = format!("rename → committed, {files_per_s} files × {ROWS_PER_FILE} rows a second");
        table.line(
            format!("{what}, p50"),
            format!("**{p50:.1} ms**"),
            format!("a bare one-row commit {bare_p50:.1} ms"),
            "≤ 5 ms",
        );
        table.line(
            format!("{what}, p99"),
            format!("**{p99:.1} ms**"),
            format!("a bare one-row commit {bare_p99:.1} ms"),
            "for comparison",
        );
    }
    Ok(())
}

/// Milliseconds from the rename to the commit of each file, and those of commits of one row in the same time.
async fn measure(stage: &Stage, files_per_s: u64, files: u64) -> Outcome<(Vec<f64>, Vec<f64>)> {
    let database = stage.database().await?;
    database.client.batch_execute("CREATE TABLE bare (n int)").await?;
    let made = data::make(files * ROWS_PER_FILE, ROWS_PER_FILE, IdVersion::V7).await?;
    let watched = tempfile::tempdir()?;
    let committed: Times<HashMap<String, Instant>> = Times::default();
    let sink = Timed(PgSink::from_url(&database.url)?, committed.clone());
    let source = CsvDirSource::new(watched.path());
    let running = tokio::spawn(source.validate(Rules::default()).stamp().to(sink).run());
    // It starts, and makes the partition with the first file.
    sleep(Duration::from_millis(500)).await;

    let bare: Times<Vec<f64>> = Times::default();
    let committing = tokio::spawn(commit_bare(database.url.clone(), bare.clone()));
    let mut renamed = HashMap::new();
    let mut ticks = interval(Duration::from_secs(1) / files_per_s as u32);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for path in data::files(made.path())? {
        ticks.tick().await;
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let at = Instant::now();
        fs::rename(&path, watched.path().join(name))?;
        renamed.insert(name.to_owned(), at);
    }
    while committed.lock().len() < renamed.len() {
        if running.is_finished() {
            return Err("the pipeline ended too soon".into());
        }
        sleep(Duration::from_millis(10)).await;
    }
    committing.abort();
    running.abort();
    let took = committed
        .lock()
        .iter()
        .map(|(name, at)| ms(*at - renamed[name]))
        .collect();
    let bare = bare.lock().clone();
    Ok((took, bare))
}

/// Commits one row now and then.
async fn commit_bare(url: String, times: Times<Vec<f64>>) -> Outcome<()> {
    let client = connect(&url).await?;
    let insert = client.prepare("INSERT INTO bare VALUES (1)").await?;
    loop {
        sleep(Duration::from_millis(50)).await;
        let began = Instant::now();
        client.execute(&insert, &[]).await?;
        times.lock().push(ms(began.elapsed()));
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// What a task notes for another.
#[derive(Debug, Clone, Default)]
struct Times<T>(Arc<Mutex<T>>);

impl<T> Times<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes when each file was committed.
struct Timed(PgSink, Times<HashMap<String, Instant>>);

impl Sink<Event> for Timed {
    async fn ledger(&mut self, topology: &Topology) -> Result<Checkpoint> {
        self.0.ledger(topology).await
    }

    fn commit(self, input: impl BatchStream<Event> + 'static) -> impl Stream<Item = Result<Commit>> + Send {
        let Self(sink, times) = self;
        sink.commit(input).inspect(move |commit| {
            let (now, mut times) = (Instant::now(), times.lock());
            for position in commit.iter().flat_map(|commit| &commit.positions) {
                if position.state == SplitState::Finished {
                    times.insert(position.split.path().to_owned(), now);
                }
            }
        })
    }
}
