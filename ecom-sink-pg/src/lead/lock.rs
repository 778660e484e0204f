//! The advisory lock that lets only one instance of a pipeline work at a time.
//!
//! It belongs to the session: the server frees it when the connection ends, however it ends.

use postgres_types::ToSql;

use crate::connect::Connection;
use crate::failure::{Deadline, Failure};

/// The first of the two numbers of our advisory locks ("ecom" in ASCII). The second one is the
/// number of the pipeline.
const LOCK_CLASS: i32 = 0x65_63_6f_6d;

/// Tries to take the lock, which is then held for as long as the connection lives. Returns
/// `false` if another session has it.
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

/// The session that holds the lock.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) pid: i32,
    /// The role that it is connected as.
    pub(crate) role: String,
    /// The name that all sessions of its instance have, and no other session.
    pub(crate) application_name: String,
    /// Its name, process, address and start, in words, for messages.
    pub(crate) described: String,
    /// Whether the role of this session may terminate it.
    pub(crate) may_be_ended: bool,
}

/// Finds the session that holds the lock; `None` if it was released meanwhile.
pub(crate) async fn holder(
    connection: &Connection,
    pipeline_id: i64,
    deadline: Deadline,
) -> Result<Option<Holder>, Failure> {
    const HOLDER: &str = "
        SELECT a.pid, a.usename::text, a.application_name,
            a.application_name || ', process ' || a.pid || coalesce(' from ' || host(a.client_addr), '')
                || coalesce(', since ' || to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS') || ' UTC', ''),
            me.rolsuper OR pg_has_role(session_user, r.oid, 'USAGE')
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
