//! Assigns numbers to splits, in the memory of the leading instance.
//!
//! Rows and dead letters refer to a split by its number, and the ledger has it as the primary
//! key. A split that the ledger knows keeps its number; a new one gets the next one of the
//! pipeline's range. No sequence of the database is needed, since only the leader assigns
//! numbers.

use std::collections::HashMap;

use ecom_stream::{Batch, Result, Split, SplitState};

use super::leader::Leader;

/// The numbers of splits that may be asked for again.
#[derive(Debug)]
pub(crate) struct SplitIds {
    /// The highest number that was assigned.
    last: i64,
    /// Splits that are being read, or whose last epoch may not be committed yet.
    known: HashMap<Split, KnownSplit>,
}

/// A split that has a number.
#[derive(Debug, PartialEq, Eq)]
struct KnownSplit {
    id: i64,
    /// The last epoch that changes the split.
    epoch: i64,
}

/// More splits than this are forgotten where possible.
const MAX_KNOWN: usize = 16_384;

/// The numbers that the ledger has for splits. LIMIT makes the server look up one split after the
/// other: by itself it would read the whole ledger if its statistics say that the ledger is small.
const KNOWN: &str = "
    SELECT asked.source, asked.path, asked.generation, found.split_id
    FROM unnest($2::text[], $3::text[], $4::int4[]) AS asked (source, path, generation), LATERAL (
        SELECT s.split_id FROM ecom.ingest_split s
        WHERE s.pipeline = $1 AND s.source = asked.source AND s.path = asked.path AND s.generation = asked.generation
        LIMIT 1
    ) found";

impl SplitIds {
    /// Continues after the last number that was assigned.
    pub(crate) fn new(last: i64) -> Self {
        Self {
            last,
            known: HashMap::new(),
        }
    }

    /// The splits of the batches that have no number here yet.
    pub(crate) fn unknown_in<T>(&self, batches: &[Batch<T>]) -> Vec<Split> {
        let mut unknown: Vec<Split> = Vec::new();
        // Records come in runs of one split.
        let mut last = None;
        for split in batches.iter().flat_map(splits_of) {
            if last.replace(split) != Some(split) && !self.known.contains_key(split) {
                unknown.push(split.clone());
            }
        }
        unknown
    }

    /// Looks up or assigns a number for each of the splits, so that [`get`](Self::get) finds it.
    pub(crate) async fn prepare(&mut self, unknown: Vec<Split>, leader: &Leader) -> Result<()> {
        if unknown.is_empty() {
            return Ok(());
        }
        let sources: Vec<&str> = unknown.iter().map(|split| split.source()).collect();
        let encoding = leader.encoding();
        let paths: Vec<_> = unknown.iter().map(|split| encoding.store(split.path())).collect();
        let generations: Vec<i32> = unknown.iter().map(|split| split.generation() as i32).collect();
        for row in leader
            .query(KNOWN, &[&leader.pipeline(), &sources, &paths, &generations])
            .await?
        {
            let generation: i32 = row.get(2);
            let split = Split::with_generation(row.get::<_, &str>(0), encoding.load(row.get(1)), generation as u32);
            self.known.insert(
                split,
                KnownSplit {
                    id: row.get(3),
                    epoch: 0,
                },
            );
        }
        for split in unknown {
            if !self.known.contains_key(&split) {
                self.last += 1;
                let id = self.last;
                self.known.insert(split, KnownSplit { id, epoch: 0 });
            }
        }
        Ok(())
    }

    /// The number of a split that was prepared, for an epoch that changes it.
    pub(crate) fn get(&mut self, split: &Split, epoch: i64) -> i64 {
        match self.known.get_mut(split) {
            Some(known) => {
                known.epoch = epoch;
                known.id
            }
            None => {
                debug_assert!(false, "{split} was not prepared");
                self.last += 1;
                self.known.insert(split.clone(), KnownSplit { id: self.last, epoch });
                self.last
            }
        }
    }

    /// Forgets splits that stay open for ever, such as files that vanished, when there are too
    /// many. Those whose numbers may not be in the table yet are kept; the others are found there
    /// again.
    pub(crate) fn shrink(&mut self, committed: i64) {
        if self.known.len() > MAX_KNOWN {
            self.known.retain(|_, known| known.epoch > committed);
        }
    }

    /// Forgets a split that has ended. Call it once the commit has its position: before that, a
    /// split that goes on would be given another number.
    pub(crate) fn forget(&mut self, split: &Split) {
        self.known.remove(split);
    }
}

/// Whether a split has ended, so that it is unlikely to appear again.
pub(crate) fn is_ended(state: &SplitState) -> bool {
    *state != SplitState::Open
}

/// All splits that a batch mentions, some of them more than once.
fn splits_of<T>(batch: &Batch<T>) -> impl Iterator<Item = &Split> {
    let of_counts = batch.counts.iter().map(|count| &count.split);
    let of_positions = batch.positions.iter().map(|position| &position.split);
    let of_rejects = batch
        .rejects
        .iter()
        .filter_map(|reject| reject.origin.as_ref().map(|origin| &origin.split));
    let of_records = batch
        .records
        .iter()
        .filter_map(|record| record.origin.as_ref().map(|origin| &origin.split));
    of_counts.chain(of_positions).chain(of_rejects).chain(of_records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_splits_are_forgotten_except_uncommitted_ones() {
        let split = |n: usize| Split::new("csv", n.to_string());
        let mut ids = SplitIds::new(0);
        let known = |n: usize| KnownSplit { id: n as i64, epoch: 3 };
        ids.known = (0..MAX_KNOWN).map(|n| (split(n), known(n))).collect();
        ids.shrink(3);
        assert_eq!(ids.known.len(), MAX_KNOWN);
        ids.known.insert(split(MAX_KNOWN), known(0));
        assert_eq!(ids.get(&split(7), 4), 7);
        ids.shrink(3);
        assert_eq!(ids.known, HashMap::from([(split(7), KnownSplit { id: 7, epoch: 4 })]));
    }
}
