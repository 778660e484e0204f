//! Finding the rows that the server refuses, by copying halves.

use std::ops::Range;

use ecom_stream::{Refusal, crash_point};

use crate::action::Action;
use crate::epoch::{Epoch, Fate};
use crate::failure::Failure;
use crate::session::Session;

/// What is checked at the end of the transaction otherwise would be found of no row.
const BEGIN: &str = "BEGIN; SET CONSTRAINTS ALL IMMEDIATE";

/// Finds the rows that the server refuses for a reason like the one it gave, and leaves them out.
///
/// All in one transaction that is rolled back with the session, so that rows are tried beside those before them: two may be refused together
/// that would each be taken alone.
pub(crate) async fn bisect(session: &Session, epoch: &mut Epoch, refused: Action) -> Result<(), Failure> {
    session.control("beginning", BEGIN).await?;
    // What the table has already must not be taken for refused.
    session.look_up(epoch).await?;
    let mut ranges = Vec::from([Range {
        start: 0,
        end: epoch.len(),
    }]);
    while let Some(range) = ranges.pop() {
        if epoch.copied(range.clone()) == 0 {
            continue;
        }
        session.control("probing", "SAVEPOINT probe").await?;
        let failure = match session.copy(epoch, range.clone()).await {
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
            Action::LookUpKeys if refused == Action::LookUpKeys => {}
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
            let refusal = Refusal::new(format!("sqlstate_{}", code.to_lowercase()), failure.detail());
            epoch.leave_out(range.start, Fate::Refused(refusal));
            crash_point!("bisect.found");
        }
    }
    Ok(())
}
