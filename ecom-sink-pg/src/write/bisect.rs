//! Finds the rows that the server rejects, by copying an epoch in ever smaller halves.
//!
//! Each range of rows is copied behind a savepoint. A range that fails is rolled back to its
//! savepoint and split in two; a single row that fails is left out and becomes a dead letter. For
//! one bad row in `n` this takes about `log2(n)` failed copies.
//!
//! What the server rejects may have nothing to do with a row: a trigger whose table is missing, or
//! one that is closed for today. So where no row was accepted yet, others are tried, each alone,
//! before rows are given up; see [`Blame`].

use std::ops::Range;
use std::time::Duration;

use ecom_stream::{Refusal, crash_point};

use rand::seq::index;

use super::session::Session;
use crate::epoch::{Epoch, LeftOut};
use crate::failure::{Action, Blame, Failure};

/// After this many rows in a row were rejected by somebody's code, also in the epochs before, it is
/// asked whether the code accepts any row.
const MANY: usize = 10;
/// How many other rows are tried then.
const TRIED: usize = 20;

/// How long to wait before a row is tried once more that may have been rejected for another reason.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// For how many rows of an epoch. If there are more, it does not pass.
const MOST_WAITS: usize = 10;

/// What became of rows while an epoch was written in halves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Verdicts {
    /// Whether the server accepted any row.
    pub(crate) any_accepted: bool,
    /// How many rows somebody's code rejected.
    pub(crate) rejected_by_code: usize,
}

/// Writes the rows of an epoch in halves, finds those that the server rejects, and leaves them
/// out. What was written stays in the transaction, to be committed as it is. Copying the
/// remaining rows again in one go would be another test: rows may be rejected together that are
/// each accepted alone, and the other way round.
///
/// Tables are written one after the other, and each is merged at once. An error at the end of the
/// transaction names no row, so constraints are checked immediately if one failed there.
pub(crate) async fn write_bisecting(
    session: &Session,
    epoch: &mut Epoch,
    options: BisectOptions,
) -> Result<Verdicts, Failure> {
    session.run("starting a transaction", "BEGIN").await?;
    if options.immediate_constraints {
        session
            .run("starting a transaction", "SET CONSTRAINTS ALL IMMEDIATE")
            .await?;
    }
    // Rows that the table has already must not be taken for rejected ones.
    session.look_up(epoch).await?;
    let tables: Vec<(usize, usize)> = epoch.tables().map(|(number, rows)| (number, rows.len())).collect();
    let events = (Rows::Events, epoch.len());
    let tables = tables.into_iter().map(|(number, rows)| (Rows::Table(number), rows));
    let mut verdicts = Verdicts {
        any_accepted: false,
        rejected_by_code: options.rejected_before,
    };
    let before = epoch.left_out();
    for (of, rows) in std::iter::once(events).chain(tables) {
        let written = write_rows(session, epoch, of, rows, options, &mut verdicts).await;
        if let Err(failure) = written {
            if let Failure::EveryRowRejected(_) = failure {
                // None of them is given up.
                epoch.restore(before);
            }
            return Err(failure);
        }
    }
    Ok(verdicts)
}

/// How an epoch is written in halves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BisectOptions {
    /// The action of the failure that led to it.
    pub(crate) cause: Action,
    /// Whether deferrable constraints are checked at once, and not at the end of the transaction.
    pub(crate) immediate_constraints: bool,
    /// Whether an error that a function raised as something temporary counts as a rejection.
    pub(crate) raised_too: bool,
    /// How many rows somebody's code has rejected since it last accepted one.
    pub(crate) rejected_before: usize,
}

impl BisectOptions {
    /// Whether bisecting again, with other options, could succeed after it failed with `refused`.
    pub(crate) fn may_differ(self, refused: Action) -> bool {
        !self.immediate_constraints || (refused == Action::LookUpKeys && self.cause != refused)
    }
}

/// The table whose rows are written: `ecom.events`, or the user's table with that number.
#[derive(Debug, Clone, Copy)]
enum Rows {
    Events,
    Table(usize),
}

/// Writes the rows of one table, and leaves out those that the server rejects.
async fn write_rows(
    session: &Session,
    epoch: &mut Epoch,
    of: Rows,
    rows: usize,
    options: BisectOptions,
    verdicts: &mut Verdicts,
) -> Result<(), Failure> {
    let mut any_accepted = false;
    let (mut tried_again, mut waits) = (None, 0);
    let mut ranges = Vec::from([Range { start: 0, end: rows }]);
    while let Some(range) = ranges.pop() {
        if rows_to_copy(epoch, of, range.clone()) == 0 {
            continue;
        }
        session.run("setting a savepoint", "SAVEPOINT probe").await?;
        let failure = match write(session, epoch, of, range.clone()).await {
            Ok(()) => {
                // One that stays open is a level below the next, and each level takes a lock.
                session.run("setting a savepoint", "RELEASE probe").await?;
                any_accepted = true;
                verdicts.any_accepted = true;
                continue;
            }
            Err(failure) => failure,
        };
        crash_point!("bisect.refused");
        if !is_of_a_row(&failure, of, options) {
            return Err(failure);
        }
        // A copy that fails at its data leaves the connection usable.
        session
            .run("setting a savepoint", "ROLLBACK TO probe; RELEASE probe")
            .await?;
        if range.len() > 1 {
            let middle = range.start + range.len() / 2;
            ranges.push(middle..range.end);
            ranges.push(range.start..middle);
        } else {
            // It may have passed, such as a table that was changed at that moment.
            if failure.blame() == Blame::Database && tried_again != Some(range.start) && waits < MOST_WAITS {
                tried_again = Some(range.start);
                waits += 1;
                tokio::time::sleep(AGAIN_AFTER).await;
                ranges.push(range);
                continue;
            }
            let may_be_of_all = match failure.blame() {
                Blame::Rows => false,
                Blame::Code => {
                    verdicts.rejected_by_code += 1;
                    verdicts.rejected_by_code >= MANY
                }
                Blame::Database => true,
            };
            if may_be_of_all && !any_accepted {
                any_accepted = accepts_any(session, epoch, of, rows, options).await?;
                if !any_accepted {
                    return Err(Failure::EveryRowRejected(Box::new(failure)));
                }
            }
            leave_out(session, epoch, of, range.start, &failure);
            crash_point!("bisect.found");
        }
    }
    Ok(())
}

/// Leaves a row out that the server rejects, so that it becomes a dead letter.
fn leave_out(session: &Session, epoch: &mut Epoch, of: Rows, row: usize, failure: &Failure) {
    let code = failure.state().map(|state| state.code()).unwrap_or_default();
    let reason = format!("sqlstate_{}", code.to_lowercase());
    match of {
        Rows::Events => {
            let refusal = Refusal::new(reason, failure.detail());
            epoch.leave_out(row, LeftOut::Refused(refusal));
        }
        Rows::Table(table) => {
            let detail = format!("{}: {}", session.table_name(table), failure.detail_with_row());
            if let Some(rows) = epoch.table_mut(table) {
                rows.refuse(row, Refusal::new(reason, detail));
            }
        }
    }
}

/// Whether a row may be given up for this failure.
fn is_of_a_row(failure: &Failure, of: Rows, options: BisectOptions) -> bool {
    match failure.action() {
        Action::Bisect => true,
        // Of the events: another key than ours.
        Action::LookUpKeys => options.cause == Action::LookUpKeys || matches!(of, Rows::Table(_)),
        Action::Retry => options.raised_too && failure.is_raised(),
        _ => false,
    }
}

/// Whether the server accepts any of some rows, each tried alone and taken back. They are others
/// each time, so that a few good rows among many bad ones are found in the end.
async fn accepts_any(
    session: &Session,
    epoch: &Epoch,
    of: Rows,
    rows: usize,
    options: BisectOptions,
) -> Result<bool, Failure> {
    let sample = index::sample(&mut rand::rng(), rows, TRIED.min(rows));
    for row in sample {
        let row = row..row + 1;
        if rows_to_copy(epoch, of, row.clone()) == 0 {
            continue;
        }
        session.run("setting a savepoint", "SAVEPOINT probe").await?;
        let written = write(session, epoch, of, row).await;
        if let Err(failure) = &written
            && !is_of_a_row(failure, of, options)
        {
            return written.map(|()| true);
        }
        session
            .run("setting a savepoint", "ROLLBACK TO probe; RELEASE probe")
            .await?;
        if written.is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How many rows of a range are not left out already.
fn rows_to_copy(epoch: &Epoch, of: Rows, range: Range<usize>) -> u64 {
    match of {
        Rows::Events => epoch.rows_to_copy(range),
        Rows::Table(table) => epoch.table(table).map_or(0, |rows| rows.rows_to_copy(range)),
    }
}

/// Copies a range of rows, and merges them if they are staged.
async fn write(session: &Session, epoch: &Epoch, of: Rows, range: Range<usize>) -> Result<(), Failure> {
    match of {
        Rows::Events => session.copy(epoch, range).await,
        Rows::Table(table) => {
            if let Some(rows) = epoch.table(table) {
                session.copy_table(table, rows, range).await?;
                session.merge_staging_table(table).await?;
                session.clear_staging_table(table).await?;
            }
            Ok(())
        }
    }
}
