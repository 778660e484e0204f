//! The files that are loaded.

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ecom_gen::{Delivery, IdVersion, Pace, Shop, ShopSource};
use ecom_stream::{CsvDirSink, SourceExt};
use tempfile::TempDir;
use time::macros::datetime;

use crate::Outcome;

/// Makes files of events, each sent once: psql stops at a duplicate.
pub(crate) async fn make(rows: u64, rows_per_file: u64, ids: IdVersion) -> Outcome<TempDir> {
    let dir = tempfile::tempdir()?;
    let shop = Shop::builder(7, datetime!(2026-11-01 00:00 UTC))
        .ids(ids)
        .delivery(Delivery::exact());
    ShopSource::new(shop)
        .pace(Pace::AsFastAsPossible)
        .events(rows)
        .to(CsvDirSink::new(dir.path()).max_rows(rows_per_file))
        .run()
        .await?;
    rest(dir.path())?;
    Ok(dir)
}

/// Replaces one row of a hundred by one of the rows before it.
pub(crate) fn repeat_some(dir: &Path) -> Outcome<()> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut known: Vec<String> = Vec::new();
    for path in files(dir)? {
        rewrite(&path, |line, to| {
            if random.u32(0..100) == 0 && !known.is_empty() {
                let again = random.usize(0..known.len());
                return writeln!(to, "{}", known[again]);
            }
            if random.u32(0..10) == 0 {
                known.push(line.to_owned());
            }
            writeln!(to, "{line}")
        })?;
    }
    rest(dir)
}

/// The files in a directory, in order.
pub(crate) fn files(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

fn rewrite(path: &Path, mut line: impl FnMut(&str, &mut BufWriter<fs::File>) -> std::io::Result<()>) -> Outcome<()> {
    let written = path.with_extension("tmp");
    let mut to = BufWriter::new(fs::File::create(&written)?);
    for (number, text) in BufReader::new(fs::File::open(path)?).lines().enumerate() {
        match number {
            0 => writeln!(to, "{}", text?)?,
            _ => line(&text?, &mut to)?,
        }
    }
    to.into_inner()?;
    fs::rename(written, path)?;
    Ok(())
}

/// As if they had been there for a while, and in order: so that none of them is waited for.
pub(crate) fn rest(dir: &Path) -> Outcome<()> {
    for (number, path) in files(dir)?.iter().enumerate() {
        rest_since(path, number as u64)?;
    }
    Ok(())
}

/// As if a file had been there for an hour, less some milliseconds.
pub(crate) fn rest_since(path: &Path, milliseconds: u64) -> Outcome<()> {
    let at = SystemTime::now() - Duration::from_secs(3_600) + Duration::from_millis(milliseconds);
    fs::File::options().write(true).open(path)?.set_modified(at)?;
    Ok(())
}
