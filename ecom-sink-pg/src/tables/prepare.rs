//! Prepares the statements that write the user's own tables.

use tokio_postgres::Statement;

use super::spec::CheckedTable;
use crate::connect::Connection;
use crate::failure::{Deadline, Failure};

/// The statements of a session for one of the user's tables.
#[derive(Debug)]
pub(crate) struct PreparedTable {
    /// The name with its schema, quoted.
    pub(crate) name: String,
    /// Copies into the table, or into its staging table.
    pub(crate) copy: Statement,
    /// `None` for a table without a key.
    pub(crate) merge: Option<PreparedMerge>,
}

/// The statements that merge the staging table into the table.
#[derive(Debug)]
pub(crate) struct PreparedMerge {
    /// Merges them.
    pub(crate) merge: Statement,
    /// Counts what the table may lack; see [`CheckedTable::count_left_out`].
    pub(crate) left_out: Statement,
}

/// Creates the staging tables of a session and prepares its statements.
///
/// # Errors
///
/// [`Failure::TableChanged`] when a table has other column types than at the start: rows that are
/// encoded already would be misread.
pub(crate) async fn prepare_statements(
    connection: &Connection,
    deadline: Deadline,
    tables: &[CheckedTable],
) -> Result<Vec<PreparedTable>, Failure> {
    let client = &connection.client;
    let mut prepared = Vec::new();
    for (number, table) in tables.iter().enumerate() {
        let name = table.spec.sql_name();
        let described = deadline
            .of("preparing statements", client.prepare(&table.spec.describe()))
            .await?;
        let types = table.columns.iter().map(|column| column.column_type.oid());
        if !described.columns().iter().map(|column| column.type_().oid()).eq(types) {
            return Err(Failure::TableChanged { table: name });
        }
        let mut merge = None;
        if table.spec.is_keyed() {
            let stage = table.create_staging_table(number);
            deadline
                .of("creating a staging table", client.batch_execute(&stage))
                .await?;
            let prepare = async |sql: String| deadline.of("preparing statements", client.prepare(&sql)).await;
            merge = Some(PreparedMerge {
                merge: prepare(table.merge_staging_table(number)).await?,
                left_out: prepare(table.count_left_out(number)).await?,
            });
        }
        let copy = deadline
            .of("preparing statements", client.prepare(&table.copy(number)))
            .await?;
        prepared.push(PreparedTable { name, copy, merge });
    }
    Ok(prepared)
}
