use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use async_stream::try_stream;
use futures::StreamExt;
use tokio::time::{Instant, sleep_until};

use super::after_commit::{AfterCommit, CsvDirAck, FileAck};
use super::alike::Alike;
use super::desk::{Desk, MAX_TRIES_AVAILABLE_NOW};
use super::directory::Directory;
use super::disk::Disk;
use super::inbox::{Inbox, MAX_LOOK_AHEAD};
use super::removal::{Removal, put_back};
use super::scan::PassedOver;
use super::split_file::{Reading, read};
use super::uncommitted::Uncommitted;
use super::watch::Watch;
use crate::contract::{Batch, BatchStream, Checkpoint, Error, ErrorKind, Result, Source, Topology};
use crate::csv::{Columns, CsvLimits, CsvRecord, Dialect};
use crate::event::Event;
use crate::event::mapping::Mapping;

/// Reads the CSV files of a directory, each record once, as the files come.
///
/// Every file whose name ends in `.csv`, `.csv.gz` or `.csv.zst` is read, the oldest first; hidden files, `.tmp` and `.part`
/// files, directories unless they are [asked for](Self::recursive), links and special files are passed over. A file is read at once when it is renamed into the directory or closed after
/// writing, and otherwise when it has rested for [`settle_for`](Self::settle_for). A file that grows is read on.
///
/// A record that can't be used becomes a [`Reject`](crate::Reject). A file that can't be used is set aside: its position
/// says why, and the others go on.
#[derive(Debug, Clone)]
#[must_use = "a source does nothing until a pipeline from it runs"]
pub struct CsvDirSource {
    name: String,
    dir: PathBuf,
    columns: Columns,
    limits: CsvLimits,
    dialect: Dialect,
    /// The fingerprint of the mapping.
    mapping: Option<String>,
    path_keys: Vec<String>,
    settle_for: Duration,
    rescan_every: Duration,
    available_now: bool,
    notifications: bool,
    after_commit: AfterCommit,
    allow_copies: bool,
    recursive: bool,
}

impl CsvDirSource {
    /// Reads `dir`, on and on, under the source name `csv`; the files must have the columns of an [`Event`].
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            name: "csv".into(),
            dir: dir.into(),
            columns: Event::columns(),
            limits: CsvLimits::default(),
            dialect: Dialect::default(),
            mapping: None,
            path_keys: Vec::new(),
            settle_for: Duration::from_secs(2),
            rescan_every: Duration::from_secs(2),
            available_now: false,
            notifications: true,
            after_commit: AfterCommit::Keep,
            allow_copies: false,
            recursive: false,
        }
    }

    /// The name under which the ledger keeps its positions. It must be the same in every run.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What the files must have in their header, in place of the columns of an [`Event`].
    pub fn columns(mut self, columns: Columns) -> Self {
        self.columns = columns;
        self
    }

    /// How the files are written, if not with commas, double quotes and a header.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Reads files as `mapping` has them: its dialect, and the columns that it asks for. The records become events by
    /// [`Rules::mapping`](crate::Rules::mapping). The ledger keeps by which, for rejects that are mended.
    ///
    /// Where a field is taken from the path, a file with the same bytes in a directory that says something else is no copy.
    pub fn mapping(mut self, mapping: &Mapping) -> Self {
        self.mapping = Some(mapping.fingerprint());
        self.path_keys = mapping.path_keys().map(str::to_owned).collect();
        self.columns(mapping.columns()).dialect(mapping.dialect().clone())
    }

    /// Bounds on fields, records and batches.
    pub fn limits(mut self, limits: CsvLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How long a file that was neither renamed in nor closed must rest before it is taken as whole; 2 seconds. Longer
    /// than the longest pause of a writer.
    pub fn settle_for(mut self, settle_for: Duration) -> Self {
        self.settle_for = settle_for;
        self
    }

    /// How often the directory is scanned although nothing was notified; 2 seconds. In a directory with many files it is
    /// less often, so that scanning takes at most a twentieth of the time.
    pub fn rescan_every(mut self, rescan_every: Duration) -> Self {
        self.rescan_every = rescan_every;
        self
    }

    /// Whether the source ends once it has read the files that are there, and does not wait for more; `false` unless it is
    /// set. Files that still change are waited for, for one settle time.
    pub fn available_now(mut self, available_now: bool) -> Self {
        self.available_now = available_now;
        self
    }

    /// Whether notifications of the file system (inotify) start a scan at once; `true` unless it is set. Without them new files
    /// are found by the regular scans, [`rescan_every`](Self::rescan_every) so often.
    pub fn notifications(mut self, notifications: bool) -> Self {
        self.notifications = notifications;
        self
    }

    /// What becomes of a file once all of it is committed.
    pub fn after_commit(mut self, after_commit: AfterCommit) -> Self {
        self.after_commit = after_commit;
        self
    }

    /// Whether to read a file that has the same bytes as one that was read already under another name; `false` unless it is
    /// set. Such a copy is then skipped, and its position names the first file. Files without records are always read.
    pub fn allow_copies(mut self, allow_copies: bool) -> Self {
        self.allow_copies = allow_copies;
        self
    }

    /// Whether to read the files in sub-directories too, at any depth, as in `date=2026-11-01/hour=09/a.csv`; `false` unless it
    /// is set. The path of such a split is that of its file in the directory. Hidden directories and linked ones are passed over. With an archive the
    /// sub-directories are made there too; emptied ones stay.
    pub fn recursive(mut self, recursive: bool) -> Self {
        self.recursive = recursive;
        self
    }

    /// The directory without links or dots, as far as it can be told.
    fn location(&self) -> PathBuf {
        self.dir
            .canonicalize()
            .or_else(|_| std::path::absolute(&self.dir))
            .unwrap_or_else(|_| self.dir.clone())
    }
}

impl Source for CsvDirSource {
    type Item = CsvRecord;
    type Ack = CsvDirAck;

    fn describe(&self, topology: &mut Topology) {
        let location = self.location();
        match self.after_commit {
            AfterCommit::Keep => topology.add_source(self.name.clone(), location.to_string_lossy()),
            AfterCommit::Archive(_) | AfterCommit::Delete => {
                topology.add_owned_source(self.name.clone(), location.to_string_lossy());
            }
        }
    }

    fn check(&self) -> Result<()> {
        self.dialect.check()?;
        check_directory(&self.location())?;
        self.after_commit.check(&self.location())
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<CsvRecord>, CsvDirAck) {
        let uncommitted = Uncommitted::default();
        let location = self.location();
        let dir = Disk::new(location).recursive(self.recursive);
        let removal = self.after_commit.removal(&dir);
        let ack = FileAck {
            source: self.name.clone(),
            uncommitted: uncommitted.clone(),
            removal: removal.as_ref().ok().cloned().flatten(),
        };
        (batches(self, dir, removal, from, uncommitted), CsvDirAck(ack))
    }
}

/// Reads `dir`, whatever the directory of `config` is.
pub(super) fn batches<D: Directory>(
    config: CsvDirSource,
    dir: D,
    removal: Result<Option<Removal<D>>>,
    from: Checkpoint,
    uncommitted: Uncommitted,
) -> impl BatchStream<CsvRecord> {
    try_stream! {
        let reading = Reading {
            layout: layout(&config.columns, &config.dialect),
            source: config.name.clone(),
            dir: dir.clone(),
            columns: config.columns.clone(),
            limits: config.limits,
            dialect: config.dialect.clone(),
            mapping: config.mapping.clone(),
        };
        let mut desk = Desk {
            inbox: Inbox::new(config.settle_for, MAX_LOOK_AHEAD),
            removal: removal?,
            no_removal_before: None,
            dir,
            source: config.name.clone(),
            from,
            uncommitted,
            alike: Alike::default(),
            allow_copies: config.allow_copies,
            path_keys: config.path_keys,
            layout: reading.layout.clone(),
            max_record_bytes: config.limits.max_record_bytes,
            watch: Watch::default(),
            watched: None,
            passed_over: PassedOver::default(),
            failures: HashMap::new(),
            unseen: HashSet::new(),
            max_tries: config.available_now.then_some(MAX_TRIES_AVAILABLE_NOW),
        };
        if let Err(err) = put_back(&desk.dir).await {
            tracing::warn!("can't look for what the last run left: {err}");
        }
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
                    false => Instant::now().checked_add(config.rescan_every.max(took * 20)),
                };
            }
            let heard = desk.watch.take();
            if heard.rescan {
                next_scan = Some(now);
            }
            desk.look_at(heard.names.into_iter().map(|(name, hint)| (name, Some(hint)))).await?;
            let due = desk.inbox.due(Instant::now());
            desk.look_at(due.into_iter().map(|name| (name, None))).await?;

            if let Some((ready, opened)) = desk.next().await? {
                let (name, readiness) = (ready.name.clone(), ready.readiness);
                let mut last = None;
                let mut failed = None;
                {
                    let mut batches = pin!(read(reading.clone(), ready, opened));
                    while let Some(batch) = batches.next().await {
                        match batch {
                            Ok(batch) => {
                                for position in &batch.positions {
                                    desk.given_out(position);
                                    last = Some(position.clone());
                                }
                                last_batch = Instant::now();
                                yield batch;
                                crate::crash_point!("batch.handed_out");
                            }
                            Err(err) => failed = Some(err),
                        }
                    }
                }
                desk.put_away(name, readiness, last, failed);
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

/// What tells one way to read headers from another.
fn layout(columns: &Columns, dialect: &Dialect) -> String {
    blake3::hash(format!("{columns:?} {dialect:?}").as_bytes()).to_hex()[..16].to_owned()
}

/// An empty batch is sent after so long a silence, so that operators can tell it from a stall.
const IDLE_EVERY: Duration = Duration::from_secs(1);

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
