//! Reads the file of corrected records: its header, and rows that cannot be parsed.

use std::collections::HashMap;
use std::path::Path;

use ecom_stream::csv_async::{AsyncReaderBuilder, ByteRecord};
use ecom_stream::{Error, ErrorKind, Header, Reason, Refusal, Reject, Result};

use super::columns::{COLUMNS, ID};
use super::dead_letters::{DeadLetter, DeadLetterFilter, among};
use super::retried::{StillRejected, retry_error};
use crate::connect::Connection;

/// The column names in the first line.
///
/// # Errors
///
/// `Source` when the file cannot be read, or has no column `reject_id`.
pub(super) async fn header(file: &Path) -> Result<Header> {
    let input = tokio::fs::File::open(file).await.map_err(|err| cant_open(file, err))?;
    let mut names = ByteRecord::new();
    let mut reader = AsyncReaderBuilder::new().has_headers(false).create_reader(input);
    reader
        .read_byte_record(&mut names)
        .await
        .map_err(|err| Error::new(ErrorKind::Source, format!("cannot read {}", file.display())).caused_by(err))?;
    let header = Header::new(names.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()));
    if header.index_of(ID).is_none() {
        return Err(
            Error::new(ErrorKind::Source, format!("{} has no column {ID}", file.display()))
                .hint("retry a file that ecom-ingest rejects export has written"),
        );
    }
    Ok(header)
}

/// The error for a file that cannot be opened.
pub(super) fn cant_open(file: &Path, err: std::io::Error) -> Error {
    Error::new(ErrorKind::Source, format!("cannot open {}", file.display())).caused_by(err)
}

/// The rows that could not be parsed, together with their dead letters if `reject_id` could be
/// read.
pub(super) async fn unreadable(
    connection: &Connection,
    rejects: Vec<Reject>,
    header: &Header,
) -> Result<Vec<StillRejected>> {
    let mut rows = Vec::with_capacity(rejects.len());
    for Reject { origin, refusal, .. } in rejects {
        let fields = match &origin {
            Some(origin) => fields(&origin.raw).await,
            None => ByteRecord::new(),
        };
        let id = header.index_of(ID).and_then(|at| fields.get(at));
        let id: Option<i64> = id.and_then(|id| std::str::from_utf8(id).ok()?.trim().parse().ok());
        let record = origin.map_or(0, |origin| origin.record);
        rows.push((record, id, without_added_columns(refusal, &fields, header)));
    }
    let filter = DeadLetterFilter::waiting().ids(rows.iter().filter_map(|(_, id, _)| *id).collect());
    let letters = among(connection, &filter.with_resolved(true))
        .await
        .map_err(retry_error)?;
    let letters: HashMap<i64, DeadLetter> = letters.into_iter().map(|letter| (letter.id, letter)).collect();
    let refused = rows
        .into_iter()
        .map(|(record, id, refusal)| match id.and_then(|id| letters.get(&id)) {
            Some(letter) => StillRejected::of(record, letter, refusal),
            None => StillRejected {
                record,
                id: None,
                first: None,
                refusal,
            },
        });
    Ok(refused.collect())
}

/// The fields of a row, as far as they can be separated.
async fn fields(raw: &[u8]) -> ByteRecord {
    let mut fields = ByteRecord::new();
    let mut reader = AsyncReaderBuilder::new().has_headers(false).create_reader(raw);
    // From memory nothing fails.
    let _ = reader.read_byte_record(&mut fields).await;
    fields
}

/// Counts fields without the columns that the export has added.
fn without_added_columns(refusal: Refusal, fields: &ByteRecord, header: &Header) -> Refusal {
    if refusal.reason != Reason::FIELD_COUNT {
        return refusal;
    }
    let in_front = COLUMNS.iter().filter(|name| header.index_of(name).is_some()).count();
    let (found, expected) = (fields.len().saturating_sub(in_front), header.names().len() - in_front);
    Refusal::new(
        Reason::FIELD_COUNT,
        format!("{found} fields where the header has {expected}"),
    )
}
