//! The sink that writes files to a directory.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use async_stream::try_stream;
use ecom_stream::{
    AtomicFile, Batch, BatchStream, Checkpoint, Commit, Counts, Error, ErrorKind, FileNames, Position, Result, Sink,
    StateChange, Times, Topology, crash_point,
};
use futures::{Stream, StreamExt};
use tokio::task::spawn_blocking;

use super::ledger::FilesLedger;
use super::part::FilePart;
use crate::manifest::{ManifestLengths, ManifestWriter};

/// Writes files to a directory: `events-000001.csv`, `events-000002.csv` and so on.
///
/// A file is written under a hidden temporary name and renamed when it is complete, so readers of the directory see
/// only whole files. An existing file is never replaced, except by its own second version.
///
/// The hidden file `.events.position.json` records how far the sink has come. The same pipeline resumes after the last
/// whole file, even after `kill -9`: a file that was renamed just before the crash is compared with its content, not
/// written again. While a run is active, a second run with the same prefix is refused.
///
/// If the source provides it, the sink also writes a [`Manifest`](crate::Manifest), `events.manifest.jsonl`: a line for
/// each file as soon as the file is complete, and the totals when the run ends or is stopped.
///
/// A commit covers the batches up to the end of a file, and counts rows rather than parts. A file that is incomplete
/// when the input ends is discarded. Rejects cannot be written to the directory: they are logged and counted.
#[derive(Debug)]
#[must_use = "a sink does nothing until a pipeline into it runs"]
pub struct FilesSink {
    dir: PathBuf,
    prefix: String,
    sync: bool,
    ledger: Option<FilesLedger>,
}

impl FilesSink {
    /// A sink that writes to `dir`. The directory is created if it does not exist.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            prefix: "events".to_owned(),
            sync: false,
            ledger: None,
        }
    }

    /// Sets the prefix of the file names. The default is `events`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets whether a file and its name are forced to disk before they are committed, so that they survive a power
    /// failure. It is off by default because it takes milliseconds per file.
    pub fn sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }
}

impl Sink<FilePart> for FilesSink {
    async fn ledger(&mut self, _: &Topology) -> Result<Checkpoint> {
        let names = FileNames::new(&self.dir, &self.prefix)?;
        let prefix = self.prefix.clone();
        // An earlier ledger must be dropped first, because it holds the lock.
        self.ledger = None;
        let ledger = blocking(move || {
            names.create_dir()?;
            let ledger = FilesLedger::open(&names, &prefix)?;
            AtomicFile::remove_left_overs(&names)?;
            Ok(ledger)
        });
        let ledger = self.ledger.insert(ledger.await?);
        Ok(ledger.checkpoint())
    }

    fn commit(mut self, input: impl BatchStream<FilePart> + 'static) -> impl Stream<Item = Result<Commit>> + Send {
        try_stream! {
            let Some(ledger) = self.ledger.take() else {
                Err(Error::new(ErrorKind::Configuration, "`commit` was called before `ledger`"))?;
                return;
            };
            let mut writer = Writer {
                names: FileNames::new(&self.dir, &self.prefix)?,
                sync: self.sync,
                ledger,
                open: None,
                manifest: None,
                uncommitted: Uncommitted::default(),
            };
            let mut input = std::pin::pin!(input);
            let failed = loop {
                let batch = match input.next().await {
                    Some(Ok(batch)) => batch,
                    Some(Err(err)) => break Some(err),
                    None => break None,
                };
                let commit;
                (writer, commit) = blocking(move || {
                    let commit = writer.write(batch)?;
                    Ok((writer, commit))
                })
                .await?;
                if let Some(commit) = commit {
                    yield commit;
                }
            };
            let closed = blocking(move || writer.close()).await;
            if let Some(err) = failed {
                Err(err)?;
            }
            closed?;
        }
    }
}

struct Writer {
    names: FileNames,
    sync: bool,
    ledger: FilesLedger,
    open: Option<(u64, AtomicFile)>,
    manifest: Option<ManifestWriter>,
    uncommitted: Uncommitted,
}

/// What has been written since the last commit.
#[derive(Default)]
struct Uncommitted {
    positions: Vec<Position>,
    state: Vec<StateChange>,
    counts: Counts,
    bytes: u64,
    times: Times,
}

impl Writer {
    /// Writes a batch, and commits unless a file is still open.
    fn write(&mut self, batch: Batch<FilePart>) -> Result<Option<Commit>> {
        self.uncommitted.take(&batch);
        for record in batch.records {
            self.write_part(record.value)?;
        }
        if self.open.is_some() || self.uncommitted.is_empty() {
            return Ok(None);
        }
        let done = std::mem::take(&mut self.uncommitted);
        if let Some(manifest) = &self.manifest {
            if self.sync {
                manifest.sync()?;
            }
            self.ledger.set_manifest_lengths(manifest.lengths());
        }
        let epoch = self.ledger.commit(&done.positions, &done.state, self.sync)?;
        crash_point!("files_sink.committed");
        let mut commit = Commit::new(epoch);
        commit.positions = done.positions;
        commit.counts = done.counts;
        commit.bytes = done.bytes;
        commit.times = done.times;
        Ok(Some(commit))
    }

    fn write_part(&mut self, part: FilePart) -> Result<()> {
        let (number, file) = match &mut self.open {
            Some(open) => open,
            None => {
                let path = self.names.temporary(part.file);
                let created = AtomicFile::create(&path)?;
                let file = created.ok_or_else(|| Error::io("create", &path, io::ErrorKind::AlreadyExists.into()))?;
                crash_point!("files_sink.created");
                self.open.insert((part.file, file))
            }
        };
        if *number != part.file {
            let message = format!("a part of file {} came before file {number} ended", part.file);
            return Err(
                Error::new(ErrorKind::Source, message).hint("the source must hand out files one after the other")
            );
        }
        file.write(&part.bytes)?;
        crash_point!("files_sink.part_written");
        match self.open.take_if(|_| part.is_last) {
            Some((number, file)) => self.finish(number, file, part),
            None => Ok(()),
        }
    }

    /// Gives the file its final name, and adds it to the manifest.
    fn finish(&mut self, number: u64, file: AtomicFile, part: FilePart) -> Result<()> {
        if self.sync {
            file.sync()?;
        }
        crash_point!("files_sink.before_rename");
        let to = self.names.whole(number);
        match part.version {
            1 => appear(file, &to)?,
            _ => drop(file.replace(&to)?),
        }
        crash_point!("files_sink.renamed");
        if self.sync {
            self.names.sync()?;
        }
        if let Some(counted) = part.counted {
            let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.manifest()?.add(name, *counted)?;
            crash_point!("files_sink.manifest_written");
        }
        Ok(())
    }

    fn manifest(&mut self) -> Result<&mut ManifestWriter> {
        if self.manifest.is_none() {
            let log = ManifestWriter::open(&self.names, self.ledger.prefix(), self.ledger.manifest_lengths())?;
            self.manifest = Some(log);
        }
        self.manifest
            .as_mut()
            .ok_or_else(|| Error::new(ErrorKind::Sink, "the manifest is not open"))
    }

    /// Writes the totals of the manifest, if there is one.
    fn close(mut self) -> Result<()> {
        if self.ledger.manifest_lengths() != ManifestLengths::default() {
            // A run that was killed left a manifest without totals.
            self.manifest()?;
        }
        self.manifest.map_or(Ok(()), ManifestWriter::close)
    }
}

/// Gives the file its final name. A run that crashed before its commit may have done that already.
fn appear(mut file: AtomicFile, to: &Path) -> Result<()> {
    if file.appear(to)? || is_same(file.temporary(), to).map_err(|err| Error::io("compare", to, err))? {
        return Ok(());
    }
    let message = format!("{} already exists with different content", to.display());
    Err(Error::new(ErrorKind::Sink, message)
        .hint("use another prefix or another directory, or remove the files of the earlier run"))
}

impl Uncommitted {
    fn take(&mut self, batch: &Batch<FilePart>) {
        if !batch.rejects.is_empty() {
            tracing::warn!(
                rejects = batch.rejects.len(),
                first = %batch.rejects[0].refusal,
                "rejected records are dropped, because a directory of files cannot hold them"
            );
        }
        let stored = batch.records.iter().map(|record| record.value.rows).sum();
        let rejected = batch.rejects.len() as u64;
        let filtered = batch.counts.iter().map(|count| count.filtered).sum();
        self.counts += Counts::default()
            .with_read(stored + rejected + filtered)
            .with_stored(stored)
            .with_rejected(rejected)
            .with_filtered(filtered);
        self.bytes += batch.bytes as u64;
        self.times.merge(&batch.times);
        for position in &batch.positions {
            self.positions.retain(|known| known.split != position.split);
            self.positions.push(position.clone());
        }
        self.state.extend(batch.state.iter().cloned());
    }

    fn is_empty(&self) -> bool {
        self.positions.is_empty() && self.state.is_empty() && self.counts == Counts::default()
    }
}

/// Whether two files have the same content.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    const CHUNK_BYTES: u64 = 256 << 10;
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
    loop {
        of_one.clear();
        of_other.clear();
        Read::by_ref(&mut one).take(CHUNK_BYTES).read_to_end(&mut of_one)?;
        Read::by_ref(&mut other).take(CHUNK_BYTES).read_to_end(&mut of_other)?;
        if of_one != of_other {
            return Ok(false);
        }
        if of_one.is_empty() {
            return Ok(true);
        }
    }
}

async fn blocking<R: Send + 'static>(f: impl FnOnce() -> Result<R> + Send + 'static) -> Result<R> {
    let done = spawn_blocking(f).await;
    done.map_err(|err| Error::new(ErrorKind::Panicked, "writing a file panicked or was cancelled").caused_by(err))?
}
