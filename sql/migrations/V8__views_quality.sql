-- How good the data is.
--
--     lag_over_time          how late events arrive
--     quality_by_day         missing values and rejected records per day
--     quality_by_file        shares of stored, duplicate and rejected records per file
--     ids_at_several_times   identifiers that producers used more than once
--
-- Running this file again changes nothing.

CREATE OR REPLACE FUNCTION ecom.lag_over_time(
    since timestamptz,
    until timestamptz DEFAULT now(),
    bucket interval DEFAULT '1 hour',
    late_after interval DEFAULT '1 minute'
) RETURNS TABLE (
    bucket_start timestamptz, events bigint, late bigint, late_share numeric, lag_p50 interval, lag_p99 interval,
    lag_max interval
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH lags AS (
        SELECT
            width_bucket(e.event_time, (SELECT ecom.buckets(since, until, bucket))) AS bucket_no,
            -- The clocks of two machines may differ.
            greatest(date_part('epoch', e.processed_at - e.event_time), 0) AS lag_s
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until
    ),
    counted AS (
        SELECT
            l.bucket_no,
            count(*) AS events,
            count(*) FILTER (WHERE l.lag_s > date_part('epoch', late_after)) AS late,
            percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY l.lag_s) AS lag_s
        FROM lags l
        GROUP BY l.bucket_no
    )
    SELECT
        b.bucket_start,
        coalesce(c.events, 0) AS events,
        coalesce(c.late, 0) AS late,
        round(c.late::numeric / c.events, 4) AS late_share,
        make_interval(secs => c.lag_s[1]) AS lag_p50,
        make_interval(secs => c.lag_s[2]) AS lag_p99,
        make_interval(secs => c.lag_s[3]) AS lag_max
    FROM unnest((SELECT ecom.buckets(since, until, bucket))) WITH ORDINALITY AS b (bucket_start, bucket_no)
    LEFT JOIN counted c ON c.bucket_no = b.bucket_no
    ORDER BY b.bucket_start
$$;

COMMENT ON FUNCTION ecom.lag_over_time(timestamptz, timestamptz, interval, interval) IS
    'Time from event_time to processed_at per bucket, within a span of time: median (lag_p50), 99th percentile '
    '(lag_p99), maximum, and how many events took longer than late_after.';


CREATE OR REPLACE FUNCTION ecom.quality_by_day(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    day date, events bigint, without_name bigint, without_category bigint, without_brand bigint, without_price bigint,
    ahead_of_clock bigint, rejected bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH stored AS (
        SELECT
            (e.event_time AT TIME ZONE 'UTC')::date AS day,
            count(*) AS events,
            count(*) - count(e.product_name) AS without_name,
            count(*) - count(e.category) AS without_category,
            count(*) - count(e.brand) AS without_brand,
            count(*) - count(e.price) AS without_price,
            count(*) FILTER (WHERE e.event_time > e.processed_at) AS ahead_of_clock
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until
        GROUP BY 1
    ),
    refused AS (
        SELECT (d.rejected_at AT TIME ZONE 'UTC')::date AS day, count(*) AS records
        FROM ecom.dead_letters d
        WHERE d.rejected_at >= since AND d.rejected_at < until AND d.resolved_at IS NULL
        GROUP BY 1
    )
    SELECT
        day,
        coalesce(s.events, 0) AS events,
        coalesce(s.without_name, 0) AS without_name,
        coalesce(s.without_category, 0) AS without_category,
        coalesce(s.without_brand, 0) AS without_brand,
        coalesce(s.without_price, 0) AS without_price,
        coalesce(s.ahead_of_clock, 0) AS ahead_of_clock,
        coalesce(r.records, 0) AS rejected
    FROM stored s
    FULL JOIN refused r USING (day)
    ORDER BY day
$$;

COMMENT ON FUNCTION ecom.quality_by_day(timestamptz, timestamptz) IS
    'Missing values per day (UTC), within a span of time: events without a name, category, brand or price, and events '
    'with an event_time after processed_at. rejected is the number of records that were rejected on that day and wait '
    'for repair, whatever their event_time.';


CREATE OR REPLACE VIEW ecom.quality_by_file AS
SELECT
    s.split_id,
    s.pipeline,
    s.path,
    s.generation,
    s.state,
    s.read,
    s.stored,
    s.duplicates,
    s.rejected,
    s.filtered,
    round(s.stored::numeric / nullif(s.read, 0), 4) AS stored_share,
    round(s.duplicates::numeric / nullif(s.read, 0), 4) AS duplicate_share,
    round(s.rejected::numeric / nullif(s.read, 0), 4) AS rejected_share,
    CASE WHEN s.rejected > 0 THEN (
        SELECT jsonb_object_agg(r.reason, r.records)
        FROM (
            SELECT d.reason, count(*) AS records
            FROM ecom.dead_letters d
            WHERE d.split_id = s.split_id AND d.resolved_at IS NULL
            GROUP BY d.reason
        ) r
    ) END AS reasons,
    s.ignored_columns
FROM ecom.ingest_split s;

COMMENT ON VIEW ecom.quality_by_file IS
    'Share of the records of each file that were stored, duplicates or rejected, and why they were rejected: SELECT * '
    'FROM ecom.quality_by_file WHERE rejected > 0 ORDER BY rejected_share DESC.';
COMMENT ON COLUMN ecom.quality_by_file.split_id IS 'Number of the split, that is of one generation of a file.';
COMMENT ON COLUMN ecom.quality_by_file.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.quality_by_file.path IS 'Path of the file, relative to the directory of the source.';
COMMENT ON COLUMN ecom.quality_by_file.generation IS
    'How many times the path had received new content before. The first content has generation 0.';
COMMENT ON COLUMN ecom.quality_by_file.state IS 'State of the file: open, finished, damaged or set_aside.';
COMMENT ON COLUMN ecom.quality_by_file.read IS 'Number of records that have been read.';
COMMENT ON COLUMN ecom.quality_by_file.stored IS 'How many of the records read were stored.';
COMMENT ON COLUMN ecom.quality_by_file.duplicates IS 'How many of the records read had already been stored before.';
COMMENT ON COLUMN ecom.quality_by_file.rejected IS
    'How many of the records read were rejected and wait in ecom.dead_letters.';
COMMENT ON COLUMN ecom.quality_by_file.filtered IS
    'How many of the records read were left out by a filter of the pipeline.';
COMMENT ON COLUMN ecom.quality_by_file.stored_share IS
    'Share of the records read that were stored, from 0 to 1. Null if none were read.';
COMMENT ON COLUMN ecom.quality_by_file.duplicate_share IS
    'Share of the records read that were duplicates, from 0 to 1. Null if none were read.';
COMMENT ON COLUMN ecom.quality_by_file.rejected_share IS
    'Share of the records read that were rejected and wait for repair, from 0 to 1. Null if none were read.';
COMMENT ON COLUMN ecom.quality_by_file.reasons IS
    'Why the records that wait for repair were rejected, as an object of reason to number. Null if there are none, and '
    'if their dead letters were deleted.';
COMMENT ON COLUMN ecom.quality_by_file.ignored_columns IS
    'Columns of the file that are ignored, as a JSON array of names.';


CREATE OR REPLACE FUNCTION ecom.ids_at_several_times(
    since timestamptz,
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (event_id uuid, times bigint, first_time timestamptz, last_time timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT e.event_id, count(*) AS times, min(e.event_time) AS first_time, max(e.event_time) AS last_time
    FROM ecom.events e
    WHERE e.event_time >= since AND e.event_time < until
    GROUP BY e.event_id
    HAVING count(*) > 1
$$;

COMMENT ON FUNCTION ecom.ids_at_several_times(timestamptz, timestamptz) IS
    'Identifiers that producers gave to events with different times, within a span of time. All of these events are '
    'stored, since the pipeline cannot know whether they are one event or several.';


CREATE OR REPLACE VIEW ecom.ids_at_several_times AS
SELECT * FROM ecom.ids_at_several_times('-infinity', 'infinity');

COMMENT ON VIEW ecom.ids_at_several_times IS
    'Identifiers that producers gave to events with different times, of all time. The function is faster, since it '
    'reads only a span of time: SELECT * FROM ecom.ids_at_several_times(now() - interval ''1 day'').';
COMMENT ON COLUMN ecom.ids_at_several_times.event_id IS 'The identifier.';
COMMENT ON COLUMN ecom.ids_at_several_times.times IS 'Number of events with this identifier.';
COMMENT ON COLUMN ecom.ids_at_several_times.first_time IS 'Earliest time of these events.';
COMMENT ON COLUMN ecom.ids_at_several_times.last_time IS 'Latest time of these events.';
