//! The sample: the beginning of a file, with its delimiter, quote and header guessed.
//!
//! The text is parsed with every pair of four delimiters and two quotes. The pair whose rows fit together best is taken. The first row
//! is the header if none of its fields looks like a value.

use std::io;
use std::path::Path;

use csv_async::{AsyncReaderBuilder, ByteRecord};
use futures::StreamExt;
use tokio::io::AsyncReadExt;

use super::column::Column;
use super::time_formats;
use crate::csv::{Content, Dialect};

/// How much of the content is read.
const MAX_SAMPLE_BYTES: u64 = 1 << 20;
/// How many of the first bytes are searched for NUL bytes, which UTF-16 text has.
const MAX_LOOKED_AT_BYTES: usize = 1_024;
const MAX_ROWS: usize = 5_000;
/// The delimiters that are tried, the most common first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The beginning of a file as rows of fields.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) delimiter: u8,
    /// The delimiter that a mapping without one would have.
    pub(super) delimiter_of_name: u8,
    pub(super) quote: u8,
    /// The names in the first line, or `column_1`, `column_2` and so on if it is not a header.
    pub(super) header: Vec<String>,
    /// Whether the first line is a header.
    pub(super) has_header: bool,
    pub(super) rows: Vec<Vec<String>>,
    /// Whether the file goes on after the sample.
    pub(super) is_part: bool,
    /// Whether all of it is UTF-8. What is not was replaced in `rows`.
    pub(super) is_utf8: bool,
}

impl Sample {
    /// Reads a sample and takes it apart in each dialect; the one with the best score is kept.
    pub(super) async fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = Vec::new();
        Content::open(path)
            .await?
            .take(MAX_SAMPLE_BYTES)
            .read_to_end(&mut bytes)
            .await?;
        if bytes.iter().take(MAX_LOOKED_AT_BYTES).any(|byte| *byte == 0) {
            let what = "it has NUL bytes, as UTF-16 text has: convert it, for example with iconv -f utf-16 -t utf-8";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let is_part = bytes.len() as u64 == MAX_SAMPLE_BYTES;
        if is_part {
            // The last line may be incomplete.
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
            delimiter_of_name: Dialect::default().of_file(path.as_os_str(), None).delimiter,
            quote,
            header,
            has_header,
            rows,
            is_part,
            is_utf8: std::str::from_utf8(&bytes).is_ok(),
        })
    }

    /// The columns, without the rows that have another number of fields than the header.
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

/// The rows of the text in one dialect, at most [`MAX_ROWS`].
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

/// How well rows fit together: the more rows have as many fields as the first one, and the more fields they have, the better. Quotes of
/// the other kind that are left around fields count against it.
fn score(rows: &[Vec<String>], quote: u8) -> usize {
    let width = rows.first().map_or(0, Vec::len);
    let alike = rows.iter().filter(|row| row.len() == width).count();
    let others = if quote == b'"' { '\'' } else { '"' };
    let quoted = rows
        .iter()
        .flatten()
        .filter(|field| field.len() > 1 && field.starts_with(others) && field.ends_with(others));
    let unlike = rows.len() - alike;
    // In the wrong dialect, the first row often has another number of fields than all others.
    (alike * width * 4).saturating_sub(unlike * width * 4 + quoted.count())
        + usize::from(quote == b'"')
        + usize::from(width > 0)
}

/// Whether a row is a header: no name comes twice, and none is a number or a time. One name may be empty, because pandas leaves the name
/// of its row numbers empty.
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
