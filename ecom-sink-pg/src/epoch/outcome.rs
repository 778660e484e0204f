//! The result of an epoch: the counts of each split, and the dead letters.
//!
//! Both follow from what became of each row, so that read = stored + duplicates + rejected +
//! filtered holds for every split.

use ecom_stream::{Counts, Reject, SplitState};

use super::epoch::{DeadLetterRow, Epoch, LeftOut, SplitDelta};

impl Epoch {
    /// The dead letters to write: the rejects of the batches, and the rows that the server
    /// rejected.
    pub(crate) fn dead_letters(&self) -> Vec<DeadLetterRow> {
        let clone = |letter: &DeadLetterRow| DeadLetterRow {
            reject: letter.reject.clone(),
            split_id: letter.split_id,
        };
        let mut letters: Vec<DeadLetterRow> = self.rejects.iter().map(clone).collect();
        for (&at, why) in &self.left_out {
            if let LeftOut::Refused(refusal) = why {
                let row = &self.rows[at];
                letters.push(DeadLetterRow {
                    reject: Reject::new(row.origin.clone(), refusal.clone()),
                    split_id: row.split.map(|split| self.splits[split].split_id),
                });
            }
        }
        for table in &self.tables {
            for (&at, refusal) in &table.refused {
                let row = &table.rows[at];
                letters.push(DeadLetterRow {
                    reject: Reject::new(row.origin.clone(), refusal.clone()),
                    split_id: row.split.map(|split| self.splits[split].split_id),
                });
            }
        }
        letters
    }

    /// The numbers of the splits that the epoch withdraws.
    pub(crate) fn withdrawn(&self) -> Vec<i64> {
        let is_withdrawn = |of: &&SplitDelta| {
            let position = of.position.as_ref();
            position.is_some_and(|position| position.state == SplitState::Withdrawn)
        };
        self.splits.iter().filter(is_withdrawn).map(|of| of.split_id).collect()
    }

    /// What the epoch does to each split, with the outcome of each row counted in.
    pub(crate) fn split_deltas(&self) -> Vec<SplitDelta> {
        let mut progress: Vec<SplitDelta> = self
            .splits
            .iter()
            .map(|of| SplitDelta {
                split: of.split.clone(),
                split_id: of.split_id,
                position: of.position.clone(),
                counts: of.counts,
            })
            .collect();
        for (split, outcome) in self.outcomes() {
            if let Some(split) = split {
                *outcome(&mut progress[split].counts) += 1;
            }
        }
        progress
    }

    /// The counts of rows that belong to no split, such as the rows of aggregates.
    pub(crate) fn counts_of_no_split(&self) -> Counts {
        let rejected = self.rejects.iter().filter(|letter| letter.split_id.is_none());
        let mut counts = Counts::default().with_rejected(rejected.count() as u64);
        for (_, outcome) in self.outcomes().filter(|(split, _)| split.is_none()) {
            *outcome(&mut counts) += 1;
        }
        counts
    }

    /// For each row its split, and the counter for what became of it.
    fn outcomes(&self) -> impl Iterator<Item = (Option<usize>, fn(&mut Counts) -> &mut u64)> {
        let stored: fn(&mut Counts) -> &mut u64 = |counts| &mut counts.stored;
        let rejected: fn(&mut Counts) -> &mut u64 = |counts| &mut counts.rejected;
        let duplicate: fn(&mut Counts) -> &mut u64 = |counts| &mut counts.duplicates;
        let events = self.rows.iter().enumerate().map(move |(at, row)| {
            let outcome = match self.left_out.get(&at) {
                None => stored,
                Some(LeftOut::Duplicate | LeftOut::DuplicateInFlight) => duplicate,
                Some(LeftOut::Refused(_)) => rejected,
            };
            (row.split, outcome)
        });
        let of_tables = self.tables.iter().flat_map(move |table| {
            let rows = table.rows.iter().enumerate();
            rows.map(move |(at, row)| match table.refused.contains_key(&at) {
                true => (row.split, rejected),
                false => (row.split, stored),
            })
        });
        events.chain(of_tables)
    }
}
