//! Prepares the statements that write the user's own tables.

use tokio_postgres::Statement;

use super::spec::CheckedTable;
use crate::connect::Connection;
use crate::failure::{Deadline, Failure};

/// The statements for a table of the user's own.
#[derive(Debug)]
pub(crate) struct PreparedTable {
    pub(crate) name: String,
    pub(crate) copy: Statement,
    /// For one whose rows are staged first.
    pub(crate) merge: Option<Statement>,
}

/// Prepares what writes tables of the user's own, if they are still as they were at the start.
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
            merge = Some(
                deadline
                    .of(
                        "preparing statements",
                        client.prepare(&table.merge_staging_table(number)),
                    )
                    .await?,
            );
        }
        let copy = deadline
            .of("preparing statements", client.prepare(&table.copy(number)))
            .await?;
        prepared.push(PreparedTable { name, copy, merge });
    }
    Ok(prepared)
}
