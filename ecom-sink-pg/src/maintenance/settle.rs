//! Settles partitions: builds the indexes that only reading needs, once a partition receives no
//! more rows.

use std::collections::HashMap;
use std::time::Duration;

use ecom_stream::{Error, ErrorKind, Result, crash_point};

use super::maintenance::{DEADLINE, LONG_DEADLINE, Maintenance};
use crate::connect::Connection;
use crate::failure::Failure;

/// Only one session builds indexes at a time. The lock is tried and never waited for: a session
/// that waits for a lock holds a snapshot, and `CREATE INDEX CONCURRENTLY` waits for all
/// snapshots.
const TRY_LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended('ecom.settle', 0))";

/// Indexes that are missing or invalid. Those of the newest partitions come first, since they are
/// queried most.
const TO_BUILD: &str = "
    SELECT x.partition::text, x.index, x.state = 'invalid', x.build, x.clear,
        coalesce(pg_stat_get_tuples_inserted(format('ecom.%I', x.partition)::regclass), 0)
    FROM ecom.partition_indexes x
    WHERE x.state IN ('missing', 'invalid') AND x.ends <= now() - make_interval(secs => $1)
    ORDER BY x.ends DESC, x.index";

/// How often [`Maintenance::keep_settled`] looks for work, at most and at least.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const LOOK_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// What [`Maintenance::settle`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settled {
    /// The names of the indexes that were built.
    pub built: Vec<String>,
    /// Indexes that could not be built, for example because of a lock; the log says why. The next
    /// call tries again.
    pub failed: Vec<String>,
    /// Another session is building indexes already, so nothing was done.
    pub is_busy: bool,
}

/// An index that a partition lacks.
struct Lacking {
    partition: String,
    index: String,
    /// Whether an interrupted build left an invalid index.
    is_left_over: bool,
    /// The statement that builds it.
    build: String,
    /// The statement that removes an invalid one.
    clear: String,
    /// How many rows the partition has received so far.
    rows_inserted: i64,
}

/// How many rows each partition had received at the last look.
type Inserted = HashMap<String, i64>;

impl Maintenance {
    /// Builds the indexes that only reading needs, on partitions whose time ended at least
    /// `rested` ago.
    ///
    /// Nobody has to wait: the indexes are built `CONCURRENTLY`, and late rows are still stored.
    /// What an interrupted build left behind is removed first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the server cannot be reached, [`ErrorKind::Schema`] when
    /// the schema does not fit, [`ErrorKind::Configuration`] when the role does not own the
    /// table.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, an invalid index may remain. The next call removes it.
    pub async fn settle(&self, rested: Duration) -> Result<Settled> {
        settle_those(self.session().await?, rested, |_| true).await
    }

    /// Settles partitions as [`settle`](Self::settle) does, again and again, for as long as the
    /// future is polled. It is meant to be polled while a pipeline runs, so it brings the schema
    /// up to date as a pipeline does. A partition that has received rows since the last look is
    /// left for later, whatever its time is. Returns the error that ended it; temporary errors do
    /// not.
    pub async fn keep_settled(&self, rested: Duration) -> Error {
        let mut before = Inserted::new();
        loop {
            let mut now = Inserted::new();
            let is_at_rest = |lacking: &Lacking| {
                now.insert(lacking.partition.clone(), lacking.rows_inserted);
                before.get(&lacking.partition) == Some(&lacking.rows_inserted)
            };
            let settled = match self.session_beside_run().await {
                Ok(connection) => settle_those(connection, rested, is_at_rest).await,
                Err(err) => Err(err),
            };
            match settled {
                Ok(Settled { built, .. }) if !built.is_empty() => {
                    tracing::info!("built the indexes {}", built.join(", "))
                }
                Ok(_) => {}
                Err(err) if err.kind() == ErrorKind::Unavailable => {
                    tracing::warn!("building indexes, trying again: {}", err.report())
                }
                Err(err) => return err,
            }
            before = now;
            tokio::time::sleep(rested.clamp(LOOK_AT_MOST_EVERY, LOOK_EVERY)).await;
        }
    }
}

/// Builds the missing indexes that `which` selects.
async fn settle_those(
    connection: Connection,
    rested: Duration,
    mut which: impl FnMut(&Lacking) -> bool,
) -> Result<Settled> {
    let mut settled = Settled::default();
    let Some(lacking) = lacking(&connection, rested)
        .await
        .map_err(|err| err.into_error("building indexes"))?
    else {
        settled.is_busy = true;
        return Ok(settled);
    };
    let lacking: Vec<Lacking> = lacking.into_iter().filter(|lacking| which(lacking)).collect();
    for lacking in lacking {
        let index = lacking.index.clone();
        match build(&connection, &lacking).await {
            Ok(()) => settled.built.push(index),
            Err(failure) if connection.client.is_closed() => return Err(failure.into_error("building an index")),
            // The next partition may be free.
            Err(failure) => {
                tracing::warn!(
                    index,
                    "this index was not built, it is tried again later: {}",
                    failure.into_error("building an index").report()
                );
                settled.failed.push(index);
            }
        }
    }
    Ok(settled)
}

/// The missing indexes, with the lock held; `None` if another session holds it.
async fn lacking(connection: &Connection, rested: Duration) -> Result<Option<Vec<Lacking>>, Failure> {
    let client = &connection.client;
    let locked = DEADLINE
        .of("requesting the advisory lock", client.query_one(TRY_LOCK, &[]))
        .await?;
    if !locked.get::<_, bool>(0) {
        return Ok(None);
    }
    let rows = DEADLINE
        .of(
            "reading the state of indexes",
            client.query(TO_BUILD, &[&rested.as_secs_f64()]),
        )
        .await?;
    let lacking = rows.iter().map(|row| Lacking {
        partition: row.get(0),
        index: row.get(1),
        is_left_over: row.get(2),
        build: row.get(3),
        clear: row.get(4),
        rows_inserted: row.get(5),
    });
    Ok(Some(lacking.collect()))
}

/// Builds one index, after removing what an interrupted build left.
async fn build(connection: &Connection, lacking: &Lacking) -> Result<(), Failure> {
    let client = &connection.client;
    let clear = || LONG_DEADLINE.of("clearing an index", client.batch_execute(&lacking.clear));
    if lacking.is_left_over {
        clear().await?;
    }
    crash_point!("maintenance.build");
    let built = LONG_DEADLINE
        .of("building an index", client.batch_execute(&lacking.build))
        .await;
    if built.is_err() && !client.is_closed() {
        // Left over it would cost with each row. If that fails too, the next time clears it.
        let _ = clear().await;
    }
    built
}
