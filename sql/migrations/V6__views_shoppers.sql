-- What shoppers do.
--
--     conversion_funnel, conversion_funnel_by_user      how far sessions and users get
--     session_summary                                   one row per session
--     basket_abandonment                                baskets that were not purchased
--     user_timeline                                     the events of one user
--     lifetime_value                                    orders and revenue per user
--     active_users, users_over_time, cohort_retention   how many users there are, and who comes back
--
-- Running this file again changes nothing.

CREATE OR REPLACE FUNCTION ecom.conversion_funnel(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (step_no integer, step text, sessions bigint, share_of_first numeric, share_of_previous numeric)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH visits AS (
        SELECT
            bool_or(e.event_type = 'view') AS viewed,
            bool_or(e.event_type = 'add_to_cart') AS added,
            bool_or(e.event_type = 'purchase') AS purchased
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until
        GROUP BY e.session_id
    ),
    reached AS (
        SELECT
            count(*) FILTER (WHERE v.viewed) AS first,
            count(*) FILTER (WHERE v.viewed AND v.added) AS second,
            count(*) FILTER (WHERE v.viewed AND v.added AND v.purchased) AS third
        FROM visits v
    )
    SELECT
        s.step_no,
        s.step,
        s.sessions,
        round(s.sessions::numeric / nullif(r.first, 0), 4) AS share_of_first,
        round(s.sessions::numeric / nullif(s.previous, 0), 4) AS share_of_previous
    FROM reached r
    CROSS JOIN LATERAL (
        VALUES
            (1, 'view', r.first, NULL),
            (2, 'add_to_cart', r.second, r.first),
            (3, 'purchase', r.third, r.second)
    ) AS s (step_no, step, sessions, previous)
    ORDER BY s.step_no
$$;

COMMENT ON FUNCTION ecom.conversion_funnel(timestamptz, timestamptz) IS
    'How many sessions reached each step towards a purchase, within a span of time. A session reaches a step if it has '
    'an event of that step and of all steps before it within the span. Reads only the partitions of the span.';


CREATE OR REPLACE VIEW ecom.conversion_funnel AS
SELECT * FROM ecom.conversion_funnel('-infinity', 'infinity');

COMMENT ON VIEW ecom.conversion_funnel IS
    'How many sessions reached each step towards a purchase, of all time, one row per step. A session reaches a step '
    'if it has an event of that step and of all steps before it. For a span of time: SELECT * FROM '
    'ecom.conversion_funnel(''2026-11-23'', ''2026-11-24'').';
COMMENT ON COLUMN ecom.conversion_funnel.step_no IS 'Number of the step, starting at 1.';
COMMENT ON COLUMN ecom.conversion_funnel.step IS 'The step: view, add_to_cart or purchase.';
COMMENT ON COLUMN ecom.conversion_funnel.sessions IS 'Number of sessions that reached the step.';
COMMENT ON COLUMN ecom.conversion_funnel.share_of_first IS
    'These sessions as a share of those of the first step, from 0 to 1. Null if no session reached the first step.';
COMMENT ON COLUMN ecom.conversion_funnel.share_of_previous IS
    'These sessions as a share of those of the previous step, from 0 to 1. Null for the first step, and if no session '
    'reached the previous step.';


CREATE OR REPLACE FUNCTION ecom.conversion_funnel_by_user(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (step_no integer, step text, users bigint, share_of_first numeric, share_of_previous numeric)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH shoppers AS (
        SELECT
            bool_or(e.event_type = 'view') AS viewed,
            bool_or(e.event_type = 'add_to_cart') AS added,
            bool_or(e.event_type = 'purchase') AS purchased
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until
        GROUP BY e.user_id
    ),
    reached AS (
        SELECT
            count(*) FILTER (WHERE s.viewed) AS first,
            count(*) FILTER (WHERE s.viewed AND s.added) AS second,
            count(*) FILTER (WHERE s.viewed AND s.added AND s.purchased) AS third
        FROM shoppers s
    )
    SELECT
        s.step_no,
        s.step,
        s.users,
        round(s.users::numeric / nullif(r.first, 0), 4) AS share_of_first,
        round(s.users::numeric / nullif(s.previous, 0), 4) AS share_of_previous
    FROM reached r
    CROSS JOIN LATERAL (
        VALUES
            (1, 'view', r.first, NULL),
            (2, 'add_to_cart', r.second, r.first),
            (3, 'purchase', r.third, r.second)
    ) AS s (step_no, step, users, previous)
    ORDER BY s.step_no
$$;

COMMENT ON FUNCTION ecom.conversion_funnel_by_user(timestamptz, timestamptz) IS
    'How many users reached each step towards a purchase, within a span of time. The same as ecom.conversion_funnel, '
    'but the steps of a user may be in different sessions.';


CREATE OR REPLACE FUNCTION ecom.session_summary(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    session_id text, user_id text, started_at timestamptz, ended_at timestamptz, duration interval, events bigint,
    views bigint, adds bigint, removes bigint, purchases bigint, orders bigint, units bigint, revenue numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH sessions AS (
        SELECT
            e.session_id,
            min(e.user_id) AS user_id,
            min(e.event_time) AS started_at,
            max(e.event_time) AS ended_at,
            count(*) AS events,
            count(*) FILTER (WHERE e.event_type = 'view') AS views,
            count(*) FILTER (WHERE e.event_type = 'add_to_cart') AS adds,
            count(*) FILTER (WHERE e.event_type = 'remove_from_cart') AS removes
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until
        GROUP BY e.session_id
    ),
    sold AS (
        SELECT
            o.session_id,
            count(*) AS orders,
            sum(o.lines)::bigint AS purchases,
            sum(o.units)::bigint AS units,
            sum(o.revenue) AS revenue
        FROM ecom.orders(since, until) o
        GROUP BY o.session_id
    )
    SELECT
        s.session_id,
        s.user_id,
        s.started_at,
        s.ended_at,
        s.ended_at - s.started_at AS duration,
        s.events,
        s.views,
        s.adds,
        s.removes,
        coalesce(o.purchases, 0) AS purchases,
        coalesce(o.orders, 0) AS orders,
        coalesce(o.units, 0) AS units,
        coalesce(o.revenue, 0) AS revenue
    FROM sessions s
    LEFT JOIN sold o ON o.session_id = s.session_id
$$;

COMMENT ON FUNCTION ecom.session_summary(timestamptz, timestamptz) IS
    'One row per session with its events, orders and revenue, within a span of time, not sorted. Events outside the '
    'span are not counted, even if they belong to a session of the span.';


CREATE OR REPLACE FUNCTION ecom.basket_abandonment(
    since timestamptz,
    until timestamptz DEFAULT now(),
    bucket interval DEFAULT '1 day'
) RETURNS TABLE (
    bucket_start timestamptz, baskets bigint, purchased bigint, abandoned bigint, abandonment numeric,
    abandoned_value numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH baskets AS (
        SELECT
            min(e.event_time) FILTER (WHERE e.event_type = 'add_to_cart') AS first_add,
            bool_or(e.event_type = 'purchase') AS purchased,
            coalesce(sum(e.price * e.quantity) FILTER (WHERE e.event_type = 'add_to_cart'), 0)
                - coalesce(sum(e.price * e.quantity) FILTER (WHERE e.event_type = 'remove_from_cart'), 0) AS value
        FROM ecom.events e
        WHERE e.event_type IN ('add_to_cart', 'remove_from_cart', 'purchase')
          AND e.event_time >= since AND e.event_time < until
        GROUP BY e.session_id
        HAVING bool_or(e.event_type = 'add_to_cart')
    ),
    counted AS (
        SELECT
            width_bucket(b.first_add, (SELECT ecom.buckets(since, until, bucket))) AS bucket_no,
            count(*) AS baskets,
            count(*) FILTER (WHERE b.purchased) AS purchased,
            sum(greatest(b.value, 0)) FILTER (WHERE NOT b.purchased) AS abandoned_value
        FROM baskets b
        GROUP BY 1
    )
    SELECT
        b.bucket_start,
        coalesce(c.baskets, 0) AS baskets,
        coalesce(c.purchased, 0) AS purchased,
        coalesce(c.baskets - c.purchased, 0) AS abandoned,
        round((c.baskets - c.purchased)::numeric / c.baskets, 4) AS abandonment,
        coalesce(c.abandoned_value, 0) AS abandoned_value
    FROM unnest((SELECT ecom.buckets(since, until, bucket))) WITH ORDINALITY AS b (bucket_start, bucket_no)
    LEFT JOIN counted c ON c.bucket_no = b.bucket_no
    ORDER BY b.bucket_start
$$;

COMMENT ON FUNCTION ecom.basket_abandonment(timestamptz, timestamptz, interval) IS
    'Sessions that put something into the cart within a span of time, per bucket of their first such event, and how '
    'many of them purchased nothing within the span. abandoned_value is the value of what was put into the cart and '
    'not taken out, at the prices of those events.';


CREATE OR REPLACE FUNCTION ecom.user_timeline(
    for_user text,
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    event_time timestamptz, event_type text, session_id text, product_id text, product_name text, category text,
    brand text, price numeric, quantity integer, event_id uuid
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        e.event_time, e.event_type, e.session_id, e.product_id, e.product_name, e.category, e.brand, e.price, e.quantity,
        e.event_id
    FROM ecom.events e
    WHERE e.user_id = for_user AND e.event_time >= since AND e.event_time < until
    ORDER BY e.event_time, e.event_id
$$;

COMMENT ON FUNCTION ecom.user_timeline(text, timestamptz, timestamptz) IS
    'Events of one user, within a span of time, oldest first. Fast on partitions that are settled (ecom-ingest '
    'settle).';


CREATE OR REPLACE FUNCTION ecom.lifetime_value(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    user_id text, orders bigint, units bigint, revenue numeric, revenue_per_order numeric, first_order_at timestamptz,
    last_order_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        o.user_id,
        count(*) AS orders,
        sum(o.units)::bigint AS units,
        sum(o.revenue) AS revenue,
        round(sum(o.revenue) / count(*), 2) AS revenue_per_order,
        min(o.ordered_at) AS first_order_at,
        max(o.ordered_at) AS last_order_at
    FROM ecom.orders(since, until) o
    GROUP BY o.user_id
    ORDER BY revenue DESC, o.user_id COLLATE "C"
$$;

COMMENT ON FUNCTION ecom.lifetime_value(timestamptz, timestamptz) IS
    'Orders and revenue per user, within a span of time or of all time, highest revenue first. Users without orders '
    'have no row.';


CREATE OR REPLACE FUNCTION ecom.active_users(
    as_of timestamptz DEFAULT now()
) RETURNS TABLE (users_now bigint, users_day bigint, users_week bigint, users_month bigint)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH users AS (
        SELECT max(e.event_time) AS last_seen
        FROM ecom.events e
        WHERE e.event_time >= as_of - interval '720 hours' AND e.event_time < as_of
        GROUP BY e.user_id
    )
    SELECT
        count(*) FILTER (WHERE u.last_seen >= as_of - interval '5 minutes') AS users_now,
        count(*) FILTER (WHERE u.last_seen >= as_of - interval '24 hours') AS users_day,
        count(*) FILTER (WHERE u.last_seen >= as_of - interval '168 hours') AS users_week,
        count(*) AS users_month
    FROM users u
$$;

COMMENT ON FUNCTION ecom.active_users(timestamptz) IS
    'Number of users with an event in the 5 minutes, 24 hours, 7 days and 30 days before a given time.';


CREATE OR REPLACE FUNCTION ecom.users_over_time(
    since timestamptz,
    until timestamptz DEFAULT now(),
    bucket interval DEFAULT '1 day'
) RETURNS TABLE (
    bucket_start timestamptz, users bigint, new_users bigint, returning_users bigint, buyers bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH visits AS (
        SELECT
            e.user_id,
            width_bucket(e.event_time, (SELECT ecom.buckets(since, until, bucket))) AS bucket_no,
            bool_or(e.event_type = 'purchase') AS bought
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until
        GROUP BY 1, 2
    ),
    marked AS (
        SELECT v.bucket_no, v.bought, v.bucket_no = min(v.bucket_no) OVER (PARTITION BY v.user_id) AS is_new FROM visits v
    ),
    counted AS (
        SELECT
            m.bucket_no,
            count(*) AS users,
            count(*) FILTER (WHERE m.is_new) AS new_users,
            count(*) FILTER (WHERE m.bought) AS buyers
        FROM marked m
        GROUP BY m.bucket_no
    )
    SELECT
        b.bucket_start,
        coalesce(c.users, 0) AS users,
        coalesce(c.new_users, 0) AS new_users,
        coalesce(c.users - c.new_users, 0) AS returning_users,
        coalesce(c.buyers, 0) AS buyers
    FROM unnest((SELECT ecom.buckets(since, until, bucket))) WITH ORDINALITY AS b (bucket_start, bucket_no)
    LEFT JOIN counted c ON c.bucket_no = b.bucket_no
    ORDER BY b.bucket_start
$$;

COMMENT ON FUNCTION ecom.users_over_time(timestamptz, timestamptz, interval) IS
    'Number of users per bucket, within a span of time: all users, those with their first event of the span in this '
    'bucket, those with events in an earlier bucket of the span, and those with a purchase.';


CREATE OR REPLACE FUNCTION ecom.cohort_retention(
    since timestamptz,
    until timestamptz DEFAULT now(),
    bucket interval DEFAULT '1 day'
) RETURNS TABLE (
    cohort_start timestamptz, cohort_users bigint, buckets_later integer, users bigint, retention numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH visits AS (
        SELECT
            e.user_id,
            width_bucket(e.event_time, (SELECT ecom.buckets(since, until, bucket))) AS bucket_no
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until
        GROUP BY 1, 2
    ),
    marked AS (
        SELECT v.bucket_no, min(v.bucket_no) OVER (PARTITION BY v.user_id) AS cohort_no FROM visits v
    ),
    counted AS (
        SELECT m.cohort_no, m.bucket_no, count(*) AS users FROM marked m GROUP BY m.cohort_no, m.bucket_no
    ),
    starts AS MATERIALIZED (SELECT ecom.buckets(since, until, bucket) AS at)
    SELECT
        s.at[c.cohort_no] AS cohort_start,
        c.users AS cohort_users,
        later.buckets AS buckets_later,
        coalesce(r.users, 0) AS users,
        round(coalesce(r.users, 0)::numeric / c.users, 4) AS retention
    FROM starts s
    CROSS JOIN counted c
    CROSS JOIN LATERAL generate_series(0, cardinality(s.at) - c.cohort_no) AS later (buckets)
    LEFT JOIN counted r ON r.cohort_no = c.cohort_no AND r.bucket_no = c.cohort_no + later.buckets
    WHERE c.bucket_no = c.cohort_no
    ORDER BY c.cohort_no, later.buckets
$$;

COMMENT ON FUNCTION ecom.cohort_retention(timestamptz, timestamptz, interval) IS
    'How many users come back, within a span of time. A cohort is the users whose first event of the span is in the '
    'same bucket. One row per cohort and bucket, from the bucket of the cohort to the last of the span, with the '
    'number of its users that have an event there. Buckets without such users have a row too.';
