-- What was sold, and when: orders, revenue over time, hours of the week. Any number of runs leave the same result.
--
-- As everywhere, a span of time includes its start and not its end, and a function reads only the partitions of its span.
-- An order is the purchases of one session at one instant: the lines of one checkout share it.

CREATE OR REPLACE FUNCTION ecom.buckets(since timestamptz, until timestamptz, bucket interval)
RETURNS timestamptz[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    most   CONSTANT integer := 100000;
    starts timestamptz[];
BEGIN
    IF NOT coalesce(isfinite(since) AND isfinite(until), false) THEN
        RAISE EXCEPTION 'a span that is cut into buckets needs a start and an end, not % and %', since, until
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT coalesce(bucket > interval '0', false) THEN
        RAISE EXCEPTION 'a bucket must be longer than nothing, not %', bucket
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    starts := ARRAY(SELECT s FROM generate_series(since, until, bucket) AS s WHERE s < until LIMIT most + 1);
    IF cardinality(starts) > most THEN
        RAISE EXCEPTION 'a span is cut into % buckets at most: take longer ones, or a shorter span', most
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN starts;
END
$$;

COMMENT ON FUNCTION ecom.buckets(timestamptz, timestamptz, interval) IS
    'Where the buckets of a span of time start: the first at its start, each the next later by a bucket, the last cut off '
    'by the end. Days and months are those of the session''s time zone.';


CREATE OR REPLACE FUNCTION ecom.orders(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    session_id text, ordered_at timestamptz, user_id text, lines bigint, units bigint, revenue numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        e.session_id,
        e.event_time AS ordered_at,
        min(e.user_id) AS user_id,
        count(*) AS lines,
        sum(e.quantity) AS units,
        coalesce(sum(e.price * e.quantity), 0) AS revenue
    FROM ecom.events e
    WHERE e.event_type = 'purchase' AND e.event_time >= since AND e.event_time < until
    GROUP BY e.session_id, e.event_time
$$;

COMMENT ON FUNCTION ecom.orders(timestamptz, timestamptz) IS
    'The orders of a span of time, in no order: the purchases of one session at one instant, with the number of lines and '
    'pieces, and the sum of price times quantity.';


CREATE OR REPLACE FUNCTION ecom.sales_over_time(
    since timestamptz,
    until timestamptz DEFAULT now(),
    bucket interval DEFAULT '1 hour'
) RETURNS TABLE (
    bucket_start timestamptz, orders bigint, buyers bigint, units bigint, revenue numeric, revenue_per_order numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH sold AS (
        SELECT
            width_bucket(o.ordered_at, (SELECT ecom.buckets(since, until, bucket))) AS bucket_no,
            count(*) AS orders,
            count(DISTINCT o.user_id) AS buyers,
            sum(o.units)::bigint AS units,
            sum(o.revenue) AS revenue
        FROM ecom.orders(since, until) o
        GROUP BY 1
    )
    SELECT
        b.bucket_start,
        coalesce(s.orders, 0) AS orders,
        coalesce(s.buyers, 0) AS buyers,
        coalesce(s.units, 0) AS units,
        coalesce(s.revenue, 0) AS revenue,
        round(s.revenue / s.orders, 2) AS revenue_per_order
    FROM unnest((SELECT ecom.buckets(since, until, bucket))) WITH ORDINALITY AS b (bucket_start, bucket_no)
    LEFT JOIN sold s ON s.bucket_no = b.bucket_no
    ORDER BY b.bucket_start
$$;

COMMENT ON FUNCTION ecom.sales_over_time(timestamptz, timestamptz, interval) IS
    'Orders, buyers, pieces and revenue of a span of time, bucket by bucket from its start on, with those in which nothing '
    'was sold: SELECT * FROM ecom.sales_over_time(date_trunc(''day'', now()), bucket => ''15 minutes'').';


CREATE OR REPLACE FUNCTION ecom.hour_by_weekday(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity',
    in_time_zone text DEFAULT 'UTC'
) RETURNS TABLE (weekday integer, hour integer, events bigint, purchases bigint, revenue numeric)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH hours AS (
        SELECT
            date_trunc('hour', e.event_time AT TIME ZONE in_time_zone) AS hour,
            count(*) AS events,
            count(*) FILTER (WHERE e.event_type = 'purchase') AS purchases,
            sum(e.price * e.quantity) FILTER (WHERE e.event_type = 'purchase') AS revenue
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until
        GROUP BY 1
    )
    SELECT
        d.weekday,
        h.hour,
        coalesce(sum(s.events), 0)::bigint AS events,
        coalesce(sum(s.purchases), 0)::bigint AS purchases,
        coalesce(sum(s.revenue), 0) AS revenue
    FROM generate_series(1, 7) AS d (weekday)
    CROSS JOIN generate_series(0, 23) AS h (hour)
    LEFT JOIN hours s ON date_part('isodow', s.hour) = d.weekday AND date_part('hour', s.hour) = h.hour
    GROUP BY d.weekday, h.hour
    ORDER BY d.weekday, h.hour
$$;

COMMENT ON FUNCTION ecom.hour_by_weekday(timestamptz, timestamptz, text) IS
    'When in the week things happen, in a span of time: one row for each hour (0 to 23) of each weekday (1 is Monday), in '
    'the time zone that is given, also where nothing happened.';
