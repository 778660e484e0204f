//! What to do about an error of the server: one function over its SQLSTATE.

use tokio_postgres::error::SqlState;

/// What to do about an error of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// It passes: try again on a new connection after a while.
    Retry,
    /// Somebody has to change the database or the settings: try again slowly, and say so loudly.
    Pause,
    /// Some rows are in the table already: find them by their keys.
    LookUpKeys,
    /// The partition for a row is missing: make it.
    MakePartitions,
    /// The server refuses a row: find it, put it among the dead letters, store its neighbours.
    Bisect,
}

/// Decides by SQLSTATE; `None` is an error that didn't come from the server, such as a connection that broke.
pub(crate) fn action(state: Option<&SqlState>) -> Action {
    let Some(state) = state else { return Action::Retry };
    match (state, state.code().get(..2).unwrap_or_default()) {
        (&SqlState::UNIQUE_VIOLATION, _) => Action::LookUpKeys,
        // That of a table constraint, and that of a row no partition takes. Making partitions shows which it was.
        (&SqlState::CHECK_VIOLATION, _) => Action::MakePartitions,
        (_, "22" | "23") => Action::Bisect,
        // The catalogue or the rights are not as they should be.
        (_, "42" | "28" | "3D" | "3F" | "0A" | "0L" | "0P") => Action::Pause,
        // Connections, resources, an operator's intervention, deadlocks, and whatever is not known.
        _ => Action::Retry,
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
            ("23502", Action::Bisect),
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
