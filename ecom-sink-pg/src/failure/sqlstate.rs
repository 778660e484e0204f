//! Classifies errors of the server by SQLSTATE: what to do, whether a commit may have happened,
//! and what to tell the user.
//!
//! See appendix A, "PostgreSQL Error Codes", of the PostgreSQL documentation. The first two
//! characters are the class.

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

/// Decides by SQLSTATE. `None` stands for an error that does not come from the server, such as a
/// broken connection.
pub(crate) fn action(state: Option<&SqlState>) -> Action {
    let Some(state) = state else { return Action::Retry };
    match (state, state.code().get(..2).unwrap_or_default()) {
        (&SqlState::UNIQUE_VIOLATION, _) => Action::LookUpKeys,
        // That of a row that no partition takes; those of constraints are told apart by their name.
        (&SqlState::CHECK_VIOLATION, _) => Action::MakePartitions,
        // A column that must be given was added: that is the table's fault, not the rows'.
        (&SqlState::NOT_NULL_VIOLATION, _) => Action::Pause,
        // 54: a row or a key of an index that is larger than the server can store.
        (_, "22" | "23" | "54") => Action::Bisect,
        // The catalogue or the rights are not as they should be.
        (_, "42" | "28" | "3D" | "3F" | "0A" | "0L" | "0P") => Action::Pause,
        // Connections, resources, an operator's intervention, deadlocks, and whatever is not known.
        _ => Action::Retry,
    }
}

/// Whether the transaction may have been committed in spite of the error. Only errors of a
/// statement say for certain that it was not. A server that is shut down during COMMIT may have
/// committed, and reports an error all the same.
pub(crate) fn may_have_committed(state: Option<&SqlState>) -> bool {
    let class = state.and_then(|state| state.code().get(..2));
    !matches!(class, Some("22" | "23" | "25" | "40" | "42" | "54" | "55"))
}

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
        (_, "42" | "3F") => (
            ErrorKind::Schema,
            Some(
                "an object of the schema is missing or different: run psql -f sql/setup.sql as the owner of the \
             schema",
            ),
        ),
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

    #[test]
    fn every_class_has_its_action() {
        let table = [
            ("08006", Action::Retry),
            ("0A000", Action::Pause),
            ("22003", Action::Bisect),
            ("22021", Action::Bisect),
            ("22P03", Action::Bisect),
            ("23502", Action::Pause),
            ("23503", Action::Bisect),
            ("23505", Action::LookUpKeys),
            ("23514", Action::MakePartitions),
            ("25006", Action::Retry),
            ("25P02", Action::Retry),
            ("28P01", Action::Pause),
            ("3D000", Action::Pause),
            ("3F000", Action::Pause),
            ("40001", Action::Retry),
            ("40P01", Action::Retry),
            ("42501", Action::Pause),
            ("42703", Action::Pause),
            ("42P01", Action::Pause),
            ("53100", Action::Retry),
            ("53200", Action::Retry),
            ("53300", Action::Retry),
            ("54000", Action::Bisect),
            ("55P03", Action::Retry),
            ("57014", Action::Retry),
            ("57P01", Action::Retry),
            ("57P03", Action::Retry),
            ("58030", Action::Retry),
            ("XX000", Action::Retry),
        ];
        for (code, expected) in table {
            assert_eq!(action(Some(&SqlState::from_code(code))), expected, "{code}");
        }
        assert_eq!(action(None), Action::Retry);
    }
}
