use ecom_stream::{Error, ErrorKind, Result};

use super::found::FoundTable;

pub(super) const MAKE_TABLES: &str =
    "run psql -f sql/migrations/V1__tables.sql as the owner of the schema, which makes what is missing";
const RESTORE_COLUMN: &str = "add the column again as sql/migrations/V1__tables.sql has it";
const REBUILD_TABLE: &str = "rename the table and run psql -f sql/migrations/V1__tables.sql, which makes it anew";

/// A table as the sink needs it.
pub(super) struct Table {
    pub(super) name: &'static str,
    kind: &'static str,
    /// Columns that are unique together, in alphabetical order.
    keys: &'static [&'static str],
    rights: &'static [&'static str],
    columns: &'static [(&'static str, &'static str)],
}

const TIME: &str = "timestamp with time zone";

/// Every table that the sink writes to.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: "events",
        kind: "partitioned table",
        keys: &["event_id, event_time"],
        rights: &["SELECT", "INSERT"],
        columns: &[
            ("event_time", TIME),
            ("processed_at", TIME),
            ("split_id", "bigint"),
            ("record_no", "bigint"),
            ("event_id", "uuid"),
            ("quantity", "integer"),
            ("event_type", "text"),
            ("user_id", "text"),
            ("session_id", "text"),
            ("product_id", "text"),
            ("product_name", "text"),
            ("category", "text"),
            ("brand", "text"),
            ("price", "numeric(12,2)"),
        ],
    },
    Table {
        name: "dead_letters",
        kind: "table",
        keys: &[],
        rights: &["INSERT"],
        columns: &[
            ("id", "bigint"),
            ("split_id", "bigint"),
            ("record_no", "bigint"),
            ("byte_offset", "bigint"),
            ("epoch", "bigint"),
            ("rejected_at", TIME),
            ("pipeline", "text"),
            ("path", "text"),
            ("reason", "text"),
            ("detail", "text"),
            ("raw", "bytea"),
            ("raw_text", "text"),
        ],
    },
    Table {
        name: "ingest_split",
        kind: "table",
        keys: &["split_id", "generation, path, pipeline, source"],
        rights: &["SELECT", "INSERT", "UPDATE"],
        columns: &[
            ("split_id", "bigint"),
            ("read_offset", "bigint"),
            ("record_no", "bigint"),
            ("read", "bigint"),
            ("stored", "bigint"),
            ("duplicates", "bigint"),
            ("rejected", "bigint"),
            ("filtered", "bigint"),
            ("first_seen_at", TIME),
            ("updated_at", TIME),
            ("finished_at", TIME),
            ("generation", "integer"),
            ("pipeline", "text"),
            ("source", "text"),
            ("path", "text"),
            ("state", "text"),
            ("reason", "text"),
            ("detail", "text"),
            ("mark", "json"),
            ("size", "bigint"),
            ("mtime", TIME),
            ("digest", "text"),
            ("ignored_columns", "text"),
        ],
    },
    Table {
        name: "ingest_pipeline",
        kind: "table",
        keys: &["pipeline"],
        rights: &["SELECT", "INSERT", "UPDATE"],
        columns: &[
            ("pipeline", "text"),
            ("pipeline_id", "bigint"),
            ("sources", "jsonb"),
            ("fence", "bigint"),
            ("epoch", "bigint"),
            ("started_at", TIME),
            ("committed_at", TIME),
            ("holder", "text"),
        ],
    },
    Table {
        name: "operator_state",
        kind: "table",
        keys: &["key, operator, pipeline"],
        rights: &["SELECT", "INSERT", "UPDATE", "DELETE"],
        columns: &[
            ("epoch", "bigint"),
            ("format", "integer"),
            ("pipeline", "text"),
            ("operator", "text"),
            ("key", "bytea"),
            ("value", "bytea"),
        ],
    },
];

impl Table {
    pub(super) fn compare(&self, found: &FoundTable, role: &str, problems: &mut Problems) {
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
                    RESTORE_COLUMN,
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
                    format!("ecom.{name} has a column {column:?} that must be given, and this program doesn't know it"),
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
        let lacking: Vec<&str> = self
            .rights
            .iter()
            .copied()
            .filter(|right| !found.rights.iter().any(|found| found == right))
            .collect();
        if !lacking.is_empty() {
            let lacking = lacking.join(", ");
            problems.add(
                format!("the role {role} may not {lacking} on ecom.{name}"),
                format!("GRANT {lacking} ON ecom.{name} TO {role}"),
            );
        }
    }
}

/// All that is wrong, so that it can be mended in one go.
#[derive(Default)]
pub(super) struct Problems {
    problems: Vec<String>,
    mends: Vec<String>,
}

impl Problems {
    pub(super) fn add(&mut self, problem: impl Into<String>, mend: impl Into<String>) {
        self.problems.push(problem.into());
        let mend = mend.into();
        if !self.mends.contains(&mend) {
            self.mends.push(mend);
        }
    }

    pub(super) fn into_result(self) -> Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the schema ecom is not as this program needs it: {}",
            self.problems.join("; ")
        );
        Err(Error::new(ErrorKind::Schema, message).hint(format!("to mend it: {}", self.mends.join("; "))))
    }
}
