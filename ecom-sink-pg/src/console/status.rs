//! The status of pipelines: files, counts, rates, lag, and rejected records.

use std::time::Duration;

use ecom_stream::{Counts, Error, Result};
use postgres_types::ToSql;
use time::OffsetDateTime;
use tokio_postgres::Row;

use super::console::{Console, DEADLINE, read_error};
use crate::connect::{BY_KEY, Connection};
use crate::failure::Failure;
use crate::lead::holder;

/// The status of pipelines at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// That moment, by the clock of the server.
    pub at: OffsetDateTime,
    /// The pipelines, by name.
    pub pipelines: Vec<PipelineStatus>,
}

/// The status of one pipeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PipelineStatus {
    /// Its name.
    pub name: String,
    /// The name and the location of each source.
    pub sources: Vec<(String, String)>,
    /// Which instance runs it.
    pub runner: PipelineRunner,
    /// The number of the last epoch.
    pub epoch: u64,
    /// When the last epoch was committed.
    pub committed_at: Option<OffsetDateTime>,
    /// How many files it has read, by state.
    pub files: FileCounts,
    /// Whether the last file that it read was read with a mapping.
    pub is_mapped: bool,
    /// How many records were read, and what became of them.
    pub counts: Counts,
    /// About how many records a second were read in the last 1, 5 and 15 minutes. Of a file that
    /// was begun before that, a part is counted, as if it had been read evenly. If more than 10,000
    /// files ended meanwhile, it is the rate of the last 10,000.
    pub rows_per_s: [f64; 3],
    /// The median time from the last write to a file until the commit of its last records, over
    /// the files of the last 15 minutes, at most the last 10,000.
    pub lag_median: Option<Duration>,
    /// The longest such time.
    pub lag_max: Option<Duration>,
    /// Rejected records by reason, the most frequent reason first.
    pub rejects: Vec<RejectCount>,
    /// The last ten files that could not be read completely, or that wait for the line end of their last record.
    pub unusable: Vec<UnusableFile>,
}

/// Which instance runs a pipeline, according to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PipelineRunner {
    /// This instance, now.
    Running {
        /// Its name, process and address at the server, in words.
        described: String,
        /// Since when.
        since: Option<OffsetDateTime>,
    },
    /// None.
    NotRunning {
        /// The name of the last instance that ran it.
        last: Option<String>,
    },
}

/// Numbers of files, by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileCounts {
    /// Files that may have more to read.
    pub open: u64,
    /// Files that were read to their end.
    pub finished: u64,
    /// Files that were read up to a damaged place.
    pub damaged: u64,
    /// Files that were not read, because nothing in them can be used.
    pub set_aside: u64,
    /// Bytes of open files that were there at the last look and are not committed.
    pub bytes_left: u64,
}

/// The number of records that were rejected for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectCount {
    /// The reason code.
    pub reason: String,
    /// Those that wait to be corrected.
    pub waiting: u64,
    /// Those that were corrected and stored.
    pub resolved: u64,
    /// When the last one was rejected.
    pub newest: OffsetDateTime,
}

/// A file that could not be read completely.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnusableFile {
    /// The name of its source.
    pub source: String,
    /// Its path in the directory of the source.
    pub path: String,
    /// `damaged`, `set_aside`, or `open` for a file that waits.
    pub state: String,
    /// The reason code; `no_line_end` for a file that waits.
    pub reason: String,
    /// The reason in words.
    pub detail: String,
    /// How many records were read before the damage.
    pub records: u64,
    /// How many bytes these are.
    pub bytes: u64,
}

const PIPELINES: &str = "
    SELECT p.pipeline, p.pipeline_id, p.epoch, p.started_at, p.committed_at, p.holder, now(),
        ARRAY(SELECT key FROM jsonb_each_text(p.sources) ORDER BY key),
        ARRAY(SELECT value FROM jsonb_each_text(p.sources) ORDER BY key)
    FROM ecom.ingest_pipeline p WHERE $1::text IS NULL OR p.pipeline = $1 ORDER BY 1";

/// The sums of the ledger.
const TOTALS: &str = "
    SELECT
        coalesce(sum(files_open), 0)::int8, coalesce(sum(files_finished), 0)::int8,
        coalesce(sum(files_damaged), 0)::int8, coalesce(sum(files_set_aside), 0)::int8,
        least(coalesce(sum(bytes_left), 0), 9223372036854775807)::int8, coalesce(sum(read), 0)::int8, coalesce(sum(stored), 0)::int8,
        coalesce(sum(duplicates), 0)::int8, coalesce(sum(rejected), 0)::int8, coalesce(sum(filtered), 0)::int8
    FROM ecom.ingest_total WHERE pipeline = $1";

/// Rates, lag and mapping, from at most $2 files that ended last and as many open ones. If more
/// than that ended within the span of a rate, the rate is that of the time since the oldest of
/// them.
const RECENT: &str = "
    WITH ended AS MATERIALIZED (
        SELECT s.split_id, s.read, s.first_seen_at, s.updated_at, s.mtime, s.state
        FROM ecom.ingest_split s
        WHERE s.pipeline = $1 AND s.finished_at > now() - interval '15 min'
        ORDER BY s.finished_at DESC, s.split_id DESC LIMIT $2
    ), open AS MATERIALIZED (
        SELECT s.split_id, s.read, s.first_seen_at, s.updated_at, s.mtime, s.state
        FROM ecom.ingest_split s
        WHERE s.pipeline = $1 AND s.state IN ('open', 'damaged') AND s.state = 'open' LIMIT $2
    ), seen AS MATERIALIZED (
        SELECT * FROM ended UNION ALL SELECT * FROM open
    ), newest AS (
        SELECT o.split_id, o.updated_at, o.state FROM open o
        UNION ALL
        (SELECT s.split_id, s.updated_at, s.state
         FROM ecom.ingest_split s
         WHERE s.pipeline = $1 AND s.finished_at IS NOT NULL
         ORDER BY s.finished_at DESC, s.split_id DESC LIMIT 100)
    ), known AS (
        -- Before that, some of the files may be missing.
        SELECT CASE WHEN count(*) = $2 THEN min(updated_at) END AS since FROM ended
    ), spans AS (
        -- The functions leave NULL out, so that without CASE the span would be one second.
        SELECT w.n, CASE WHEN k.since IS NULL THEN w.span
            ELSE least(w.span, greatest(now() - k.since, interval '1 s')) END AS span
        FROM unnest(ARRAY[interval '1 min', interval '5 min', interval '15 min']) WITH ORDINALITY AS w (span, n), known k
    )
    SELECT
        ARRAY(
            SELECT coalesce(sum(
                r.read * CASE WHEN r.updated_at > r.first_seen_at THEN
                    extract(epoch FROM r.updated_at - greatest(r.first_seen_at, now() - w.span))
                        / extract(epoch FROM r.updated_at - r.first_seen_at)
                ELSE 1 END), 0)::float8 / extract(epoch FROM w.span)::float8
            FROM spans w LEFT JOIN seen r ON r.updated_at > now() - w.span
            GROUP BY w.n, w.span ORDER BY w.n
        ),
        percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM greatest(s.updated_at - s.mtime, interval '0'))::float8)
            FILTER (WHERE s.updated_at > now() - interval '15 min' AND s.mtime IS NOT NULL),
        max(extract(epoch FROM greatest(s.updated_at - s.mtime, interval '0'))::float8)
            FILTER (WHERE s.updated_at > now() - interval '15 min'),
        coalesce((
            SELECT m.mark ->> 'mapped' = 'true' FROM ecom.ingest_split m WHERE m.split_id = (
                SELECT l.split_id FROM newest l WHERE l.state <> 'set_aside' ORDER BY l.updated_at DESC LIMIT 1
            )), false)
    FROM seen s";

/// At most so many files are looked at for the rates and the lag.
const MAX_RECENT: i64 = 10_000;

const REFUSED: &str = "
    SELECT reason, count(*) FILTER (WHERE resolved_at IS NULL), count(resolved_at), max(rejected_at)
    FROM ecom.dead_letters WHERE pipeline = $1 GROUP BY 1 ORDER BY 2 DESC, 1";

/// Files that wait for a line end, and those that cannot be used. Each part has an index of few files.
const UNUSABLE: &str = "
    (SELECT path, state, 'no_line_end', 'the rest waits until the file goes on', record_no, read_offset, source
     FROM ecom.ingest_split
     WHERE pipeline = $1 AND state = 'open' AND mark ->> 'waits_for_line_end' = 'true'
     ORDER BY updated_at DESC LIMIT 10)
    UNION ALL
    (SELECT path, state, coalesce(reason, ''), coalesce(detail, ''), record_no, read_offset, source
     FROM ecom.ingest_split WHERE pipeline = $1 AND state IN ('damaged', 'set_aside')
     ORDER BY finished_at DESC LIMIT 10)
    LIMIT 10";

impl Console {
    /// The status of all pipelines, or of the one with that name.
    ///
    /// It reads sums and the files that ended last, so that it takes the same time however many
    /// files there are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](ecom_stream::ErrorKind::Unavailable) when the server cannot be
    /// reached, [`ErrorKind::Schema`](ecom_stream::ErrorKind::Schema) when the schema is missing
    /// or has another version.
    pub async fn status(&self, pipeline: Option<&str>) -> Result<Status> {
        let connection = self.session().await?;
        status(&connection, pipeline).await.map_err(status_error)
    }

    /// How many bytes a pipeline has read of the files with these paths, in total.
    ///
    /// # Errors
    ///
    /// Those of [`status`](Self::status).
    pub async fn bytes_read(&self, pipeline: &str, paths: &[String]) -> Result<u64> {
        const BYTES: &str = "
            SELECT coalesce(sum(read_offset), 0)::int8 FROM (
                SELECT DISTINCT ON (path) read_offset FROM ecom.ingest_split
                WHERE pipeline = $1 AND path = ANY ($2) ORDER BY path, generation DESC
            ) newest";
        let connection = self.session().await?;
        let paths: Vec<_> = paths.iter().map(|path| connection.encoding.store(path)).collect();
        let params: [&(dyn ToSql + Sync); 2] = [&pipeline, &paths];
        let read = DEADLINE
            .of("reading the ledger", connection.client.query_one(BYTES, &params))
            .await;
        Ok(read.map_err(status_error)?.get::<_, i64>(0) as u64)
    }
}

/// The error for the user.
fn status_error(failure: Failure) -> Error {
    read_error(failure, "reading the ledger")
}

async fn status(connection: &Connection, pipeline: Option<&str>) -> Result<Status, Failure> {
    let client = &connection.client;
    // Whatever the statistics say, the files that ended last are found by an index.
    DEADLINE.of("reading the ledger", client.batch_execute(BY_KEY)).await?;
    let now = DEADLINE
        .of("reading the ledger", client.query_one("SELECT now()", &[]))
        .await?
        .get(0);
    let mut status = Status {
        at: now,
        pipelines: Vec::new(),
    };
    for row in DEADLINE
        .of("reading the ledger", client.query(PIPELINES, &[&pipeline]))
        .await?
    {
        status.pipelines.push(pipeline_status(connection, &row).await?);
    }
    Ok(status)
}

/// The status of the pipeline in a row of the query above.
async fn pipeline_status(connection: &Connection, row: &Row) -> Result<PipelineStatus, Failure> {
    let client = &connection.client;
    let name: String = row.get(0);
    let (names, locations): (Vec<String>, Vec<String>) = (row.get(7), row.get(8));
    let runner = match holder(connection, row.get(1), DEADLINE).await? {
        Some(holder) => PipelineRunner::Running {
            described: holder.described,
            since: row.get(3),
        },
        None => PipelineRunner::NotRunning { last: row.get(5) },
    };
    let files = DEADLINE
        .of("reading the ledger", client.query_one(TOTALS, &[&name]))
        .await?;
    let recent = DEADLINE
        .of("reading the ledger", client.query_one(RECENT, &[&name, &MAX_RECENT]))
        .await?;
    let refused = DEADLINE
        .of("reading the ledger", client.query(REFUSED, &[&name]))
        .await?;
    let unusable = DEADLINE
        .of("reading the ledger", client.query(UNUSABLE, &[&name]))
        .await?;
    let count = |column: usize| files.get::<_, i64>(column) as u64;
    let rates: Vec<f64> = recent.get(0);
    let lag = |column: usize| {
        let seconds: Option<f64> = recent.get(column);
        seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    };
    Ok(PipelineStatus {
        sources: names.into_iter().zip(locations).collect(),
        runner,
        epoch: row.get::<_, i64>(2) as u64,
        committed_at: row.get(4),
        files: FileCounts {
            open: count(0),
            finished: count(1),
            damaged: count(2),
            set_aside: count(3),
            bytes_left: count(4),
        },
        counts: Counts::default()
            .with_read(count(5))
            .with_stored(count(6))
            .with_duplicates(count(7))
            .with_rejected(count(8))
            .with_filtered(count(9)),
        rows_per_s: std::array::from_fn(|at| rates.get(at).copied().unwrap_or_default()),
        lag_median: lag(1),
        lag_max: lag(2),
        is_mapped: recent.get(3),
        rejects: refused
            .iter()
            .map(|row| RejectCount {
                reason: connection.encoding.load(row.get(0)),
                waiting: row.get::<_, i64>(1) as u64,
                resolved: row.get::<_, i64>(2) as u64,
                newest: row.get(3),
            })
            .collect(),
        unusable: unusable
            .iter()
            .map(|row| UnusableFile {
                path: connection.encoding.load(row.get(0)),
                state: row.get(1),
                reason: connection.encoding.load(row.get(2)),
                detail: connection.encoding.load(row.get(3)),
                records: row.get::<_, i64>(4) as u64,
                bytes: row.get::<_, i64>(5) as u64,
                source: row.get(6),
            })
            .collect(),
        name,
    })
}
