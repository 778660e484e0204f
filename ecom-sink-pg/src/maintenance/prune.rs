//! Pruning: takes finished files out of the ledger, and keeps what it takes to know them again.

use ecom_stream::crash_point;
use postgres_types::ToSql;
use time::OffsetDateTime;

use super::maintenance::{DEADLINE, LONG_DEADLINE};
use crate::connect::{BY_KEY, Connection};
use crate::failure::Failure;

/// The pipelines that archive or delete files, with the names of the sources from which they do.
/// Files that stay in their directory stay in the ledger, where the next scan looks for them.
const OWNED: &str = "
    SELECT p.pipeline, array_agg(s.key)
    FROM ecom.ingest_pipeline p, jsonb_each_text(p.sources) s
    WHERE s.value = ANY (p.owns)
    GROUP BY p.pipeline ORDER BY p.pipeline";

/// The highest number of a split of the pipeline. It must not be assigned again, so this file stays.
const NEWEST: &str = "
    SELECT s.split_id
    FROM ecom.ingest_pipeline p, LATERAL (
        SELECT s.split_id FROM ecom.ingest_split s
        WHERE s.split_id >= 1000000000000 * p.pipeline_id AND s.split_id < 1000000000000 * (p.pipeline_id + 1)
        ORDER BY s.split_id DESC LIMIT 1
    ) s
    WHERE p.pipeline = $1";

/// Which files of a pipeline leave the ledger: those of the sources $2 that were finished before
/// $3, except the one with the number $4. Those with rejects that wait stay, because a retry counts
/// them there. So do those that were read on under another name.
macro_rules! leaves {
    () => {
        "s.source = ANY ($2) AND s.finished_at < $3 AND s.split_id <> $4 AND s.state = 'finished'
            AND s.renamed_to IS NULL AND s.digest ~ '^[0-9a-f]{64}$'
            AND NOT EXISTS (
                SELECT FROM ecom.dead_letters d WHERE d.split_id = s.split_id AND d.resolved_at IS NULL
            )"
    };
}

/// How many files would leave the ledger.
const COUNT: &str = concat!(
    "SELECT count(*) FROM ecom.ingest_split s WHERE s.pipeline = $1 AND ",
    leaves!()
);

/// Looks at the next $7 files after ($5, $6), in the order in which they ended, and moves those
/// that leave the ledger. Returns how many these are, and where it ended. It is one statement, so
/// that the sums of the pipeline, for which the ingest waits, are locked only at its end.
const STEP: &str = concat!(
    "
    WITH ended AS MATERIALIZED (
        SELECT s.split_id, s.finished_at
        FROM ecom.ingest_split s
        WHERE s.pipeline = $1 AND s.finished_at < $3 AND (s.finished_at, s.split_id) > ($5, $6)
        ORDER BY s.finished_at, s.split_id LIMIT $7
    ), leaving AS MATERIALIZED (
        SELECT s.split_id
        FROM ecom.ingest_split s
        WHERE s.split_id = ANY (ARRAY(SELECT split_id FROM ended)) AND ",
    leaves!(),
    "
        FOR UPDATE OF s SKIP LOCKED
    ), gone AS (
        DELETE FROM ecom.ingest_split s WHERE s.split_id = ANY (ARRAY(SELECT split_id FROM leaving)) RETURNING s.*
    ), kept AS (
        INSERT INTO ecom.ingest_pruned
               (path_hash, size, record_no, generation, unterminated, pipeline, source, digest)
        SELECT hashtextextended(g.path, 0), g.read_offset, g.record_no, g.generation,
               coalesce(g.mark ->> 'unterminated' = 'true', false), g.pipeline, g.source, decode(g.digest, 'hex')
        FROM gone g
    ), summed AS (
        INSERT INTO ecom.ingest_total AS t
               (files_finished, read, stored, duplicates, rejected, filtered, unbalanced, pruned, pipeline)
        SELECT count(*), sum(g.read), sum(g.stored), sum(g.duplicates), sum(g.rejected), sum(g.filtered),
               count(*) FILTER (WHERE g.read <> g.stored + g.duplicates + g.rejected + g.filtered), true, g.pipeline
        FROM gone g GROUP BY g.pipeline
        ON CONFLICT (pipeline, pruned) DO UPDATE SET
            files_finished = t.files_finished + excluded.files_finished, read = t.read + excluded.read,
            stored = t.stored + excluded.stored, duplicates = t.duplicates + excluded.duplicates,
            rejected = t.rejected + excluded.rejected, filtered = t.filtered + excluded.filtered,
            unbalanced = t.unbalanced + excluded.unbalanced
    )
    SELECT (SELECT count(*) FROM gone), e.finished_at, e.split_id
    FROM ended e ORDER BY e.finished_at DESC, e.split_id DESC LIMIT 1"
);

/// How many files a step looks at. A step takes some milliseconds, and locks the rows that it
/// moves for that time.
const FILES_A_STEP: i64 = 500;

/// Moves the files that ended before `cutoff` out of the ledger, or counts them in a dry run.
/// Returns how many they are.
pub(super) async fn prune(connection: &Connection, cutoff: OffsetDateTime, is_dry_run: bool) -> Result<u64, Failure> {
    let client = &connection.client;
    let mut files = 0;
    // Whatever the statistics say, a step looks its files up one by one.
    let by_key = client.batch_execute(BY_KEY);
    DEADLINE.of("setting a limit", by_key).await?;
    for owner in DEADLINE.of("reading the ledger", client.query(OWNED, &[])).await? {
        let (pipeline, sources): (String, Vec<String>) = (owner.get(0), owner.get(1));
        let newest = DEADLINE
            .of("reading the ledger", client.query_opt(NEWEST, &[&pipeline]))
            .await?;
        let newest: i64 = newest.map_or(0, |row| row.get(0));
        if is_dry_run {
            let params: [&(dyn ToSql + Sync); 4] = [&pipeline, &sources, &cutoff, &newest];
            let count = LONG_DEADLINE
                .of("counting files", client.query_one(COUNT, &params))
                .await?;
            files += count.get::<_, i64>(0) as u64;
            continue;
        }
        let mut after = (OffsetDateTime::UNIX_EPOCH, i64::MIN);
        loop {
            let params: [&(dyn ToSql + Sync); 7] =
                [&pipeline, &sources, &cutoff, &newest, &after.0, &after.1, &FILES_A_STEP];
            let step = LONG_DEADLINE
                .of("pruning the ledger", client.query_opt(STEP, &params))
                .await?;
            let Some(step) = step else {
                break;
            };
            crash_point!("maintenance.prune");
            files += step.get::<_, i64>(0) as u64;
            after = (step.get(1), step.get(2));
        }
    }
    Ok(files)
}
