use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, SystemTime};

use async_stream::try_stream;
use futures::StreamExt;
use tokio::time::{Instant, sleep_until};

use super::after_commit::{AfterCommit, Archive, CsvDirAck};
use super::inbox::{Inbox, MAX_LOOK_AHEAD};
use super::mark::FileMark;
use super::name::to_path;
use super::scan::{Found, Look, PassedOver, look, scan};
use super::split_file::{Reading, read};
use super::uncommitted::Uncommitted;
use super::watch::{Hint, Watch};
use crate::csv::{Columns, CsvLimits, CsvRecord};
use crate::{
    Batch, BatchStream, Checkpoint, Error, ErrorKind, Event, Position, Result, Source, Split, SplitState, Topology,
};

/// Reads the CSV files of a directory, each record once, as the files come.
///
/// Every file whose name ends in `.csv` is read, the oldest first; hidden files, `.tmp` and `.part` files, directories,
/// links and special files are passed over. A file is read at once when it is renamed into the directory or closed after
/// writing, and otherwise when it has rested for [`settle_for`](Self::settle_for). A file that grows is read on.
///
/// A record that can't be used becomes a [`Reject`](crate::Reject). A file that can't be used is set aside: its position
/// says why, and the others go on.
#[derive(Debug, Clone)]
pub struct CsvDirSource {
    name: String,
    dir: PathBuf,
    columns: Columns,
    limits: CsvLimits,
    settle_for: Duration,
    rescan_every: Duration,
    available_now: bool,
    notifications: bool,
    after_commit: AfterCommit,
}

impl CsvDirSource {
    /// Reads `dir`, on and on, under the source name `csv`; the files must have the columns of an [`Event`].
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            name: "csv".into(),
            dir: dir.into(),
            columns: Event::columns(),
            limits: CsvLimits::default(),
            settle_for: Duration::from_secs(2),
            rescan_every: Duration::from_secs(2),
            available_now: false,
            notifications: true,
            after_commit: AfterCommit::Keep,
        }
    }

    /// The name under which the ledger keeps its positions. It must be the same in every run.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What the files must have in their header, in place of the columns of an [`Event`].
    #[must_use]
    pub fn columns(mut self, columns: Columns) -> Self {
        self.columns = columns;
        self
    }

    /// Bounds on fields, records and batches.
    #[must_use]
    pub fn limits(mut self, limits: CsvLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How long a file that was neither renamed in nor closed must rest before it is taken as whole; 2 seconds. Longer
    /// than the longest pause of a writer.
    #[must_use]
    pub fn settle_for(mut self, settle_for: Duration) -> Self {
        self.settle_for = settle_for;
        self
    }

    /// How often the directory is scanned although nothing was notified; 2 seconds. In a directory with many files it is
    /// less often, so that scanning takes at most a twentieth of the time.
    #[must_use]
    pub fn rescan_every(mut self, rescan_every: Duration) -> Self {
        self.rescan_every = rescan_every;
        self
    }

    /// Reads what is there and ends. Files that still change are waited for, for one settle time.
    #[must_use]
    pub fn available_now(mut self) -> Self {
        self.available_now = true;
        self
    }

    /// Finds files by scanning only, for file systems that notify of nothing.
    #[must_use]
    pub fn without_notifications(mut self) -> Self {
        self.notifications = false;
        self
    }

    /// What becomes of a file once all of it is committed.
    #[must_use]
    pub fn after_commit(mut self, after_commit: AfterCommit) -> Self {
        self.after_commit = after_commit;
        self
    }

    /// The directory without links or dots, as far as it can be told.
    fn location(&self) -> PathBuf {
        self.dir
            .canonicalize()
            .or_else(|_| std::path::absolute(&self.dir))
            .unwrap_or_else(|_| self.dir.clone())
    }

    fn archive(&self) -> Result<Option<Archive>> {
        match &self.after_commit {
            AfterCommit::Keep => Ok(None),
            AfterCommit::Archive(dir) => Archive::prepare(&self.location(), dir).map(Some),
        }
    }
}

impl Source for CsvDirSource {
    type Item = CsvRecord;
    type Ack = CsvDirAck;

    fn describe(&self, topology: &mut Topology) {
        topology.add_source(self.name.clone(), self.location().to_string_lossy());
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<CsvRecord>, CsvDirAck) {
        let uncommitted = Uncommitted::default();
        let archive = self.archive();
        let ack = CsvDirAck {
            source: self.name.clone(),
            uncommitted: uncommitted.clone(),
            archive: archive.as_ref().ok().cloned().flatten(),
        };
        (batches(self, archive, from, uncommitted), ack)
    }
}

fn batches(
    config: CsvDirSource,
    archive: Result<Option<Archive>>,
    from: Checkpoint,
    uncommitted: Uncommitted,
) -> impl BatchStream<CsvRecord> {
    try_stream! {
        let reading = Reading {
            source: config.name.clone(),
            dir: config.location(),
            columns: config.columns.clone(),
            limits: config.limits,
        };
        check_directory(&reading.dir)?;
        let mut desk = Desk {
            inbox: Inbox::new(config.settle_for, MAX_LOOK_AHEAD),
            archive: archive?,
            dir: reading.dir.clone(),
            source: config.name.clone(),
            from,
            uncommitted: uncommitted.clone(),
            watch: Watch::default(),
            watched: None,
            passed_over: PassedOver::default(),
            failures: HashMap::new(),
            max_tries: config.available_now.then_some(MAX_TRIES_AVAILABLE_NOW),
        };
        let mut next_scan = Some(Instant::now());
        let mut last_batch = Instant::now();
        loop {
            let now = Instant::now();
            // While files wait, another scan could only find younger ones.
            if next_scan.is_some_and(|due| due <= now) && desk.inbox.is_ready_empty() {
                if config.notifications && !config.available_now {
                    desk.rearm();
                }
                desk.scan().await?;
                let took = now.elapsed();
                next_scan = match config.available_now {
                    true => None,
                    false => Some(Instant::now() + config.rescan_every.max(took * 20)),
                };
            }
            let heard = desk.watch.take();
            if heard.rescan {
                next_scan = Some(now);
            }
            desk.look_at(heard.names.into_iter().map(|(name, hint)| (name, Some(hint)))).await?;
            let due = desk.inbox.due(Instant::now());
            desk.look_at(due.into_iter().map(|name| (name, None))).await?;

            if let Some(ready) = desk.inbox.pop() {
                let name = ready.name.clone();
                let mut last = None;
                let mut failed = None;
                {
                    let mut batches = pin!(read(reading.clone(), ready));
                    while let Some(batch) = batches.next().await {
                        match batch {
                            Ok(batch) => {
                                for position in &batch.positions {
                                    uncommitted.given_out(position);
                                    last = Some(position.clone());
                                }
                                last_batch = Instant::now();
                                yield batch;
                            }
                            Err(err) => failed = Some(err),
                        }
                    }
                }
                desk.put_away(name, last, failed);
                continue;
            }
            if desk.inbox.take_overfull() {
                next_scan = Some(now);
                continue;
            }
            if config.available_now && desk.inbox.next_due().is_none() {
                desk.all_were_read()?;
                break;
            }

            let idle = last_batch + IDLE_EVERY;
            let wake = [next_scan, desk.inbox.next_due(), Some(idle)].into_iter().flatten().min().unwrap_or(idle);
            tokio::select! {
                () = desk.watch.wait() => {}
                () = sleep_until(wake) => {}
            }
            if Instant::now() >= idle {
                last_batch = Instant::now();
                yield Batch::default();
            }
        }
    }
}

/// An empty batch is sent after so long a silence, so that operators can tell it from a stall.
const IDLE_EVERY: Duration = Duration::from_secs(1);

/// A file that can't be read is tried again after so long, doubled each time.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const MAX_DOUBLINGS: u32 = 6;
/// With available-now, so often.
const MAX_TRIES_AVAILABLE_NOW: u32 = 3;

/// What the source knows of its files while it runs.
struct Desk {
    inbox: Inbox,
    archive: Option<Archive>,
    dir: PathBuf,
    source: String,
    from: Checkpoint,
    uncommitted: Uncommitted,
    watch: Watch,
    /// Device and inode of the directory that the watch listens to.
    watched: Option<(u64, u64)>,
    passed_over: PassedOver,
    failures: HashMap<OsString, u32>,
    max_tries: Option<u32>,
}

impl Desk {
    /// Listens to the directory that now has the name: the watch stays with one that was renamed, silently.
    fn rearm(&mut self) {
        let is = self
            .dir
            .metadata()
            .map(|metadata| (metadata.dev(), metadata.ino()))
            .ok();
        if is != self.watched {
            if is.is_some() {
                self.watch.arm(&self.dir);
            }
            self.watched = is;
        }
    }

    /// Looks at the whole directory. That it is not there (any more) is no error: it may be mounted again.
    async fn scan(&mut self) -> Result<()> {
        let mut chunks = scan(self.dir.clone());
        let mut passed_over = PassedOver::default();
        while let Some(chunk) = chunks.recv().await {
            match chunk {
                Ok(chunk) => {
                    passed_over = chunk.passed_over;
                    self.take_in(chunk.found.into_iter().map(|found| (found, None)).collect())
                        .await?;
                }
                Err(err) => {
                    tracing::warn!("can't read the directory {}, trying again: {err}", self.dir.display());
                    return Ok(());
                }
            }
        }
        if passed_over != self.passed_over {
            tracing::info!("passed over in {}: {passed_over}", self.dir.display());
            self.passed_over = passed_over;
        }
        Ok(())
    }

    /// Looks at some names.
    async fn look_at(&mut self, names: impl Iterator<Item = (OsString, Option<Hint>)>) -> Result<()> {
        let mut found = Vec::new();
        for (name, hint) in names {
            match look(&self.dir, &name) {
                Ok(Look::Found(file)) => found.push((file, hint)),
                Ok(Look::PassedOver(_) | Look::Gone) => {
                    self.failures.remove(&name);
                    self.inbox.gone(&name);
                }
                Err(err) => {
                    tracing::warn!("can't look at {name:?}: {err}");
                    self.inbox.gone(&name);
                }
            }
        }
        match found.is_empty() {
            true => Ok(()),
            false => self.take_in(found).await,
        }
    }

    /// Puts into the inbox what is not known to be done.
    async fn take_in(&mut self, mut found: Vec<(Found, Option<Hint>)>) -> Result<()> {
        found.retain(|(file, _)| !self.inbox.is_done(file));
        let mut unknown = Vec::new();
        let mut known: HashMap<String, Position> = HashMap::new();
        for (file, _) in &found {
            let path = to_path(&file.name);
            match self.uncommitted.get(&path) {
                Some(position) => {
                    known.insert(path, position);
                }
                None => unknown.push(Split::new(self.source.as_str(), path)),
            }
        }
        if !unknown.is_empty() {
            for position in self.from.positions(&unknown).await? {
                known.insert(position.split.path().to_owned(), position);
            }
        }
        let wall_ns = wall_ns();
        for (file, hint) in found {
            let known = known.remove(&to_path(&file.name));
            match known.as_ref().filter(|position| is_unchanged(position, &file)) {
                Some(position) => self.file_is_done(file, position.clone()).await,
                None => self.inbox.offer(file, hint, known, Instant::now(), wall_ns),
            }
        }
        Ok(())
    }

    /// The ledger says that nothing is left to read; the program may have ended before the file was archived.
    async fn file_is_done(&mut self, file: Found, position: Position) {
        let committed = self.uncommitted.get(position.split.path()).is_none();
        if let (Some(archive), SplitState::Finished, true) = (&self.archive, &position.state, committed)
            && let Err(err) = archive.clone().put(position).await
        {
            tracing::warn!("{}", err.report());
            return;
        }
        self.inbox.done(&file.name, file.stamp);
    }

    /// Decides what becomes of a file after it was read as far as it goes.
    fn put_away(&mut self, name: OsString, last: Option<Position>, failed: Option<io::Error>) {
        let mark = last.as_ref().and_then(FileMark::of);
        if let Some(err) = failed {
            let tries = self.failures.entry(name.clone()).or_default();
            *tries += 1;
            if self.max_tries.is_some_and(|max| *tries >= max) {
                tracing::error!("can't read {name:?}: {err}");
                return;
            }
            tracing::warn!("can't read {name:?} (try {tries}), trying again later: {err}");
            let wait = FIRST_RETRY * 2_u32.pow((*tries - 1).min(MAX_DOUBLINGS));
            if let Ok(Look::Found(found)) = look(&self.dir, &name) {
                self.inbox.look_again(name, found.stamp, Instant::now() + wait);
            }
            return;
        }
        self.failures.remove(&name);
        match (last, mark) {
            (Some(position), Some(mark)) if position.state == SplitState::Open => {
                self.inbox.settle(name, mark.stamp, Instant::now());
            }
            // With an archive the file stays on the list until it is moved.
            (Some(_), Some(mark)) if self.archive.is_none() => self.inbox.done(&name, mark.stamp),
            _ => {}
        }
    }

    fn all_were_read(&self) -> Result<()> {
        match self.failures.len() {
            0 => Ok(()),
            n => Err(Error::new(
                ErrorKind::Source,
                format!("{n} files could not be read; the log names them"),
            )
            .hint("what could be read is committed; run again once they can be read")),
        }
    }
}

fn is_unchanged(position: &Position, file: &Found) -> bool {
    position.state != SplitState::Open && FileMark::of(position).is_some_and(|mark| mark.stamp == file.stamp)
}

fn wall_ns() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

fn check_directory(dir: &Path) -> Result<()> {
    let refused = |what: &str| Error::new(ErrorKind::Configuration, format!("{} {what}", dir.display()));
    match fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(refused("is not a directory")),
        Err(err) => Err(refused("can't be read")
            .hint("make the directory, or name another one")
            .caused_by(err)),
    }
}
