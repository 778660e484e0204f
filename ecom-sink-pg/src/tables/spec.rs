//! The definition of a user's table without its row type, and the SQL that writes the table.
//!
//! An append-only table needs one statement, COPY. A table with a key needs a *staging table*, a
//! temporary table of the session: rows are copied there in parallel with other epochs, and
//! merged from there when it is the epoch's turn.

use ecom_stream::{Error, ErrorKind, Result};
use postgres_types::Type;

use super::merge::Merge;

/// The column of the staging table with the index of the row in its epoch: of rows with one key,
/// the last one counts.
const ROW: &str = "\"ecom row\"";

/// The definition of a user's table, without the type of its rows.
#[derive(Debug, Clone)]
pub struct TableSpec {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) columns: Vec<ColumnSpec>,
    pub(super) key: Vec<String>,
    pub(super) create_if_missing: bool,
}

/// The definition of one column.
#[derive(Debug, Clone)]
pub(super) struct ColumnSpec {
    pub(super) name: String,
    /// How it is merged; `None` if a later row replaces the value.
    pub(super) merge: Option<Merge>,
    /// The Rust type of the value, for messages.
    pub(super) rust_type: &'static str,
    /// The type that a created table gets.
    pub(super) sql_type: &'static str,
    pub(super) is_nullable: bool,
    /// Whether a column of that type can hold the value.
    pub(super) accepts: fn(&Type) -> bool,
}

/// A definition together with the types that the table in the database has.
#[derive(Debug, Clone)]
pub struct CheckedTable {
    pub(crate) spec: TableSpec,
    pub(crate) columns: Vec<CheckedColumn>,
}

/// What the database says about a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckedColumn {
    pub(crate) column_type: Type,
    pub(crate) is_nullable: bool,
}

impl TableSpec {
    /// Checks the definition in itself: columns, key and merges.
    ///
    /// # Errors
    ///
    /// `Configuration`, with what is wrong and how to fix it.
    pub(super) fn check(&self) -> Result<()> {
        let names = || self.columns.iter().map(|column| column.name.as_str());
        let wrong = if self.columns.is_empty() {
            Some(("has no columns".to_owned(), "add them with column()"))
        } else if let Some((_, twice)) = names()
            .enumerate()
            .find(|&(at, name)| names().take(at).any(|other| other == name))
        {
            Some((format!("has the column {twice:?} twice"), "remove one of them"))
        } else if let Some(key) = self.key.iter().find(|key| !names().any(|name| name == *key)) {
            Some((
                format!("has no column {key:?}, which is part of its key"),
                "add it with column()",
            ))
        } else if self.key.is_empty() && self.columns.iter().any(|column| column.merge.is_some()) {
            let message = "has columns to merge, but no key".to_owned();
            Some((message, "name the key columns with key()"))
        } else {
            let merged = |column: &&ColumnSpec| column.merge.is_some() && self.key.contains(&column.name);
            let merged = self.columns.iter().find(merged);
            merged.map(|column| {
                (
                    format!("merges the column {:?}, which is part of its key", column.name),
                    "merge another column",
                )
            })
        };
        match wrong {
            None => Ok(()),
            Some((what, hint)) => {
                Err(Error::new(ErrorKind::Configuration, format!("the table {} {what}", self.name)).hint(hint))
            }
        }
    }

    /// Whether the table has a key, so that a row may replace another one or be merged with it.
    /// Such rows are staged, and written when it is the turn of their epoch: otherwise one epoch
    /// could wait for the rows of another.
    pub(crate) fn is_keyed(&self) -> bool {
        !self.key.is_empty()
    }

    /// The name with its schema, quoted.
    pub(crate) fn sql_name(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// The columns, quoted, for SQL.
    pub(super) fn column_list(&self) -> String {
        list(self.columns.iter().map(|column| quoted(&column.name)))
    }

    /// The key columns, quoted, for SQL.
    fn key_list(&self) -> String {
        list(self.key.iter().map(|name| quoted(name)))
    }

    /// A query whose description gives the types of the columns.
    pub(crate) fn describe(&self) -> String {
        format!("SELECT {} FROM {} LIMIT 0", self.column_list(), self.sql_name())
    }

    /// The statement that creates the table.
    pub(super) fn create(&self) -> String {
        let column = |column: &ColumnSpec| {
            let must_be_given = !column.is_nullable || self.key.contains(&column.name);
            let not_null = if must_be_given { " NOT NULL" } else { "" };
            format!("{} {}{not_null}", quoted(&column.name), column.sql_type)
        };
        let key = match self.is_keyed() {
            true => format!(", PRIMARY KEY ({})", self.key_list()),
            false => String::new(),
        };
        let columns = list(self.columns.iter().map(column));
        format!("CREATE TABLE IF NOT EXISTS {} ({columns}{key})", self.sql_name())
    }
}

impl CheckedTable {
    /// The statement that creates the staging table of the session, for the table with that
    /// number. It is emptied at each commit.
    pub(crate) fn create_staging_table(&self, number: usize) -> String {
        format!(
            "CREATE TEMPORARY TABLE {} ON COMMIT DELETE ROWS AS SELECT 0::int8 AS {ROW}, {} FROM {} WITH NO DATA",
            staging_table_name(number),
            self.spec.column_list(),
            self.spec.sql_name()
        )
    }

    /// The statement that empties it.
    pub(crate) fn clear_staging_table(number: usize) -> String {
        format!("DELETE FROM pg_temp.{}", staging_table_name(number))
    }

    /// The statement that copies rows into the table, or into its staging table.
    pub(crate) fn copy(&self, number: usize) -> String {
        let columns = self.spec.column_list();
        match self.spec.is_keyed() {
            true => format!(
                "COPY pg_temp.{} ({ROW}, {columns}) FROM STDIN (FORMAT binary)",
                staging_table_name(number)
            ),
            false => format!("COPY {} ({columns}) FROM STDIN (FORMAT binary)", self.spec.sql_name()),
        }
    }

    /// The statement that tells, after the merge, whether a trigger or a policy has left rows out. It
    /// returns the number of keys that the merge must have written, and true; or, if the merge
    /// writes only keys that are not in the table, the number of keys that the table lacks, and
    /// false.
    pub(crate) fn count_left_out(&self, number: usize) -> String {
        let (keys, stage) = (self.spec.key_list(), staging_table_name(number));
        let staged = format!("SELECT DISTINCT {keys} FROM pg_temp.{stage}");
        if self.spec.key.len() < self.spec.columns.len() {
            return format!("SELECT count(*), true FROM ({staged}) AS staged");
        }
        let of = |table: &str| list(self.spec.key.iter().map(|name| format!("{table}.{}", quoted(name))));
        format!(
            "SELECT count(*), false FROM ({staged}) AS staged
             WHERE NOT EXISTS (SELECT FROM {} AS t WHERE ({}) = ({}))",
            self.spec.sql_name(),
            of("t"),
            of("staged")
        )
    }

    /// The statement that merges the staging table into the table, each key once and in order.
    /// All writers of the table should use that order: then none of them waits for another in a
    /// circle.
    pub(crate) fn merge_staging_table(&self, number: usize) -> String {
        let spec = &self.spec;
        let (columns, keys) = (spec.column_list(), spec.key_list());
        let values = list(spec.columns.iter().zip(&self.columns).map(|(column, found)| {
            let name = quoted(&column.name);
            match column.merge {
                // A sum has a wider type than its terms.
                Some(merge) => format!("({})::{}", merge.of_rows(&name), found.sql_type()),
                None => name,
            }
        }));
        let others = spec.columns.iter().filter(|column| !spec.key.contains(&column.name));
        let updates = list(others.map(|column| {
            let name = quoted(&column.name);
            match column.merge {
                Some(merge) => format!("{name} = {}", merge.of_both(&name)),
                None => format!("{name} = excluded.{name}"),
            }
        }));
        let conflict = match updates.is_empty() {
            true => "NOTHING".to_owned(),
            false => format!("UPDATE SET {updates}"),
        };
        format!(
            "INSERT INTO {} AS t ({columns})
             SELECT DISTINCT ON ({keys}) {values} FROM pg_temp.{}
             WINDOW same_key AS (PARTITION BY {keys})
             ORDER BY {keys}, {ROW} DESC
             ON CONFLICT ({keys}) DO {conflict}",
            spec.sql_name(),
            staging_table_name(number)
        )
    }
}

impl CheckedColumn {
    /// The type, quoted, with its schema.
    fn sql_type(&self) -> String {
        format!(
            "{}.{}",
            quoted(self.column_type.schema()),
            quoted(self.column_type.name())
        )
    }
}

/// The name of the staging table for the table with that number.
fn staging_table_name(number: usize) -> String {
    format!("ecom_stage_{number}")
}

/// A quoted identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The items, separated by commas.
fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
