use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::alike::{ASKED_AT_ONCE, Alike, Known};
use super::directory::Directory;
use super::hints::Hint;
use super::inbox::{Inbox, Readiness, Ready};
use super::mark::{FileMark, Stamp};
use super::removal::Removal;
use super::scan::{Found, Look, PassedOver};
use super::uncommitted::Uncommitted;
use super::watch::Watch;
use crate::contract::{Checkpoint, Error, ErrorKind, Position, Result, Split, SplitState};
use crate::csv::{Compression, to_path};
use crate::event::mapping::value_in_path;

/// A file that can't be read is tried again after so long, doubled each time.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// After a file that can't be taken away, others are left for so long.
const REMOVAL_PAUSE: Duration = Duration::from_secs(5);
const MAX_DOUBLINGS: u32 = 6;
/// With available-now, so often.
pub(super) const MAX_TRIES_AVAILABLE_NOW: u32 = 3;

/// What the source knows of its files while it runs.
pub(super) struct Desk<D> {
    pub(super) inbox: Inbox,
    pub(super) removal: Option<Removal<D>>,
    /// Set when a file could not be taken away.
    pub(super) no_removal_before: Option<Instant>,
    pub(super) dir: D,
    pub(super) source: String,
    pub(super) from: Checkpoint,
    pub(super) uncommitted: Uncommitted,
    pub(super) alike: Alike,
    pub(super) allow_copies: bool,
    /// What the directories of a file say besides its bytes.
    pub(super) path_keys: Vec<String>,
    /// How headers are read: a file that was set aside is looked at again when that has changed.
    pub(super) layout: String,
    pub(super) max_record_bytes: usize,
    pub(super) watch: Watch,
    /// Device and inode of the directory that the watch listens to.
    pub(super) watched: Option<(u64, u64)>,
    pub(super) passed_over: PassedOver,
    pub(super) failures: HashMap<OsString, u32>,
    /// What the last scan could not look at.
    pub(super) unseen: HashSet<OsString>,
    /// Set with available-now, where trying has an end.
    pub(super) max_tries: Option<u32>,
}

impl<D: Directory> Desk<D> {
    /// Listens to the directory that now has the name: the watch stays with one that was renamed, silently.
    pub(super) fn rearm(&mut self) {
        let is = self.dir.identity();
        if is != self.watched {
            if is.is_some() {
                self.watch.arm(&self.dir);
            }
            self.watched = is;
        }
    }

    /// Looks at the whole directory. That it is not there (any more) is no error: it may be mounted again.
    pub(super) async fn scan(&mut self) -> Result<()> {
        let mut chunks = self.dir.scan();
        let mut passed_over = PassedOver::default();
        let mut unseen = HashSet::new();
        self.inbox.begin_scan();
        while let Some(chunk) = chunks.recv().await {
            match chunk {
                Ok(chunk) => {
                    passed_over = chunk.passed_over;
                    for (name, err) in chunk.failed {
                        // The next scan looks again, and is not to say it again.
                        if !self.unseen.contains(&name) {
                            tracing::warn!("can't look at {name:?}: {err}");
                        }
                        if self.max_tries.is_some() {
                            self.failures.insert(name.clone(), 1);
                        }
                        unseen.insert(name);
                    }
                    self.take_in(chunk.found.into_iter().map(|found| (found, None)).collect())
                        .await?;
                }
                Err(err) if self.max_tries.is_some() => {
                    let message = format!("can't read the directory {}", self.dir.path().display());
                    return Err(Error::new(ErrorKind::Source, message).caused_by(err));
                }
                Err(err) => {
                    tracing::warn!(
                        "can't read the directory {}, trying again: {err}",
                        self.dir.path().display()
                    );
                    self.inbox.end_scan(false);
                    return Ok(());
                }
            }
        }
        self.inbox.end_scan(true);
        self.unseen = unseen;
        if passed_over.lasting() != self.passed_over.lasting() {
            tracing::info!("passed over in {}: {passed_over}", self.dir.path().display());
        } else if passed_over != self.passed_over {
            tracing::debug!("passed over in {}: {passed_over}", self.dir.path().display());
        }
        self.passed_over = passed_over;
        Ok(())
    }

    /// Looks at some names.
    pub(super) async fn look_at(&mut self, names: impl Iterator<Item = (OsString, Option<Hint>)>) -> Result<()> {
        let mut found = Vec::new();
        for (name, hint) in names {
            match self.dir.look(&name) {
                Ok(Look::Found(file)) => found.push((file, hint)),
                Ok(Look::PassedOver(_) | Look::Gone) => {
                    self.failures.remove(&name);
                    self.inbox.gone(&name);
                }
                Err(err) => {
                    tracing::warn!("can't look at {name:?}: {err}");
                    self.inbox.gone(&name);
                    if self.max_tries.is_some() {
                        self.failures.insert(name, 1);
                    }
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
        let splits: Vec<Split> = found
            .iter()
            .map(|(file, _)| Split::new(self.source.as_str(), to_path(&file.name)))
            .collect();
        // In this order: what leaves here meanwhile is in the ledger by then.
        let given_out: Vec<Position> = splits
            .iter()
            .filter_map(|split| self.uncommitted.get(split.path()))
            .collect();
        let mut known: HashMap<String, Position> = HashMap::new();
        if !splits.is_empty() {
            for position in self.from.positions(&splits).await? {
                known.insert(position.split.path().to_owned(), position);
            }
        }
        for position in given_out {
            let is_older = |durable: &Position| durable.split.generation() > position.split.generation();
            if !known.get(position.split.path()).is_some_and(is_older) {
                known.insert(position.split.path().to_owned(), position);
            }
        }
        let wall_ns = self.dir.wall_ns();
        for (file, hint) in found {
            let known = known.remove(&to_path(&file.name));
            match known
                .as_ref()
                .filter(|position| is_unchanged(position, &file, &self.layout))
            {
                Some(position) => self.file_is_done(file, position.clone()).await,
                None => self.inbox.offer(file, hint, known, Instant::now(), wall_ns),
            }
        }
        Ok(())
    }

    /// The ledger says that nothing is left to read; the program may have ended before the file was archived.
    async fn file_is_done(&mut self, file: Found, position: Position) {
        if self.no_removal_before.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let committed = !self.uncommitted.has(&position);
        if let (Some(removal), SplitState::Finished, true) = (&self.removal, &position.state, committed)
            && let Err(err) = removal.clone().take_away(position).await
        {
            // Each try is noticed as a new file: without a pause one would follow the other.
            self.no_removal_before = Instant::now().checked_add(REMOVAL_PAUSE);
            tracing::warn!("trying again later: {}", err.report());
            return;
        }
        self.inbox.done(&file.name, file.stamp);
    }

    /// The oldest file that is ready, opened, and what it may be.
    pub(super) async fn next(&mut self) -> Result<Option<(Ready, Opened<D>)>> {
        let Some(mut ready) = self.inbox.pop() else {
            return Ok(None);
        };
        let mut opened = self.dir.open(&ready.name).await;
        // An empty file is like any other; but a known name may have been given to another file, and even the inode.
        if let Ok(Some((_, stamp))) = &opened
            && stamp.size > 0
        {
            if !self.alike.knows(&ready.name, *stamp) {
                let this = [(ready.name.clone(), *stamp)];
                let is_plain = |name: &OsString| Compression::of(name) == Compression::None;
                let files = match is_plain(&ready.name) {
                    true => {
                        let next = self
                            .inbox
                            .files()
                            .filter(|(name, stamp)| stamp.size > 0 && is_plain(name));
                        let next = next.take(ASKED_AT_ONCE).map(|(name, stamp)| (name.clone(), stamp));
                        next.chain(this).collect()
                    }
                    // What is compressed must be read to be asked about: only when its turn has come.
                    false => this.into(),
                };
                let known = Known {
                    dir: &self.dir,
                    source: &self.source,
                    from: &self.from,
                    uncommitted: &self.uncommitted,
                    max_record_bytes: self.max_record_bytes,
                };
                self.alike.ask(files, &known).await?;
            }
            if !self.alike.knows(&ready.name, *stamp) {
                opened = Err(io::Error::other("it changed while it was looked at, or can't be read"));
                return Ok(Some((ready, opened)));
            }
            ready.alike = self.alike.to(&ready.name);
            ready.content_size = self.alike.size_of(&ready.name);
            if self.allow_copies || !self.path_keys.is_empty() {
                // What was renamed is no copy.
                let is_it = |position: &Position| FileMark::of(position).is_some_and(|mark| mark.stamp == *stamp);
                let said_in = |path: &str| -> Vec<Option<String>> {
                    self.path_keys.iter().map(|key| value_in_path(path, key)).collect()
                };
                let said = said_in(&to_path(&ready.name));
                let is_copy = |position: &Position| !self.allow_copies && said_in(position.split.path()) == said;
                ready
                    .alike
                    .retain(|position| position.state != SplitState::Finished || is_it(position) || is_copy(position));
            }
        }
        Ok(Some((ready, opened)))
    }

    /// A position is given out.
    pub(super) fn given_out(&mut self, position: &Position) {
        self.uncommitted.given_out(position);
        self.alike.add(position.clone());
    }

    /// Decides what becomes of a file after it was read as far as it goes.
    pub(super) fn put_away(
        &mut self,
        name: OsString,
        readiness: Readiness,
        last: Option<Position>,
        failed: Option<io::Error>,
    ) {
        let mark = last.as_ref().and_then(FileMark::of);
        if let Some(err) = failed {
            let tries = self.failures.entry(name.clone()).or_default();
            *tries += 1;
            if self.max_tries.is_some_and(|max| *tries >= max) {
                tracing::error!("can't read {name:?}: {err}");
                return;
            }
            tracing::warn!("can't read {name:?} (try {tries}), trying again later: {err}");
            let wait = self
                .inbox
                .settle_for()
                .max(FIRST_RETRY * 2_u32.pow((*tries - 1).min(MAX_DOUBLINGS)));
            match self.dir.look(&name) {
                Ok(Look::Found(found)) => self.inbox.look_again(name, found.stamp, Instant::now() + wait),
                _ => {
                    self.failures.remove(&name);
                }
            }
            return;
        }
        self.failures.remove(&name);
        let is_open = |position: &Position, mark: &FileMark| position.state == SplitState::Open || mark.changing;
        match (last, mark) {
            (Some(position), Some(mark)) if is_open(&position, &mark) => match (readiness, self.max_tries) {
                // It was waited for once already.
                (Readiness::Growing, Some(_)) => {
                    tracing::warn!("{name:?} is still being written to: the next run reads on");
                }
                _ => self.inbox.settle(name, mark.stamp, Instant::now()),
            },
            // A file that is to be taken away stays on the list until it is.
            (Some(_), Some(mark)) if self.removal.is_none() => self.inbox.done(&name, mark.stamp),
            _ => {}
        }
    }

    pub(super) fn all_were_read(&self) -> Result<()> {
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

/// A file as it was opened; `None` if it is gone.
type Opened<D> = io::Result<Option<(<D as Directory>::File, Stamp)>>;

fn is_unchanged(position: &Position, file: &Found, layout: &str) -> bool {
    let is_like_it = |mark: FileMark| {
        let may_be_fine = matches!(position.state, SplitState::SetAside(_)) && mark.layout.as_deref() != Some(layout);
        mark.stamp == file.stamp && !mark.changing && mark.renamed_to.is_none() && !may_be_fine
    };
    position.state != SplitState::Open && FileMark::of(position).is_some_and(is_like_it)
}
