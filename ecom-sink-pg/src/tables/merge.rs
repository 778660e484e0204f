//! How a column is merged when a row arrives whose key is already in the table.

/// How a column is merged when a row arrives whose key is in the table already; see
/// [`Table::merge`](super::Table::merge).
///
/// A null changes nothing, on either side.
///
/// # Examples
///
/// ```
/// use ecom_sink_pg::{Merge, Table};
///
/// let stock = Table::new("stock")
///     .column("sku", |change: &(String, i64)| change.0.clone())
///     .merge("pieces", Merge::Add, |change| change.1)
///     .key(["sku"]);
/// # let _ = stock;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Merge {
    /// The sum of both: `count = count + …`. A CHECK constraint on the column must hold for the
    /// added value too, because the server evaluates it before it finds the existing row.
    Add,
    /// The smaller one of both.
    Least,
    /// The greater one of both.
    Greatest,
}

impl Merge {
    /// The SQL expression for rows that arrive together, over the window `same_key`.
    pub(super) fn of_rows(self, column: &str) -> String {
        let function = match self {
            Self::Add => "sum",
            Self::Least => "min",
            Self::Greatest => "max",
        };
        format!("{function}({column}) OVER same_key")
    }

    /// The SQL expression for the value in the table and the one that arrives.
    pub(super) fn of_both(self, column: &str) -> String {
        let (old, new) = (format!("t.{column}"), format!("excluded.{column}"));
        match self {
            Self::Add => format!("coalesce({old} + {new}, {old}, {new})"),
            Self::Least => format!("least({old}, {new})"),
            Self::Greatest => format!("greatest({old}, {new})"),
        }
    }
}
