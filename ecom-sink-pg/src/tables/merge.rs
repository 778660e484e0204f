//! How a column is merged when a row arrives whose key is already in the table.

/// What becomes of a column when a row comes whose key the table has; see [`Table::merge`](super::Table::merge).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Merge {
    /// The sum of both: `count = count + …`. A CHECK of the column must hold for what is added too, since the server looks at it
    /// before it knows that there is a row.
    Add,
    /// The smaller of both.
    Least,
    /// The greater of both.
    Greatest,
}

impl Merge {
    /// Of the values of rows that come together, by the window `same_key`.
    pub(super) fn of_rows(self, column: &str) -> String {
        let function = match self {
            Self::Add => "sum",
            Self::Least => "min",
            Self::Greatest => "max",
        };
        format!("{function}({column}) OVER same_key")
    }

    /// Of what the table has and what comes; a null changes nothing.
    pub(super) fn of_both(self, column: &str) -> String {
        let (old, new) = (format!("t.{column}"), format!("excluded.{column}"));
        match self {
            Self::Add => format!("coalesce({old} + {new}, {old}, {new})"),
            Self::Least => format!("least({old}, {new})"),
            Self::Greatest => format!("greatest({old}, {new})"),
        }
    }
}
