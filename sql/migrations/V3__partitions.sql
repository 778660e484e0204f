-- The partitions of ecom.events: how much time each covers, which indexes it has, and how it is made.
--
--     settings             width and indexes of new partitions
--     ensure_partitions    makes the partitions of given days
--     settled_indexes      indexes that a partition gets once it no longer receives rows
--     partition_indexes    which of these indexes each partition has
--     partitions           all partitions, with their size
--
-- Running this file again changes nothing.

CREATE TABLE IF NOT EXISTS ecom.settings (
    only_row        boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    partition_width text COLLATE "C" NOT NULL DEFAULT 'day' CHECK (partition_width IN ('hour', 'day', 'month')),
    index_profile   text COLLATE "C" NOT NULL DEFAULT 'lean' CHECK (index_profile IN ('lean', 'full'))
);

INSERT INTO ecom.settings DEFAULT VALUES ON CONFLICT DO NOTHING;

COMMENT ON TABLE ecom.settings IS
    'How new partitions of ecom.events are made. One row. A change does not affect partitions that exist. Change it '
    'with ecom-ingest layout, or with UPDATE.';
COMMENT ON COLUMN ecom.settings.only_row IS 'Always true, so that the table has one row at most.';
COMMENT ON COLUMN ecom.settings.partition_width IS 'How much time a new partition covers, in UTC: hour, day or month.';
COMMENT ON COLUMN ecom.settings.index_profile IS
    'Which indexes a new partition has. lean: the primary key, a BRIN index on time and a small index of purchases; '
    'those of ecom.settled_indexes are built once the partition no longer receives rows (ecom-ingest settle). full: '
    'all of them from the start, which makes ingest slower.';


-- The SET clauses fix how bounds are printed and read, whatever the settings of the session are.
CREATE OR REPLACE FUNCTION ecom.partition_bounds()
RETURNS TABLE (partition oid, starts timestamptz, ends timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
AS $$
    SELECT
        c.oid,
        replace(bound[1], 'MINVALUE', '-infinity')::timestamptz,
        replace(bound[2], 'MAXVALUE', 'infinity')::timestamptz
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid
    CROSS JOIN regexp_match(
        pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \(''?(.*?)''?\) TO \(''?(.*?)''?\)$'
    ) AS bound
    WHERE i.inhparent = 'ecom.events'::regclass
      -- A partition that is being detached takes no rows. PostgreSQL 13 does not have this column, hence jsonb.
      AND coalesce(to_jsonb(i) ->> 'inhdetachpending', 'false') = 'false'
$$;

COMMENT ON FUNCTION ecom.partition_bounds() IS
    'The partitions of ecom.events and the time that each covers. The start is included, the end is not.';


-- These indexes are on the partitions only. If ecom.events had them too, each new partition would start with them.
CREATE OR REPLACE VIEW ecom.settled_indexes AS
SELECT *
FROM (
    VALUES
        ('user', '(user_id, event_time)', 'What one user did, in the order of time.'),
        ('product', '(product_id, event_time)', 'What happened to one product, in the order of time.'),
        ('category', '(category text_pattern_ops, event_time)', 'What happened in a category and all below it.')
) AS i (name, definition, purpose);

COMMENT ON VIEW ecom.settled_indexes IS
    'The indexes that a partition of ecom.events gets once it no longer receives rows (ecom-ingest settle), or from '
    'the start if the index profile is full.';
COMMENT ON COLUMN ecom.settled_indexes.name IS 'Suffix of the name of the index. It follows the name of the partition.';
COMMENT ON COLUMN ecom.settled_indexes.definition IS 'Columns of the index, as SQL.';
COMMENT ON COLUMN ecom.settled_indexes.purpose IS 'Which queries the index is for.';


-- Runs with the privileges of its owner (SECURITY DEFINER), so that a role that may only insert can have partitions made,
-- and no other tables. The SET clauses fix what names mean and how bounds are printed, whatever the settings of the
-- session are.
CREATE OR REPLACE FUNCTION ecom.ensure_partitions(days date[]) RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
AS $$
DECLARE
    missing  date[];
    day      date;
    settings ecom.settings;
    taken    tstzrange[];
    span     record;
    index    record;
    name     text;
    made     integer := 0;
BEGIN
    IF cardinality(days) > 1000 THEN
        RAISE EXCEPTION 'ecom.ensure_partitions takes 1000 days at a time, not %', cardinality(days)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- A fast check without a lock. Partitions do not overlap, so those of a day add up to 24 hours unless one is missing.
    missing := ARRAY(
        WITH taken AS MATERIALIZED (SELECT b.starts, b.ends FROM ecom.partition_bounds() b)
        SELECT DISTINCT d.day
        FROM unnest(days) AS d (day)
        CROSS JOIN LATERAL (
            SELECT sum(least(t.ends, d.day + 1) - greatest(t.starts, d.day::timestamptz)) AS covered
            FROM taken t
            WHERE t.starts < d.day + 1 AND t.ends > d.day
        ) c
        WHERE d.day IS NOT NULL
          AND (NOT isfinite(d.day) OR c.covered IS NULL OR c.covered < interval '24 hours')
        ORDER BY d.day
    );
    IF cardinality(missing) = 0 THEN
        RETURN 0;
    END IF;
    IF missing[1] < '0001-01-01' OR missing[cardinality(missing)] > '9999-12-30' THEN
        RAISE EXCEPTION 'ecom.ensure_partitions takes days of the years 1 to 9999, not % to %',
            missing[1], missing[cardinality(missing)]
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    PERFORM pg_advisory_xact_lock(hashtextextended('ecom.ensure_partitions', 0));
    SELECT * INTO settings FROM ecom.settings;
    -- Look again with the lock: another session may have made some of them.
    taken := ARRAY(SELECT tstzrange(b.starts, b.ends) FROM ecom.partition_bounds() b);

    FOREACH day IN ARRAY missing LOOP
        -- Use the width of ecom.settings if nothing of that span is taken, else the next smaller one. So the width can be
        -- changed at any time. With hours, only those that no partition covers are made.
        FOR span IN
            WITH widths (rank, unit, width, label) AS (
                VALUES (1, 'month', interval '1 month', 'YYYYMM'), (2, 'day', '1 day', 'YYYYMMDD'),
                       (3, 'hour', '1 hour', 'YYYYMMDDHH24')
            ),
            possible AS (
                SELECT w.rank, tstzrange(s.starts, s.starts + w.width) AS time, to_char(s.starts, w.label) AS label
                FROM widths w
                CROSS JOIN LATERAL generate_series(
                    date_trunc(w.unit, day::timestamptz), day + interval '23 hours', w.width
                ) AS s (starts)
                WHERE w.rank >= coalesce((SELECT v.rank FROM widths v WHERE v.unit = settings.partition_width), 2)
            ),
            free AS (
                SELECT p.*
                FROM possible p
                WHERE NOT EXISTS (
                    SELECT FROM unnest(taken) t WHERE CASE WHEN p.rank < 3 THEN t && p.time ELSE t @> p.time END
                )
            )
            SELECT f.time, lower(f.time) AS starts, upper(f.time) AS ends, f.label
            FROM free f
            WHERE f.rank = (SELECT min(f.rank) FROM free f)
            ORDER BY f.time
        LOOP
            name := 'events_y' || span.label;
            IF to_regclass(format('ecom.%I', name)) IS NOT NULL THEN
                RAISE EXCEPTION 'ecom.% exists, but it is not the partition of ecom.events for %', name, day
                    USING ERRCODE = 'duplicate_table',
                          HINT = format(
                              'Attach it with ALTER TABLE ecom.events ATTACH PARTITION ecom.%I FOR VALUES FROM (%L) TO '
                              '(%L), or rename it, or finish its detaching.', name, span.starts, span.ends);
            END IF;

            -- CREATE, then ATTACH: others can read and write meanwhile. CREATE TABLE ... PARTITION OF would block them.
            EXECUTE format(
                'CREATE TABLE ecom.%I (LIKE ecom.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)',
                name);
            EXECUTE format(
                'COMMENT ON TABLE ecom.%I IS %L', name, to_char(span.starts, '"Events from "YYYY-MM-DD HH24:MI')
                    || to_char(span.ends, '" to "YYYY-MM-DD HH24:MI, "UTC."'));
            IF settings.index_profile = 'full' THEN
                FOR index IN SELECT s.name, s.definition FROM ecom.settled_indexes s LOOP
                    EXECUTE format(
                        'CREATE INDEX %I ON ecom.%I %s', name || '_' || index.name, name, index.definition);
                END LOOP;
            END IF;
            EXECUTE format(
                'ALTER TABLE ecom.events ATTACH PARTITION ecom.%I FOR VALUES FROM (%L) TO (%L)',
                name, span.starts, span.ends);
            taken := taken || span.time;
            made := made + 1;
        END LOOP;
    END LOOP;

    RETURN made;
END
$$;

REVOKE EXECUTE ON FUNCTION ecom.ensure_partitions(date[]) FROM PUBLIC;

COMMENT ON FUNCTION ecom.ensure_partitions(date[]) IS
    'Makes the partitions of ecom.events that are missing for the given days (UTC, at most 1000), as ecom.settings '
    'says, and returns how many it made. Call it in a transaction of its own, at READ COMMITTED, before the COPY that '
    'needs the partitions: a COPY that is running does not see them. Other callers wait until the transaction ends. '
    'Readers and writers of the table do not wait.';


CREATE OR REPLACE VIEW ecom.partition_indexes AS
SELECT
    c.relname AS partition,
    b.starts,
    b.ends,
    n.index,
    CASE
        WHEN x.indexrelid IS NULL THEN 'missing'
        WHEN x.indisvalid THEN 'valid'
        WHEN EXISTS (
            SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = x.indexrelid
        ) THEN 'building'
        -- An interrupted CREATE INDEX CONCURRENTLY leaves an index that slows down writes and serves no query.
        ELSE 'invalid'
    END AS state,
    format('CREATE INDEX CONCURRENTLY %I ON ecom.%I %s', n.index, c.relname, s.definition) AS build,
    format('DROP INDEX CONCURRENTLY IF EXISTS ecom.%I', n.index) AS clear
FROM ecom.partition_bounds() b
JOIN pg_catalog.pg_class c ON c.oid = b.partition AND c.relkind = 'r'
CROSS JOIN ecom.settled_indexes s
CROSS JOIN LATERAL (SELECT left(c.relname, 50) || '_' || s.name AS index) n
LEFT JOIN pg_catalog.pg_class i ON i.relnamespace = c.relnamespace AND i.relname = n.index AND i.relkind = 'i'
LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = i.oid AND x.indrelid = c.oid;

COMMENT ON VIEW ecom.partition_indexes IS
    'Which of ecom.settled_indexes each partition of ecom.events has, and the statements that build what is missing. '
    'To build them in psql: SELECT build FROM ecom.partition_indexes WHERE state = ''missing'' AND ends < now() - '
    'interval ''1 hour'' \gexec';
COMMENT ON COLUMN ecom.partition_indexes.partition IS 'Name of the partition.';
COMMENT ON COLUMN ecom.partition_indexes.starts IS 'Start of the time that the partition covers.';
COMMENT ON COLUMN ecom.partition_indexes.ends IS 'End of the time that the partition covers. Not included.';
COMMENT ON COLUMN ecom.partition_indexes.index IS 'Name of the index.';
COMMENT ON COLUMN ecom.partition_indexes.state IS
    'State of the index: missing, building, valid or invalid. An index is invalid if its build was interrupted.';
COMMENT ON COLUMN ecom.partition_indexes.build IS
    'Statement that builds the index. Rows can be read and written meanwhile.';
COMMENT ON COLUMN ecom.partition_indexes.clear IS 'Statement that drops the index if it is invalid.';


CREATE OR REPLACE VIEW ecom.partitions AS
SELECT
    c.relname AS partition,
    b.starts,
    b.ends,
    -- reltuples is -1 while the number is unknown.
    greatest(c.reltuples, 0)::bigint AS rows,
    pg_catalog.pg_table_size(c.oid) AS table_bytes,
    pg_catalog.pg_indexes_size(c.oid) AS index_bytes,
    NOT EXISTS (
        SELECT FROM ecom.partition_indexes x WHERE x.partition = c.relname AND x.state <> 'valid'
    ) AS is_settled
FROM ecom.partition_bounds() b
JOIN pg_catalog.pg_class c ON c.oid = b.partition;

COMMENT ON VIEW ecom.partitions IS 'The partitions of ecom.events: which time they cover and how large they are.';
COMMENT ON COLUMN ecom.partitions.partition IS 'Name of the partition.';
COMMENT ON COLUMN ecom.partitions.starts IS 'Start of the time that the partition covers.';
COMMENT ON COLUMN ecom.partitions.ends IS 'End of the time that the partition covers. Not included.';
COMMENT ON COLUMN ecom.partitions.rows IS 'Estimated number of rows, as of the last ANALYZE or VACUUM.';
COMMENT ON COLUMN ecom.partitions.table_bytes IS 'Size of the rows on disk, in bytes.';
COMMENT ON COLUMN ecom.partitions.index_bytes IS 'Size of the indexes on disk, in bytes.';
COMMENT ON COLUMN ecom.partitions.is_settled IS 'Whether the partition has all of ecom.settled_indexes.';
