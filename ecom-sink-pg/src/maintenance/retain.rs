//! Retention: drops partitions and dead letters that are older than a number of days.

use std::time::Duration;

use ecom_stream::{Result, crash_point};
use time::OffsetDateTime;

use super::maintenance::{DEADLINE, LONG_DEADLINE, Maintenance, PATIENCE};
use crate::connect::Connection;
use crate::failure::Failure;

const TRY_LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended('ecom.retain', 0))";

const CUTOFF: &str =
    "SELECT now() - make_interval(hours => 24 * $1), current_setting('server_version_num')::int >= 140000";

/// What stands in the comment of a partition that is on its way out, so that it is known again after a crash, and told from
/// what somebody detached in order to keep it.
const RETIRING_COMMENT: &str = "On its way out: ecom-ingest retain drops it.";

/// Only those that are older as a whole.
const OUTDATED: &str = "
    SELECT c.relname::text
    FROM ecom.partition_bounds() b
    JOIN pg_catalog.pg_class c ON c.oid = b.partition
    WHERE b.ends <= $1
    ORDER BY b.ends";

/// What a crash left: detached in part, or as a whole.
const LEFT_OVER: &str = "
    SELECT c.relname::text, i.inhrelid IS NOT NULL
    FROM pg_catalog.pg_class c
    LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
    WHERE c.relnamespace = 'ecom'::regnamespace AND c.relkind = 'r'
      AND obj_description(c.oid, 'pg_class') = $1
      AND (i.inhrelid IS NULL OR coalesce(to_jsonb(i) ->> 'inhdetachpending', 'false') = 'true')
    ORDER BY 1";

/// What is kept: see [`Maintenance::retain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    days: u16,
    is_dry_run: bool,
}

impl Retention {
    /// The last so many days, of 24 hours each, back from now.
    #[must_use]
    pub fn days(days: u16) -> Self {
        Self {
            days,
            is_dry_run: false,
        }
    }

    /// Only tells what would go.
    #[must_use]
    pub fn dry_run(mut self, is_dry_run: bool) -> Self {
        self.is_dry_run = is_dry_run;
        self
    }
}

/// What went, or would go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expired {
    /// What is older goes.
    pub cutoff: OffsetDateTime,
    /// Partitions that were dropped.
    pub partitions: Vec<String>,
    /// How many dead letters were deleted.
    pub dead_letters: u64,
    /// Another session is at it, so nothing was done.
    pub is_busy: bool,
}

impl Maintenance {
    /// Drops partitions whose time lies wholly before the days that are kept, and deletes dead letters that were entered
    /// before them.
    ///
    /// Ingest does not wait: a partition is detached `CONCURRENTLY` (from PostgreSQL 14 on; 13 needs a moment in which nobody
    /// uses the table) and then dropped. Events that come later for a time that is gone make their partition anew, until the
    /// next time.
    ///
    /// The ledger is kept: it is what keeps a file that still lies in its directory, or is put back there, from being read
    /// again, which would bring its events back.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ecom_stream::ErrorKind::Unavailable) when the server cannot be reached or the table is in use for
    /// minutes, [`Schema`](ecom_stream::ErrorKind::Schema) when the schema is not as it should be,
    /// [`Configuration`](ecom_stream::ErrorKind::Configuration) when the role does not own the table. What went before
    /// stays gone; the next time goes on.
    pub async fn retain(&self, retention: Retention) -> Result<Expired> {
        let connection = self.session().await?;
        let retained = retain(&connection, retention).await;
        retained.map_err(|failure| failure.into_error("dropping expired data"))
    }
}

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
        dead_letters: 0,
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
    Ok(retained)
}

/// The statements that end a partition, each a transaction of its own.
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

fn left_over(partition: &str, is_attached: bool) -> Vec<String> {
    let table = format!("ecom.{}", quoted(partition));
    let finalize = format!("ALTER TABLE ecom.events DETACH PARTITION {table} FINALIZE");
    let drop = format!("DROP TABLE {table}");
    is_attached.then_some(finalize).into_iter().chain([drop]).collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// While a DROP of what is still attached waits for its lock, everybody else waits behind it: so it waits for a moment only,
/// and tries again. The others hold up nobody while they wait.
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
