use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};

use super::directory::Directory;
use super::identity::{Whole, digest_whole};
use super::mark::{FileMark, Stamp};
use super::uncommitted::Uncommitted;
use crate::contract::{Checkpoint, MAX_FINISHED_CANDIDATES, Position, Result, SplitState};
use crate::csv::Compression;

/// How many files that wait are asked about at once.
pub(super) const ASKED_AT_ONCE: usize = 256;

/// Splits that a file of a new name may turn out to be: those that are not finished, and those with the same bytes.
///
/// The ledger is asked about some files at a time, and a file is digested only where another has its size. Until the ledger
/// is asked again, what this source reads is added: nobody else changes the ledger.
#[derive(Debug, Default)]
pub(super) struct Alike {
    /// The files that were asked about.
    asked: HashMap<OsString, Asked>,
    unfinished: Vec<Position>,
    /// Finished splits with the bytes of one of the files, by their digest.
    finished: HashMap<String, Vec<Position>>,
}

#[derive(Debug)]
struct Asked {
    stamp: Stamp,
    /// Of what stands in it, decompressed; `None` if that is damaged.
    size: Option<u64>,
    /// Only where another file has the same size.
    digest: Option<String>,
}

impl Alike {
    /// Whether a file was among those asked about.
    pub(super) fn knows(&self, name: &OsStr, stamp: Stamp) -> bool {
        self.asked.get(name).is_some_and(|asked| asked.stamp == stamp)
    }

    /// Splits that a file of a new name may be, once it was asked about.
    pub(super) fn to(&self, name: &OsStr) -> Vec<Position> {
        let digest = self.asked.get(name).and_then(|asked| asked.digest.as_ref());
        let copied = digest.and_then(|digest| self.finished.get(digest));
        self.unfinished
            .iter()
            .chain(copied.into_iter().flatten())
            .cloned()
            .collect()
    }

    /// How much stands in a file, once it was asked about.
    pub(super) fn size_of(&self, name: &OsStr) -> Option<u64> {
        self.asked.get(name)?.size
    }

    /// Asks about files that come next.
    pub(super) async fn ask<D: Directory>(
        &mut self,
        files: Vec<(OsString, Stamp)>,
        known: &Known<'_, D>,
    ) -> Result<()> {
        *self = Self::default();
        let mut wholes = HashMap::new();
        for (name, stamp) in &files {
            if Compression::of(name) != Compression::None {
                // One that can't be read now stays unknown, and is asked about again.
                if let Ok(Some(whole)) = digest_whole(known.dir, name, *stamp, known.max_record_bytes).await {
                    wholes.insert(name.clone(), whole);
                }
            }
        }
        // In this order: what leaves here meanwhile is in the ledger by then.
        let given_out = known.uncommitted.all();
        let size_of = |name: &OsStr, stamp: Stamp| match (Compression::of(name), wholes.get(name)) {
            (Compression::None, _) => Some(stamp.size),
            (_, Some(Whole::Sound { size, .. })) => Some(*size),
            (_, Some(Whole::Damaged) | None) => None,
        };
        let sizes: Vec<u64> = files.iter().filter_map(|(name, stamp)| size_of(name, *stamp)).collect();
        let in_ledger = known.from.candidates(known.source, &sizes).await?;

        let mut seen: HashSet<u64> = in_ledger.finished_sizes.into_iter().collect();
        let finished = given_out
            .iter()
            .filter(|position| position.state == SplitState::Finished);
        seen.extend(finished.map(|position| position.offset));
        let mut once = HashSet::new();
        seen.extend(sizes.into_iter().filter(|size| !once.insert(*size)));
        let mut digests = Vec::new();
        for (name, stamp) in files {
            let is_plain = Compression::of(&name) == Compression::None;
            let mut whole = wholes.remove(&name);
            if is_plain && seen.contains(&stamp.size) {
                whole = digest_whole(known.dir, &name, stamp, known.max_record_bytes)
                    .await
                    .ok()
                    .flatten();
                // One that can't be digested now stays unknown, and is asked about again.
                if whole.is_none() {
                    continue;
                }
            }
            let (size, digest) = match whole {
                Some(Whole::Sound { size, digest }) => {
                    digests.push((size, digest.clone()));
                    (Some(size), Some(digest))
                }
                Some(Whole::Damaged) => (None, None),
                None if is_plain => (Some(stamp.size), None),
                None => continue,
            };
            self.asked.insert(name, Asked { stamp, size, digest });
        }
        if !digests.is_empty() {
            for position in known.from.finished_by_digest(known.source, &digests).await? {
                self.add(position);
            }
        }
        for position in in_ledger.unfinished.into_iter().chain(given_out) {
            self.add(position);
        }
        Ok(())
    }

    /// Takes note of how far a split was read.
    pub(super) fn add(&mut self, position: Position) {
        self.unfinished.retain(|known| known.split != position.split);
        // One that goes on stands for those bytes no more: what was found like it is to be asked about again.
        let went_on = |known: &Position| {
            known.split == position.split && (known.offset, &known.state) != (position.offset, &position.state)
        };
        let went_on = self.finished.extract_if(|_, known| known.iter().any(went_on));
        let stale: HashSet<String> = went_on.map(|(digest, _)| digest).collect();
        self.asked
            .retain(|_, asked| asked.digest.as_ref().is_none_or(|digest| !stale.contains(digest)));
        match position.state {
            SplitState::Finished => {
                let Some(mark) = FileMark::of(&position).filter(|mark| mark.renamed_to.is_none()) else {
                    return;
                };
                // Those of its size that were not digested, since there was no other then, are to be asked about again.
                let size = position.offset;
                self.asked
                    .retain(|_, asked| asked.digest.is_some() || asked.size != Some(size));
                if self
                    .asked
                    .values()
                    .any(|asked| asked.digest.as_ref() == Some(&mark.digest))
                {
                    let same = self.finished.entry(mark.digest).or_default();
                    if same.len() < MAX_FINISHED_CANDIDATES && same.iter().all(|known| known.split != position.split) {
                        same.push(position);
                    }
                }
            }
            // Where no record was read there is no more than a header, and all files share that.
            SplitState::Open | SplitState::Damaged(_) if position.record > 0 => self.unfinished.push(position),
            SplitState::Open | SplitState::Damaged(_) | SplitState::SetAside(_) => {}
        }
    }
}

/// Where it is known what was read before.
pub(super) struct Known<'a, D> {
    pub(super) dir: &'a D,
    pub(super) source: &'a str,
    pub(super) from: &'a Checkpoint,
    pub(super) uncommitted: &'a Uncommitted,
    pub(super) max_record_bytes: usize,
}
