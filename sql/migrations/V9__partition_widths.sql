-- How wide a new partition of ecom.events is, so that any input makes a bounded number of them.
--
--     partition_widths     which widths a new partition may have, for each day
--     partition_name       the name of a partition
--     partition_like       which properties of ecom.events a new partition has
--     create_partition     creates the table of a partition
--     ensure_partitions    creates the partitions of given days; replaces the function of V3
--
-- The rule:
--
--  1. Recent days, from 31 days ago to 7 days ahead, get the width of ecom.settings: a day unless somebody changed it. In a
--     flood, after a day with 16 GB, days are made in hours. While the table has too many partitions, they get the next wider
--     one.
--  2. Other days get it too, as long as they are few or full. Once there are 31 days outside the recent ones with less than
--     1 MB each, counting those that are asked for at once, further days get a month, after 24 such months a year, and after
--     80 such years a century. There are also at most 93 days and 96 months of any size.
--  3. A new partition never overlaps another. It starts and ends with its hour, day, month, year or century in UTC. Where a part
--     of that is taken already, the next narrower width is used if it is not used up, else the partition fills the gap.
--
-- Running this file again changes nothing.

CREATE OR REPLACE FUNCTION ecom.partition_widths(days date[]) RETURNS TABLE (day date, widths text[])
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
    WITH rules (rank, unit, most_small, most, most_in_table) AS (
        VALUES (1, 'hour', 240, 240, 366), (2, 'day', 31, 93, 450), (3, 'month', 24, 96, NULL),
               (4, 'year', 80, NULL, NULL), (5, 'century', NULL, NULL, NULL)
    ),
    stored AS MATERIALIZED (
        SELECT
            CASE
                WHEN b.ends < b.starts + interval '1 day' THEN 'hour'
                WHEN b.ends < b.starts + interval '28 days' THEN 'day'
                WHEN b.ends < b.starts + interval '365 days' THEN 'month'
                WHEN b.ends < b.starts + interval '99 years' THEN 'year'
                ELSE 'century'
            END AS unit,
            b.starts,
            b.ends,
            b.ends > current_date - 31 AND b.starts < current_date + 8 AS is_recent,
            z.bytes,
            z.bytes < 1024 * 1024 AS is_small
        FROM ecom.partition_bounds() b
        CROSS JOIN LATERAL (SELECT coalesce(pg_relation_size(b.partition), 0) AS bytes) z
    ),
    asked AS (
        SELECT DISTINCT d.day, d.day BETWEEN current_date - 31 AND current_date + 7 AS is_recent
        FROM unnest(days) AS d (day)
    ),
    old AS (
        SELECT
            count(*) AS days,
            count(DISTINCT date_trunc('month', a.day::timestamptz)) AS months,
            count(DISTINCT date_trunc('year', a.day::timestamptz)) AS years
        FROM asked a
        WHERE NOT a.is_recent
    ),
    possible AS (
        SELECT
            r.rank,
            r.unit,
            -- A comparison with null is null: then there is no limit.
            coalesce((SELECT count(*) FROM stored s) < r.most_in_table, true) AS for_recent,
            coalesce(n.asked + n.small <= r.most_small, true) AND coalesce(n.asked + n.stored <= r.most, true) AS for_old
        FROM rules r
        CROSS JOIN LATERAL (
            SELECT
                CASE r.unit
                    WHEN 'hour' THEN 24 * o.days WHEN 'day' THEN o.days WHEN 'month' THEN o.months ELSE o.years
                END AS asked,
                (SELECT count(*) FROM stored s WHERE s.unit = r.unit AND NOT s.is_recent) AS stored,
                (SELECT count(*) FROM stored s WHERE s.unit = r.unit AND NOT s.is_recent AND s.is_small) AS small
            FROM old o
        ) n
    )
    SELECT
        a.day,
        ARRAY(
            SELECT p.unit
            FROM possible p
            WHERE CASE WHEN a.is_recent THEN p.for_recent ELSE p.for_old END
              AND p.rank BETWEEN least(c.rank, 2) AND w.rank
            ORDER BY p.rank DESC
        )
    FROM asked a
    CROSS JOIN LATERAL (
        SELECT CASE WHEN a.is_recent AND w.rank = 2 AND f.is_flood THEN 1 ELSE w.rank END AS rank
        FROM (
            -- Without its row the settings are the default ones.
            SELECT coalesce((SELECT r.rank FROM ecom.settings s JOIN rules r ON r.unit = s.partition_width), 2) AS rank
        ) w
        CROSS JOIN (
            SELECT EXISTS (
                SELECT
                FROM (VALUES (1), (2)) AS n (ago)
                JOIN stored s ON s.starts >= a.day - n.ago AND s.ends <= a.day - n.ago + 1
                GROUP BY n.ago
                HAVING sum(s.bytes) >= 16::bigint << 30
            ) AS is_flood
        ) f
    ) c
    CROSS JOIN LATERAL (
        SELECT min(p.rank) AS rank
        FROM possible p
        WHERE CASE WHEN a.is_recent THEN p.for_recent ELSE p.for_old END AND p.rank >= c.rank
    ) w
$$;

COMMENT ON FUNCTION ecom.partition_widths(date[]) IS
    'Which widths a new partition may have that holds one of the given days (UTC), the widest first: century, year, '
    'month, day or hour. A narrower one is used where a part of the wider one is taken. It depends on which days are asked for at once, on '
    'ecom.settings, and on the partitions that there are.';


CREATE OR REPLACE FUNCTION ecom.partition_name(starts timestamptz, ends timestamptz) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
    SELECT 'events_y' || coalesce(
        (
            SELECT to_char(starts, w.label)
            FROM (
                VALUES ('year', 'YYYY'), ('month', 'YYYYMM'), ('day', 'YYYYMMDD'), ('hour', 'YYYYMMDDHH24')
            ) AS w (unit, label)
            WHERE starts = date_trunc(w.unit, starts) AND ends = starts + ('1 ' || w.unit)::interval
        ),
        (
            -- Other than midnight, the time of day tells two such names apart.
            SELECT string_agg(to_char(b.bound, CASE b.bound
                WHEN date_trunc('day', b.bound) THEN 'YYYYMMDD' ELSE 'YYYYMMDDHH24MISSUS' END), '_to_' ORDER BY b.bound)
            FROM (VALUES (starts), (ends)) AS b (bound)
        )
    )
$$;

COMMENT ON FUNCTION ecom.partition_name(timestamptz, timestamptz) IS
    'Name of the partition of ecom.events that covers that time: events_y and the year, month, day or hour in UTC, or its '
    'start and end.';


-- An identity column is not among them: a row that comes through ecom.events gets its value there, and since PostgreSQL 17
-- a partition takes it over when it is attached.
CREATE OR REPLACE FUNCTION ecom.partition_like() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'LIKE ecom.events INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE'
        || CASE WHEN current_setting('server_version_num')::integer >= 140000 THEN ' INCLUDING COMPRESSION' ELSE '' END
$$;

COMMENT ON FUNCTION ecom.partition_like() IS
    'Which properties of ecom.events a new partition has, as a part of CREATE TABLE: among others generated columns, '
    'which a partition must have too, storage and compression.';


CREATE OR REPLACE FUNCTION ecom.create_partition(name text, starts timestamptz, ends timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
BEGIN
    EXECUTE format('CREATE TABLE ecom.%I (' || ecom.partition_like() || ')', name);
    EXECUTE format(
        'COMMENT ON TABLE ecom.%I IS %L', name, to_char(starts, '"Events from "YYYY-MM-DD HH24:MI')
            || to_char(ends, '" to "YYYY-MM-DD HH24:MI, "UTC."'));
END
$$;

REVOKE EXECUTE ON FUNCTION ecom.create_partition(text, timestamptz, timestamptz) FROM PUBLIC;

COMMENT ON FUNCTION ecom.create_partition(text, timestamptz, timestamptz) IS
    'Creates the table of a partition of ecom.events, not attached yet, with the indexes that every partition has.';


CREATE OR REPLACE FUNCTION ecom.ensure_partitions(days date[]) RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
AS $$
DECLARE
    -- Each partition takes about ten locks until the transaction ends, and a server has room for some thousand.
    most     CONSTANT integer := 200;
    missing  date[];
    profile  text;
    taken    tstzrange[];
    asked    record;
    at       timestamptz;
    behind   timestamptz;
    width    text;
    span     tstzrange;
    starts   timestamptz;
    ends     timestamptz;
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
    profile := (SELECT s.index_profile FROM ecom.settings s);
    -- Look again with the lock: another session may have made some of them.
    taken := ARRAY(SELECT tstzrange(b.starts, b.ends) FROM ecom.partition_bounds() b);
    missing := ARRAY(
        SELECT d.day
        FROM unnest(missing) AS d (day)
        WHERE NOT EXISTS (SELECT FROM unnest(taken) t WHERE t @> tstzrange(d.day, d.day + 1))
    );

    FOR asked IN SELECT w.day, w.widths FROM ecom.partition_widths(missing) w ORDER BY w.day LOOP
        at := asked.day;
        WHILE at < asked.day + 1 LOOP
            behind := (SELECT upper(t) FROM unnest(taken) t WHERE t @> at);
            IF behind IS NOT NULL THEN
                at := behind;
                CONTINUE;
            END IF;
            IF made = most THEN
                RETURN made;
            END IF;

            starts := NULL;
            FOREACH width IN ARRAY asked.widths LOOP
                span := tstzrange(date_trunc(width, at), date_trunc(width, at) + ('1 ' || width)::interval);
                IF NOT EXISTS (SELECT FROM unnest(taken) t WHERE t && span) THEN
                    starts := lower(span);
                    ends := upper(span);
                    EXIT;
                END IF;
            END LOOP;
            IF starts IS NULL THEN
                width := asked.widths[1];
                starts := greatest(
                    date_trunc(width, at), (SELECT max(upper(t)) FROM unnest(taken) t WHERE upper(t) <= at));
                ends := least(
                    date_trunc(width, at) + ('1 ' || width)::interval,
                    (SELECT min(lower(t)) FROM unnest(taken) t WHERE lower(t) > at));
            END IF;
            name := ecom.partition_name(starts, ends);
            IF to_regclass(format('ecom.%I', name)) IS NOT NULL THEN
                RAISE EXCEPTION 'ecom.% exists, but it is not the partition of ecom.events for %', name, asked.day
                    USING ERRCODE = 'duplicate_table',
                          HINT = format(
                              'Attach it with ALTER TABLE ecom.events ATTACH PARTITION ecom.%I FOR VALUES FROM (%L) TO '
                              '(%L), or rename it, or finish its detaching.', name, starts, ends);
            END IF;

            -- CREATE, then ATTACH: others can read and write meanwhile. CREATE TABLE ... PARTITION OF would block them.
            PERFORM ecom.create_partition(name, starts, ends);
            IF profile = 'full' THEN
                FOR index IN SELECT s.name, s.definition FROM ecom.settled_indexes s LOOP
                    EXECUTE format(
                        'CREATE INDEX %I ON ecom.%I %s', name || '_' || index.name, name, index.definition);
                END LOOP;
            END IF;
            EXECUTE format(
                'ALTER TABLE ecom.events ATTACH PARTITION ecom.%I FOR VALUES FROM (%L) TO (%L)', name, starts, ends);
            taken := taken || tstzrange(starts, ends);
            made := made + 1;
        END LOOP;
    END LOOP;

    RETURN made;
END
$$;

REVOKE EXECUTE ON FUNCTION ecom.ensure_partitions(date[]) FROM PUBLIC;

COMMENT ON FUNCTION ecom.ensure_partitions(date[]) IS
    'Makes the partitions of ecom.events that are missing for the given days (UTC, at most 1000), as wide as '
    'ecom.partition_widths says, and returns how many it made. It makes at most 200: then call it again. Call it in a '
    'transaction of its own, at READ COMMITTED, before the COPY that needs the partitions: a COPY that is running does not '
    'see them. Other callers wait until the transaction ends. Readers and writers of the table do not wait.';

COMMENT ON COLUMN ecom.settings.partition_width IS
    'How much time a new partition of recent days covers, in UTC: hour, day or month. Old and thin time gets wider ones; see '
    'ecom.partition_widths.';

COMMENT ON TABLE ecom.events IS
    'What shoppers did, one row per event. The table is partitioned by event_time: recent time by day unless ecom.settings '
    'has another width, old and thin time by month or year. See ecom.partitions and ecom.partition_widths.';
