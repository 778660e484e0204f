//! Throughput: how many rows per second of a backlog are loaded.

use std::path::PathBuf;

use ecom_gen::IdVersion;
use tempfile::TempDir;

use crate::data;
use crate::loaders::{OUR_TABLE, Run, USUAL_TABLE, ingest, psql};
use crate::stage::Stage;
use crate::table::{Table, median};
use crate::{Outcome, Scale};

/// Something that loads the files.
#[derive(Debug, Clone, Copy)]
enum Loader {
    Ours,
    /// psql with so many processes into the usual table.
    Usual(usize),
    /// psql with so many processes into our own.
    Same(usize),
}

/// Files of 10,000 rows.
pub(crate) async fn backlog(stage: &Stage, scale: Scale, table: &mut Table) -> Outcome<()> {
    for ids in [IdVersion::V4, IdVersion::V7] {
        let dir = data::make(scale.rows, scale.rows / 100, ids).await?;
        let what = format!("100 files, {ids:?}");
        bulk(stage, scale, table, &what, &dir, ids, 2).await?;
    }
    Ok(())
}

/// The same rows in one file, which psql can't share out.
pub(crate) async fn big(stage: &Stage, scale: Scale, table: &mut Table) -> Outcome<()> {
    for ids in [IdVersion::V4, IdVersion::V7] {
        let dir = data::make(scale.rows, scale.rows, ids).await?;
        let what = format!("one file, {ids:?}");
        bulk(stage, scale, table, &what, &dir, ids, 1).await?;
    }
    Ok(())
}

async fn bulk(
    stage: &Stage,
    scale: Scale,
    table: &mut Table,
    what: &str,
    dir: &TempDir,
    ids: IdVersion,
    processes: usize,
) -> Outcome<()> {
    let loaders = [Loader::Ours, Loader::Usual(processes), Loader::Same(processes)];
    let runs = interleaved(stage, scale, &loaders, &[dir, dir, dir]).await?;
    let bar = if ids == IdVersion::V4 { "≥ 3 ×" } else { "≥ 2.5 ×" };
    for (at, table_name, bar) in [(1, "usual table", bar), (2, "our table", "≥ 1 ×")] {
        let (ours, theirs) = (rate(scale.rows, &runs[0]), rate(scale.rows, &runs[at]));
        table.line(
            format!("{what}, compared with {processes} × psql into {table_name}"),
            format!("**{:.2} ×**: {ours:.0} rows/s", ours / theirs),
            format!("{theirs:.0} rows/s; CPU s {}; ours {}", cpu(&runs[at]), cpu(&runs[0])),
            bar,
        );
    }
    let peak = median(runs[0].iter().map(|run| run.peak_mib).collect());
    table.line(
        format!("{what}, peak memory"),
        format!("**{peak:.0} MiB**"),
        "",
        "≤ 60 MB",
    );
    Ok(())
}

/// Many small files.
pub(crate) async fn small(stage: &Stage, scale: Scale, table: &mut Table) -> Outcome<()> {
    let rows = scale.rows / 5;
    let dir = data::make(rows, 200, IdVersion::V7).await?;
    let runs = interleaved(stage, scale, &[Loader::Ours, Loader::Usual(1)], &[&dir, &dir]).await?;
    let (ours, theirs) = (rate(rows, &runs[0]), rate(rows, &runs[1]));
    table.line(
        format!(
            "{} files × 200 rows, compared with psql with a commit per file",
            rows / 200
        ),
        format!("**{:.2} ×**: {ours:.0} rows/s", ours / theirs),
        format!("{theirs:.0} rows/s; CPU s {}; ours {}", cpu(&runs[1]), cpu(&runs[0])),
        "≥ 5 ×, ≥ 100,000 rows/s",
    );
    Ok(())
}

/// One row of a hundred comes twice.
pub(crate) async fn duplicates(stage: &Stage, scale: Scale, table: &mut Table) -> Outcome<()> {
    let without = data::make(scale.rows, scale.rows / 100, IdVersion::V7).await?;
    let with = data::make(scale.rows, scale.rows / 100, IdVersion::V7).await?;
    data::repeat_some(with.path())?;
    let runs = interleaved(stage, scale, &[Loader::Ours, Loader::Ours], &[&without, &with]).await?;
    let (without, with) = (rate(scale.rows, &runs[0]), rate(scale.rows, &runs[1]));
    table.line(
        "1 % duplicates, compared with none",
        format!("**{:.2} ×**: {with:.0} rows/s", with / without),
        format!("{without:.0} rows/s; CPU s {}; with {}", cpu(&runs[0]), cpu(&runs[1])),
        "≥ 0.5 ×",
    );
    Ok(())
}

/// The runs of each loader, one after the other in turns.
async fn interleaved(stage: &Stage, scale: Scale, loaders: &[Loader], dirs: &[&TempDir]) -> Outcome<Vec<Vec<Run>>> {
    let mut runs = vec![Vec::new(); loaders.len()];
    for _ in 0..scale.runs {
        for ((loader, dir), runs) in loaders.iter().zip(dirs).zip(&mut runs) {
            let database = stage.database().await?;
            let files: Vec<PathBuf> = data::files(dir.path())?;
            let run = match loader {
                Loader::Ours => ingest(stage, &database, dir.path())?,
                Loader::Usual(processes) => {
                    database.client.batch_execute(USUAL_TABLE).await?;
                    psql(stage, &database, "usual", &files, *processes)?
                }
                Loader::Same(processes) => {
                    database.client.batch_execute(OUR_TABLE).await?;
                    psql(stage, &database, "ecom.events", &files, *processes)?
                }
            };
            eprintln!("    {loader:?}: {:.2} s, CPU s {}", run.seconds, cpu(&[run]));
            runs.push(run);
        }
    }
    Ok(runs)
}

fn rate(rows: u64, runs: &[Run]) -> f64 {
    rows as f64 / median(runs.iter().map(|run| run.seconds).collect())
}

/// CPU seconds of client and server.
fn cpu(runs: &[Run]) -> String {
    let client = median(runs.iter().map(|run| run.client_cpu_s).collect());
    let server = median(runs.iter().map(|run| run.server_cpu_s).collect());
    format!("{client:.1} + {server:.1}")
}
