//! Memory, and the time from the start to the first row.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ecom_gen::IdVersion;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::data;
use crate::loaders::{Program, command};
use crate::stage::{Database, Stage};
use crate::table::{Table, median};
use crate::{Outcome, Scale};

/// The memory of the program while files come one after the other, and its start. That of a backlog is told with the backlog.
pub(crate) async fn memory(stage: &Stage, scale: Scale, table: &mut Table) -> Outcome<()> {
    let seconds = if scale.quick { 2 } else { 20 };
    for (files_per_s, rate) in [(5, "1,000"), (100, "20,000")] {
        let peak = steady(stage, files_per_s, files_per_s * seconds).await?;
        let what = format!("steady memory at {rate} rows/s, 200 a file");
        table.line(what, format!("**{peak:.0} MiB**"), "", "≤ 40 MB");
    }
    let dir = data::make(200, 200, IdVersion::V7).await?;
    let mut starts = Vec::new();
    for _ in 0..scale.runs.max(3) {
        let database = stage.database().await?;
        starts.push(start_to_first_row(&database, dir.path(), "true").await? * 1_000.0);
    }
    table.line(
        "start → first row",
        format!("**{:.0} ms**", median(starts)),
        "the schema is there, the partition is made",
        "≤ 100 ms",
    );
    Ok(())
}

/// The most memory while files of 200 rows come in.
async fn steady(stage: &Stage, files_per_s: u64, files: u64) -> Outcome<f64> {
    let database = stage.database().await?;
    let made = data::make(files * 200, 200, IdVersion::V7).await?;
    let watched = tempfile::tempdir()?;
    let program = Program::start(command(&database, watched.path()))?;
    let mut ticks = interval(Duration::from_secs(1) / files_per_s as u32);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for path in data::files(made.path())? {
        ticks.tick().await;
        fs::rename(&path, watched.path().join(path.file_name().unwrap_or_default()))?;
    }
    let finished = "SELECT count(*) FROM ecom.ingest_split WHERE state = 'finished'";
    while database.client.query_one(finished, &[]).await?.get::<_, i64>(0) < files as i64 {
        sleep(Duration::from_millis(50)).await;
    }
    Ok(program.peak_mib())
}

/// Seconds from the start of the program until a row that `which` is true of is in the table.
pub(crate) async fn start_to_first_row(database: &Database, dir: &Path, which: &str) -> Outcome<f64> {
    let first = format!("SELECT EXISTS (SELECT FROM ecom.events WHERE {which})");
    let first = database.client.prepare(&first).await?;
    let began = Instant::now();
    let _program = Program::start(command(database, dir))?;
    while !database.client.query_one(&first, &[]).await?.get::<_, bool>(0) {
        sleep(Duration::from_millis(1)).await;
    }
    Ok(began.elapsed().as_secs_f64())
}
