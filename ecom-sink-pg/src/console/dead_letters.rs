//! Reads dead letters: the records that were rejected.

use ecom_stream::{Dialect, Result, Split};
use postgres_types::ToSql;
use time::OffsetDateTime;
use tokio_postgres::Row;

use super::console::{Console, DEADLINE, read_error};
use crate::connect::{Connection, TextEncoding};
use crate::failure::Failure;

/// A record that was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its number.
    pub id: i64,
    /// The pipeline that rejected it.
    pub pipeline: String,
    /// The file that it came from; `None` for a record that a transform created.
    pub split: Option<Split>,
    /// Its number in that file, from 1.
    pub record: Option<u64>,
    /// The byte offset in that file at which it starts.
    pub byte_offset: Option<u64>,
    /// The reason code, such as `price_missing`.
    pub reason: String,
    /// The reason in words, with what was found.
    pub detail: String,
    /// When it was rejected.
    pub rejected_at: OffsetDateTime,
    /// When a corrected form of it was stored, or another mapping began to read its file again.
    pub resolved_at: Option<OffsetDateTime>,
    /// What became of it: `stored`, `duplicate` or `read_again`; `None` while it waits.
    pub resolution: Option<String>,
    /// Its bytes as they are in the file; only the first 64 KiB of a longer one.
    pub raw: Option<Vec<u8>>,
    /// Whether its file was read with a mapping. Then it must be retried with one; otherwise it may be.
    pub is_mapped: bool,
    /// The [fingerprint](ecom_stream::Mapping::fingerprint) of that mapping, where the ledger has it.
    pub mapping: Option<String>,
    pub(super) split_id: Option<i64>,
    /// The header of its file, where the ledger has it.
    pub(super) columns: Option<Vec<String>>,
    /// How the fields of its file are told apart, as far as the ledger has that.
    pub(super) written: Dialect,
}

/// Selects dead letters. Every condition that is set must hold.
///
/// # Examples
///
/// ```
/// use ecom_sink_pg::DeadLetterFilter;
///
/// let filter = DeadLetterFilter::waiting()
///     .pipeline(Some("events".into()))
///     .reason(Some("price_missing".into()));
/// # let _ = filter;
/// ```
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    pipeline: Option<String>,
    reason: Option<String>,
    path: Option<String>,
    ids: Option<Vec<i64>>,
    with_resolved: bool,
}

impl DeadLetterFilter {
    /// All that wait to be corrected.
    pub fn waiting() -> Self {
        Self::default()
    }

    /// Only those of this pipeline.
    #[must_use]
    pub fn pipeline(mut self, pipeline: Option<String>) -> Self {
        self.pipeline = pipeline;
        self
    }

    /// Only those with this reason code.
    #[must_use]
    pub fn reason(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }

    /// Only those of the file with this path.
    #[must_use]
    pub fn path(mut self, path: Option<String>) -> Self {
        self.path = path;
        self
    }

    /// Only those with these numbers.
    #[must_use]
    pub fn ids(mut self, ids: Vec<i64>) -> Self {
        self.ids = Some(ids);
        self
    }

    /// Whether to include those that were corrected and stored; `false` by default.
    #[must_use]
    pub fn with_resolved(mut self, with_resolved: bool) -> Self {
        self.with_resolved = with_resolved;
        self
    }
}

/// LIMIT makes the server look up the file of each one: by itself it would read the whole index of the
/// ledger for some hundred of them.
const LETTERS: &str = "
    SELECT d.id, d.pipeline, s.source, s.path, s.generation, d.record_no, d.byte_offset, d.reason, d.detail, d.rejected_at,
        d.resolved_at, d.raw, d.split_id, d.path,
        CASE WHEN json_typeof(s.mark -> 'columns') = 'array' THEN ARRAY(SELECT json_array_elements_text(s.mark -> 'columns')) END,
        coalesce(s.mark ->> 'mapped' = 'true', false), s.mark -> 'written' ->> 'delimiter', s.mark -> 'written' ->> 'quote',
        s.mark ->> 'mapping', s.mark -> 'written' ->> 'escape', coalesce(s.mark -> 'written' ->> 'trim' = 'true', false),
        d.resolution
    FROM ecom.dead_letters d
    LEFT JOIN LATERAL (
        SELECT s.source, s.path, s.generation, s.mark FROM ecom.ingest_split s WHERE s.split_id = d.split_id LIMIT 1
    ) s ON true
    WHERE ($1::text IS NULL OR d.pipeline = $1) AND ($2::text IS NULL OR d.reason = $2)
        AND ($3::text IS NULL OR d.path = $3) AND ($4::int8[] IS NULL OR d.id = ANY ($4))
        AND ($5 OR d.resolved_at IS NULL)";

const REASONS: &str = "
    SELECT reason, count(*) FILTER (WHERE resolved_at IS NULL) FROM ecom.dead_letters GROUP BY reason ORDER BY reason";

impl Console {
    /// How many dead letters wait for each reason code that ever occurred; 0 if all were
    /// corrected.
    ///
    /// # Errors
    ///
    /// Those of [`status`](Self::status).
    pub async fn reasons(&self) -> Result<Vec<(String, u64)>> {
        let connection = self.session().await?;
        let rows = DEADLINE
            .of("counting the dead letters", connection.client.query(REASONS, &[]))
            .await;
        let rows = rows.map_err(|failure| read_error(failure, "counting the dead letters"))?;
        Ok(rows
            .iter()
            .map(|row| (connection.encoding.load(row.get(0)), row.get::<_, i64>(1) as u64))
            .collect())
    }

    /// The last dead letters, at most `limit`, the newest first.
    ///
    /// # Errors
    ///
    /// Those of [`status`](Self::status).
    pub async fn dead_letters(&self, filter: &DeadLetterFilter, limit: u32) -> Result<Vec<DeadLetter>> {
        let connection = self.session().await?;
        let found = newest(&connection, filter, limit).await;
        found.map_err(|failure| read_error(failure, "reading the dead letters"))
    }
}

/// The newest dead letters first.
async fn newest(connection: &Connection, filter: &DeadLetterFilter, limit: u32) -> Result<Vec<DeadLetter>, Failure> {
    let sql = format!("{LETTERS} ORDER BY d.id DESC LIMIT $6");
    query(connection, &sql, filter, &i64::from(limit)).await
}

/// Up to 500 dead letters after the one with that number, in order.
pub(super) async fn after(
    connection: &Connection,
    filter: &DeadLetterFilter,
    id: i64,
) -> Result<Vec<DeadLetter>, Failure> {
    let sql = format!("{LETTERS} AND d.id > $6 ORDER BY d.id LIMIT 500");
    query(connection, &sql, filter, &id).await
}

/// All dead letters that the filter selects, in order.
pub(super) async fn among(connection: &Connection, filter: &DeadLetterFilter) -> Result<Vec<DeadLetter>, Failure> {
    let sql = format!("{LETTERS} AND d.id > $6 ORDER BY d.id");
    query(connection, &sql, filter, &0).await
}

/// Runs one of these queries.
async fn query(
    connection: &Connection,
    sql: &str,
    filter: &DeadLetterFilter,
    last: &i64,
) -> Result<Vec<DeadLetter>, Failure> {
    let DeadLetterFilter {
        pipeline,
        reason,
        path,
        ids,
        with_resolved,
    } = filter;
    let encoding = connection.encoding;
    let stored = |text: &Option<String>| text.as_deref().map(|text| encoding.store(text).into_owned());
    let (reason, path) = (stored(reason), stored(path));
    let params: [&(dyn ToSql + Sync); 6] = [pipeline, &reason, &path, ids, with_resolved, last];
    let rows = DEADLINE
        .of("reading the dead letters", connection.client.query(sql, &params))
        .await?;
    Ok(rows.iter().map(|row| letter(row, encoding)).collect())
}

/// The dead letter in a row.
fn letter(row: &Row, encoding: TextEncoding) -> DeadLetter {
    let number = |column: usize| row.get::<_, Option<i64>>(column).map(|number| number as u64);
    let source: Option<String> = row.get(2);
    let split = match source {
        Some(source) => {
            let generation: i32 = row.get(4);
            Some(Split::with_generation(
                source,
                encoding.load(row.get(3)),
                generation as u32,
            ))
        }
        None => row
            .get::<_, Option<String>>(13)
            .map(|path| Split::new("", encoding.load(path))),
    };
    let byte = |column: usize| -> Option<u8> { row.get::<_, Option<&str>>(column)?.bytes().next() };
    let written = match byte(16) {
        Some(delimiter) => Dialect::default()
            .delimiter(delimiter)
            .quote(byte(17))
            .escape(byte(19))
            .trim(row.get(20)),
        None => Dialect::default(),
    };
    let columns: Option<Vec<String>> = row.get(14);
    DeadLetter {
        id: row.get(0),
        pipeline: row.get(1),
        split,
        record: number(5),
        byte_offset: number(6),
        reason: encoding.load(row.get(7)),
        detail: encoding.load(row.get(8)),
        rejected_at: row.get(9),
        resolved_at: row.get(10),
        raw: row.get(11),
        split_id: row.get(12),
        columns: columns.map(|columns| columns.into_iter().map(|column| encoding.load(column)).collect()),
        is_mapped: row.get(15),
        mapping: row.get(18),
        resolution: row.get(21),
        written,
    }
}
