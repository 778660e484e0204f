//! What an instance has seen committed, so that it notices when the server no longer has it.
//!
//! A server goes back in time when it is restored from a backup, or when a replica that lagged
//! behind takes its place. Then the ledger in it knows nothing of the commits that are missing;
//! only an instance that saw them can tell what they were.

use std::collections::HashMap;
use std::time::Duration;

use ecom_stream::{Position, Split};
use postgres_types::ToSql;
use tokio::time::Instant;
use tokio_postgres::Client;

use crate::failure::{Deadline, Failure};

/// Of this many splits at most the positions are remembered: those that were committed last.
const MAX_SPLITS: usize = 4_096;

/// For how long a commit is doubted although the number of the ledger's epoch is as high as its
/// own: other commits may have got these numbers.
const DOUBTED_FOR: Duration = Duration::from_hours(1);

/// What one instance has seen committed.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    /// The last epoch whose commit is known.
    pub(crate) epoch: i64,
    splits: HashMap<Split, CommittedSplit>,
}

/// The last committed position of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommittedSplit {
    pub(crate) split: Split,
    offset: u64,
    record: u64,
    epoch: i64,
    at: Instant,
}

/// A split of which the server has lost commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LostSplit {
    pub(crate) committed: CommittedSplit,
    /// How many of its records are missing.
    pub(crate) records: u64,
}

impl Acknowledged {
    /// Continues after the last epoch that was committed.
    pub(crate) fn new(epoch: i64) -> Self {
        Self {
            epoch,
            splits: HashMap::new(),
        }
    }

    /// Remembers a commit.
    pub(crate) fn add(&mut self, epoch: i64, positions: &[Position]) {
        self.epoch = epoch;
        for position in positions {
            let committed = CommittedSplit {
                split: position.split.clone(),
                offset: position.offset,
                record: position.record,
                epoch,
                at: Instant::now(),
            };
            self.splits.insert(position.split.clone(), committed);
        }
        if self.splits.len() > 2 * MAX_SPLITS {
            let mut epochs: Vec<i64> = self.splits.values().map(|split| split.epoch).collect();
            let (_, first_kept, _) = epochs.select_nth_unstable(self.splits.len() - MAX_SPLITS);
            let first_kept = *first_kept;
            self.splits.retain(|_, split| split.epoch >= first_kept);
        }
    }

    /// The splits whose commits may be missing in a ledger at that epoch.
    pub(crate) fn doubted(&self, ledger_epoch: i64, now: Instant) -> Vec<CommittedSplit> {
        let doubted = self
            .splits
            .values()
            .filter(|split| split.epoch > ledger_epoch || now.duration_since(split.at) < DOUBTED_FOR);
        doubted.cloned().collect()
    }
}

/// Looks the splits up in the ledger of a pipeline, and returns those of which it has less than
/// was committed, ordered by name.
pub(crate) async fn lost_splits(
    client: &Client,
    deadline: Deadline,
    pipeline: &str,
    committed: &[CommittedSplit],
) -> Result<Vec<LostSplit>, Failure> {
    const BEHIND: &str = "
        SELECT asked.number, coalesce(s.record_no, 0)
        FROM unnest($2::text[], $3::text[], $4::int4[], $5::int8[]) WITH ORDINALITY
             AS asked (source, path, generation, read_offset, number)
        LEFT JOIN ecom.ingest_split s
          ON s.pipeline = $1 AND s.source = asked.source AND s.path = asked.path AND s.generation = asked.generation
        WHERE s.split_id IS NULL OR s.read_offset < asked.read_offset";
    let column = |of: fn(&CommittedSplit) -> &str| -> Vec<&str> { committed.iter().map(of).collect() };
    let (sources, paths) = (column(|of| of.split.source()), column(|of| of.split.path()));
    let generations: Vec<i32> = committed.iter().map(|of| of.split.generation() as i32).collect();
    let offsets: Vec<i64> = committed.iter().map(|of| of.offset as i64).collect();
    let params: [&(dyn ToSql + Sync); 5] = [&pipeline, &sources, &paths, &generations, &offsets];
    let rows = deadline
        .of("looking for lost commits", client.query(BEHIND, &params))
        .await?;
    let lost = rows.iter().filter_map(|row| {
        let committed = committed.get(usize::try_from(row.get::<_, i64>(0)).ok()?.checked_sub(1)?)?;
        Some(LostSplit {
            committed: committed.clone(),
            records: committed.record.saturating_sub(row.get::<_, i64>(1) as u64),
        })
    });
    let mut lost: Vec<LostSplit> = lost.collect();
    lost.sort_by(|a, b| a.committed.split.path().cmp(b.committed.split.path()));
    Ok(lost)
}

/// Lost splits in words, the first few by name.
pub(crate) fn in_words(lost: &[LostSplit]) -> String {
    const NAMED: usize = 5;
    let records: u64 = lost.iter().map(|split| split.records).sum();
    let names = lost
        .iter()
        .take(NAMED)
        .map(|lost| lost.committed.split.path().escape_debug().to_string());
    let names: Vec<String> = names.collect();
    let more = match lost.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{records} records of {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(n: usize) -> Position {
        Position::new(Split::new("csv", format!("{n}.csv")), 100, 10)
    }

    #[test]
    fn commits_beyond_the_ledger_and_recent_ones_are_doubted() {
        let mut acknowledged = Acknowledged::new(0);
        acknowledged.add(1, &[position(1)]);
        acknowledged.add(2, &[position(2)]);
        let now = Instant::now();
        assert_eq!(acknowledged.doubted(2, now).len(), 2);
        assert_eq!(acknowledged.doubted(2, now + DOUBTED_FOR).len(), 0);
        let doubted = acknowledged.doubted(1, now + DOUBTED_FOR);
        assert_eq!((doubted.len(), doubted[0].split.path()), (1, "2.csv"));
    }

    #[test]
    fn the_latest_splits_are_remembered_and_not_more_than_twice_the_limit() {
        let mut acknowledged = Acknowledged::new(0);
        for n in 0..3 * MAX_SPLITS {
            acknowledged.add(n as i64, &[position(n)]);
            assert!(acknowledged.splits.len() <= 2 * MAX_SPLITS);
        }
        let latest = 2 * MAX_SPLITS..3 * MAX_SPLITS;
        assert!(
            latest
                .into_iter()
                .all(|n| acknowledged.splits.contains_key(&position(n).split))
        );
    }

    #[test]
    fn only_the_first_few_are_named() {
        let lost = |n: usize| LostSplit {
            committed: CommittedSplit {
                split: position(n).split,
                offset: 100,
                record: 10,
                epoch: 1,
                at: Instant::now(),
            },
            records: 10,
        };
        let lost: Vec<LostSplit> = (1..=7).map(lost).collect();
        assert_eq!(in_words(&lost[..1]), "10 records of 1.csv");
        assert_eq!(
            in_words(&lost),
            "70 records of 1.csv, 2.csv, 3.csv, 4.csv, 5.csv and 2 more"
        );
    }
}
