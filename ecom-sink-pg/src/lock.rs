//! The advisory lock that lets one instance of a pipeline work at a time.

use postgres_types::ToSql;

use crate::connect::Connection;
use crate::failure::{Deadline, Failure};

/// The first of the two numbers of our advisory locks ("ecom"); the second is the pipeline's.
const LOCK_CLASS: i32 = 0x65_63_6f_6d;

/// Tries to become the only instance, for as long as the connection lives.
pub(crate) async fn try_lock(connection: &Connection, pipeline_id: i64, deadline: Deadline) -> Result<bool, Failure> {
    const TRY_LOCK: &str = "SELECT pg_try_advisory_lock($1, $2)";
    let numbers: [&(dyn ToSql + Sync); 2] = [&LOCK_CLASS, &(pipeline_id as i32)];
    let row = deadline
        .of("asking for the lock", connection.client.query_one(TRY_LOCK, &numbers))
        .await?;
    Ok(row.get(0))
}

/// Who holds the lock, for the log.
pub(crate) async fn holder(connection: &Connection, pipeline_id: i64) -> Option<String> {
    let row = connection
        .client
        .query_opt(
            "SELECT a.application_name || ', process ' || a.pid || coalesce(' from ' || host(a.client_addr), '') \
             || ', since ' || to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS') || ' UTC' \
             FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
             WHERE l.locktype = 'advisory' AND l.classid = $1::int8::oid AND l.objid = $2::int8::oid AND l.granted",
            &[&i64::from(LOCK_CLASS), &pipeline_id],
        )
        .await
        .ok()??;
    row.get(0)
}
