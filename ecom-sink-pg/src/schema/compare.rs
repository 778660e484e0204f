//! Compares the tables in the database with those that the sink needs.
//!
//! All differences are reported in one error, each with the SQL or the command that fixes it.

use ecom_stream::{Error, ErrorKind, Result};

use super::catalog::{CatalogTable, DatabaseSchema};
use super::migrations::migration_that_added;
use super::tables::{TABLES, Table};

/// How to create a missing object.
const MAKE_TABLES: &str =
    "run psql -v again=on -f sql/setup.sql as the owner of the schema, which creates what is missing";
/// How to replace a table of the wrong kind.
const REBUILD_TABLE: &str = "rename the table and run psql -v again=on -f sql/setup.sql, which creates it again";

impl DatabaseSchema {
    /// Compares tables, functions and privileges with what the sink needs. Call it when all
    /// migrations are applied.
    pub(super) fn check_tables(&self) -> Result<()> {
        let mut problems = Problems::default();
        if !self.may_use_schema {
            problems.add(
                format!("the role {} lacks USAGE on the schema ecom", self.role),
                format!("GRANT USAGE ON SCHEMA ecom TO {}", self.role),
            );
        }
        for table in TABLES {
            match self.tables.get(table.name) {
                Some(found) => table.compare(found, &self.role, &mut problems),
                None => problems.add(format!("there is no table ecom.{}", table.name), MAKE_TABLES),
            }
        }
        if !self.partition_maker {
            problems.add("there is no function ecom.ensure_partitions(date[])", MAKE_TABLES);
        } else if !self.may_make_partitions {
            problems.add(
                format!("the role {} lacks EXECUTE on ecom.ensure_partitions(date[])", self.role),
                format!(
                    "GRANT EXECUTE ON FUNCTION ecom.ensure_partitions(date[]) TO {}",
                    self.role
                ),
            );
        }
        problems.into_result()
    }
}

impl Table {
    /// Adds the differences between a table and what the sink needs.
    fn compare(&self, found: &CatalogTable, role: &str, problems: &mut Problems) {
        let name = self.name;
        if found.kind != self.kind {
            problems.add(
                format!("ecom.{name} is a {}, not a {}", found.kind, self.kind),
                REBUILD_TABLE,
            );
        }
        if found.unlogged {
            let problem = format!("ecom.{name} is unlogged, so a crash of the server would empty it");
            problems.add(problem, format!("ALTER TABLE ecom.{name} SET LOGGED"));
        }
        for (column, sql_type) in self.columns {
            match found.columns.get(*column) {
                None => problems.add(
                    format!("ecom.{name} has no column {column} ({sql_type})"),
                    format!(
                        "add the column again as sql/migrations/{}.sql defines it",
                        migration_that_added(name, column).unwrap_or(self.migration)
                    ),
                ),
                Some(found) if found.sql_type != *sql_type => problems.add(
                    format!("ecom.{name}.{column} is {}, not {sql_type}", found.sql_type),
                    format!("ALTER TABLE ecom.{name} ALTER COLUMN {column} TYPE {sql_type}"),
                ),
                Some(_) => {}
            }
        }
        for (column, found) in &found.columns {
            if found.must_be_given && !self.columns.iter().any(|(ours, _)| ours == column) {
                problems.add(
                    format!(
                        "ecom.{name} has a NOT NULL column {column:?} without a default, which this program \
                     does not fill"
                    ),
                    format!("ALTER TABLE ecom.{name} ALTER COLUMN {column:?} DROP NOT NULL"),
                );
            }
        }
        for key in self.keys {
            if !found.keys.iter().any(|found| found == key) {
                problems.add(
                    format!("ecom.{name} has no valid unique index on ({key})"),
                    format!("CREATE UNIQUE INDEX ON ecom.{name} ({key})"),
                );
            }
        }
        let may_read = |column: &str| found.columns.get(column).is_none_or(|found| found.may_be_read);
        let unread = !self.reads.iter().all(|column| may_read(column));
        let rights = self.rights.iter().map(|right| (*right).to_owned());
        let lacking: Vec<String> = unread
            .then(|| format!("SELECT ({})", self.reads.join(", ")))
            .into_iter()
            .chain(rights.filter(|right| !found.rights.contains(right)))
            .collect();
        if !lacking.is_empty() {
            let lacking = lacking.join(", ");
            problems.add(
                format!("the role {role} lacks {lacking} on ecom.{name}"),
                format!("GRANT {lacking} ON ecom.{name} TO {role}"),
            );
        }
    }
}

/// All that is wrong, so that it can be fixed in one go.
#[derive(Default)]
struct Problems {
    problems: Vec<String>,
    /// How to fix it; each fix is listed once.
    mends: Vec<String>,
}

impl Problems {
    fn add(&mut self, problem: impl Into<String>, mend: impl Into<String>) {
        self.problems.push(problem.into());
        let mend = mend.into();
        if !self.mends.contains(&mend) {
            self.mends.push(mend);
        }
    }

    /// One error for all problems.
    fn into_result(self) -> Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the schema ecom does not fit this program: {}",
            self.problems.join("; ")
        );
        Err(Error::new(ErrorKind::Schema, message).hint(format!("to fix it: {}", self.mends.join("; "))))
    }
}
