//! Resolving dead letters: the statements that every retry shares, and the rows that a mapping leaves out.
//!
//! Files of analytics have many kinds of events that are not stored. If they were read before the mapping had its row filter, each of
//! them is a dead letter. A retry counts them as filtered, and no longer as rejected.

use std::collections::{BTreeMap, HashSet};

use tokio_postgres::Client;

use super::console::DEADLINE;
use super::dead_letters::DeadLetter;
use super::retried::Retried;
use crate::failure::{Failure, Step};

/// Locks the dead letters that are still open.
pub(super) const OPEN: &str = "
    SELECT id FROM ecom.dead_letters WHERE id = ANY ($1) AND resolved_at IS NULL ORDER BY id FOR UPDATE";

/// Marks dead letters as resolved. Here and where records are counted, a join with the parameters could read a whole index: the more of
/// them there are, the sooner.
pub(super) const RESOLVE: &str = "
    UPDATE ecom.dead_letters d SET resolved_at = now(), resolution = ($2::text[])[array_position($1::int8[], d.id)]
    WHERE d.id = ANY ($1::int8[]) AND d.resolved_at IS NULL";

/// Moves records from rejected to filtered, so that the counts stay balanced. Returns how many rows of the ledger it has found, and how
/// many of them it has changed.
const COUNT: &str = "
    WITH counted AS (
        UPDATE ecom.ingest_split s
        SET rejected = s.rejected - ($2::int8[])[array_position($1::int8[], s.split_id)],
            filtered = s.filtered + ($2::int8[])[array_position($1::int8[], s.split_id)]
        WHERE s.split_id = ANY ($1::int8[])
        RETURNING 1)
    SELECT (SELECT count(*) FROM ecom.ingest_split WHERE split_id = ANY ($1)), (SELECT count(*) FROM counted)";

/// Resolves these dead letters and counts their records as filtered, in one transaction. One that was resolved meanwhile is skipped.
pub(super) async fn resolve_filtered(client: &Client, letters: &[DeadLetter]) -> Result<Retried, Failure> {
    if letters.is_empty() {
        return Ok(Retried::default());
    }
    DEADLINE
        .of("starting a transaction", client.batch_execute("BEGIN"))
        .await?;
    let ids: Vec<i64> = letters.iter().map(|letter| letter.id).collect();
    let open = DEADLINE.of("locking dead letters", client.query(OPEN, &[&ids])).await?;
    let open: HashSet<i64> = open.iter().map(|row| row.get(0)).collect();
    let ids: Vec<i64> = open.iter().copied().collect();
    let resolved = DEADLINE
        .of(
            "resolving dead letters",
            client.execute(RESOLVE, &[&ids, &vec!["filtered"; ids.len()]]),
        )
        .await?;
    // This proves that the transaction lives: COMMIT alone reports success even if the server rolls back.
    check_count("ecom.dead_letters", ids.len() as u64, resolved)?;
    let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
    let of_files = letters.iter().filter(|letter| open.contains(&letter.id));
    for split_id in of_files.filter_map(|letter| letter.split_id) {
        *counts.entry(split_id).or_default() += 1;
    }
    let (split_ids, filtered): (Vec<i64>, Vec<i64>) = counts.into_iter().unzip();
    let counted = DEADLINE
        .of("counting", client.query_one(COUNT, &[&split_ids, &filtered]))
        .await?;
    check_count(
        "ecom.ingest_split",
        counted.get::<_, i64>(0) as u64,
        counted.get::<_, i64>(1) as u64,
    )?;
    let committed = DEADLINE.of("committing", client.batch_execute("COMMIT")).await;
    committed.map_err(|failure| failure.at_step(Step::Commit))?;
    Ok(Retried {
        filtered: ids.len() as u64,
        already_resolved: (letters.len() - ids.len()) as u64,
        ..Retried::default()
    })
}

/// Checks that a table has stored every row that was sent to it.
pub(super) fn check_count(table: &str, sent: u64, stored: u64) -> Result<(), Failure> {
    match sent == stored {
        true => Ok(()),
        false => Err(Failure::Miscounted {
            table: table.to_owned(),
            sent,
            stored,
        }),
    }
}
