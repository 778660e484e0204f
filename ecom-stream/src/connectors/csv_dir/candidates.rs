//! The known splits that a file may be, by its content.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};

use super::directory::Directory;
use super::mark::{FileMark, FileStat};
use super::resolve::{ContentDigest, digest_content};
use super::uncommitted::Uncommitted;
use crate::contract::{Checkpoint, MAX_FINISHED_CANDIDATES, Position, Result, SplitState};

/// How many waiting files one query to the ledger is about.
pub(super) const LOOKUP_BATCH: usize = 256;

/// A cache of the ledger's answers to one question: which known splits may a file be, if its name is new?
///
/// There are two kinds of candidates: splits that are not finished, of which the file may be a renamed one, and finished
/// splits with the same bytes, of which it may be a copy.
///
/// The protocol, per file:
///
/// 1. [`contains`](Self::contains) says whether the answer for the file is cached.
/// 2. If not, [`query_ledger`](Self::query_ledger) replaces the cache by the answers for this file and those that come next.
///    It reads only files whose size occurs twice, and compressed ones, of which only reading tells the size.
/// 3. [`of_file`](Self::of_file) and [`content_size`](Self::content_size) give the answer.
/// 4. [`update`](Self::update) adds each position that the source emits. The ledger changes in no other way, so the cache stays
///    right until the next query.
#[derive(Debug, Default)]
pub(super) struct FileCandidates {
    /// The files of the last query.
    files: HashMap<OsString, FileContent>,
    unfinished: Vec<Position>,
    /// Finished splits with the bytes of one of the files, by their digest.
    finished: HashMap<String, Vec<Position>>,
}

/// What a query found out about a file.
#[derive(Debug)]
struct FileContent {
    stat: FileStat,
    /// In bytes, decompressed; `None` if the file cannot be decompressed to its end.
    size: Option<u64>,
    /// In hexadecimal. `None` if no other file has this size, so that no digest was needed.
    digest: Option<String>,
}

impl FileCandidates {
    /// Whether the answer for a file is cached. A file that changed since the query counts as another file.
    pub(super) fn contains(&self, name: &OsStr, stat: FileStat) -> bool {
        self.files.get(name).is_some_and(|file| file.stat == stat)
    }

    /// The splits that a file may be; empty if the answer is not cached.
    pub(super) fn of_file(&self, name: &OsStr) -> Vec<Position> {
        let digest = self.files.get(name).and_then(|file| file.digest.as_ref());
        let copied = digest.and_then(|digest| self.finished.get(digest));
        self.unfinished
            .iter()
            .chain(copied.into_iter().flatten())
            .cloned()
            .collect()
    }

    /// The size of a file in bytes, decompressed; `None` if it is damaged, or if the answer is not cached.
    pub(super) fn content_size(&self, name: &OsStr) -> Option<u64> {
        self.files.get(name)?.size
    }

    /// Replaces the cache by the answers for `files`. A file that cannot be read now, or that changes meanwhile, is left out.
    ///
    /// # Errors
    ///
    /// Those of the ledger.
    pub(super) async fn query_ledger<D: Directory>(
        &mut self,
        files: Vec<(OsString, FileStat)>,
        context: &LookupContext<'_, D>,
    ) -> Result<()> {
        *self = Self::default();
        let mut contents = HashMap::new();
        for (name, stat) in &files {
            if !context.dir.form_of(name).is_plain()
                && let Ok(Some(content)) = digest_content(context.dir, name, *stat, context.max_record_bytes).await
            {
                contents.insert(name.clone(), content);
            }
        }
        // Before the query: a position that is committed meanwhile is then in the answer of the ledger.
        let emitted = context.uncommitted.all();
        let size_of = |name: &OsStr, stat: FileStat| match (context.dir.form_of(name).is_plain(), contents.get(name)) {
            (true, _) => Some(stat.size),
            (_, Some(ContentDigest::Sound { size, .. })) => Some(*size),
            (_, Some(ContentDigest::Damaged) | None) => None,
        };
        let sizes: Vec<u64> = files.iter().filter_map(|(name, stat)| size_of(name, *stat)).collect();
        let in_ledger = context.from.candidates(context.source, &sizes).await?;

        let mut known_sizes: HashSet<u64> = in_ledger.finished_sizes.into_iter().collect();
        let finished = emitted.iter().filter(|position| position.state == SplitState::Finished);
        known_sizes.extend(finished.map(|position| position.offset));
        let mut once = HashSet::new();
        known_sizes.extend(sizes.into_iter().filter(|size| !once.insert(*size)));
        let mut digests = Vec::new();
        for (name, stat) in files {
            let is_plain = context.dir.form_of(&name).is_plain();
            let mut content = contents.remove(&name);
            if is_plain && known_sizes.contains(&stat.size) {
                content = digest_content(context.dir, &name, stat, context.max_record_bytes)
                    .await
                    .ok()
                    .flatten();
                if content.is_none() {
                    continue;
                }
            }
            let (size, digest) = match content {
                Some(ContentDigest::Sound { size, digest }) => {
                    digests.push((size, digest.clone()));
                    (Some(size), Some(digest))
                }
                Some(ContentDigest::Damaged) => (None, None),
                None if is_plain => (Some(stat.size), None),
                None => continue,
            };
            self.files.insert(name, FileContent { stat, size, digest });
        }
        if !digests.is_empty() {
            for position in context.from.finished_by_digest(context.source, &digests).await? {
                self.update(position);
            }
        }
        for position in in_ledger.unfinished.into_iter().chain(emitted) {
            self.update(position);
        }
        Ok(())
    }

    /// Adds the newest position of a split, and drops the answers that it makes wrong.
    pub(super) fn update(&mut self, position: Position) {
        self.unfinished.retain(|known| known.split != position.split);
        // A finished split that goes on has other bytes now: files with its old digest need a new query.
        let went_on = |known: &Position| {
            known.split == position.split && (known.offset, &known.state) != (position.offset, &position.state)
        };
        let went_on = self.finished.extract_if(|_, known| known.iter().any(went_on));
        let stale: HashSet<String> = went_on.map(|(digest, _)| digest).collect();
        self.files
            .retain(|_, file| file.digest.as_ref().is_none_or(|digest| !stale.contains(digest)));
        match position.state {
            SplitState::Finished => {
                let Some(mark) = FileMark::of(&position).filter(|mark| mark.renamed_to.is_none()) else {
                    return;
                };
                // Files of its size have no digest yet if theirs was the only one: they need a new query.
                let size = position.offset;
                self.files
                    .retain(|_, file| file.digest.is_some() || file.size != Some(size));
                if self
                    .files
                    .values()
                    .any(|file| file.digest.as_ref() == Some(&mark.digest))
                {
                    let same = self.finished.entry(mark.digest).or_default();
                    if same.len() < MAX_FINISHED_CANDIDATES && same.iter().all(|known| known.split != position.split) {
                        same.push(position);
                    }
                }
            }
            // Without a record only the header was read, and all files share that.
            SplitState::Open | SplitState::Damaged(_) if position.record > 0 => self.unfinished.push(position),
            SplitState::Open | SplitState::Damaged(_) | SplitState::SetAside(_) | SplitState::Withdrawn => {}
        }
    }
}

/// What [`FileCandidates::query_ledger`] needs to answer.
pub(super) struct LookupContext<'a, D> {
    pub(super) dir: &'a D,
    /// The name of the source.
    pub(super) source: &'a str,
    /// The ledger.
    pub(super) from: &'a Checkpoint,
    /// The positions that are not in the ledger yet.
    pub(super) uncommitted: &'a Uncommitted,
    /// A longer line counts as damage, in a compressed file.
    pub(super) max_record_bytes: usize,
}
