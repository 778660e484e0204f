//! Creates missing tables of the user, if that is asked for, and checks all of them at the start.
//!
//! All problems of a table are reported in one message, so that they can be fixed in one go.

use ecom_stream::{Error, ErrorKind, Result};
use tokio_postgres::error::SqlState;

use super::prepare::prepare_statements;
use super::spec::{CheckedColumn, CheckedTable, TableSpec};
use crate::connect::Connection;
use crate::failure::{Action, Deadline, Failure};

/// One row for each column of the table; none if there is no such table.
const COLUMNS: &str = "
    SELECT a.attname::text AS name,
           a.attnotnull OR t.typnotnull AS not_null,
           a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS must_be_given,
           a.attgenerated <> '' OR a.attidentity = 'a' AS is_computed,
           row_security_active(c.oid) AS has_row_security
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped";

/// The columns of each unique index that `ON CONFLICT` can use.
const KEYS: &str = "
    SELECT ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])) AS columns
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2 AND i.indisunique AND i.indisvalid AND i.indimmediate
      AND i.indpred IS NULL AND i.indexprs IS NULL";

/// The privileges that the role lacks.
const RIGHTS: &str = "
    SELECT quote_ident(current_user) AS role,
           ARRAY(SELECT r FROM unnest($3::text[]) r WHERE NOT has_table_privilege(c.oid, r)) AS lacking,
           has_database_privilege(current_database(), 'TEMPORARY') AS may_stage
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2";

/// Creates missing tables, if that is asked for, and compares each table with what will be
/// written to it.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] when the definition of a table is wrong in itself;
/// [`ErrorKind::Schema`] when the table in the database does not fit it.
pub(crate) async fn ensure_tables(
    connection: &Connection,
    specs: &[&TableSpec],
    deadline: Deadline,
) -> Result<Vec<CheckedTable>> {
    let mut found: Vec<CheckedTable> = Vec::new();
    for (at, spec) in specs.iter().enumerate() {
        spec.check()?;
        if specs[..at].iter().any(|other| other.sql_name() == spec.sql_name()) {
            let message = format!(
                "the table {} is written by two branches of the pipeline",
                spec.sql_name()
            );
            return Err(Error::new(ErrorKind::Configuration, message)
                .hint("use one row type for both, so that the order of their rows is defined"));
        }
        let looked = ensure_table(connection, spec, deadline).await;
        let looked = looked.map_err(|failure| failure.into_error("checking the tables"))?;
        found.push(looked?);
    }
    Ok(found)
}

/// Creates and checks one table. The outer result is about the connection, the inner one is an
/// error for the user.
async fn ensure_table(
    connection: &Connection,
    spec: &TableSpec,
    deadline: Deadline,
) -> Result<Result<CheckedTable>, Failure> {
    const DOING: &str = "checking the tables";
    let client = &connection.client;
    let table = spec.sql_name();
    let names: [&(dyn postgres_types::ToSql + Sync); 2] = [&spec.schema, &spec.name];
    let mut columns = deadline.of(DOING, client.query(COLUMNS, &names)).await?;
    let schema = |message: String, hint: String| Ok(Err(Error::new(ErrorKind::Schema, message).hint(hint)));
    if columns.is_empty() && spec.create_if_missing {
        match deadline.of(DOING, client.batch_execute(&spec.create())).await {
            Ok(()) => tracing::info!("created the table {table}"),
            // Another instance makes it at this moment.
            Err(failure)
                if matches!(
                    failure.state(),
                    Some(&SqlState::UNIQUE_VIOLATION | &SqlState::DUPLICATE_TABLE)
                ) => {}
            Err(failure) if failure.action() == Action::Pause => {
                let message = format!("cannot create the table {table}: {}", failure.detail());
                return schema(message, format!("create it as a role that may: {}", spec.create()));
            }
            Err(failure) => return Err(failure),
        }
        columns = deadline.of(DOING, client.query(COLUMNS, &names)).await?;
    }
    if columns.is_empty() {
        let hint = format!(
            "create it, or call create_if_missing(true); a view does not work: {}",
            spec.create()
        );
        return schema(format!("there is no table {table}"), hint);
    }

    let mut problems = Vec::new();
    for column in &columns {
        let name: &str = column.get("name");
        if column.get("must_be_given") && !spec.columns.iter().any(|ours| ours.name == name) {
            problems.push(format!(
                "its column {name:?} is NOT NULL without a default, and nothing is written to it"
            ));
        }
    }
    for column in &spec.columns {
        if !columns.iter().any(|found| found.get::<_, &str>("name") == column.name) {
            problems.push(format!("it has no column {:?} ({})", column.name, column.sql_type));
        }
    }
    for column in columns.iter().filter(|column| column.get("is_computed")) {
        let name: &str = column.get("name");
        if spec.columns.iter().any(|ours| ours.name == name) {
            problems.push(format!("its column {name:?} is computed by the server"));
        }
    }
    if columns.iter().any(|column| column.get("has_row_security")) {
        problems.push("row-level security applies to this role, and COPY does not work with it".to_owned());
    }
    if !problems.is_empty() {
        let hint = "change the table, or the columns that are written to it".to_owned();
        return schema(format!("the table {table} does not fit: {}", problems.join("; ")), hint);
    }

    let rights: &[&str] = match spec.is_keyed() {
        true => &["INSERT", "SELECT", "UPDATE"],
        false => &["INSERT"],
    };
    let row = deadline
        .of(DOING, client.query_one(RIGHTS, &[&spec.schema, &spec.name, &rights]))
        .await?;
    let (role, lacking): (String, Vec<String>) = (row.get("role"), row.get("lacking"));
    if !lacking.is_empty() {
        let lacking = lacking.join(", ");
        let hint = format!("GRANT {lacking} ON {table} TO {role}");
        return schema(format!("the role {role} lacks {lacking} on {table}"), hint);
    }
    if spec.is_keyed() && !row.get::<_, bool>("may_stage") {
        let message = format!("the role {role} may not create temporary tables, which rows with a key need");
        return schema(message, format!("GRANT TEMPORARY ON DATABASE … TO {role}"));
    }

    let described = deadline.of(DOING, client.prepare(&spec.describe())).await?;
    let mut found = Vec::new();
    for (column, described) in spec.columns.iter().zip(described.columns()) {
        let column_type = described.type_().clone();
        if !(column.accepts)(&column_type) {
            problems.push(format!(
                "its column {:?} has the type {column_type}, which cannot hold {}; use {}",
                column.name, column.rust_type, column.sql_type
            ));
        }
        let is_nullable = columns
            .iter()
            .any(|found| found.get::<_, &str>("name") == column.name && !found.get::<_, bool>("not_null"));
        if is_nullable && spec.key.contains(&column.name) {
            problems.push(format!(
                "its column {:?} is nullable, but it is part of the key",
                column.name
            ));
        }
        found.push(CheckedColumn {
            column_type,
            is_nullable,
        });
    }
    if spec.is_keyed() {
        let keys = deadline.of(DOING, client.query(KEYS, &names)).await?;
        let mut ours: Vec<&str> = spec.key.iter().map(String::as_str).collect();
        ours.sort_unstable();
        let is_key = keys.iter().any(|key| {
            let mut columns: Vec<&str> = key.get("columns");
            columns.sort_unstable();
            columns == ours
        });
        if !is_key {
            problems.push(format!(
                "it has no primary key or unique index on exactly {}",
                spec.key.join(", ")
            ));
        }
    }
    if !problems.is_empty() {
        let hint = "change the table, or what is written to it".to_owned();
        return schema(format!("the table {table} does not fit: {}", problems.join("; ")), hint);
    }
    let found = CheckedTable {
        spec: spec.clone(),
        columns: found,
    };
    // What cannot be merged, such as the sum of texts, is told now.
    deadline.of(DOING, client.batch_execute("BEGIN")).await?;
    let prepared = prepare_statements(connection, deadline, std::slice::from_ref(&found)).await;
    deadline.of(DOING, client.batch_execute("ROLLBACK")).await?;
    match prepared {
        Ok(_) => Ok(Ok(found)),
        Err(failure) if failure.action() == Action::Pause => {
            let message = format!("cannot write rows to the table {table}: {}", failure.detail());
            schema(message, "change the table, or what is written to it".to_owned())
        }
        Err(failure) => Err(failure),
    }
}
