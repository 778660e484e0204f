//! Prints the results of an example as a table of text.

#![allow(dead_code, reason = "an example may use one of the functions only")]

use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// Runs a query and prints its rows below the names of its columns.
pub(crate) async fn print_query(client: &Client, sql: &str) -> Result<(), Error> {
    let messages = client.simple_query(sql).await?;
    let rows: Vec<_> = messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .collect();
    let names = rows.first().map_or(&[][..], |row| row.columns());
    let names: Vec<&str> = names.iter().map(|column| column.name()).collect();
    let cells = rows
        .iter()
        .map(|row| (0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()));
    print_table(&names, cells);
    Ok(())
}

/// Prints rows of cells below a header, with aligned columns.
pub(crate) fn print_table<R>(head: &[&str], rows: impl IntoIterator<Item = R>)
where
    R: IntoIterator<Item = String>,
{
    let head = head.iter().map(|&cell| cell.to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head)
        .chain(rows.into_iter().map(|row| row.into_iter().collect()))
        .collect();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .enumerate()
            .map(|(column, cell)| format!("{cell:<0$}", width(column)))
            .collect();
        println!("  {}", cells.join("  ").trim_end());
    }
}
