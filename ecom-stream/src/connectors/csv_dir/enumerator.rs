//! The enumerator: finds the files of the directory that have something new, and hands them out one by one.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::candidates::{FileCandidates, LOOKUP_BATCH, LookupContext};
use super::directory::Directory;
use super::inbox::{Inbox, Readiness, Ready};
use super::mark::{FileMark, FileStat, depends_on_dialect};
use super::notifications::Notification;
use super::read_again::{AskedAgain, is_of_another_mapping};
use super::read_files::ReadFiles;
use super::removal::Removal;
use super::resolve::has_what_was_read;
use super::scan::{FoundFile, SkippedCounts, StatResult};
use super::uncommitted::Uncommitted;
use super::unterminated_record::UnterminatedRecord;
use super::watch::Watch;
use crate::contract::{Checkpoint, Error, ErrorKind, Position, Reason, Result, Split, SplitState};
use crate::csv::{to_path, value_in_path};

/// The time after which a file that cannot be read is tried again. It doubles with every try, [`MAX_DOUBLINGS`] times.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// For this time no finished file of an earlier run is removed, after the removal of one has failed.
const REMOVAL_PAUSE: Duration = Duration::from_secs(5);
const MAX_DOUBLINGS: u32 = 6;
/// A file whose upload broke off and that is shorter now is left alone until it has not changed for this time. Then it counts as
/// new content.
const BEGINS_AGAIN_WITHIN: Duration = Duration::from_secs(60 * 60);
/// How often a run with `available_now` tries to read a file.
pub(super) const MAX_TRIES_AVAILABLE_NOW: u32 = 3;

/// The state of a running source: which files there are, which are ready, and what became of those that were read.
///
/// This is the split enumerator of Flink's FLIP-27, for files. The source calls it in a loop:
///
/// ```text
///   scan, stat_files ──► enqueue ──► inbox ──► next_file ──► (the source reads it) ──► file_read
///                          │                                          │                   │
///                  done: ledger has it                        position_emitted     again later, or done
/// ```
pub(super) struct FileEnumerator<D> {
    pub(super) inbox: Inbox,
    /// How finished files are archived or deleted; `None` if they stay.
    pub(super) removal: Option<Removal<D>>,
    /// Set when a file could not be removed: no other is tried before this time.
    pub(super) no_removal_before: Option<Instant>,
    pub(super) dir: D,
    /// The name of the source.
    pub(super) source: String,
    /// The ledger.
    pub(super) from: Checkpoint,
    pub(super) uncommitted: Uncommitted,
    pub(super) candidates: FileCandidates,
    pub(super) allow_copies: bool,
    /// The keys such as `date` whose values a mapping takes from the path. Files that differ in one are no copies.
    pub(super) path_keys: Vec<String>,
    /// Tells one way of reading headers from another: a file that was set aside is tried again when it has changed.
    pub(super) header_hash: String,
    /// The fingerprint of the mapping of this run.
    pub(super) mapping: Option<String>,
    pub(super) max_record_bytes: usize,
    pub(super) watch: Watch,
    /// Device and inode of the directory that the watch listens to.
    pub(super) watched: Option<(u64, u64)>,
    /// What the last scan skipped.
    pub(super) skipped: SkippedCounts,
    /// How often reading a file has failed since it last succeeded.
    pub(super) failures: HashMap<OsString, u32>,
    /// What this run remembers of the files.
    pub(super) read_files: ReadFiles,
    /// Files that changed so shortly before they were read that their metadata may not tell of another change: when they are
    /// compared with what was read.
    pub(super) comparisons: HashMap<OsString, Instant>,
    /// Files with other content than was read, although their metadata are equal.
    pub(super) rewritten: HashSet<OsString>,
    /// The names that the last scan could not examine.
    pub(super) unseen: HashSet<OsString>,
    pub(super) unterminated_record: UnterminatedRecord,
    /// The files of which the last record waits for its line end, or that are being written again from their start.
    pub(super) waiting: BTreeSet<OsString>,
    /// The number of tries for each file with `available_now`; `None` for no limit.
    pub(super) max_tries: Option<u32>,
}

impl<D: Directory> FileEnumerator<D> {
    /// Watches the directory that has the path now. Called before each scan, since a watch follows a directory that is renamed,
    /// and reports nothing about the one that takes its place.
    pub(super) fn watch_directory(&mut self) {
        let is = self.dir.device_inode();
        if is != self.watched {
            if is.is_some() {
                self.watch.arm(&self.dir);
            }
            self.watched = is;
        }
    }

    /// Scans the whole directory.
    ///
    /// # Errors
    ///
    /// Those of the ledger. That the directory cannot be read is an error with `available_now` only: otherwise it may be
    /// mounted again, and the next scan tries it.
    pub(super) async fn scan(&mut self) -> Result<()> {
        let mut chunks = self.dir.scan();
        let mut skipped = SkippedCounts::default();
        let mut unseen = HashSet::new();
        self.inbox.begin_scan();
        while let Some(chunk) = chunks.recv().await {
            match chunk {
                Ok(chunk) => {
                    skipped = chunk.skipped;
                    for (name, err) in chunk.failed {
                        // Only the first scan that fails says so.
                        if !self.unseen.contains(&name) {
                            tracing::warn!("cannot get the metadata of {name:?}: {err}");
                        }
                        if self.max_tries.is_some() {
                            self.failures.insert(name.clone(), 1);
                        }
                        unseen.insert(name);
                    }
                    self.enqueue(chunk.found.into_iter().map(|found| (found, None)).collect())
                        .await?;
                }
                Err(err) if self.max_tries.is_some() => {
                    let message = format!("cannot read the directory {}", self.dir.path().display());
                    return Err(Error::new(ErrorKind::Source, message).caused_by(err));
                }
                Err(err) => {
                    tracing::warn!(
                        "cannot read the directory {}; the next scan tries again: {err}",
                        self.dir.path().display()
                    );
                    self.inbox.end_scan(false);
                    return Ok(());
                }
            }
        }
        self.inbox.end_scan(true);
        self.unseen = unseen;
        if skipped.numbered() > self.skipped.numbered() {
            tracing::warn!(
                "{} files in {} have a number behind .csv and are not read: if they were archived by an earlier version, put the \
                 number in front (a.1.csv instead of a.csv.1)",
                skipped.numbered(),
                self.dir.path().display()
            );
        }
        if skipped.lasting() != self.skipped.lasting() {
            tracing::info!("skipped in {}: {skipped}", self.dir.path().display());
        } else if skipped != self.skipped {
            tracing::debug!("skipped in {}: {skipped}", self.dir.path().display());
        }
        self.skipped = skipped;
        Ok(())
    }

    /// Examines single files: those that were notified, and those whose settle time is over.
    ///
    /// # Errors
    ///
    /// Those of the ledger.
    pub(super) async fn stat_files(
        &mut self,
        names: impl Iterator<Item = (OsString, Option<Notification>)>,
    ) -> Result<()> {
        let mut found = Vec::new();
        for (name, notification) in names {
            match self.dir.stat(&name) {
                Ok(StatResult::Found(file)) => found.push((file, notification)),
                Ok(StatResult::Skipped(_) | StatResult::Gone) => {
                    self.failures.remove(&name);
                    self.comparisons.remove(&name);
                    self.rewritten.remove(&name);
                    self.waiting.remove(&name);
                    self.inbox.gone(&name);
                }
                Err(err) => {
                    tracing::warn!("cannot get the metadata of {name:?}: {err}");
                    self.inbox.gone(&name);
                    if self.max_tries.is_some() {
                        self.failures.insert(name, 1);
                    }
                }
            }
        }
        match found.is_empty() {
            true => Ok(()),
            false => self.enqueue(found).await,
        }
    }

    /// Puts the files into the inbox of which the ledger does not have everything.
    async fn enqueue(&mut self, mut found: Vec<(FoundFile, Option<Notification>)>) -> Result<()> {
        // A file that waits for a line end is complete once it is renamed in.
        found.retain(|(file, notification)| *notification == Some(Notification::Renamed) || !self.inbox.is_done(file));
        let splits: Vec<Split> = found
            .iter()
            .map(|(file, _)| Split::new(self.source.as_str(), to_path(&file.name)))
            .collect();
        // Before the query: a position that is committed meanwhile is then in the answer of the ledger.
        let emitted: Vec<Position> = splits
            .iter()
            .filter_map(|split| self.uncommitted.get(split.path()))
            .collect();
        let mut known: HashMap<String, Position> = HashMap::new();
        if !splits.is_empty() {
            for position in self.from.positions(&splits).await? {
                known.insert(position.split.path().to_owned(), position);
            }
        }
        for emitted in emitted {
            let path = emitted.split.path().to_owned();
            let position = match known.remove(&path) {
                Some(durable) => newer(emitted, durable),
                None => emitted,
            };
            known.insert(path, position);
        }
        let wall_ns = self.dir.wall_ns();
        let mut again = AskedAgain::default();
        let mut examined = Vec::with_capacity(found.len());
        for (file, notification) in found {
            let known = known.remove(&to_path(&file.name));
            let unchanged = known
                .as_ref()
                .filter(|known| self.is_unchanged(known, &file, notification));
            let is_unchanged = unchanged.is_some();
            if let Some(position) = unchanged {
                again.ask_about(position, self.mapping.as_deref());
            }
            examined.push((file, notification, known, is_unchanged));
        }
        let again = again.answer(&self.from, &self.uncommitted).await?;
        for (file, notification, known, is_unchanged) in examined {
            match known {
                Some(position) if is_unchanged && !again.contains(&position.split) => {
                    match self.comparisons.contains_key(&file.name) {
                        true => self.compare_again(file, position).await,
                        false => self.file_is_done(file, position).await,
                    }
                }
                Some(position) if begins_again(&self.dir, &position, &file, notification, wall_ns) => self.hold(file),
                known => {
                    self.comparisons.remove(&file.name);
                    self.inbox.offer(file, notification, known, Instant::now(), wall_ns);
                }
            }
        }
        Ok(())
    }

    /// Compares a file with what was read of it, once its metadata tell of changes. It may have been changed in the same tick
    /// of the file system's clock in which it was read.
    async fn compare_again(&mut self, file: FoundFile, position: Position) {
        if self
            .comparisons
            .get(&file.name)
            .is_some_and(|due| Instant::now() < *due)
        {
            return;
        }
        self.comparisons.remove(&file.name);
        let prefix = self.read_files.unchanged(&file.name, &position, file.stat);
        match has_what_was_read(&self.dir, &file.name, file.stat, &position, prefix).await {
            Ok(Some(true)) => self.file_is_done(file, position).await,
            Ok(Some(false)) => {
                self.rewritten.insert(file.name.clone());
                self.inbox.settle(file.name, file.stat, Instant::now());
            }
            // It changes again, or cannot be read now.
            Ok(None) | Err(_) => self.inbox.settle(file.name, file.stat, Instant::now()),
        }
    }

    /// Notes that nothing of a file is left to read. Removes the file if an earlier run ended before it could do so.
    async fn file_is_done(&mut self, file: FoundFile, position: Position) {
        if position.state == SplitState::Open {
            self.waiting.insert(file.name.clone());
        }
        if self.no_removal_before.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let committed = !self.uncommitted.has(&position);
        if let (Some(removal), SplitState::Finished, true) = (&self.removal, &position.state, committed)
            && let Err(err) = removal.clone().remove(position).await
        {
            // Each try renames the file, which is notified: without a pause the next try would follow at once.
            self.no_removal_before = Instant::now().checked_add(REMOVAL_PAUSE);
            tracing::warn!("trying again later: {}", err.report());
            return;
        }
        self.inbox.done(&file.name, file.stat);
    }

    /// Whether nothing of the file can be read, as far as its metadata tell.
    fn is_unchanged(&self, position: &Position, file: &FoundFile, notification: Option<Notification>) -> bool {
        let Some(mark) = FileMark::of(position) else {
            return false;
        };
        let is_read = match &position.state {
            SplitState::Open => {
                let counts = notification == Some(Notification::Renamed)
                    || self.unterminated_record == UnterminatedRecord::Store;
                mark.waits_for_line_end && !counts
            }
            // Its header may fit now, or its encoding.
            state if depends_on_dialect(state) => mark.header_hash.as_deref() == Some(&self.header_hash),
            SplitState::Finished | SplitState::SetAside(_) | SplitState::Damaged(_) => true,
            // Its records were read under another name.
            SplitState::Withdrawn => false,
        };
        // When it could not be removed, it got its name back, which changed its change time.
        let was_restored = || {
            self.removal
                .as_ref()
                .is_some_and(|removal| removal.restored.is(file, &mark.stat))
        };
        let is_same = mark.stat.is_same(&file.stat) || was_restored();
        is_read && is_same && !self.rewritten.contains(&file.name) && !mark.changing && mark.renamed_to.is_none()
    }

    /// Leaves a file that is being written again from its start, until it reaches the place up to which it was read.
    fn hold(&mut self, file: FoundFile) {
        tracing::debug!(
            "{:?} is shorter than what was read of it: it may be coming again",
            file.name
        );
        self.waiting.insert(file.name.clone());
        self.inbox.gone(&file.name);
        if self.max_tries.is_none() {
            self.inbox.settle(file.name, file.stat, Instant::now());
        }
    }

    /// Opens the oldest file that is ready, and finds the splits that it may be; `None` if no file is ready.
    ///
    /// # Errors
    ///
    /// Those of the ledger. An error of the file is part of the result, for [`file_read`](Self::file_read).
    pub(super) async fn next_file(&mut self) -> Result<Option<(Ready, Opened<D>)>> {
        let Some(mut ready) = self.inbox.pop() else {
            return Ok(None);
        };
        self.rewritten.remove(&ready.name);
        let mut opened = self.dir.open(&ready.name).await;
        if let Ok(Some((_, stat))) = &opened {
            ready.grown_from = self.read_files.take_grown(&ready.name, ready.known.as_ref(), *stat);
        }
        // All empty files are alike. Files with a known name are compared too: the name, and even the inode, may be those of
        // another file by now.
        if let Ok(Some((_, stat))) = &opened
            && stat.size > 0
            && ready.grown_from.is_none()
        {
            if !self.candidates.contains(&ready.name, *stat) {
                let this = [(ready.name.clone(), *stat)];
                let is_plain = |name: &OsString| self.dir.form_of(name).is_plain();
                let files = match is_plain(&ready.name) {
                    true => {
                        let next = self
                            .inbox
                            .files()
                            .filter(|(name, stat)| stat.size > 0 && is_plain(name));
                        let next = next.take(LOOKUP_BATCH).map(|(name, stat)| (name.clone(), stat));
                        next.chain(this).collect()
                    }
                    // The size of a compressed file is known only after reading it, so it is not read before its turn.
                    false => this.into(),
                };
                let context = LookupContext {
                    dir: &self.dir,
                    source: &self.source,
                    from: &self.from,
                    uncommitted: &self.uncommitted,
                    max_record_bytes: self.max_record_bytes,
                };
                self.candidates.query_ledger(files, &context).await?;
            }
            if !self.candidates.contains(&ready.name, *stat) {
                opened = Err(io::Error::other(
                    "it changed while it was compared, or it cannot be read",
                ));
                return Ok(Some((ready, opened)));
            }
            ready.candidates = self.candidates.of_file(&ready.name);
            ready.content_size = self.candidates.content_size(&ready.name);
            if self.allow_copies || !self.path_keys.is_empty() {
                // A renamed file is the same file, and no copy.
                let is_it =
                    |position: &Position| FileMark::of(position).is_some_and(|mark| mark.stat.is_same_but_ctime(stat));
                let values_in = |path: &str| -> Vec<Option<String>> {
                    self.path_keys.iter().map(|key| value_in_path(path, key)).collect()
                };
                let values = values_in(&to_path(&ready.name));
                let is_copy = |position: &Position| !self.allow_copies && values_in(position.split.path()) == values;
                ready
                    .candidates
                    .retain(|position| position.state != SplitState::Finished || is_it(position) || is_copy(position));
            }
            self.find_read_again(&mut ready).await?;
            ready.renamed_back = self.read_under_another_name(&ready).await?;
        }
        Ok(Some((ready, opened)))
    }

    /// Finds out which of the splits that a file may be are read again, since another mapping has read them and nothing of them
    /// was stored.
    async fn find_read_again(&self, ready: &mut Ready) -> Result<()> {
        let mapping = self.mapping.as_deref();
        if let Some(known) = ready.known.take_if(|known| is_of_another_mapping(known, mapping)) {
            // It may have been withdrawn since, for a file with the same bytes and another name.
            ready.known = self.last_position(known.split).await?;
        }
        let mut again = AskedAgain::default();
        for position in ready.known.iter().chain(&ready.candidates) {
            again.ask_about(position, mapping);
        }
        ready.read_again = again.answer(&self.from, &self.uncommitted).await?;
        Ok(())
    }

    /// The position up to which a file was read under another name, if it was renamed from its present name to that one before.
    async fn read_under_another_name(&self, ready: &Ready) -> Result<Option<Position>> {
        let known = ready.known.as_ref().and_then(FileMark::of);
        match known.and_then(|mark| mark.renamed_to) {
            Some(path) => self.last_position(Split::new(self.source.as_str(), path)).await,
            None => Ok(None),
        }
    }

    /// The last position of the newest generation of a split, whether it is committed or not.
    async fn last_position(&self, split: Split) -> Result<Option<Position>> {
        // Before the query: a position that is committed meanwhile is then in the answer of the ledger.
        let emitted = self.uncommitted.get(split.path());
        let durable = self.from.positions(&[split]).await?.pop();
        Ok(match (emitted, durable) {
            (Some(emitted), Some(durable)) => Some(newer(emitted, durable)),
            (emitted, durable) => emitted.or(durable),
        })
    }

    /// Notes a position that the source emits.
    pub(super) fn position_emitted(&mut self, position: &Position) {
        self.uncommitted.emitted(position);
        self.candidates.update(position.clone());
    }

    /// Decides what becomes of a file after it was read as far as possible: done, examined again after the settle time, or
    /// tried again after an error. `last` is the last position that was emitted for it, `failed` the error that ended reading.
    pub(super) fn file_read(
        &mut self,
        name: OsString,
        readiness: Readiness,
        last: Option<Position>,
        failed: Option<io::Error>,
    ) {
        let mark = last.as_ref().and_then(FileMark::of);
        let was_recent = self.read_files.remove_recent(&name);
        if let Some(err) = failed {
            let tries = self.failures.entry(name.clone()).or_default();
            *tries += 1;
            if self.max_tries.is_some_and(|max| *tries >= max) {
                tracing::error!("cannot read {name:?}: {err}");
                return;
            }
            tracing::warn!("cannot read {name:?} (try {tries}); trying again later: {err}");
            let wait = self
                .inbox
                .settle_for()
                .max(FIRST_RETRY * 2_u32.pow((*tries - 1).min(MAX_DOUBLINGS)));
            match self.dir.stat(&name) {
                Ok(StatResult::Found(found)) => self.inbox.look_again(name, found.stat, Instant::now() + wait),
                _ => {
                    self.failures.remove(&name);
                }
            }
            return;
        }
        self.failures.remove(&name);
        self.waiting.remove(&name);
        let is_open = |position: &Position, mark: &FileMark| position.state == SplitState::Open || mark.changing;
        match (last, mark) {
            (Some(_), Some(mark)) if mark.waits_for_line_end => {
                self.inbox.done(&name, mark.stat);
                self.waiting.insert(name);
            }
            (Some(position), Some(mark)) if is_open(&position, &mark) => match (readiness, self.max_tries) {
                // This run has waited for one settle time already.
                (Readiness::Growing, Some(_)) => {
                    tracing::warn!("{name:?} is still being written to; the next run reads the rest");
                }
                _ => self.inbox.settle(name, mark.stat, Instant::now()),
            },
            (Some(position), Some(mark)) if was_recent && position.offset > 0 => {
                let due = Instant::now() + mark.stat.tick();
                self.comparisons.insert(name.clone(), due);
                self.inbox.look_again(name, mark.stat, due);
            }
            // A file that is to be removed must be found by scans until it is.
            (Some(_), Some(mark)) if self.removal.is_none() => self.inbox.done(&name, mark.stat),
            _ => {}
        }
    }

    /// Fails if some files could not be read in this run with `available_now`, or not to their end.
    pub(super) fn check_all_read(&self) -> Result<()> {
        match self.failures.len() {
            0 => self.check_none_waits(),
            n => Err(Error::new(
                ErrorKind::Source,
                format!("{n} files could not be read; the log names them"),
            )
            .hint("everything else is committed: make the files readable, and run again")),
        }
    }

    fn check_none_waits(&self) -> Result<()> {
        const NAMED: usize = 5;
        if self.waiting.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = self
            .waiting
            .iter()
            .take(NAMED)
            .map(|name| format!("{name:?}"))
            .collect();
        let more = match self.waiting.len() {
            n if n > NAMED => ", …",
            _ => "",
        };
        Err(Error::new(
            ErrorKind::Source,
            format!(
                "{} files are not read to their end: their last record has no line end, or they are being written again: {}{more}",
                self.waiting.len(),
                names.join(", ")
            ),
        )
        .hint(
            "everything else is committed. The rest is loaded once the file goes on or comes again under its name. If it is complete, \
             append a line end to it, or have such records stored: --unterminated-record store",
        ))
    }
}

/// A file that was opened, and what it was like then; `None` if there is none of that name any more.
type Opened<D> = io::Result<Option<(<D as Directory>::File, FileStat)>>;

/// The position of the newer generation of one path; of the same one, that which was emitted.
fn newer(emitted: Position, durable: Position) -> Position {
    // An older generation is emitted once more when its records are read under another name.
    match durable.split.generation() > emitted.split.generation() {
        true => durable,
        false => emitted,
    }
}

/// Whether the file may be coming again: its upload broke off, and it is shorter now than what was read of it. As long as it
/// is, it cannot be compared with what was read, and would be read as new content, each record twice.
fn begins_again(
    dir: &impl Directory,
    position: &Position,
    file: &FoundFile,
    notification: Option<Notification>,
    wall_ns: i64,
) -> bool {
    let Some(mark) = FileMark::of(position) else {
        return false;
    };
    let broke_off = match &position.state {
        SplitState::Open => mark.waits_for_line_end,
        SplitState::Damaged(refusal) => {
            [Reason::COMPRESSED_TRUNCATED, Reason::UNTERMINATED_QUOTE].contains(&refusal.reason)
        }
        // Half a record may have been stored.
        SplitState::Finished => mark.unterminated,
        SplitState::SetAside(_) | SplitState::Withdrawn => false,
    };
    let read = match dir.form_of(&file.name).is_plain() {
        true => position.offset,
        // The size of its content is not known without reading it.
        false => mark.stat.size,
    };
    let age = i128::from(wall_ns) - i128::from(file.stat.mtime_ns);
    // The clock may have been set back since.
    let is_young = age.abs() < BEGINS_AGAIN_WITHIN.as_nanos() as i128;
    broke_off && position.record > 0 && file.stat.size < read && notification != Some(Notification::Renamed) && is_young
}
