//! Classifies errors of the server by SQLSTATE and by the step in which they came: what to do,
//! whether a commit may have happened, and what to tell the user.
//!
//! See appendix A, "PostgreSQL Error Codes", of the PostgreSQL documentation. The first two
//! characters are the class. A function of the user's may raise any code, also one that is in no
//! list.

use std::fmt;

use ecom_stream::ErrorKind;
use tokio_postgres::error::SqlState;

/// What to do about an error of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// It is temporary: try again on a new connection after a delay.
    Retry,
    /// Somebody has to change the database or its settings: report it as an error, and try again
    /// slowly.
    Pause,
    /// Nothing is wrong, but the epoch must be written again.
    StartOver,
    /// Some rows are in the table already: look them up by their keys, and copy the rest.
    LookUpKeys,
    /// The partition for a row is missing: create it.
    MakePartitions,
    /// The server rejects a row: find it, make it a dead letter, and store the others.
    Bisect,
}

/// What the program was doing when an error came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Opening a connection.
    Connect,
    /// Preparing, beginning, looking up, reading the ledger: no row is on its way.
    Session,
    /// Creating partitions.
    Partitions,
    /// Copying or merging rows.
    Rows,
    /// Writing the ledger, dead letters or operator state.
    Ledger,
    /// COMMIT, which also checks what was deferred to it.
    Commit,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting to the server",
            Self::Session => "using a session",
            Self::Partitions => "creating partitions",
            Self::Rows => "copying rows",
            Self::Ledger => "writing the ledger",
            Self::Commit => "committing",
        })
    }
}

/// Decides by step and SQLSTATE. `None` stands for an error that does not come from the server,
/// such as a broken connection.
///
/// What passes by itself is listed, and tried again. Of the rest, a row is to blame where rows are
/// on their way, and otherwise somebody has to act. So no error is taken for temporary only because
/// this list does not have it.
pub(crate) fn action(step: Step, state: Option<&SqlState>) -> Action {
    let Some(state) = state else { return Action::Retry };
    let (code, class) = (state.code(), class(state));
    match step {
        _ if passes(code, class) => Action::Retry,
        // Such as a database that accepts no connections for now.
        Step::Connect if class == "55" => Action::Retry,
        // Another session creates the same partition at this moment.
        Step::Partitions if *state == SqlState::UNIQUE_VIOLATION => Action::Retry,
        Step::Rows if *state == SqlState::UNIQUE_VIOLATION => Action::LookUpKeys,
        // Damaged files and wrong settings of the server: no row may be given up for them.
        _ if matches!(class, "53" | "58" | "F0") || matches!(code, "XX001" | "XX002") => Action::Pause,
        Step::Rows | Step::Commit => Action::Bisect,
        // An internal error is often that of a catalogue that changes at this moment.
        _ if class == "XX" => Action::Retry,
        Step::Connect | Step::Session | Step::Partitions | Step::Ledger => Action::Pause,
    }
}

/// Whether an error ends without anybody changing the database: connections, resources, locks,
/// deadlocks, an operator's intervention, a server that is read-only for a while.
fn passes(code: &str, class: &str) -> bool {
    match code {
        // A constraint that is checked at the end of the transaction.
        "40002" => false,
        // A limit that is set too low, and files that are missing or in the way.
        "53400" | "58P01" | "58P02" => false,
        // Read-only; a transaction that failed before, or that a timeout ended; a lock; a table in use; a remote server that
        // cannot be reached.
        "25006" | "25P02" | "25P03" | "25P04" | "55P03" | "55006" | "HV00N" => true,
        _ => matches!(class, "08" | "40" | "53" | "57" | "58" | "72"),
    }
}

/// Who is to blame for a rejected row, if every row is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The rows: the error is about a value, or about a constraint that has a name.
    Rows,
    /// Somebody's code, which rejects on purpose: the rows if they are few, the code if they are
    /// many and no other row is accepted.
    Code,
    /// The database, unless it accepts another row.
    Database,
}

/// Decides whom to blame by SQLSTATE, for an error that no code raised on purpose and that names
/// no constraint.
pub(crate) fn blame(state: Option<&SqlState>) -> Blame {
    let Some(state) = state else { return Blame::Database };
    match (state.code(), class(state)) {
        // A column that must be given was added; a column has another type than the one that was encoded.
        ("23502" | "22P03" | "22P04", _) => Blame::Database,
        (_, "22" | "54") => Blame::Rows,
        // Objects and rights that functions miss; what must not be done in a transaction or function; internal errors.
        (
            _,
            "0A" | "0B" | "0F" | "0L" | "0P" | "24" | "25" | "26" | "28" | "2B" | "2D" | "34" | "3B" | "3D" | "3F"
            | "42" | "55" | "HV" | "XX",
        ) => Blame::Database,
        _ => Blame::Code,
    }
}

fn class(state: &SqlState) -> &str {
    state.code().get(..2).unwrap_or_default()
}

/// Whether the transaction may have been committed in spite of the error. Only errors of a
/// statement say for certain that it was not. A server that is shut down during COMMIT may have
/// committed, and reports an error all the same.
pub(crate) fn may_have_committed(state: Option<&SqlState>) -> bool {
    let class = state.and_then(|state| state.code().get(..2));
    !matches!(class, Some("22" | "23" | "25" | "40" | "42" | "54" | "55" | "P0"))
}

/// The hint when there are too few connections.
pub(crate) const MORE_CONNECTIONS: &str = "at least two are needed, one that leads and one that writes, and one more than \
    --connections for full speed: raise the size of the pool, CONNECTION LIMIT of the role or database, or max_connections";

/// The kind of the error for the user, and what to do about it.
pub(crate) fn error_kind_and_hint(state: Option<&SqlState>) -> (ErrorKind, Option<&'static str>) {
    let code = state.map_or("08000", |state| state.code());
    match (code, code.get(..2).unwrap_or_default()) {
        ("3D000", _) => (
            ErrorKind::Configuration,
            Some("create the database, or name another one in the database URL"),
        ),
        (_, "28") => (
            ErrorKind::Configuration,
            Some("check the user and the password in the database URL"),
        ),
        ("42501", _) => (
            ErrorKind::Schema,
            Some(
                "grant the role the privileges that sql/roles.sql grants to ecom_writer, or connect as another \
             role",
            ),
        ),
        // A name, that of a file excepted: files are escaped, and rows are bisected.
        ("22P05", _) => (
            ErrorKind::Configuration,
            Some(
                "a name has a character that the encoding of the database lacks: use another name, or a database with \
                 ENCODING 'UTF8'",
            ),
        ),
        (_, "42" | "3F") => (
            ErrorKind::Schema,
            Some(
                "an object of the schema is missing or different: run psql -f sql/setup.sql as the owner of the \
             schema",
            ),
        ),
        ("53300", _) => (ErrorKind::Unavailable, Some(MORE_CONNECTIONS)),
        ("53200", _) => (
            ErrorKind::Unavailable,
            Some("if the server's lock table is full, raise max_locks_per_transaction"),
        ),
        (_, "08" | "40" | "53" | "55" | "57") | ("25006", _) => (
            ErrorKind::Unavailable,
            Some("check that the server is running and accepts connections, and that the database URL is right"),
        ),
        _ => (ErrorKind::Sink, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Action::{Bisect, LookUpKeys, Pause, Retry};

    /// The codes that differ from others of their class, and one of each other class, of PostgreSQL
    /// 13 to 18; then classes that only a function of the user's raises. With the action in each
    /// step: connecting, session, partitions, rows, ledger, commit.
    const ACTIONS: &[(&str, [Action; 6])] = &[
        ("01000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("02000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("03000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("08006", [Retry; 6]),
        ("08P01", [Retry; 6]),
        ("09000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("0A000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("0B000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("0F000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("0L000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("0P000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("0Z000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("10608", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("20000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("21000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("22003", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("22P03", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("22P05", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("23000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("23502", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("23503", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("23505", [Pause, Pause, Retry, LookUpKeys, Pause, Bisect]),
        ("23514", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("23P01", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("24000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("25001", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("25006", [Retry; 6]),
        ("25P02", [Retry; 6]),
        ("25P03", [Retry; 6]),
        ("25P04", [Retry; 6]),
        ("26000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("27000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("28P01", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("2B000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("2D000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("2F000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("34000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("38000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("39P01", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("3B001", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("3D000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("3F000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("40001", [Retry; 6]),
        ("40002", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("40P01", [Retry; 6]),
        ("42501", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("42P01", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("44000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("53100", [Retry; 6]),
        ("53200", [Retry; 6]),
        ("53300", [Retry; 6]),
        ("53400", [Pause; 6]),
        ("54000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("55000", [Retry, Pause, Pause, Bisect, Pause, Bisect]),
        ("55006", [Retry; 6]),
        ("55P03", [Retry; 6]),
        ("57014", [Retry; 6]),
        ("57P01", [Retry; 6]),
        ("57P03", [Retry; 6]),
        ("57P04", [Retry; 6]),
        ("57P05", [Retry; 6]),
        ("58030", [Retry; 6]),
        ("58P01", [Pause; 6]),
        ("72000", [Retry; 6]),
        ("F0000", [Pause; 6]),
        ("HV000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("HV00N", [Retry; 6]),
        ("P0001", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("P0002", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("P0004", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("XX000", [Retry, Retry, Retry, Bisect, Retry, Bisect]),
        ("XX001", [Pause; 6]),
        ("XX002", [Pause; 6]),
        ("45000", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("U0001", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
        ("ZZZZZ", [Pause, Pause, Pause, Bisect, Pause, Bisect]),
    ];

    const STEPS: [Step; 6] = [
        Step::Connect,
        Step::Session,
        Step::Partitions,
        Step::Rows,
        Step::Ledger,
        Step::Commit,
    ];

    /// The classes of appendix A that stand for errors or for warnings, which a function may raise.
    const CLASSES: &str = "01 02 03 08 09 0A 0B 0F 0L 0P 0Z 10 20 21 22 23 24 25 26 27 28 2B 2D 2F 34 38 39 3B 3D 3F 40 42 44 \
                           53 54 55 57 58 72 F0 HV P0 XX";

    #[test]
    fn every_class_has_its_action() {
        for (code, expected) in ACTIONS {
            let state = SqlState::from_code(code);
            assert_eq!(STEPS.map(|step| action(step, Some(&state))), *expected, "{code}");
        }
        assert_eq!(STEPS.map(|step| action(step, None)), [Retry; 6]);
        for class in CLASSES.split_whitespace() {
            assert!(ACTIONS.iter().any(|(code, _)| code.starts_with(class)), "{class}");
        }
    }

    #[test]
    fn values_are_blamed_on_rows_and_missing_objects_on_the_database() {
        let blamed = |code| blame(Some(&SqlState::from_code(code)));
        for code in ["22003", "22P05", "22021", "54000"] {
            assert_eq!(blamed(code), Blame::Rows, "{code}");
        }
        for code in [
            "P0001", "P0002", "23514", "23000", "38000", "2F000", "44000", "45000", "ZZZZZ",
        ] {
            assert_eq!(blamed(code), Blame::Code, "{code}");
        }
        for code in ["23502", "22P03", "42501", "42P01", "0A000", "3F000", "55000", "XX000"] {
            assert_eq!(blamed(code), Blame::Database, "{code}");
        }
    }
}
