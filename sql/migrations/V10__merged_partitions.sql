-- Merging partitions of ecom.events that are no longer recent: `ecom-ingest layout` calls what is here.
--
--     mergeable_partitions   groups of partitions that one wider partition should replace
--     copy_to_merged         the trigger that copies each change of a partition into the one that will replace it
--     begin_merge            creates the table that will replace a group
--     begin_copy             copies changes of one partition from now on
--     copy_pages             copies the rows of some pages
--     replace_partitions     puts the merged table in the place of the group
--
-- PostgreSQL 13 to 16 cannot merge partitions, and later ones lock the table while they do. So the rows are copied into a table
-- of its own, in short transactions, while a trigger repeats each change there, in the transaction that makes it. When the
-- table is complete, and every transaction has ended that began before it was, one short transaction detaches the group and
-- attaches the table. Every snapshot sees the same rows in the group and in the table, so it does not matter which of
-- them a query reads.
--
-- Running this file again changes nothing.

CREATE OR REPLACE VIEW ecom.mergeable_partitions AS
WITH widths (rank, unit, rested, most_bytes) AS (
    VALUES (1, 'day', 7, NULL), (2, 'month', 31, NULL), (3, 'year', 31, 4::bigint << 30)
),
stored AS MATERIALIZED (
    SELECT c.relname, c.relkind, b.starts, b.ends, coalesce(pg_catalog.pg_table_size(c.oid), 0) AS bytes
    FROM ecom.partition_bounds() b
    JOIN pg_catalog.pg_class c ON c.oid = b.partition
),
groups AS (
    SELECT
        w.rank,
        w.unit,
        t.starts,
        t.ends,
        count(*) AS partitions,
        sum(s.bytes) AS bytes
    FROM widths w
    CROSS JOIN stored s
    CROSS JOIN LATERAL (
        SELECT
            date_trunc(w.unit, s.starts, 'UTC') AS starts,
            (date_trunc(w.unit, s.starts, 'UTC') AT TIME ZONE 'UTC' + ('1 ' || w.unit)::interval) AT TIME ZONE 'UTC' AS ends
    ) t
    WHERE pg_catalog.isfinite(s.starts) AND s.ends <= t.ends AND t.ends <= now() - w.rested * interval '24 hours'
    GROUP BY w.rank, w.unit, w.most_bytes, t.starts, t.ends
    -- More than that would take long to replace.
    HAVING count(*) BETWEEN 2 AND 40 AND bool_and(s.relkind = 'r') AND coalesce(sum(s.bytes) <= w.most_bytes, true)
)
SELECT
    ecom.partition_name(g.starts, g.ends) AS merged,
    g.starts,
    g.ends,
    ARRAY(
        SELECT s.relname::text FROM stored s WHERE s.starts >= g.starts AND s.ends <= g.ends ORDER BY s.starts
    ) AS partitions,
    g.bytes::bigint AS bytes
FROM groups g
-- A partition that sticks out cannot be merged, and what will be in a wider one need not be merged before.
WHERE NOT EXISTS (
    SELECT FROM stored s
    WHERE s.starts < g.ends AND s.ends > g.starts AND NOT (s.starts >= g.starts AND s.ends <= g.ends)
)
AND NOT EXISTS (
    SELECT FROM groups h
    WHERE h.rank > g.rank AND h.starts <= g.starts AND h.ends >= g.ends
)
ORDER BY g.starts;

COMMENT ON VIEW ecom.mergeable_partitions IS
    'Groups of partitions of ecom.events that one wider partition should replace: hours that ended 7 days ago become a day, '
    'days that ended 31 days ago a month, and what is in a year that ended 31 days ago and has at most 4 GB that year. '
    'ecom-ingest layout merges them.';
COMMENT ON COLUMN ecom.mergeable_partitions.merged IS 'Name of the partition that will replace the group.';
COMMENT ON COLUMN ecom.mergeable_partitions.starts IS 'Start of the time that it will cover.';
COMMENT ON COLUMN ecom.mergeable_partitions.ends IS 'End of the time that it will cover. Not included.';
COMMENT ON COLUMN ecom.mergeable_partitions.partitions IS 'Names of the partitions that it will replace.';
COMMENT ON COLUMN ecom.mergeable_partitions.bytes IS 'Size of their rows on disk, in bytes.';


-- The argument is the table that is being filled. It runs with the privileges of its owner, since who writes
-- into ecom.events need not have any on the merged table.
CREATE OR REPLACE FUNCTION ecom.copy_to_merged() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    columns text;
    fields  text;
    merged  regclass := to_regclass(format('ecom.%I', TG_ARGV[0]));
    gone    bigint := 0;
BEGIN
    IF merged IS NULL THEN
        -- The merge was abandoned by hand.
        RETURN NULL;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('DELETE FROM %s USING ecom.partition_bounds() b
            WHERE b.partition = $1 AND event_time >= b.starts AND event_time < b.ends', merged) USING TG_RELID;
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        EXECUTE format('DELETE FROM %s WHERE event_id = $1 AND event_time = $2', merged) USING OLD.event_id, OLD.event_time;
        GET DIAGNOSTICS gone = ROW_COUNT;
        -- A snapshot from before the row was copied does not see the copy.
        IF gone = 0 AND current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION 'ecom.% is being merged into ecom.%, and this transaction began before', TG_TABLE_NAME, TG_ARGV[0]
                USING ERRCODE = 'serialization_failure',
                      HINT = 'Run the transaction again, at READ COMMITTED or after ecom-ingest layout has ended.';
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        SELECT string_agg(quote_ident(a.attname), ', '), string_agg('($1).' || quote_ident(a.attname), ', ')
        INTO columns, fields
        FROM pg_attribute a
        WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
        EXECUTE format('INSERT INTO %s (%s) SELECT %s', merged, columns, fields) USING NEW;
    END IF;
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION ecom.copy_to_merged() FROM PUBLIC;

COMMENT ON FUNCTION ecom.copy_to_merged() IS
    'Trigger on a partition of ecom.events that is being merged: it repeats each change in the table that will replace the '
    'partition.';


-- Each of the following is one step and one transaction. None waits longer than 100 ms for a lock.

CREATE OR REPLACE FUNCTION ecom.begin_merge(merged text, starts timestamptz, ends timestamptz) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
SET lock_timeout = '100ms'
AS $$
DECLARE
    filling text := merged || '_merging';
    item    record;
BEGIN
    IF to_regclass(format('ecom.%I', merged)) IS NOT NULL THEN
        RAISE EXCEPTION 'ecom.% exists already', merged
            USING ERRCODE = 'duplicate_table', HINT = 'Rename that table, or drop it if nobody needs it.';
    END IF;
    IF EXISTS (SELECT FROM pg_constraint WHERE confrelid = 'ecom.events'::regclass AND conrelid <> confrelid) THEN
        RAISE EXCEPTION 'a foreign key refers to ecom.events, and the server would check it while it holds a lock'
            USING ERRCODE = 'feature_not_supported';
    END IF;
    IF EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = 'ecom.events'::regclass AND partdefid <> 0) THEN
        RAISE EXCEPTION 'ecom.events has a default partition, and the server would read it while it holds a lock'
            USING ERRCODE = 'feature_not_supported';
    END IF;
    PERFORM ecom.create_partition(filling, starts, ends);
    IF EXISTS (SELECT FROM pg_publication_tables p WHERE p.schemaname = 'ecom' AND p.tablename = filling) THEN
        RAISE EXCEPTION 'a publication has all tables, and would send the copies of the rows to its subscribers'
            USING ERRCODE = 'feature_not_supported', HINT = 'Publish ecom.events by name.';
    END IF;
    -- This text is stored in databases, and recognized after a crash: never change it.
    EXECUTE format('COMMENT ON TABLE ecom.%I IS %L', filling, 'Being filled: ecom-ingest layout attaches it, or drops it.');
    -- So that attaching need not read the table.
    EXECUTE format(
        'ALTER TABLE ecom.%I ADD CONSTRAINT merging CHECK (event_time >= %L::timestamptz AND event_time < %L::timestamptz)',
        filling, starts, ends);
    FOR item IN
        SELECT c.conname, pg_get_constraintdef(c.oid) AS definition
        FROM pg_constraint c
        WHERE c.conrelid = 'ecom.events'::regclass AND c.contype = 'f'
    LOOP
        EXECUTE format('ALTER TABLE ecom.%I ADD CONSTRAINT %I %s', filling, item.conname, item.definition);
    END LOOP;
    IF NOT EXISTS (
        SELECT
        FROM ecom.partition_indexes x
        WHERE x.starts >= begin_merge.starts AND x.ends <= begin_merge.ends AND x.state <> 'valid'
    ) THEN
        FOR item IN SELECT s.name, s.definition FROM ecom.settled_indexes s LOOP
            EXECUTE format(
                'CREATE INDEX %I ON ecom.%I %s', left(merged, 50) || '_' || item.name, filling, item.definition);
        END LOOP;
    END IF;
END
$$;

COMMENT ON FUNCTION ecom.begin_merge(text, timestamptz, timestamptz) IS
    'Creates the table that will replace some partitions of ecom.events, not attached yet. ecom-ingest layout calls it.';


CREATE OR REPLACE FUNCTION ecom.begin_copy(merged text, source text) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
SET lock_timeout = '100ms'
AS $$
DECLARE
    filling text := merged || '_merging';
BEGIN
    -- It waits until whoever is writing to the partition has ended, so from then on every change is repeated.
    EXECUTE format(
        'CREATE TRIGGER merging AFTER INSERT OR UPDATE OR DELETE ON ecom.%I FOR EACH ROW '
        'EXECUTE FUNCTION ecom.copy_to_merged(%L)', source, filling);
    EXECUTE format(
        'CREATE TRIGGER merging_all AFTER TRUNCATE ON ecom.%I FOR EACH STATEMENT '
        'EXECUTE FUNCTION ecom.copy_to_merged(%L)', source, filling);
    -- Also for changes that logical replication applies.
    EXECUTE format(
        'ALTER TABLE ecom.%1$I ENABLE ALWAYS TRIGGER merging, ENABLE ALWAYS TRIGGER merging_all', source);
END
$$;

COMMENT ON FUNCTION ecom.begin_copy(text, text) IS
    'Repeats changes of a partition in the table that will replace it, from now on. ecom-ingest layout calls it.';


CREATE OR REPLACE FUNCTION ecom.copy_pages(merged text, source text, first bigint, pages bigint) RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms'
AS $$
DECLARE
    columns text;
    copied  bigint;
BEGIN
    SELECT string_agg(quote_ident(a.attname), ', ') INTO columns
    FROM pg_attribute a
    WHERE a.attrelid = 'ecom.events'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
    -- The rows are locked, so that nobody changes one whose copy is not visible yet. No page has more rows than that.
    EXECUTE format(
        'INSERT INTO ecom.%I (%s) SELECT %2$s FROM ONLY ecom.%I WHERE ctid = ANY (ARRAY(
             SELECT format(''(%%s,%%s)'', p, i)::tid
             FROM generate_series($1, $2) p, generate_series(1, current_setting(''block_size'')::int / 28) i
         )) FOR SHARE ON CONFLICT DO NOTHING', merged || '_merging', columns, source)
    USING first, first + pages - 1;
    GET DIAGNOSTICS copied = ROW_COUNT;
    RETURN copied;
END
$$;

COMMENT ON FUNCTION ecom.copy_pages(text, text, bigint, bigint) IS
    'Copies the rows of some pages of a partition into the table that will replace it, and returns how many were not there '
    'yet. ecom-ingest layout calls it.';


CREATE OR REPLACE FUNCTION ecom.replace_partitions(
    merged text,
    starts timestamptz,
    ends timestamptz,
    partitions text[]
) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
SET lock_timeout = '100ms'
AS $$
DECLARE
    filling text := merged || '_merging';
    tables  text := (SELECT string_agg(format('ecom.%I', p), ', ') FROM unnest(partitions) AS p);
    index   text;
BEGIN
    LOCK TABLE ONLY ecom.events IN ACCESS EXCLUSIVE MODE;
    -- Only who names a partition can hold a lock on it now.
    EXECUTE format('LOCK TABLE ecom.%I, %s IN ACCESS EXCLUSIVE MODE NOWAIT', filling, tables);
    IF (
        SELECT count(*)
        FROM unnest(partitions) AS p
        JOIN pg_inherits i ON i.inhrelid = format('ecom.%I', p)::regclass AND i.inhparent = 'ecom.events'::regclass
        JOIN pg_trigger t ON t.tgrelid = i.inhrelid AND t.tgname = 'merging' AND t.tgenabled = 'A'
    ) <> cardinality(partitions) THEN
        RAISE EXCEPTION 'the partitions that ecom.% would replace have changed meanwhile', merged
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Run ecom-ingest layout again.';
    END IF;
    -- One statement for all: the server reads the list of partitions once.
    EXECUTE format('DROP TABLE %s', tables);
    -- Fails if the time that it covers has got another partition meanwhile.
    EXECUTE format(
        'ALTER TABLE ecom.events ATTACH PARTITION ecom.%I FOR VALUES FROM (%L) TO (%L)', filling, starts, ends);
    EXECUTE format('ALTER TABLE ecom.%I DROP CONSTRAINT merging', filling);
    EXECUTE format('ALTER TABLE ecom.%I RENAME TO %I', filling, merged);
    FOR index IN
        SELECT c.relname
        FROM pg_index x
        JOIN pg_class c ON c.oid = x.indexrelid
        WHERE x.indrelid = format('ecom.%I', merged)::regclass AND c.relname LIKE '%\_merging\_%'
    LOOP
        EXECUTE format('ALTER INDEX ecom.%I RENAME TO %I', index, replace(index, '_merging_', '_'));
    END LOOP;
    EXECUTE format(
        'COMMENT ON TABLE ecom.%I IS %L', merged, to_char(starts, '"Events from "YYYY-MM-DD HH24:MI')
            || to_char(ends, '" to "YYYY-MM-DD HH24:MI, "UTC."'));
END
$$;

COMMENT ON FUNCTION ecom.replace_partitions(text, timestamptz, timestamptz, text[]) IS
    'Drops some partitions of ecom.events, and attaches the table with their rows. ecom-ingest layout calls it.';


REVOKE EXECUTE ON FUNCTION ecom.begin_merge(text, timestamptz, timestamptz) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION ecom.begin_copy(text, text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION ecom.copy_pages(text, text, bigint, bigint) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION ecom.replace_partitions(text, timestamptz, timestamptz, text[]) FROM PUBLIC;
