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
        .of(
            "requesting the advisory lock",
            connection.client.query_one(TRY_LOCK, &numbers),
        )
        .await?;
    Ok(row.get(0))
}

/// Who holds the lock.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) pid: i32,
    pub(crate) role: String,
    /// That of all sessions of the instance, and of no other's.
    pub(crate) application_name: String,
    /// For messages.
    pub(crate) described: String,
    /// Whether our role may end its sessions.
    pub(crate) may_be_ended: bool,
}

/// Who holds the lock; nobody, if it was given back meanwhile.
pub(crate) async fn holder(
    connection: &Connection,
    pipeline_id: i64,
    deadline: Deadline,
) -> Result<Option<Holder>, Failure> {
    const HOLDER: &str = "
        SELECT a.pid, a.usename::text, a.application_name,
            a.application_name || ', process ' || a.pid || coalesce(' from ' || host(a.client_addr), '')
                || coalesce(', since ' || to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS') || ' UTC', ''),
            me.rolsuper
                OR NOT r.rolsuper AND (pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))
        FROM pg_locks l
        JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
        JOIN pg_stat_activity a USING (pid)
        JOIN pg_roles r ON r.oid = a.usesysid
        JOIN pg_roles me ON me.rolname = current_user
        WHERE l.locktype = 'advisory' AND l.classid = $1::int8::oid AND l.objid = $2::int8::oid AND l.granted";
    let numbers: [&(dyn ToSql + Sync); 2] = [&i64::from(LOCK_CLASS), &pipeline_id];
    let row = deadline
        .of(
            "requesting the advisory lock",
            connection.client.query_opt(HOLDER, &numbers),
        )
        .await?;
    Ok(row.map(|row| Holder {
        pid: row.get(0),
        role: row.get(1),
        application_name: row.get(2),
        described: row.get(3),
        may_be_ended: row.get(4),
    }))
}
