use std::io;
use std::path::Path;

use csv_async::{AsyncReaderBuilder, ByteRecord};
use futures::StreamExt;
use tokio::io::AsyncReadExt;

use super::column::Column;
use super::time_formats;
use crate::csv::Content;

const MAX_SAMPLE_BYTES: u64 = 1 << 20;
/// Where UTF-16 shows.
const MAX_LOOKED_AT_BYTES: usize = 1_024;
const MAX_ROWS: usize = 5_000;
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The beginning of a file, taken apart.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
    /// The names that the file gives its columns, or made ones.
    pub(super) header: Vec<String>,
    /// Whether the first line names the columns.
    pub(super) has_header: bool,
    pub(super) rows: Vec<Vec<String>>,
    /// Whether there is more in the file.
    pub(super) is_part: bool,
    pub(super) is_utf8: bool,
}

impl Sample {
    pub(super) async fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = Vec::new();
        Content::open(path)
            .await?
            .take(MAX_SAMPLE_BYTES)
            .read_to_end(&mut bytes)
            .await?;
        if bytes.iter().take(MAX_LOOKED_AT_BYTES).any(|byte| *byte == 0) {
            let what = "it has NUL bytes, as UTF-16 has: convert it, as with iconv -f utf-16 -t utf-8";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let is_part = bytes.len() as u64 == MAX_SAMPLE_BYTES;
        if is_part {
            // The last line may be half a one.
            let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            bytes.truncate(end);
        }
        let mut best = (0, b',', b'"', Vec::new());
        for delimiter in DELIMITERS {
            for quote in [b'"', b'\''] {
                let rows = rows(&bytes, delimiter, quote).await;
                let score = score(&rows, quote);
                if score > best.0 {
                    best = (score, delimiter, quote, rows);
                }
            }
        }
        let (_, delimiter, quote, mut rows) = best;
        let is_part = is_part || rows.len() == MAX_ROWS;
        let has_header = rows.first().is_some_and(|first| is_header(first));
        let header = match has_header {
            true => rows.remove(0).iter().map(|name| name.trim().to_owned()).collect(),
            false => (1..=rows.first().map_or(0, Vec::len))
                .map(|n| format!("column_{n}"))
                .collect(),
        };
        Ok(Self {
            delimiter,
            quote,
            header,
            has_header,
            rows,
            is_part,
            is_utf8: std::str::from_utf8(&bytes).is_ok(),
        })
    }

    pub(super) fn columns(&self) -> Vec<Column> {
        let column = |(at, name): (usize, &String)| {
            let values = self
                .rows
                .iter()
                .filter(|row| row.len() == self.header.len())
                .map(|row| row[at].clone());
            Column::new(name.clone(), values)
        };
        self.header.iter().enumerate().map(column).collect()
    }
}

async fn rows(bytes: &[u8], delimiter: u8, quote: u8) -> Vec<Vec<String>> {
    let reader = AsyncReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .quote(quote)
        .create_reader(bytes);
    let mut records = reader.into_byte_records().take(MAX_ROWS);
    let mut rows = Vec::new();
    while let Some(Ok(record)) = records.next().await {
        let record: ByteRecord = record;
        rows.push(
            record
                .iter()
                .map(|field| String::from_utf8_lossy(field).into_owned())
                .collect(),
        );
    }
    rows
}

/// How well rows fit together: those with as many fields as the first, the more fields the better. Quotes that are left in
/// the fields are a bad sign.
fn score(rows: &[Vec<String>], quote: u8) -> usize {
    let width = rows.first().map_or(0, Vec::len);
    let alike = rows.iter().filter(|row| row.len() == width).count();
    let others = if quote == b'"' { '\'' } else { '"' };
    let quoted = rows
        .iter()
        .flatten()
        .filter(|field| field.len() > 1 && field.starts_with(others) && field.ends_with(others));
    let unlike = rows.len() - alike;
    // A first row that is alone with its width is the wrong way to part them.
    (alike * width * 4).saturating_sub(unlike * width * 4 + quoted.count())
        + usize::from(quote == b'"')
        + usize::from(width > 0)
}

/// Whether a row names columns: no two alike, and none that is a number or a time. One may be empty among others, as pandas
/// writes that of its row numbers.
fn is_header(row: &[String]) -> bool {
    let mut names: Vec<&str> = row.iter().map(|name| name.trim()).collect();
    let is_value = |name: &str| {
        let is_number = name.parse::<f64>().is_ok();
        is_number || time_formats::guess(&[name.to_owned()]).is_some()
    };
    if names.iter().all(|name| name.is_empty()) {
        return false;
    }
    if names.iter().any(|name| is_value(name)) {
        return false;
    }
    names.sort_unstable();
    names.windows(2).all(|two| two[0] != two[1])
}
