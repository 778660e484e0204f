//! The check of the laws for each single batch of a source, or of a transform behind it.

use std::collections::HashMap;
use std::fmt::Display;

use crate::contract::{Batch, Origin, Position, Split};
use crate::testing::law::Law;

/// Checks the batches of one run, one after the other: names, origins, record numbers, positions and counts.
#[derive(Debug)]
pub(in crate::testing) struct BatchChecker {
    sources: Vec<String>,
    /// Whether each record of the input becomes one record, reject or filtered record.
    one_to_one: bool,
    splits: HashMap<Split, SplitProgress>,
}

/// How far the batches have read a split.
#[derive(Debug, Default)]
struct SplitProgress {
    /// The offset and record of the last position, in this run or in the ledger.
    offset: u64,
    record: u64,
    /// Whether that position is from this run.
    of_this_run: bool,
    /// The number of the last record that was read.
    read: u64,
    /// The highest number of a record or reject in this run.
    number: u64,
}

impl BatchChecker {
    /// A checker for a run of the sources with these names, which resumes at the positions `from`.
    pub(in crate::testing) fn new(sources: Vec<String>, one_to_one: bool, from: &[Position]) -> Self {
        let known = |position: &Position| SplitProgress {
            offset: position.offset,
            record: position.record,
            read: position.record,
            ..SplitProgress::default()
        };
        Self {
            sources,
            one_to_one,
            splits: from
                .iter()
                .map(|position| (position.split.clone(), known(position)))
                .collect(),
        }
    }

    /// Checks the next batch.
    pub(in crate::testing) fn check<T>(&mut self, batch: &Batch<T>, at: &dyn Display) {
        let of_records = batch.records.iter().map(|record| record.origin.as_ref());
        let of_rejects = batch.rejects.iter().map(|reject| reject.origin.as_ref());
        let origins: Vec<Option<&Origin>> = of_records.chain(of_rejects).collect();
        self.check_names(batch, &origins, at);
        if self.one_to_one {
            let without = origins.iter().filter(|origin| origin.is_none()).count();
            Law::ORIGIN.holds(without == 0, at, || {
                format!("{without} records or rejects without an origin")
            });
            check_balance(batch, &origins, at);
        }
        let mut origins: Vec<&Origin> = origins.into_iter().flatten().collect();
        origins.sort_by_key(|origin| origin.record);
        for origin in &origins {
            self.check_origin(origin, at);
        }
        for count in &batch.counts {
            self.splits.entry(count.split.clone()).or_default().read += count.read;
        }
        for position in &batch.positions {
            self.check_position(position, at);
        }
    }

    fn check_names<T>(&self, batch: &Batch<T>, origins: &[Option<&Origin>], at: &dyn Display) {
        let of_positions = batch.positions.iter().map(|position| &position.split);
        let of_counts = batch.counts.iter().map(|count| &count.split);
        let of_origins = origins.iter().flatten().map(|origin| &origin.split);
        for split in of_positions.chain(of_counts).chain(of_origins) {
            let is_known = self.sources.iter().any(|source| source == split.source());
            Law::NAMES.holds(is_known, at, || {
                format!("the split {split}, where the sources described are {:?}", self.sources)
            });
        }
    }

    fn check_origin(&mut self, origin: &Origin, at: &dyn Display) {
        let known = self.splits.entry(origin.split.clone()).or_default();
        let (split, number) = (&origin.split, origin.record);
        Law::COVERS.holds(!known.of_this_run || number > known.record, at, || {
            format!(
                "record {number} of {split} after the position at record {}",
                known.record
            )
        });
        Law::COVERS.holds(!known.of_this_run || origin.byte_offset >= known.offset, at, || {
            let offset = origin.byte_offset;
            format!(
                "a record at offset {offset} of {split} after the position at offset {}",
                known.offset
            )
        });
        if self.one_to_one {
            Law::NUMBERS.holds(number > known.number, at, || {
                format!("record {number} of {split} after record {}", known.number)
            });
        }
        known.number = known.number.max(number);
    }

    fn check_position(&mut self, position: &Position, at: &dyn Display) {
        let known = self.splits.entry(position.split.clone()).or_default();
        let (split, offset, record) = (&position.split, position.offset, position.record);
        Law::FORWARD.holds(offset >= known.offset && record >= known.record, at, || {
            let before = format!("offset {} and record {}", known.offset, known.record);
            format!("the position of {split} at offset {offset} and record {record} after one at {before}")
        });
        Law::COVERS.holds(record <= known.read, at, || {
            format!(
                "the position of {split} at record {record}, where {} were read",
                known.read
            )
        });
        (known.offset, known.record, known.of_this_run) = (offset, record, true);
    }
}

fn check_balance<T>(batch: &Batch<T>, origins: &[Option<&Origin>], at: &dyn Display) {
    let mut balance: HashMap<&Split, (u64, u64)> = HashMap::new();
    for count in &batch.counts {
        let (read, fates) = balance.entry(&count.split).or_default();
        *read += count.read;
        *fates += count.filtered;
    }
    for origin in origins.iter().flatten() {
        balance.entry(&origin.split).or_default().1 += 1;
    }
    for (split, (read, fates)) in balance {
        Law::BALANCE.holds(read == fates, at, || {
            format!("{read} read of {split}, {fates} records, rejects and filtered")
        });
    }
}
