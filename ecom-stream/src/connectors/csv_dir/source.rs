//! The CSV directory source: its settings, and the loop that reads.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use async_stream::try_stream;
use futures::StreamExt;
use tokio::time::{Instant, sleep_until};

use super::after_commit::{AfterCommit, CsvDirAck, FileAck};
use super::candidates::FileCandidates;
use super::directory::Directory;
use super::disk::Disk;
use super::enumerator::{FileEnumerator, MAX_TRIES_AVAILABLE_NOW};
use super::file_reader::{FileReadConfig, read_file};
use super::identity::directory_identity;
use super::inbox::{Inbox, MAX_LOOK_AHEAD};
use super::read_files::ReadFiles;
use super::removal::{Removal, restore_interrupted};
use super::scan::SkippedCounts;
use super::uncommitted::Uncommitted;
use super::unterminated_record::UnterminatedRecord;
use super::watch::Watch;
use crate::contract::{Batch, BatchStream, Checkpoint, Error, ErrorKind, Result, Source, SourceInfo, Topology};
use crate::csv::{Columns, CsvLimits, CsvRecord, Dialect, NamePatterns};
use crate::event::Event;
use crate::event::mapping::Mapping;

/// A source that reads the CSV files of a directory, and each record in them exactly once.
///
/// It reads every file whose name ends in `.csv` or `.tsv`, perhaps with `.gz` or `.zst` behind it, and those that
/// [`names`](Self::names) adds; the oldest first. In a `.tsv` file the fields are separated by tabs unless the
/// [dialect](Self::dialect) has a delimiter. It skips hidden files, names that
/// end in `.tmp` or `.part`, symbolic links, special files, and directories unless [`recursive`](Self::recursive) is set.
///
/// A file is read at once when it is renamed into the directory or when its writer closes it. Otherwise it is read when it
/// has not been modified for the time [`settle_for`](Self::settle_for). If a file grows, the new part is read. If it is renamed,
/// reading goes on under the new name. If it has other content under a known name, it is read from the start as a new generation
/// of the split.
///
/// A record that cannot be used becomes a [`Reject`](crate::Reject). A file that cannot be used is set aside, or read up to the
/// damage: its [`SplitState`](crate::SplitState) says why, and the other files are read.
///
/// ```
/// use ecom_stream::memory::MemorySink;
/// use ecom_stream::{CsvDirSource, Rules, SourceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let file = "event_time,event_type,user_id,session_id,product_id\n2026-11-01T12:00:00Z,view,u1,s1,p1\n";
/// std::fs::write(dir.path().join("a.csv"), file)?;
/// let source = || CsvDirSource::new(dir.path()).available_now(true).validate(Rules::default());
/// let sink = MemorySink::new("doc");
/// assert_eq!(source().to(sink.clone()).run().await?.counts.stored, 1);
/// // The ledger of the sink knows the file: a second run reads nothing.
/// assert_eq!(source().to(sink).run().await?.counts.read, 0);
/// # Ok(()) }
/// ```
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
    unterminated_record: UnterminatedRecord,
    rescan_every: Duration,
    available_now: bool,
    notifications: bool,
    after_commit: AfterCommit,
    allow_copies: bool,
    recursive: bool,
    names: NamePatterns,
}

impl CsvDirSource {
    /// A source over `dir` that is named `csv`, expects the columns of an [`Event`], and never ends.
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
            unterminated_record: UnterminatedRecord::Wait,
            rescan_every: Duration::from_secs(2),
            available_now: false,
            notifications: true,
            after_commit: AfterCommit::Keep,
            allow_copies: false,
            recursive: false,
            names: NamePatterns::default(),
        }
    }

    /// Sets the name under which the ledger keeps the positions of this source. It must be the same in every run.
    ///
    /// ```
    /// # use ecom_stream::CsvDirSource;
    /// // Two sources of one pipeline must have different names.
    /// let views = CsvDirSource::new("data/views").name("views");
    /// let orders = CsvDirSource::new("data/orders").name("orders");
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the columns that the header of each file must have, instead of those of an [`Event`].
    ///
    /// For records of your own, give their columns. Others in the header are ignored, and named in the log:
    ///
    /// ```
    /// # use ecom_stream::{Columns, CsvDirSource};
    /// let readings = CsvDirSource::new("readings").columns(Columns::new(["sensor", "celsius", "note"], ["sensor", "celsius"]));
    /// ```
    pub fn columns(mut self, columns: Columns) -> Self {
        self.columns = columns;
        self
    }

    /// Sets the delimiter, the quote character and the kind of header. The default is commas, double quotes and a header line.
    ///
    /// ```
    /// # use ecom_stream::{CsvDirSource, Dialect};
    /// let semicolons = CsvDirSource::new("data").dialect(Dialect::default().delimiter(b';'));
    /// ```
    ///
    /// A dialect that cannot be read, such as the same character as delimiter and quote, is an error when the pipeline starts.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Reads the files with the dialect and the columns of `mapping`. [`Rules::mapping`](crate::Rules::mapping) then makes events
    /// from the records.
    ///
    /// The ledger keeps the fingerprint of the mapping with each file, so that a reject is retried with the same mapping.
    ///
    /// If the mapping takes a field from the path, files with the same bytes are copies only if that field is equal too.
    pub fn mapping(mut self, mapping: &Mapping) -> Self {
        self.mapping = Some(mapping.fingerprint());
        self.path_keys = mapping.path_keys().map(str::to_owned).collect();
        self.columns(mapping.columns()).dialect(mapping.dialect().clone())
    }

    /// Sets the largest size of fields, records and batches.
    ///
    /// ```
    /// # use ecom_stream::{CsvDirSource, CsvLimits};
    /// // Smaller batches are committed sooner; larger ones take less time per record.
    /// let source = CsvDirSource::new("data").limits(CsvLimits::default().max_batch_rows(500));
    /// ```
    pub fn limits(mut self, limits: CsvLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the settle time: how long a file must be unmodified to count as complete, if it was neither renamed into the
    /// directory nor closed. The default is 2 seconds. Choose a time longer than the longest pause of a writer.
    ///
    /// | what happens to the file | when it is read |
    /// |---|---|
    /// | it is renamed into the directory | at once; it counts as complete |
    /// | its writer closes it | at once |
    /// | its writer pauses | after the settle time |
    /// | its writer goes on and on | its complete records are read every settle time |
    ///
    /// A last record without a line end waits, unless the file was renamed into the directory: see
    /// [`unterminated_record`](Self::unterminated_record).
    pub fn settle_for(mut self, settle_for: Duration) -> Self {
        self.settle_for = settle_for;
        self
    }

    /// Sets what becomes of a last record that no line end follows, in a file that was not seen being renamed into the directory.
    /// The default is [`UnterminatedRecord::Wait`]: it is read when the file goes on, or comes again under its name.
    ///
    /// Zeros at the end of a file, as of one whose space is allocated before it is written, are never read.
    ///
    /// ```
    /// # use ecom_stream::{CsvDirSource, UnterminatedRecord};
    /// // These files are always complete, and their last line has no end.
    /// let exports = CsvDirSource::new("exports").unterminated_record(UnterminatedRecord::Store);
    /// ```
    pub fn unterminated_record(mut self, unterminated_record: UnterminatedRecord) -> Self {
        self.unterminated_record = unterminated_record;
        self
    }

    /// Sets the time between two scans of the directory when no notification comes. The default is 2 seconds. If a scan takes
    /// long, the time is twenty times as long as the scan.
    pub fn rescan_every(mut self, rescan_every: Duration) -> Self {
        self.rescan_every = rescan_every;
        self
    }

    /// Whether the source ends when it has read the files that are there. The default is `false`: it waits for more.
    ///
    /// For files that are still being written it waits one settle time, and reads what they have then. It fails if a file
    /// could not be read in three tries, and, once everything else is committed, if a last record
    /// [waits](Self::unterminated_record) for its line end.
    ///
    /// ```
    /// # use ecom_stream::memory::MemorySink;
    /// # use ecom_stream::{CsvDirSource, SourceExt};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// let source = CsvDirSource::new(dir.path()).available_now(true);
    /// let summary = source.to(MemorySink::new("doc")).run().await?;
    /// assert_eq!((summary.counts.read, summary.stopped), (0, false), "there are no files");
    /// # Ok(()) }
    /// ```
    pub fn available_now(mut self, available_now: bool) -> Self {
        self.available_now = available_now;
        self
    }

    /// Whether notifications of the file system (inotify) make the source read a file at once. The default is `true`. Without
    /// them, new files are found by the regular scans: see [`rescan_every`](Self::rescan_every).
    pub fn notifications(mut self, notifications: bool) -> Self {
        self.notifications = notifications;
        self
    }

    /// Sets what becomes of a file once all of it is committed. The default is [`AfterCommit::Keep`].
    pub fn after_commit(mut self, after_commit: AfterCommit) -> Self {
        self.after_commit = after_commit;
        self
    }

    /// Whether to read a file that has the same bytes as a finished file of another name. The default is `false`: the copy is
    /// skipped, and the mark of its position names the finished file. A file without records is never a copy.
    ///
    /// ```
    /// # use ecom_stream::memory::MemorySink;
    /// # use ecom_stream::{Columns, CsvDirSource, SourceExt};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// for name in ["a.csv", "b.csv"] {
    ///     std::fs::write(dir.path().join(name), "id,note\n1,x\n")?;
    /// }
    /// let source = || CsvDirSource::new(dir.path()).columns(Columns::any()).available_now(true);
    /// let run = async |source: CsvDirSource| source.to(MemorySink::new("doc")).run().await;
    /// assert_eq!(run(source()).await?.counts.read, 1);
    /// assert_eq!(run(source().allow_copies(true)).await?.counts.read, 2);
    /// # Ok(()) }
    /// ```
    pub fn allow_copies(mut self, allow_copies: bool) -> Self {
        self.allow_copies = allow_copies;
        self
    }

    /// Whether to read the files in sub-directories too, at any depth. The default is `false`.
    ///
    /// The path of such a split is relative to the directory, as in `date=2026-11-01/hour=09/a.csv`. Hidden directories and
    /// symbolic links to directories are skipped. An archive gets the same sub-directories; empty ones stay in the input.
    ///
    /// ```
    /// # use ecom_stream::memory::MemorySink;
    /// # use ecom_stream::{Columns, CsvDirSource, SourceExt};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// std::fs::create_dir(dir.path().join("date=2026-11-01"))?;
    /// std::fs::write(dir.path().join("date=2026-11-01/a.csv"), "id,note\n1,x\n")?;
    /// let source = CsvDirSource::new(dir.path()).recursive(true).columns(Columns::any());
    /// let sink = MemorySink::new("doc");
    /// source.available_now(true).to(sink.clone()).run().await?;
    /// assert_eq!(sink.positions()[0].split.path(), "date=2026-11-01/a.csv");
    /// # Ok(()) }
    /// ```
    pub fn recursive(mut self, recursive: bool) -> Self {
        self.recursive = recursive;
        self
    }

    /// Reads as with a mapping that has this fingerprint.
    #[cfg(test)]
    pub(super) fn mapping_fingerprint(mut self, mapping: Option<String>) -> Self {
        self.mapping = mapping;
        self
    }

    /// Also reads files with other names than `.csv` and `.tsv`. Other files are not touched, and counted in the log.
    ///
    /// ```
    /// # use ecom_stream::memory::MemorySink;
    /// # use ecom_stream::{Columns, CsvDirSource, NamePatterns, SourceExt};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// for name in ["a.txt", "b.csv", "c.md"] {
    ///     std::fs::write(dir.path().join(name), format!("id,note\n1,{name}\n"))?;
    /// }
    /// let source = CsvDirSource::new(dir.path()).names(NamePatterns::new(["*.txt"])?).columns(Columns::any());
    /// let summary = source.available_now(true).to(MemorySink::new("doc")).run().await?;
    /// assert_eq!(summary.counts.read, 2);
    /// # Ok(()) }
    /// ```
    pub fn names(mut self, names: NamePatterns) -> Self {
        self.names = names;
        self
    }

    /// The absolute path of the directory, without symbolic links if it exists.
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
        let archive = match &self.after_commit {
            AfterCommit::Archive(archive) => Some(directory_identity(archive, self.recursive)),
            AfterCommit::Keep | AfterCommit::Delete => None,
        };
        topology.add(SourceInfo {
            name: self.name.clone(),
            location: location.to_string_lossy().into_owned(),
            is_owned: self.after_commit != AfterCommit::Keep,
            directory: Some(directory_identity(&location, self.recursive)),
            archive,
        });
    }

    fn check(&self) -> Result<()> {
        self.dialect.check()?;
        check_directory(&self.location())?;
        self.after_commit.check(&self.location())
    }

    fn open(self, from: Checkpoint) -> (impl BatchStream<CsvRecord>, CsvDirAck) {
        let uncommitted = Uncommitted::default();
        let location = self.location();
        let dir = Disk::new(location)
            .recursive(self.recursive)
            .charset(self.dialect.charset)
            .reading(self.names.clone());
        let removal = self.after_commit.removal(&dir);
        let ack = FileAck {
            source: self.name.clone(),
            uncommitted: uncommitted.clone(),
            removal: removal.as_ref().ok().cloned().flatten(),
        };
        (batches(self, dir, removal, from, uncommitted), CsvDirAck(ack))
    }
}

/// The stream of batches of a source with these settings over any [`Directory`]; the path in `config` is not used.
pub(super) fn batches<D: Directory>(
    config: CsvDirSource,
    dir: D,
    removal: Result<Option<Removal<D>>>,
    from: Checkpoint,
    uncommitted: Uncommitted,
) -> impl BatchStream<CsvRecord> {
    try_stream! {
        let file_config = FileReadConfig {
            header_hash: header_hash(&config.columns, &config.dialect),
            source: config.name.clone(),
            dir: dir.clone(),
            columns: config.columns.clone(),
            limits: config.limits,
            dialect: config.dialect.clone(),
            mapping: config.mapping.clone(),
            read_files: ReadFiles::default(),
            unterminated_record: config.unterminated_record,
        };
        let mut enumerator = FileEnumerator {
            inbox: Inbox::new(config.settle_for, MAX_LOOK_AHEAD),
            removal: removal?,
            no_removal_before: None,
            dir,
            source: config.name.clone(),
            from,
            uncommitted,
            candidates: FileCandidates::default(),
            allow_copies: config.allow_copies,
            path_keys: config.path_keys,
            header_hash: file_config.header_hash.clone(),
            mapping: config.mapping.clone(),
            max_record_bytes: config.limits.max_record_bytes,
            watch: Watch::of(config.names),
            watched: None,
            skipped: SkippedCounts::default(),
            failures: HashMap::new(),
            read_files: file_config.read_files.clone(),
            comparisons: HashMap::new(),
            rewritten: HashSet::new(),
            unseen: HashSet::new(),
            unterminated_record: config.unterminated_record,
            waiting: BTreeSet::new(),
            max_tries: config.available_now.then_some(MAX_TRIES_AVAILABLE_NOW),
        };
        if let Err(err) = restore_interrupted(&enumerator.dir).await {
            tracing::warn!("cannot look for files that the last run was archiving or deleting: {err}");
        }
        let mut next_scan = Some(Instant::now());
        let mut last_batch = Instant::now();
        loop {
            let now = Instant::now();
            // While files are ready, another scan can only find younger ones.
            if next_scan.is_some_and(|due| due <= now) && enumerator.inbox.is_ready_empty() {
                if config.notifications && !config.available_now {
                    enumerator.watch_directory();
                }
                enumerator.scan().await?;
                let took = now.elapsed();
                next_scan = match config.available_now {
                    true => None,
                    false => Instant::now().checked_add(config.rescan_every.max(took * 20)),
                };
            }
            let notified = enumerator.watch.take();
            if notified.rescan {
                next_scan = Some(now);
            }
            enumerator.stat_files(notified.names.into_iter().map(|(name, notification)| (name, Some(notification)))).await?;
            let due = enumerator.inbox.due(Instant::now());
            enumerator.stat_files(due.into_iter().map(|name| (name, None))).await?;

            if let Some((ready, opened)) = enumerator.next_file().await? {
                let (name, readiness) = (ready.name.clone(), ready.readiness);
                let mut last = None;
                let mut failed = None;
                {
                    let mut batches = pin!(read_file(file_config.clone(), ready, opened));
                    while let Some(batch) = batches.next().await {
                        match batch {
                            Ok(batch) => {
                                for position in &batch.positions {
                                    enumerator.position_emitted(position);
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
                enumerator.file_read(name, readiness, last, failed);
                continue;
            }
            if enumerator.inbox.take_overfull() {
                next_scan = Some(now);
                continue;
            }
            if config.available_now && enumerator.inbox.next_due().is_none() {
                enumerator.check_all_read()?;
                break;
            }

            let idle = last_batch + IDLE_EVERY;
            let wake = [next_scan, enumerator.inbox.next_due(), Some(idle)].into_iter().flatten().min().unwrap_or(idle);
            tokio::select! {
                () = enumerator.watch.wait() => {}
                () = sleep_until(wake) => {}
            }
            if Instant::now() >= idle {
                last_batch = Instant::now();
                yield Batch::default();
            }
        }
    }
}

/// A hash of everything that decides whether a header fits.
fn header_hash(columns: &Columns, dialect: &Dialect) -> String {
    blake3::hash(format!("{columns:?} {dialect:?}").as_bytes()).to_hex()[..16].to_owned()
}

/// After this time without a batch, an empty one is sent. It tells operators that the source is idle and not stuck.
const IDLE_EVERY: Duration = Duration::from_secs(1);

fn check_directory(dir: &Path) -> Result<()> {
    let refused = |what: &str| Error::new(ErrorKind::Configuration, format!("{} {what}", dir.display()));
    match fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(refused("is not a directory")),
        Err(err) => Err(refused("cannot be read")
            .hint("create the directory, or give the path of another one")
            .caused_by(err)),
    }
}
