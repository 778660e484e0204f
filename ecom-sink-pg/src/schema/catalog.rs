//! The state of the schema in a database: its migrations, tables, columns and privileges, read
//! from the catalogue of PostgreSQL.

use std::collections::BTreeMap;
use std::error::Error as StdError;

use ecom_stream::{Error, ErrorKind, Result};
use futures::future;
use refinery::Migration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use super::error::{failed, server_error};
use super::migrations::migrations;

/// How to apply missing migrations.
const HOW_TO_MIGRATE: &str =
    "run psql -f sql/setup.sql as the owner of the schema, or start this program once as that role";
/// How to create the schema.
const HOW_TO_MAKE: &str = "ecom-ingest schema apply creates it";
/// What to do about a schema of another program.
const ANOTHER_SCHEMA: &str = "use the program that created it, or connect to another database";

/// What a database has of the schema `ecom`.
pub(super) struct DatabaseSchema {
    /// The role of the session, quoted for SQL.
    pub(super) role: String,
    pub(super) schema_exists: bool,
    pub(super) may_use_schema: bool,
    /// Whether the role may read which migrations were applied.
    may_read_history: bool,
    /// Whether the function exists that creates partitions.
    pub(super) partition_maker: bool,
    pub(super) may_make_partitions: bool,
    /// Migrations that were applied, by version.
    applied: BTreeMap<i32, Applied>,
    /// Tables and views, by name.
    pub(super) tables: BTreeMap<String, CatalogTable>,
}

/// A migration that was applied.
struct Applied {
    name: String,
    checksum: Option<u64>,
    applied_on_is_valid: bool,
}

/// A table or view in the database.
pub(super) struct CatalogTable {
    pub(super) kind: String,
    pub(super) unlogged: bool,
    /// The columns of each valid unique index, sorted and separated by commas.
    pub(super) keys: Vec<String>,
    /// The privileges that the role has on the whole table.
    pub(super) rights: Vec<String>,
    /// Its columns, by name.
    pub(super) columns: BTreeMap<String, CatalogColumn>,
}

/// A column in the database.
pub(super) struct CatalogColumn {
    pub(super) sql_type: String,
    /// Whether it is NOT NULL without a default, so that a row without a value for it is
    /// rejected.
    pub(super) must_be_given: bool,
    pub(super) may_be_read: bool,
}

// Both ask the catalogue only, which needs no rights, and never for an object that may not be there.
const FACTS: &str = "
    SELECT
        quote_ident(current_user) AS role,
        n.oid IS NOT NULL AS schema_exists,
        coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS may_use_schema,
        h.oid IS NOT NULL AS history_exists,
        coalesce(has_table_privilege(h.oid, 'SELECT'), false) AS may_read_history,
        p.oid IS NOT NULL AS partition_maker,
        coalesce(has_function_privilege(p.oid, 'EXECUTE'), false) AS may_make_partitions
    FROM (VALUES (1)) AS one
    LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'ecom'
    LEFT JOIN pg_catalog.pg_class h ON h.relnamespace = n.oid AND h.relname = 'schema_history'
    LEFT JOIN pg_catalog.pg_proc p
        ON p.pronamespace = n.oid AND p.proname = 'ensure_partitions' AND p.proargtypes[0] = 'date[]'::regtype AND p.pronargs = 1";

const COLUMNS: &str = "
    SELECT
        c.relname::text AS table_name,
        CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' ELSE 'not a table' END AS kind,
        c.relpersistence = 'u' AS unlogged,
        ARRAY(
            SELECT (SELECT string_agg(k.attname, ', ' ORDER BY k.attname)
                    FROM pg_catalog.pg_attribute k
                    WHERE k.attrelid = c.oid AND k.attnum = ANY (i.indkey))
            FROM pg_catalog.pg_index i
            WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        ) AS keys,
        ARRAY(
            SELECT needed
            FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needed
            WHERE has_table_privilege(c.oid, needed)
        ) AS rights,
        a.attname::text AS column_name,
        -- With quote_all_identifiers, which a session of the user's may have, the names are quoted.
        replace(format_type(a.atttypid, a.atttypmod), chr(34), '') AS sql_type,
        a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS must_be_given,
        has_column_privilege(c.oid, a.attnum, 'SELECT') AS may_be_read
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'ecom'
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition";

const APPLIED: &str = "SELECT version, name, checksum, applied_on FROM ecom.schema_history";

impl DatabaseSchema {
    /// Reads the catalogue in one round trip, and the history of migrations in another. No
    /// statement is prepared, which would double that.
    pub(super) async fn read(client: &Client) -> Result<Self> {
        let catalogue = future::try_join(client.query_typed_one(FACTS, &[]), client.query_typed(COLUMNS, &[]));
        let (facts, columns) = catalogue.await.map_err(|err| failed("reading the schema", err))?;
        let mut found = Self {
            role: facts.get("role"),
            schema_exists: facts.get("schema_exists"),
            may_use_schema: facts.get("may_use_schema"),
            may_read_history: facts.get("may_read_history"),
            partition_maker: facts.get("partition_maker"),
            may_make_partitions: facts.get("may_make_partitions"),
            applied: BTreeMap::new(),
            tables: BTreeMap::new(),
        };
        for row in &columns {
            found.add_column(row);
        }
        if facts.get("history_exists") && found.may_use_schema && found.may_read_history {
            let history = client.query_typed(APPLIED, &[]).await;
            for row in &history.map_err(|err| failed("reading ecom.schema_history", err))? {
                found.add_applied(row);
            }
        } else if facts.get("history_exists") {
            return Err(found.history_is_closed());
        }
        Ok(found)
    }

    /// Adds a column, and its table if that is new.
    fn add_column(&mut self, row: &Row) {
        let table = self
            .tables
            .entry(row.get("table_name"))
            .or_insert_with(|| CatalogTable {
                kind: row.get("kind"),
                unlogged: row.get("unlogged"),
                keys: row.get("keys"),
                rights: row.get("rights"),
                columns: BTreeMap::new(),
            });
        let column = CatalogColumn {
            sql_type: row.get("sql_type"),
            must_be_given: row.get("must_be_given"),
            may_be_read: row.get("may_be_read"),
        };
        table.columns.insert(row.get("column_name"), column);
    }

    /// Adds a migration that was applied.
    fn add_applied(&mut self, row: &Row) {
        let name: Option<String> = row.get("name");
        let checksum: Option<String> = row.get("checksum");
        let applied_on: Option<String> = row.get("applied_on");
        let applied = Applied {
            name: name.unwrap_or_default(),
            checksum: checksum.and_then(|text| text.parse().ok()),
            applied_on_is_valid: applied_on.is_some_and(|text| OffsetDateTime::parse(&text, &Rfc3339).is_ok()),
        };
        self.applied.insert(row.get("version"), applied);
    }

    /// The error when the role may not read the history.
    fn history_is_closed(&self) -> Error {
        let role = &self.role;
        Error::new(
            ErrorKind::Schema,
            format!("the role {role} may not read ecom.schema_history, so the version of the schema is unknown"),
        )
        .hint(format!(
            "GRANT USAGE ON SCHEMA ecom TO {role}; GRANT SELECT ON ecom.schema_history TO {role}; \
                 sql/roles.sql has all grants that a writer needs"
        ))
    }

    /// The migrations that are still to be applied.
    ///
    /// # Errors
    ///
    /// `Schema` when the schema is newer than this program, or was created by another one.
    pub(super) fn pending(&self) -> Result<Vec<Migration>> {
        let known = migrations()?;
        let newest = known.iter().map(Migration::version).max().unwrap_or_default();
        for (version, applied) in &self.applied {
            let label = format!("V{version}__{}", applied.name);
            let Some(ours) = known.iter().find(|ours| ours.version() == *version) else {
                return Err(if *version > newest {
                    let message = format!(
                        "the schema ecom is newer than this program: it has {label}, but this program ends with \
                         V{newest}"
                    );
                    Error::new(ErrorKind::Schema, message).hint("use the newer program that applied it")
                } else {
                    let message = format!(
                        "the schema ecom was created by another program: {label} was applied, which this \
                         program does not know"
                    );
                    Error::new(ErrorKind::Schema, message).hint(ANOTHER_SCHEMA)
                });
            };
            if ours.name() != applied.name || Some(ours.checksum()) != applied.checksum {
                let message = format!(
                    "the schema ecom was created by another program: {label} was applied with a text that differs \
                     from {ours} here"
                );
                return Err(Error::new(ErrorKind::Schema, message).hint(ANOTHER_SCHEMA));
            }
            // refinery panics at it when it next has something to apply.
            if !applied.applied_on_is_valid {
                let message = format!("ecom.schema_history has a time for {label} that is not in RFC 3339");
                let hint = format!(
                    "UPDATE ecom.schema_history SET applied_on = '2000-01-01T00:00:00Z' WHERE version = {version}"
                );
                return Err(Error::new(ErrorKind::Schema, message).hint(hint));
            }
        }
        let pending: Vec<Migration> = known
            .into_iter()
            .filter(|ours| !self.applied.contains_key(&ours.version()))
            .collect();
        // refinery only goes forward.
        if let (Some(first), Some((last, _))) = (pending.first(), self.applied.last_key_value())
            && first.version() < *last
        {
            let message = format!("ecom.schema_history lacks {first}, though V{last} was applied");
            return Err(
                Error::new(ErrorKind::Schema, message).hint("run psql -f sql/setup.sql as the owner of the schema")
            );
        }
        Ok(pending)
    }

    /// The error when migrations are missing and are not to be applied now.
    pub(super) fn not_current(&self, pending: &[Migration]) -> Error {
        let hint = if self.schema_exists {
            HOW_TO_MIGRATE
        } else {
            HOW_TO_MAKE
        };
        Error::new(ErrorKind::Schema, self.lacking(pending)).hint(hint)
    }

    /// What is missing, in words.
    fn lacking(&self, pending: &[Migration]) -> String {
        if !self.schema_exists {
            return "there is no schema ecom in this database".to_owned();
        }
        let pending: Vec<String> = pending.iter().map(Migration::to_string).collect();
        format!("the schema ecom lacks {}", pending.join(", "))
    }

    /// The error when applying migrations failed.
    pub(super) fn not_migrated(&self, pending: &[Migration], err: impl StdError + Send + Sync + 'static) -> Error {
        match server_error(&err) {
            Some(db) if *db.code() == SqlState::INSUFFICIENT_PRIVILEGE => {
                let message = format!(
                    "{}, and the role {} may not create it: {}",
                    self.lacking(pending),
                    self.role,
                    db.message()
                );
                Error::new(ErrorKind::Schema, message).hint(HOW_TO_MIGRATE)
            }
            _ => failed("bringing the schema ecom up to date", err),
        }
    }
}
