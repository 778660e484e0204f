//! Retention: drops partitions, events and dead letters that are older than a number of days, and
//! prunes the ledger.

use std::time::Duration;

use ecom_stream::{Result, crash_point};
use time::OffsetDateTime;

use super::maintenance::{DEADLINE, LONG_DEADLINE, Maintenance, PATIENCE};
use super::prune::prune;
use crate::connect::Connection;
use crate::failure::Failure;

/// Only one session drops partitions at a time.
const TRY_LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended('ecom.retain', 0))";

const CUTOFF: &str =
    "SELECT now() - make_interval(hours => 24 * $1), current_setting('server_version_num')::int >= 140000";

/// The comment on a partition that is being dropped. It is how one is recognized after a crash,
/// and told apart from a partition that somebody detached in order to keep it. It is stored in
/// databases: never change it.
const RETIRING_COMMENT: &str = "On its way out: ecom-ingest retain drops it.";

/// Partitions whose whole time is before the cutoff.
const OUTDATED: &str = "
    SELECT c.relname::text
    FROM ecom.partition_bounds() b
    JOIN pg_catalog.pg_class c ON c.oid = b.partition
    WHERE b.ends <= $1
    ORDER BY b.ends";

/// Partitions that are wider than a day and in whose time the cutoff is.
const PARTLY_OUTDATED: &str = "
    SELECT c.relname::text
    FROM ecom.partition_bounds() b
    JOIN pg_catalog.pg_class c ON c.oid = b.partition
    WHERE b.starts < $1 AND b.ends > $1 AND b.ends > b.starts + interval '1 day'
    ORDER BY b.ends";

/// Partitions that a crash left half detached, or detached and not dropped.
const LEFT_OVER: &str = "
    SELECT c.relname::text, i.inhrelid IS NOT NULL
    FROM pg_catalog.pg_class c
    LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
    WHERE c.relnamespace = 'ecom'::regnamespace AND c.relkind = 'r'
      AND obj_description(c.oid, 'pg_class') = $1
      AND (i.inhrelid IS NULL OR coalesce(to_jsonb(i) ->> 'inhdetachpending', 'false') = 'true')
    ORDER BY 1";

/// How long data is kept; see [`Maintenance::retain`].
///
/// # Examples
///
/// ```
/// use ecom_sink_pg::Retention;
///
/// let ninety_days = Retention::days(90);
/// assert_ne!(ninety_days, ninety_days.dry_run(true));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    days: u16,
    /// `None` to leave the ledger as it is.
    ledger_days: Option<u16>,
    is_dry_run: bool,
}

impl Retention {
    /// Keeps the last `days` days, of 24 hours each, counted back from now.
    #[must_use]
    pub fn days(days: u16) -> Self {
        Self {
            days,
            ledger_days: None,
            is_dry_run: false,
        }
    }

    /// Also takes files out of the ledger that were finished more than `days` days ago and were
    /// archived or deleted; by default the ledger is kept. A number that is too small does no
    /// harm: a file that comes back is recognized all the same.
    #[must_use]
    pub fn ledger_days(mut self, days: u16) -> Self {
        self.ledger_days = Some(days);
        self
    }

    /// Whether to report what would be dropped without dropping it; `false` by default.
    #[must_use]
    pub fn dry_run(mut self, is_dry_run: bool) -> Self {
        self.is_dry_run = is_dry_run;
        self
    }
}

/// What was dropped, or would be dropped in a dry run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expired {
    /// Data older than this expires.
    pub cutoff: OffsetDateTime,
    /// The names of the partitions that were dropped.
    pub partitions: Vec<String>,
    /// How many events were deleted from partitions that are kept, since they have younger ones too.
    pub events: u64,
    /// How many dead letters were deleted.
    pub dead_letters: u64,
    /// How many files were taken out of the ledger.
    pub files: u64,
    /// Another session is dropping partitions already, so nothing was done.
    pub is_busy: bool,
}

impl Maintenance {
    /// Drops partitions whose whole time is before the days that are kept, and deletes dead
    /// letters that were entered before them. Of a partition that is wider than a day, such as a
    /// month, it deletes the events that are too old.
    ///
    /// The ingest does not wait: a partition is detached `CONCURRENTLY` and then dropped.
    /// (PostgreSQL 13 cannot do that: there it needs a moment in which nobody uses the table.)
    /// Events that arrive later for a dropped time create their partition again, until the next
    /// call.
    ///
    /// The ledger is kept: it keeps a file that is still in its directory, or is put back there,
    /// from being read again, which would bring its events back. With
    /// [`ledger_days`](Retention::ledger_days), files that were archived or deleted leave it. Of
    /// such a file a digest, the size and a hash of its path are kept, in 180 bytes instead of 900.
    /// So if it comes back, under its own name or another, it is still recognized as known. Its
    /// records stay in the sums of the pipeline. Files with rejects that wait to be corrected stay
    /// in the ledger. A step moves a few hundred files, and the ingest waits some milliseconds for
    /// it at most.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ecom_stream::ErrorKind::Unavailable) when the server cannot be reached or
    /// the table is in use for minutes, [`Schema`](ecom_stream::ErrorKind::Schema) when the
    /// schema does not fit, [`Configuration`](ecom_stream::ErrorKind::Configuration) when the
    /// role does not own the table. What was dropped before stays dropped; the next call
    /// continues.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, a partition may be left detached. The next call drops it.
    pub async fn retain(&self, retention: Retention) -> Result<Expired> {
        let connection = self.session().await?;
        let retained = retain(&connection, retention).await;
        retained.map_err(|failure| failure.into_error("dropping expired data"))
    }
}

/// Drops what is too old, with the lock held.
async fn retain(connection: &Connection, retention: Retention) -> Result<Expired, Failure> {
    let client = &connection.client;
    let locked = DEADLINE
        .of("requesting the advisory lock", client.query_one(TRY_LOCK, &[]))
        .await?;
    let row = DEADLINE
        .of(
            "reading the server's time",
            client.query_one(CUTOFF, &[&i32::from(retention.days)]),
        )
        .await?;
    let (cutoff, detaches_concurrently): (OffsetDateTime, bool) = (row.get(0), row.get(1));
    let mut retained = Expired {
        cutoff,
        partitions: Vec::new(),
        events: 0,
        dead_letters: 0,
        files: 0,
        is_busy: !locked.get::<_, bool>(0),
    };
    if retained.is_busy {
        return Ok(retained);
    }

    let mut steps = Vec::new();
    for row in DEADLINE
        .of("listing partitions", client.query(LEFT_OVER, &[&RETIRING_COMMENT]))
        .await?
    {
        let (partition, is_attached): (String, bool) = (row.get(0), row.get(1));
        steps.push((left_over(&partition, is_attached), partition));
    }
    for row in DEADLINE
        .of("listing partitions", client.query(OUTDATED, &[&cutoff]))
        .await?
    {
        let partition: String = row.get(0);
        steps.push((outdated(&partition, detaches_concurrently), partition));
    }
    for (statements, partition) in steps {
        if !retention.is_dry_run {
            for statement in statements {
                drop_step(connection, &statement).await?;
                crash_point!("maintenance.drop");
            }
        }
        retained.partitions.push(partition);
    }

    for row in DEADLINE
        .of("listing partitions", client.query(PARTLY_OUTDATED, &[&cutoff]))
        .await?
    {
        retained.events += delete_events(connection, row.get(0), cutoff, retention.is_dry_run).await?;
    }

    let (asked, doing) = match retention.is_dry_run {
        true => (
            "SELECT FROM ecom.dead_letters WHERE rejected_at < $1",
            "counting dead letters",
        ),
        false => (
            "DELETE FROM ecom.dead_letters WHERE rejected_at < $1",
            "deleting dead letters",
        ),
    };
    retained.dead_letters = LONG_DEADLINE.of(doing, client.execute(asked, &[&cutoff])).await?;
    if let Some(days) = retention.ledger_days {
        let cutoff = DEADLINE
            .of(
                "reading the server's time",
                client.query_one(CUTOFF, &[&i32::from(days)]),
            )
            .await?
            .get(0);
        retained.files = prune(connection, cutoff, retention.is_dry_run).await?;
    }
    Ok(retained)
}

/// Deletes the events of a partition that are older than the cutoff, or counts them.
async fn delete_events(
    connection: &Connection,
    partition: &str,
    cutoff: OffsetDateTime,
    is_dry_run: bool,
) -> Result<u64, Failure> {
    /// So many at once, so that no transaction is long.
    const ROWS_AT_ONCE: u64 = 100_000;
    let client = &connection.client;
    let table = format!("ecom.{}", quoted(partition));
    if is_dry_run {
        let count = format!("SELECT FROM ONLY {table} WHERE event_time < $1");
        return LONG_DEADLINE
            .of("counting expired events", client.execute(&count, &[&cutoff]))
            .await;
    }
    let delete = format!(
        "DELETE FROM ONLY {table} WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM ONLY {table} WHERE event_time < $1 LIMIT {ROWS_AT_ONCE}))"
    );
    let mut deleted = 0;
    loop {
        let rows = LONG_DEADLINE
            .of("deleting expired events", client.execute(&delete, &[&cutoff]))
            .await?;
        deleted += rows;
        if rows < ROWS_AT_ONCE {
            return Ok(deleted);
        }
        crash_point!("maintenance.delete");
    }
}

/// The statements that drop a partition, each a transaction of its own.
fn outdated(partition: &str, detaches_concurrently: bool) -> Vec<String> {
    let table = format!("ecom.{}", quoted(partition));
    match detaches_concurrently {
        true => vec![
            format!("COMMENT ON TABLE {table} IS '{RETIRING_COMMENT}'"),
            format!("ALTER TABLE ecom.events DETACH PARTITION {table} CONCURRENTLY"),
            format!("DROP TABLE {table}"),
        ],
        false => vec![format!("DROP TABLE {table}")],
    }
}

/// The statements that finish what a crash interrupted.
fn left_over(partition: &str, is_attached: bool) -> Vec<String> {
    let table = format!("ecom.{}", quoted(partition));
    let finalize = format!("ALTER TABLE ecom.events DETACH PARTITION {table} FINALIZE");
    let drop = format!("DROP TABLE {table}");
    is_attached.then_some(finalize).into_iter().chain([drop]).collect()
}

/// A quoted identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Runs one of these statements. While a DROP of an attached partition waits for its lock,
/// everybody else waits behind it: so it waits only for a moment, and is tried again. The other
/// statements block nobody while they wait.
async fn drop_step(connection: &Connection, statement: &str) -> Result<(), Failure> {
    const TRIES: u32 = 50;
    let client = &connection.client;
    let patience = match statement.starts_with("DROP") {
        true => "SET lock_timeout = '100ms'",
        false => PATIENCE,
    };
    DEADLINE.of("setting a limit", client.batch_execute(patience)).await?;
    let mut tries = 0;
    loop {
        tries += 1;
        let step = LONG_DEADLINE
            .of("dropping a partition", client.batch_execute(statement))
            .await;
        match step {
            Err(failure) if failure.is_of_a_lock() && statement.starts_with("DROP") && tries < TRIES => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            step => return step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_postgresql_14_a_partition_is_dropped_at_once() {
        assert_eq!(
            outdated("events_y20261123", false),
            ["DROP TABLE ecom.\"events_y20261123\""]
        );
        assert_eq!(
            outdated("a\"b", true)[1],
            "ALTER TABLE ecom.events DETACH PARTITION ecom.\"a\"\"b\" CONCURRENTLY"
        );
    }
}
