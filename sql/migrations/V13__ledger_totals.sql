-- A ledger that may grow: sums that are kept as it changes, and a short form of files that left it.
--
--     ingest_total             sums of ecom.ingest_split, one row per pipeline, and one for files that left it
--     keep_ingest_total        the function of the triggers that keep them
--     ingest_pruned            files that ecom-ingest retain took out of the ledger: enough to know them again
--     pulse, ingest_balance    read the sums, not the ledger
--
-- Running this file again changes nothing.

-- Each transaction of a pipeline updates its row: the fill factor leaves room for a heap-only update (HOT). bytes_left is
-- numeric, because the source decides what size a mark has, and no mark may make a commit fail.
CREATE TABLE IF NOT EXISTS ecom.ingest_total (
    files_open      bigint NOT NULL DEFAULT 0,
    files_finished  bigint NOT NULL DEFAULT 0,
    files_damaged   bigint NOT NULL DEFAULT 0,
    files_set_aside bigint NOT NULL DEFAULT 0,
    bytes_left      numeric NOT NULL DEFAULT 0,
    read            bigint NOT NULL DEFAULT 0,
    stored          bigint NOT NULL DEFAULT 0,
    duplicates      bigint NOT NULL DEFAULT 0,
    rejected        bigint NOT NULL DEFAULT 0,
    filtered        bigint NOT NULL DEFAULT 0,
    unbalanced      bigint NOT NULL DEFAULT 0,
    pruned          boolean NOT NULL,
    pipeline        text COLLATE "C" NOT NULL,
    PRIMARY KEY (pipeline, pruned)
) WITH (fillfactor = 20);

COMMENT ON TABLE ecom.ingest_total IS
    'Sums of the ledger per pipeline. Triggers change them in the transaction that changes ecom.ingest_split, so that '
    'they always equal the sums over its rows. The view ecom.ingest_balance adds both rows of a pipeline.';
COMMENT ON COLUMN ecom.ingest_total.files_open IS 'Number of files that may have more to read.';
COMMENT ON COLUMN ecom.ingest_total.files_finished IS 'Number of files that were read to their end.';
COMMENT ON COLUMN ecom.ingest_total.files_damaged IS 'Number of files that were read up to the damage.';
COMMENT ON COLUMN ecom.ingest_total.files_set_aside IS 'Number of files that cannot be used.';
COMMENT ON COLUMN ecom.ingest_total.bytes_left IS
    'Bytes of open files that were there at the last look and are not committed.';
COMMENT ON COLUMN ecom.ingest_total.read IS 'Number of records that have been read.';
COMMENT ON COLUMN ecom.ingest_total.stored IS 'How many of the records read were stored.';
COMMENT ON COLUMN ecom.ingest_total.duplicates IS 'How many of the records read had already been stored before.';
COMMENT ON COLUMN ecom.ingest_total.rejected IS
    'How many of the records read were rejected and wait in ecom.dead_letters.';
COMMENT ON COLUMN ecom.ingest_total.filtered IS
    'How many of the records read were left out by a filter of the pipeline.';
COMMENT ON COLUMN ecom.ingest_total.unbalanced IS
    'Number of files for which read = stored + duplicates + rejected + filtered does not hold.';
COMMENT ON COLUMN ecom.ingest_total.pruned IS
    'False: the files in ecom.ingest_split. True: the files that ecom-ingest retain took out of it.';
COMMENT ON COLUMN ecom.ingest_total.pipeline IS 'Name of the pipeline.';


-- Runs with the privileges of its owner (SECURITY DEFINER), so that a role that may write the ledger cannot change its
-- sums otherwise. An INSERT with ON CONFLICT fires the triggers of INSERT and of UPDATE, each with its own rows.
CREATE OR REPLACE FUNCTION ecom.keep_ingest_total() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM ecom.ingest_total t WHERE NOT t.pruned;
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO ecom.ingest_total AS t
        SELECT
            -count(*) FILTER (WHERE r.state = 'open'), -count(*) FILTER (WHERE r.state = 'finished'),
            -count(*) FILTER (WHERE r.state = 'damaged'), -count(*) FILTER (WHERE r.state = 'set_aside'),
            -coalesce(sum(greatest(r.size - r.read_offset, 0)) FILTER (WHERE r.state = 'open'), 0),
            -sum(r.read), -sum(r.stored), -sum(r.duplicates), -sum(r.rejected), -sum(r.filtered),
            -count(*) FILTER (WHERE r.read <> r.stored + r.duplicates + r.rejected + r.filtered),
            false, r.pipeline
        FROM old_rows r
        GROUP BY r.pipeline
        ORDER BY r.pipeline
        ON CONFLICT (pipeline, pruned) DO UPDATE SET
            files_open = t.files_open + excluded.files_open, files_finished = t.files_finished + excluded.files_finished,
            files_damaged = t.files_damaged + excluded.files_damaged,
            files_set_aside = t.files_set_aside + excluded.files_set_aside,
            bytes_left = t.bytes_left + excluded.bytes_left, read = t.read + excluded.read,
            stored = t.stored + excluded.stored, duplicates = t.duplicates + excluded.duplicates,
            rejected = t.rejected + excluded.rejected, filtered = t.filtered + excluded.filtered,
            unbalanced = t.unbalanced + excluded.unbalanced;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO ecom.ingest_total AS t
        SELECT
            count(*) FILTER (WHERE r.state = 'open'), count(*) FILTER (WHERE r.state = 'finished'),
            count(*) FILTER (WHERE r.state = 'damaged'), count(*) FILTER (WHERE r.state = 'set_aside'),
            coalesce(sum(greatest(r.size - r.read_offset, 0)) FILTER (WHERE r.state = 'open'), 0),
            sum(r.read), sum(r.stored), sum(r.duplicates), sum(r.rejected), sum(r.filtered),
            count(*) FILTER (WHERE r.read <> r.stored + r.duplicates + r.rejected + r.filtered),
            false, r.pipeline
        FROM new_rows r
        GROUP BY r.pipeline
        ORDER BY r.pipeline
        ON CONFLICT (pipeline, pruned) DO UPDATE SET
            files_open = t.files_open + excluded.files_open, files_finished = t.files_finished + excluded.files_finished,
            files_damaged = t.files_damaged + excluded.files_damaged,
            files_set_aside = t.files_set_aside + excluded.files_set_aside,
            bytes_left = t.bytes_left + excluded.bytes_left, read = t.read + excluded.read,
            stored = t.stored + excluded.stored, duplicates = t.duplicates + excluded.duplicates,
            rejected = t.rejected + excluded.rejected, filtered = t.filtered + excluded.filtered,
            unbalanced = t.unbalanced + excluded.unbalanced;
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION ecom.keep_ingest_total() IS
    'Adds each change of ecom.ingest_split to ecom.ingest_total. Called by triggers.';

DROP TRIGGER IF EXISTS total_of_inserted ON ecom.ingest_split;
DROP TRIGGER IF EXISTS total_of_updated ON ecom.ingest_split;
DROP TRIGGER IF EXISTS total_of_deleted ON ecom.ingest_split;
DROP TRIGGER IF EXISTS total_of_truncated ON ecom.ingest_split;
CREATE TRIGGER total_of_inserted AFTER INSERT ON ecom.ingest_split
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ecom.keep_ingest_total();
CREATE TRIGGER total_of_updated AFTER UPDATE ON ecom.ingest_split
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION ecom.keep_ingest_total();
CREATE TRIGGER total_of_deleted AFTER DELETE ON ecom.ingest_split
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION ecom.keep_ingest_total();
CREATE TRIGGER total_of_truncated AFTER TRUNCATE ON ecom.ingest_split
    FOR EACH STATEMENT EXECUTE FUNCTION ecom.keep_ingest_total();

-- The triggers have locked the ledger against changes, so this is the sum of all that is there.
DELETE FROM ecom.ingest_total t WHERE NOT t.pruned;
INSERT INTO ecom.ingest_total
SELECT
    count(*) FILTER (WHERE s.state = 'open'), count(*) FILTER (WHERE s.state = 'finished'),
    count(*) FILTER (WHERE s.state = 'damaged'), count(*) FILTER (WHERE s.state = 'set_aside'),
    coalesce(sum(greatest(s.size - s.read_offset, 0)) FILTER (WHERE s.state = 'open'), 0),
    sum(s.read), sum(s.stored), sum(s.duplicates), sum(s.rejected), sum(s.filtered),
    count(*) FILTER (WHERE s.read <> s.stored + s.duplicates + s.rejected + s.filtered),
    false, s.pipeline
FROM ecom.ingest_split s
GROUP BY s.pipeline;


-- The files that ended last, for ecom-ingest status and retain. A file gets its entry when it ends, so that progress
-- stays a heap-only update.
CREATE INDEX IF NOT EXISTS ingest_split_ended ON ecom.ingest_split (pipeline, finished_at, split_id)
WHERE finished_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS ingest_split_unusable ON ecom.ingest_split (pipeline, finished_at)
WHERE state IN ('damaged', 'set_aside');

-- In place of ingest_split_bytes: of thousands of copies of one file, the newest are found without reading all of them.
CREATE INDEX IF NOT EXISTS ingest_split_content
ON ecom.ingest_split (pipeline, source, finished_size, finished_digest_hash, split_id)
WHERE finished_size IS NOT NULL;
DROP INDEX IF EXISTS ecom.ingest_split_bytes;


-- One row takes about 100 bytes, and 75 in the indexes, where a row of the ledger takes about 900. The path is kept as a
-- hash: two paths with one hash do no harm, since the bytes of a file are compared before it is taken for the same.
CREATE TABLE IF NOT EXISTS ecom.ingest_pruned (
    path_hash    bigint NOT NULL,
    size         bigint NOT NULL,
    record_no    bigint NOT NULL,
    generation   integer NOT NULL,
    unterminated boolean NOT NULL,
    pipeline     text COLLATE "C" NOT NULL,
    source       text COLLATE "C" NOT NULL,
    digest       bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS ingest_pruned_path ON ecom.ingest_pruned (path_hash);
CREATE INDEX IF NOT EXISTS ingest_pruned_content
ON ecom.ingest_pruned (size, hashtextextended(encode(digest, 'hex') COLLATE "C", 0));

COMMENT ON TABLE ecom.ingest_pruned IS
    'Finished files that ecom-ingest retain took out of ecom.ingest_split: what it takes to know a file again that '
    'comes back. One row per file and generation.';
COMMENT ON COLUMN ecom.ingest_pruned.path_hash IS 'Hash of the path: hashtextextended(path COLLATE "C", 0).';
COMMENT ON COLUMN ecom.ingest_pruned.size IS 'Number of bytes that were read: the size of the file, decompressed.';
COMMENT ON COLUMN ecom.ingest_pruned.record_no IS 'Number of records in the file.';
COMMENT ON COLUMN ecom.ingest_pruned.generation IS
    'How many times the path had received new content before. The next new content continues from here.';
COMMENT ON COLUMN ecom.ingest_pruned.unterminated IS 'Whether the last record had no line end.';
COMMENT ON COLUMN ecom.ingest_pruned.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.ingest_pruned.source IS 'Name of the source in the pipeline.';
COMMENT ON COLUMN ecom.ingest_pruned.digest IS 'BLAKE3 digest of these bytes.';


CREATE OR REPLACE VIEW ecom.pulse AS
SELECT
    now() AS at,
    recent.events AS events_last_minute,
    recent.users AS users_last_minute,
    recent.newest AS newest_event,
    now() - recent.newest AS event_lag,
    sold.orders AS orders_last_hour,
    sold.revenue AS revenue_last_hour,
    pipelines.epochs,
    now() - pipelines.committed_at AS since_commit,
    files.open AS files_open,
    files.damaged AS files_damaged,
    letters.records AS rejected_last_hour
FROM (
    SELECT count(*) AS events, count(DISTINCT e.user_id) AS users, max(e.event_time) AS newest
    FROM ecom.events e
    WHERE e.event_time >= now() - interval '1 minute' AND e.event_time < now() + interval '1 minute'
) recent
CROSS JOIN (
    SELECT count(*) AS orders, coalesce(sum(o.revenue), 0) AS revenue
    FROM ecom.orders(now() - interval '1 hour', now() + interval '1 minute') o
) sold
CROSS JOIN (
    SELECT coalesce(sum(p.epoch), 0)::bigint AS epochs, max(p.committed_at) AS committed_at FROM ecom.ingest_pipeline p
) pipelines
CROSS JOIN (
    SELECT
        coalesce(sum(t.files_open), 0)::bigint AS open,
        coalesce(sum(t.files_damaged), 0)::bigint AS damaged
    FROM ecom.ingest_total t
) files
CROSS JOIN (
    SELECT count(*) AS records
    FROM ecom.dead_letters d
    WHERE d.rejected_at >= now() - interval '1 hour' AND d.resolved_at IS NULL
) letters;


CREATE OR REPLACE VIEW ecom.ingest_balance AS
SELECT
    p.pipeline,
    coalesce(sum(t.files_open + t.files_finished + t.files_damaged + t.files_set_aside), 0)::bigint AS files,
    coalesce(sum(t.files_open), 0)::bigint AS files_open,
    coalesce(sum(t.files_finished), 0)::bigint AS files_finished,
    coalesce(sum(t.files_damaged), 0)::bigint AS files_damaged,
    coalesce(sum(t.files_set_aside), 0)::bigint AS files_set_aside,
    coalesce(sum(t.read), 0)::bigint AS read,
    coalesce(sum(t.stored), 0)::bigint AS stored,
    coalesce(sum(t.duplicates), 0)::bigint AS duplicates,
    coalesce(sum(t.rejected), 0)::bigint AS rejected,
    coalesce(sum(t.filtered), 0)::bigint AS filtered,
    -- Checked per file, so that two errors cannot cancel each other out.
    coalesce(sum(t.unbalanced), 0) = 0 AS balance_ok,
    p.epoch,
    p.committed_at
FROM ecom.ingest_pipeline p
LEFT JOIN ecom.ingest_total t ON t.pipeline = p.pipeline
GROUP BY p.pipeline, p.epoch, p.committed_at;

COMMENT ON VIEW ecom.ingest_balance IS
    'Totals of files and records per pipeline, with the files that ecom-ingest retain took out of the ledger.';
COMMENT ON COLUMN ecom.ingest_balance.files IS
    'Number of files. Each generation of a file is counted, and a file that comes back after it left the ledger.';
