//! Finds the rows that the server refuses, by copying halves.

use std::ops::Range;

use ecom_stream::{Refusal, crash_point};

use super::session::Session;
use crate::epoch::{Epoch, Fate};
use crate::failure::{Action, Failure};

/// Writes the rows of an epoch in halves, finds those that the server refuses, and leaves them out. What was written stays in the
/// transaction, to be committed as it is: rows may be refused together that would each be taken alone, and the other way
/// round, so that another try, all at once, could fail where the halves did not.
///
/// All tables one after the other, each merged at once. What is checked at the end of the transaction is of no row; where that
/// failed it is checked `immediately`.
pub(crate) async fn write_in_halves(session: &Session, epoch: &mut Epoch, how: Halves) -> Result<(), Failure> {
    session.control("beginning", "BEGIN").await?;
    if how.immediately {
        session.control("beginning", "SET CONSTRAINTS ALL IMMEDIATE").await?;
    }
    // What the table has already must not be taken for refused.
    session.look_up(epoch).await?;
    let tables: Vec<(usize, usize)> = epoch.tables().map(|(number, rows)| (number, rows.len())).collect();
    let events = (Rows::Events, epoch.len());
    let tables = tables.into_iter().map(|(number, rows)| (Rows::Of(number), rows));
    for (of, rows) in std::iter::once(events).chain(tables) {
        write_rows(session, epoch, of, rows, how.refused).await?;
    }
    Ok(())
}

/// How an epoch is written in halves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Halves {
    /// What the refusal was that led to it.
    pub(crate) refused: Action,
    /// Whether constraints are checked at once that could wait for the end of the transaction.
    pub(crate) immediately: bool,
}

impl Halves {
    /// Whether another way could help after that.
    pub(crate) fn may_change(self, refused: Action) -> bool {
        !self.immediately || (refused == Action::LookUpKeys && self.refused != refused)
    }
}

/// Rows of which table.
#[derive(Debug, Clone, Copy)]
enum Rows {
    Events,
    Of(usize),
}

async fn write_rows(
    session: &Session,
    epoch: &mut Epoch,
    of: Rows,
    rows: usize,
    refused: Action,
) -> Result<(), Failure> {
    let mut ranges = Vec::from([Range { start: 0, end: rows }]);
    while let Some(range) = ranges.pop() {
        if copied(epoch, of, range.clone()) == 0 {
            continue;
        }
        session.control("probing", "SAVEPOINT probe").await?;
        let failure = match write(session, epoch, of, range.clone()).await {
            Ok(()) => {
                // One that stays open is a level below the next, and each level takes a lock.
                session.control("probing", "RELEASE probe").await?;
                continue;
            }
            Err(failure) => failure,
        };
        crash_point!("bisect.refused");
        match failure.action() {
            Action::Bisect => {}
            // Of the events: another key than ours.
            Action::LookUpKeys if refused == Action::LookUpKeys || matches!(of, Rows::Of(_)) => {}
            _ => return Err(failure),
        }
        // A copy that fails at its data leaves the connection usable.
        session.control("probing", "ROLLBACK TO probe; RELEASE probe").await?;
        if range.len() > 1 {
            let middle = range.start + range.len() / 2;
            ranges.push(middle..range.end);
            ranges.push(range.start..middle);
        } else {
            let code = failure.state().map(|state| state.code().to_owned()).unwrap_or_default();
            let reason = format!("sqlstate_{}", code.to_lowercase());
            match of {
                Rows::Events => {
                    let refusal = Refusal::new(reason, failure.detail());
                    epoch.leave_out(range.start, Fate::Refused(refusal));
                }
                Rows::Of(table) => {
                    let detail = format!("{}: {}", session.table_name(table), failure.detail_with_row());
                    if let Some(rows) = epoch.table_mut(table) {
                        rows.refuse(range.start, Refusal::new(reason, detail));
                    }
                }
            }
            crash_point!("bisect.found");
        }
    }
    Ok(())
}

fn copied(epoch: &Epoch, of: Rows, range: Range<usize>) -> u64 {
    match of {
        Rows::Events => epoch.copied(range),
        Rows::Of(table) => epoch.table(table).map_or(0, |rows| rows.copied(range)),
    }
}

async fn write(session: &Session, epoch: &Epoch, of: Rows, range: Range<usize>) -> Result<(), Failure> {
    match of {
        Rows::Events => session.copy(epoch, range).await,
        Rows::Of(table) => {
            if let Some(rows) = epoch.table(table) {
                session.copy_table(table, rows, range).await?;
                session.merge_stage(table).await?;
                session.clear_stage(table).await?;
            }
            Ok(())
        }
    }
}
