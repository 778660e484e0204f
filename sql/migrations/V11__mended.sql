-- Rejects that wait to be mended, told from those that went in again: what counts rejects counts those that wait, as the
-- ledger does, and a view has both. Any number of runs leave the same result.

CREATE OR REPLACE VIEW ecom.reject_outcomes AS
SELECT
    d.pipeline,
    d.reason,
    count(*) AS refused,
    count(*) FILTER (WHERE d.resolved_at IS NULL) AS waiting,
    count(*) FILTER (WHERE d.resolution = 'stored') AS stored,
    count(*) FILTER (WHERE d.resolution = 'duplicate') AS duplicates,
    max(d.rejected_at) AS last_refused_at,
    max(d.resolved_at) AS last_mended_at
FROM ecom.dead_letters d
GROUP BY d.pipeline, d.reason
ORDER BY waiting DESC, refused DESC, d.pipeline, d.reason;

COMMENT ON VIEW ecom.reject_outcomes IS
    'What became of records that were refused, by reason: how many wait, and how many were mended and went in again. Letters '
    'that ecom-ingest retain deleted are not in it.';
COMMENT ON COLUMN ecom.reject_outcomes.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.reject_outcomes.reason IS 'Why: a code.';
COMMENT ON COLUMN ecom.reject_outcomes.refused IS 'Records that were refused for it, whatever became of them.';
COMMENT ON COLUMN ecom.reject_outcomes.waiting IS 'Records of these that nobody has mended yet.';
COMMENT ON COLUMN ecom.reject_outcomes.stored IS 'Records of these that were mended and stored.';
COMMENT ON COLUMN ecom.reject_outcomes.duplicates IS 'Records of these that were mended and had been stored before.';
COMMENT ON COLUMN ecom.reject_outcomes.last_refused_at IS 'When the last of them was refused.';
COMMENT ON COLUMN ecom.reject_outcomes.last_mended_at IS 'When the last of them went in again; null while none has.';


CREATE OR REPLACE VIEW ecom.dead_letter_summary AS
WITH summary AS (
    SELECT
        d.pipeline,
        d.reason,
        count(*) AS records,
        min(d.rejected_at) AS first_at,
        max(d.rejected_at) AS last_at,
        max(d.id) AS example_id
    FROM ecom.dead_letters d
    WHERE d.resolved_at IS NULL
    GROUP BY d.pipeline, d.reason
)
SELECT
    s.pipeline,
    s.reason,
    s.records,
    s.first_at,
    s.last_at,
    s.example_id,
    e.path AS example_path,
    e.record_no AS example_record_no,
    e.detail AS example_detail,
    left(e.raw_text, 200) AS example_text
FROM summary s
JOIN ecom.dead_letters e ON e.id = s.example_id
ORDER BY s.records DESC, s.pipeline, s.reason;

COMMENT ON VIEW ecom.dead_letter_summary IS
    'Why records were refused that wait to be mended, how often, and an example of each, the most frequent first.';
COMMENT ON COLUMN ecom.dead_letter_summary.records IS 'Number of records that were refused for it and wait.';


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
    'What is missing in the events of each day (UTC) of a span of time, how many happened later than the clock of the '
    'pipeline had it, and how many records were refused on that day, whatever their own time, and wait to be mended.';


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

COMMENT ON COLUMN ecom.quality_by_file.reasons IS
    'Why records were rejected that wait to be mended: an object of reason to number. Null without any, and when their '
    'letters were deleted.';


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
    SELECT count(*) FILTER (WHERE s.state = 'open') AS open, count(*) FILTER (WHERE s.state = 'damaged') AS damaged
    FROM ecom.ingest_split s
    WHERE s.state IN ('open', 'damaged')
) files
CROSS JOIN (
    SELECT count(*) AS records
    FROM ecom.dead_letters d
    WHERE d.rejected_at >= now() - interval '1 hour' AND d.resolved_at IS NULL
) letters;

COMMENT ON COLUMN ecom.pulse.rejected_last_hour IS
    'Records that were refused in the last hour and wait to be mended.';


COMMENT ON COLUMN ecom.quality_by_file.rejected IS 'Records of these that wait in ecom.dead_letters.';
COMMENT ON COLUMN ecom.ingest_status.rejected IS 'Records of these that wait in ecom.dead_letters.';
COMMENT ON COLUMN ecom.ingest_balance.rejected IS 'Records of these that wait in ecom.dead_letters.';
