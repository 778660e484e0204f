//! Short transactions on a table that others use: one gives up before others wait long, and is tried
//! again.

use std::time::Duration;

use ecom_stream::Result;
use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;

use super::maintenance::DEADLINE;
use crate::connect::Connection;
use crate::failure::Failure;

/// For how long a step is tried while others need what it needs.
const TRY_FOR: Duration = Duration::from_secs(60);
/// The pause between two tries, in which others go on.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// How long a step waits for a lock, in milliseconds. Whoever comes later waits behind it.
const WAIT_MS: u32 = 50;
/// How long a step may hold its locks, in milliseconds.
const HOLD_MS: u32 = 100;

/// Tries a step until nobody else needs what it needs.
pub(super) async fn step(connection: &Connection, lock: &str, statement: &str) -> Result<(), Failure> {
    let began = Instant::now();
    loop {
        match try_step(connection, lock, statement).await {
            Err(failure) if is_temporary(&failure) && began.elapsed() < TRY_FOR => sleep(PAUSE).await,
            done => return done,
        }
    }
}

/// One transaction: it waits for a lock for up to 50 ms, and then works for up to 100 ms. All of
/// it is one message, so that the server never waits for this program while it holds a lock.
pub(super) async fn try_step(connection: &Connection, lock: &str, statement: &str) -> Result<(), Failure> {
    let client = &connection.client;
    let transaction = format!(
        "BEGIN; SET LOCAL lock_timeout = {WAIT_MS}; {lock}; SET LOCAL statement_timeout = {HOLD_MS}; {statement}; COMMIT"
    );
    let done = DEADLINE
        .of("merging partitions", client.batch_execute(&transaction))
        .await;
    if done.is_err() && !client.is_closed() {
        DEADLINE.of("rolling back", client.batch_execute("ROLLBACK")).await?;
    }
    done
}

/// Whether the failure may be gone at the next try: a lock, or more work than 100 ms allow.
pub(super) fn is_temporary(failure: &Failure) -> bool {
    let temporary = [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::QUERY_CANCELED,
        SqlState::T_R_DEADLOCK_DETECTED,
    ];
    failure.state().is_some_and(|state| temporary.contains(state))
}
