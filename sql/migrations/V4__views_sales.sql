-- What was sold, and when.
--
--     events_per_minute, events_by_type   all events, by time and by type
--     orders, sales_over_time             orders and revenue
--     hour_by_weekday                     busy hours of the week
--     buckets                             divides a span of time, for the functions by bucket
--
-- Here and in the files that follow, each question is a function of a span of time. The span includes its start and not
-- its end, so that adjacent spans count no event twice. A function reads only the partitions of its span. PostgreSQL
-- inlines functions in SQL, so that a query is planned as if their text stood in it. Some functions have a view of the
-- same name, for all time. Such a view reads all partitions, even if a query has a condition on its columns: PostgreSQL
-- cannot see through date_trunc, and most of these views have no column of time.
--
-- Running this file again changes nothing.

CREATE OR REPLACE FUNCTION ecom.events_per_minute(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    minute timestamptz, events bigint, views bigint, adds bigint, removes bigint, purchases bigint, revenue numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        date_trunc('minute', e.event_time) AS minute,
        count(*) AS events,
        count(*) FILTER (WHERE e.event_type = 'view') AS views,
        count(*) FILTER (WHERE e.event_type = 'add_to_cart') AS adds,
        count(*) FILTER (WHERE e.event_type = 'remove_from_cart') AS removes,
        count(*) FILTER (WHERE e.event_type = 'purchase') AS purchases,
        coalesce(sum(e.price * e.quantity) FILTER (WHERE e.event_type = 'purchase'), 0) AS revenue
    FROM ecom.events e
    WHERE e.event_time >= since AND e.event_time < until
    GROUP BY date_trunc('minute', e.event_time)
$$;

COMMENT ON FUNCTION ecom.events_per_minute(timestamptz, timestamptz) IS
    'Number of events and revenue per minute, within a span of time. Minutes without events have no row. Reads only '
    'the partitions of the span.';


CREATE OR REPLACE VIEW ecom.events_per_minute AS
SELECT * FROM ecom.events_per_minute('-infinity', 'infinity');

COMMENT ON VIEW ecom.events_per_minute IS
    'Number of events and revenue per minute, of all time. Minutes without events have no row. The function is faster, '
    'since it reads only a span of time: SELECT * FROM ecom.events_per_minute(now() - interval ''1 hour'').';
COMMENT ON COLUMN ecom.events_per_minute.minute IS 'Start of the minute.';
COMMENT ON COLUMN ecom.events_per_minute.events IS 'Number of events.';
COMMENT ON COLUMN ecom.events_per_minute.views IS 'Number of events that are product views.';
COMMENT ON COLUMN ecom.events_per_minute.adds IS 'Number of events that put a product into the cart.';
COMMENT ON COLUMN ecom.events_per_minute.removes IS 'Number of events that take a product out of the cart.';
COMMENT ON COLUMN ecom.events_per_minute.purchases IS 'Number of events that are purchases.';
COMMENT ON COLUMN ecom.events_per_minute.revenue IS
    'Sum of price times quantity over the purchases, in the currency of the shop.';


CREATE OR REPLACE FUNCTION ecom.events_by_type(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (event_type text, events bigint, share numeric, revenue numeric)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        e.event_type,
        count(*) AS events,
        round(count(*) / sum(count(*)) OVER (), 4) AS share,
        coalesce(sum(e.price * e.quantity) FILTER (WHERE e.event_type = 'purchase'), 0) AS revenue
    FROM ecom.events e
    WHERE e.event_time >= since AND e.event_time < until
    GROUP BY e.event_type
    ORDER BY events DESC, e.event_type
$$;

COMMENT ON FUNCTION ecom.events_by_type(timestamptz, timestamptz) IS
    'Number of events and revenue per event type, within a span of time. Reads only the partitions of the span.';


CREATE OR REPLACE VIEW ecom.events_by_type AS
SELECT * FROM ecom.events_by_type('-infinity', 'infinity');

COMMENT ON VIEW ecom.events_by_type IS
    'Number of events and revenue per event type, of all time. For a span of time: SELECT * FROM '
    'ecom.events_by_type(now() - interval ''1 day'').';
COMMENT ON COLUMN ecom.events_by_type.event_type IS 'The event type: view, add_to_cart, remove_from_cart or purchase.';
COMMENT ON COLUMN ecom.events_by_type.events IS 'Number of events of this type.';
COMMENT ON COLUMN ecom.events_by_type.share IS 'Share of this type among all events, from 0 to 1.';
COMMENT ON COLUMN ecom.events_by_type.revenue IS
    'Sum of price times quantity, in the currency of the shop. 0 for all types but purchase.';


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
    'Starts of the buckets that a span of time is divided into. The first bucket starts at the start of the span, and '
    'the last one ends with the span. Days and months are those of the time zone of the session.';


-- Events have no order number. The lines of one checkout have the same session and the same time.
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
    'The orders of a span of time, not sorted: the purchases of one session at the same time, with the number of lines '
    'and units and the revenue (sum of price times quantity).';


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
    'Orders, buyers, units and revenue per bucket, within a span of time. Buckets without sales have a row too: SELECT '
    '* FROM ecom.sales_over_time(date_trunc(''day'', now()), bucket => ''15 minutes'').';


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
    'Events, purchases and revenue by hour of the week, within a span of time. One row for each hour (0 to 23) of each '
    'weekday (1 is Monday), in the given time zone. Hours without events have a row too.';
