//! Merges partitions that are no longer recent into wider ones, while files are loaded and tables
//! read.
//!
//! The view `ecom.mergeable_partitions` says which: hours become days, days become months, and
//! what is in a small year becomes that year. A group of partitions is merged in steps, each a
//! short transaction:
//!
//! ```text
//! begin_merge          a table for the wider partition, not attached
//! begin_copy           a trigger that repeats each change of a partition in that table …
//!   copy_pages         … and its rows, some pages at a time            (for each partition)
//! wait                 for every transaction that began before the last row was copied
//! replace_partitions   the partitions go, and the table is attached
//! ```
//!
//! From the last `copy_pages` on, the table has the same rows as the partitions in the view of
//! each new transaction, and after the wait in that of all transactions. So it makes no
//! difference which of them a query reads.
//!
//! No step holds or waits for a lock for more than 100 ms that others need: it gives up, and is
//! tried again. After a crash, the next call removes the table and the triggers, and begins anew.

use std::collections::BTreeSet;
use std::time::Duration;

use ecom_stream::{Result, crash_point};
use postgres_types::ToSql;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;

use super::maintenance::{DEADLINE, LONG_DEADLINE, Maintenance};
use super::short_step::{PAUSE, is_temporary, step, try_step};
use crate::connect::Connection;
use crate::failure::Failure;

/// Only one session merges partitions, and none builds indexes of them or drops them meanwhile.
const TRY_LOCKS: &str = "
    SELECT pg_try_advisory_lock(hashtextextended('ecom.' || name, 0))
    FROM unnest(ARRAY['merge', 'settle', 'retain']) AS name";

const MERGEABLE: &str = "SELECT merged, starts, ends FROM ecom.mergeable_partitions";

const PARTITIONS_OF: &str = "
    SELECT c.relname::text
    FROM ecom.partition_bounds() b
    JOIN pg_catalog.pg_class c ON c.oid = b.partition
    WHERE b.starts >= $1 AND b.ends <= $2
    ORDER BY b.starts";

/// The number of pages of a partition, and its file, which is another after its rows were moved.
const PAGES: &str = "
    SELECT pg_relation_filenode(c.oid)::int8,
        (pg_relation_size(c.oid) / current_setting('block_size')::int8)::int8
    FROM pg_catalog.pg_class c
    WHERE c.oid = format('ecom.%I', $1::text)::regclass";

/// The transactions of other sessions of this database. Snapshots of other roles are not visible
/// to everybody, but this is. Background workers have no user.
const TRANSACTIONS: &str = "
    SELECT l.virtualtransaction
    FROM pg_catalog.pg_locks l
    JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'virtualxid' AND l.granted AND l.pid <> pg_backend_pid()
      AND a.datname = current_database() AND a.usesysid IS NOT NULL";

/// The statements that remove what an interrupted merge left, each a transaction of its own: the
/// triggers, then the tables. A table is recognized by its comment, which is stored in databases.
const LEFT_OVER: &str = "
    SELECT statement FROM (
        SELECT 1 AS step, format('DROP TRIGGER %I ON ecom.%I', t.tgname, c.relname) AS statement
        FROM pg_catalog.pg_trigger t
        JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
        WHERE t.tgfoid = 'ecom.copy_to_merged()'::regprocedure
        UNION ALL
        SELECT 2, format('DROP TABLE ecom.%I', c.relname)
        FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'ecom'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
          AND obj_description(c.oid, 'pg_class') = 'Being filled: ecom-ingest layout attaches it, or drops it.'
    ) AS steps
    ORDER BY step, statement";

/// For how long older transactions are waited for.
const WAIT_FOR_OLDER: Duration = Duration::from_secs(10 * 60);
/// How often the partitions of a group may change while they are merged.
const MOST_ROUNDS: u32 = 5;
/// Between these, a step of copying is neither too long nor too short.
const COPYING_TAKES: std::ops::Range<Duration> = Duration::from_millis(15)..Duration::from_millis(50);
const MOST_PAGES: i64 = 256;

/// What [`Maintenance::merge`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// The names of the new, wider partitions.
    pub partitions: Vec<String>,
    /// How many partitions these have replaced.
    pub replaced: usize,
    /// Partitions that could not be put in the place of others, for example because the table was
    /// in use all the time; the log says why. The next call tries again.
    pub failed: Vec<String>,
    /// Another session is merging, settling or dropping partitions, so nothing was done.
    pub is_busy: bool,
}

/// A partition that will replace others.
struct Wider {
    name: String,
    starts: OffsetDateTime,
    ends: OffsetDateTime,
}

/// Why a group of partitions was not merged.
#[derive(Debug, thiserror::Error)]
enum Unmerged {
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("transactions are still open that began before the rows were copied")]
    OlderTransactions,
}

impl Unmerged {
    /// Whether other partitions will fail for the same reason.
    fn is_of_others(&self) -> bool {
        match self {
            Self::Failed(failure) => is_temporary(failure),
            Self::OlderTransactions => true,
        }
    }

    fn report(self) -> String {
        match self {
            Self::Failed(failure) => failure.into_error("merging partitions").report().to_string(),
            other => other.to_string(),
        }
    }
}

impl Maintenance {
    /// Merges partitions that are no longer recent into wider ones, as the view
    /// `ecom.mergeable_partitions` says.
    ///
    /// Meanwhile rows can be read and written, also those of the partitions that are being merged:
    /// no query misses a row or sees it twice, and no lock is held or waited for longer than
    /// 100 ms. On disk, the rows of one group are there twice until it is merged. Indexes and
    /// triggers that somebody has added to a single partition are dropped with it; those of
    /// `ecom.events` stay.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ecom_stream::ErrorKind::Unavailable) when the server cannot be reached,
    /// [`Schema`](ecom_stream::ErrorKind::Schema) when the schema does not fit,
    /// [`Configuration`](ecom_stream::ErrorKind::Configuration) when the role does not own the
    /// table. What was merged before stays merged.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, a table and triggers may remain that cost with each late row.
    /// The next call removes them.
    pub async fn merge(&self) -> Result<Merged> {
        let connection = self.session().await?;
        let merged = merge(&connection).await;
        merged.map_err(|failure| failure.into_error("merging partitions"))
    }
}

/// Merges what can be merged, with the locks held.
async fn merge(connection: &Connection) -> Result<Merged, Failure> {
    let client = &connection.client;
    let mut done = Merged::default();
    let locks = DEADLINE
        .of("requesting the advisory locks", client.query(TRY_LOCKS, &[]))
        .await?;
    if !locks.iter().all(|row| row.get(0)) {
        done.is_busy = true;
        return Ok(done);
    }
    remove_left_over(connection).await?;
    // What became a month may then become a year.
    loop {
        let rows = LONG_DEADLINE
            .of("listing partitions", client.query(MERGEABLE, &[]))
            .await?;
        let wider = rows.iter().map(|row| Wider {
            name: row.get(0),
            starts: row.get(1),
            ends: row.get(2),
        });
        let wider: Vec<Wider> = wider.filter(|wider| !done.failed.contains(&wider.name)).collect();
        if wider.is_empty() {
            return Ok(done);
        }
        for wider in wider {
            match merge_into(connection, &wider).await {
                Ok(replaced) => {
                    let merged_before = done.partitions.len();
                    done.partitions.retain(|name| !replaced.contains(name));
                    done.replaced += replaced.len() - (merged_before - done.partitions.len());
                    tracing::info!("merged {} partitions into {}", replaced.len(), wider.name);
                    done.partitions.push(wider.name);
                }
                Err(Unmerged::Failed(failure)) if client.is_closed() => return Err(failure),
                Err(unmerged) => {
                    let goes_on = !unmerged.is_of_others();
                    tracing::warn!(
                        partition = wider.name,
                        "these partitions were not merged, it is tried again the next time: {}",
                        unmerged.report()
                    );
                    done.failed.push(wider.name);
                    remove_left_over(connection).await?;
                    if !goes_on {
                        return Ok(done);
                    }
                }
            }
        }
    }
}

/// Removes what an interrupted merge left.
async fn remove_left_over(connection: &Connection) -> Result<(), Failure> {
    let rows = DEADLINE
        .of(
            "looking for an interrupted merge",
            connection.client.query(LEFT_OVER, &[]),
        )
        .await?;
    for row in rows {
        step(connection, "", row.get(0)).await?;
        crash_point!("maintenance.merge_removed");
    }
    Ok(())
}

/// Puts a wider partition in the place of those in its time. Returns their names.
async fn merge_into(connection: &Connection, wider: &Wider) -> Result<Vec<String>, Unmerged> {
    let client = &connection.client;
    let params: [&(dyn ToSql + Sync); 3] = [&wider.name, &wider.starts, &wider.ends];
    let begun = client.execute("SELECT ecom.begin_merge($1, $2, $3)", &params);
    DEADLINE.of("creating a partition", begun).await?;
    crash_point!("maintenance.merge_begun");
    let mut copied = BTreeSet::new();
    let mut rounds = 0;
    loop {
        let rows = DEADLINE
            .of(
                "listing partitions",
                client.query(PARTITIONS_OF, &[&wider.starts, &wider.ends]),
            )
            .await?;
        let partitions: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        for partition in &partitions {
            if copied.insert(partition.clone()) {
                copy(connection, wider, partition).await?;
            }
        }
        wait_for_older_transactions(connection).await?;
        crash_point!("maintenance.merge_waited");
        match replace(connection, wider, &partitions).await {
            Ok(()) => {
                crash_point!("maintenance.merge_replaced");
                return Ok(partitions);
            }
            // A late row has got a partition of its own meanwhile, or one was dropped.
            Err(failure) if has_changed(&failure) && rounds < MOST_ROUNDS => rounds += 1,
            Err(failure) => return Err(failure.into()),
        }
    }
}

/// Copies a partition and, from now on, its changes.
async fn copy(connection: &Connection, wider: &Wider, partition: &str) -> Result<(), Failure> {
    let client = &connection.client;
    let names = format!("{}, {}", literal(&wider.name), literal(partition));
    let lock = format!(
        "LOCK TABLE ONLY ecom.{} IN SHARE ROW EXCLUSIVE MODE",
        identifier(partition)
    );
    step(connection, &lock, &format!("SELECT ecom.begin_copy({names})")).await?;
    crash_point!("maintenance.merge_copying");
    let look = async || -> Result<(i64, i64), Failure> {
        let row = DEADLINE
            .of(
                "reading the size of a partition",
                client.query_one(PAGES, &[&partition]),
            )
            .await?;
        Ok((row.get(0), row.get(1)))
    };
    loop {
        let (file, pages) = look().await?;
        let (mut first, mut at_once) = (0, 8);
        while first < pages {
            let began = Instant::now();
            let copy = format!("SELECT ecom.copy_pages({names}, {first}, {at_once})");
            match try_step(connection, "", &copy).await {
                Ok(()) => {
                    first += at_once;
                    let took = began.elapsed();
                    if took < COPYING_TAKES.start {
                        at_once = MOST_PAGES.min(at_once * 2);
                    } else if took > COPYING_TAKES.end {
                        at_once = 1.max(at_once / 2);
                    }
                    crash_point!("maintenance.merge_copied");
                }
                Err(failure) if is_temporary(&failure) && at_once > 1 => at_once /= 2,
                Err(failure) if is_temporary(&failure) => {
                    step(connection, "", &copy).await?;
                    first += at_once;
                }
                Err(failure) => return Err(failure),
            }
        }
        // VACUUM FULL and CLUSTER move rows to other pages, and tell no trigger.
        if look().await?.0 == file {
            return Ok(());
        }
    }
}

/// Waits until each transaction has ended that may have a snapshot from before now.
async fn wait_for_older_transactions(connection: &Connection) -> Result<(), Unmerged> {
    let began = Instant::now();
    let transactions = async || -> Result<BTreeSet<String>, Failure> {
        let rows = DEADLINE
            .of("listing transactions", connection.client.query(TRANSACTIONS, &[]))
            .await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    };
    let mut older = transactions().await?;
    while !older.is_empty() {
        if began.elapsed() > WAIT_FOR_OLDER {
            return Err(Unmerged::OlderTransactions);
        }
        sleep(PAUSE / 4).await;
        let now = transactions().await?;
        older.retain(|transaction| now.contains(transaction));
    }
    Ok(())
}

/// Attaches the filled table in the place of the partitions.
async fn replace(connection: &Connection, wider: &Wider, partitions: &[String]) -> Result<(), Failure> {
    let partitions: Vec<String> = partitions.iter().map(|name| literal(name)).collect();
    let replace = format!(
        "SELECT ecom.replace_partitions({}, to_timestamp({}), to_timestamp({}), ARRAY[{}]::text[])",
        literal(&wider.name),
        wider.starts.unix_timestamp(),
        wider.ends.unix_timestamp(),
        partitions.join(", ")
    );
    step(
        connection,
        "LOCK TABLE ONLY ecom.events IN ACCESS EXCLUSIVE MODE",
        &replace,
    )
    .await
}

/// Whether other partitions are there than those that were to be replaced.
fn has_changed(failure: &Failure) -> bool {
    let changed = [
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        SqlState::INVALID_OBJECT_DEFINITION,
        SqlState::UNDEFINED_TABLE,
    ];
    failure.state().is_some_and(|state| changed.contains(state))
}

/// A quoted identifier.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A quoted literal.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
