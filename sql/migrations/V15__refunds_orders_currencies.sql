-- Refunds, orders with a number, currencies, and events without a product.
--
--     events                 columns for the order, the currency and the total of a line; product_id may be null
--     settings               the currency of reports
--     create_partition       gives each new partition a small index of refunds
--     chosen_currency        the currency of reports
--     net_amount             what an event adds to the revenue
--     in_one_currency        a sum, unless it is over several currencies
--     order_details          one row per order
--     refunds                one row per refund
--     refunds_over_time      refunds by time
--     revenue_by_currency    sales, refunds and revenue of each currency
--     category_totals        what top_categories and category_tree have in common
--
-- The rest are new versions of functions and views of V3 to V13, with the same parameters and columns. The rules:
--
--  1. Revenue is net: purchases minus refunds, each at its own time. What a line is worth is line_total, or else price times
--     quantity. Numbers of purchases, orders and units are those of purchases.
--  2. Amounts in several currencies are never added up. If a currency is chosen, with SET ecom.currency = 'EUR' or in
--     ecom.settings, money is that of the events in it; functions of orders have only the orders in it. If none is, a sum over
--     several currencies is null. An event without a currency counts as one in the currency of the others.
--  3. Functions of products, brands, categories and prices count events with a product only. Functions of users count what
--     shoppers do: a refund is no visit.
--
-- Running this file again changes nothing.

-- Columns without a default change the catalogue only: no row is read or written. Waiting for the lock blocks everybody who
-- comes after, so it does not wait long for a reader that takes its time.
SET LOCAL lock_timeout = '10s';
ALTER TABLE ecom.events
    ADD COLUMN IF NOT EXISTS order_id text COLLATE "C",
    ADD COLUMN IF NOT EXISTS currency text COLLATE "C",
    ADD COLUMN IF NOT EXISTS line_total numeric(12, 2),
    ALTER COLUMN product_id DROP NOT NULL;
ALTER TABLE ecom.settings
    ADD COLUMN IF NOT EXISTS currency text COLLATE "C" CHECK (currency ~ '^[A-Z]{3}$');

-- Rows are copied into such a table by a trigger on the partitions that it will replace, with all their columns.
DO $$
DECLARE
    filling regclass;
BEGIN
    FOR filling IN
        SELECT c.oid
        FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'ecom'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
          AND obj_description(c.oid, 'pg_class') = 'Being filled: ecom-ingest layout attaches it, or drops it.'
    LOOP
        EXECUTE format(
            'ALTER TABLE %s ADD COLUMN IF NOT EXISTS order_id text COLLATE "C", ADD COLUMN IF NOT EXISTS currency text '
            'COLLATE "C", ADD COLUMN IF NOT EXISTS line_total numeric(12, 2), ALTER COLUMN product_id DROP NOT NULL', filling);
    END LOOP;
END
$$;

COMMENT ON COLUMN ecom.events.event_type IS
    'Type of the event. With a product: view, add_to_cart, remove_from_cart, purchase. With or without one: refund, '
    'session_start, page_view, search, view_cart, checkout, payment_info.';
COMMENT ON COLUMN ecom.events.product_id IS
    'Identifier of the product, as the shop assigns it. Null if the event has none, which is possible for refund, '
    'session_start, page_view, search, view_cart, checkout and payment_info.';
COMMENT ON COLUMN ecom.events.quantity IS 'Number of units, at least 1, for a refund too.';
COMMENT ON COLUMN ecom.events.price IS
    'Price of one unit, in the currency of the event, without a sign for a refund too. A purchase or a refund always has a '
    'price or a line_total, unless the mapping of the pipeline makes it optional.';
COMMENT ON COLUMN ecom.events.line_total IS
    'What the whole line costs, if that is not price times quantity: since it cannot be divided by the quantity exactly (then '
    'the price is null), or since the line has a discount. Null otherwise: what a line is worth is coalesce(line_total, price '
    '* quantity).';
COMMENT ON COLUMN ecom.events.order_id IS
    'Number of the order that the event belongs to, as the shop assigns it. Null if the file has none: then the purchases of '
    'one session at one time are an order.';
COMMENT ON COLUMN ecom.events.currency IS
    'Currency of the price, as in ISO 4217. Null if the file has none: the currency of the shop.';
COMMENT ON COLUMN ecom.settings.currency IS
    'The currency of reports, for a shop with several: views and functions then add up the amounts in it. UPDATE ecom.settings '
    'SET currency = ''EUR''. SET ecom.currency = ''CHF'' overrides it in a session. Null: a sum over several is null.';


-- The partial index of purchases serves no refund, and an index of refunds is nearly empty. New partitions have it from the
-- start; for those that are there, ecom-ingest settle builds it without blocking anybody.
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
    -- A table that replaces others gets its name only then.
    EXECUTE format(
        'CREATE INDEX %I ON ecom.%I (event_time) WHERE event_type = ''refund''',
        left(regexp_replace(name, '_merging$', ''), 50) || '_refund', name);
END
$$;

REVOKE EXECUTE ON FUNCTION ecom.create_partition(text, timestamptz, timestamptz) FROM PUBLIC;


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
CROSS JOIN (
    SELECT s.name, s.definition FROM ecom.settled_indexes s
    UNION ALL
    SELECT 'refund', '(event_time) WHERE event_type = ''refund'''
) s
CROSS JOIN LATERAL (SELECT left(c.relname, 50) || '_' || s.name AS index) n
LEFT JOIN pg_catalog.pg_class i ON i.relnamespace = c.relnamespace AND i.relname = n.index AND i.relkind = 'i'
LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = i.oid AND x.indrelid = c.oid
WHERE s.name <> 'refund' OR x.indisvalid IS NOT true;

COMMENT ON VIEW ecom.partition_indexes IS
    'Which of ecom.settled_indexes each partition of ecom.events has, and the statements that build what is missing. The index '
    'of refunds, which new partitions have from the start, is listed where a partition lacks it. '
    'To build them in psql: SELECT build FROM ecom.partition_indexes WHERE state = ''missing'' AND ends < now() - '
    'interval ''1 hour'' \gexec';


-- Runs with the privileges of its owner, so that who may read events need not be allowed to read the settings.
CREATE OR REPLACE FUNCTION ecom.chosen_currency() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        upper(nullif(current_setting('ecom.currency', true), '')),
        (SELECT s.currency FROM ecom.settings s)
    )
$$;

COMMENT ON FUNCTION ecom.chosen_currency() IS
    'The currency of reports: that of SET ecom.currency = ''EUR'' in this session, or else of ecom.settings. Null if none is '
    'chosen: then a sum over several currencies is null.';


-- These two are inlined, for which PostgreSQL asks that each parameter but plain columns is used once. They are evaluated for
-- each event: two comparisons cost less than one with a list, and a row without a currency none.
CREATE OR REPLACE FUNCTION ecom.net_amount(
    event_type text, price numeric, quantity integer, line_total numeric, currency text, chosen text
) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN event_type = 'purchase' OR event_type = 'refund' THEN
        CASE WHEN coalesce(currency = chosen, true) THEN
            CASE event_type WHEN 'purchase' THEN 1 ELSE -1 END * coalesce(line_total, price * quantity)
        END
    END
$$;

COMMENT ON FUNCTION ecom.net_amount(text, numeric, integer, numeric, text, text) IS
    'What an event adds to the revenue: the amount of a purchase, or minus that of a refund. Null for other types, for another '
    'currency than the chosen one, and without a price. An event without a currency counts whatever is chosen.';


CREATE OR REPLACE FUNCTION ecom.in_one_currency(amount numeric, lowest text, highest text, chosen text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN chosen IS NOT NULL OR coalesce(lowest = highest, true) THEN coalesce(amount, 0) END
$$;

COMMENT ON FUNCTION ecom.in_one_currency(numeric, text, text, text) IS
    'A sum of amounts, 0 if there is none; null if no currency is chosen and the first and the last of their currencies '
    'differ, since amounts in several currencies cannot be added up.';


CREATE OR REPLACE FUNCTION ecom.order_details(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    order_id text, session_id text, ordered_at timestamptz, user_id text, currency text, lines bigint, units bigint,
    amount numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        min(o.order_id) AS order_id,
        min(o.session_id) AS session_id,
        min(o.ordered_at) AS ordered_at,
        min(o.user_id) AS user_id,
        o.named AS currency,
        sum(o.lines)::bigint AS lines,
        sum(o.units)::bigint AS units,
        sum(o.amount) AS amount
    FROM (
        -- Some shops write the currency in the first line of an order only.
        SELECT
            l.*,
            coalesce(l.currency, CASE WHEN min(l.currency) OVER w = max(l.currency) OVER w THEN min(l.currency) OVER w END) AS named
        FROM (
            SELECT
                coalesce(e.order_id, e.session_id) AS order_key,
                CASE WHEN e.order_id IS NULL THEN e.event_time ELSE '-infinity' END AS order_time,
                e.currency,
                min(e.order_id) AS order_id,
                min(e.session_id) AS session_id,
                min(e.event_time) AS ordered_at,
                min(e.user_id) AS user_id,
                count(*) AS lines,
                sum(e.quantity) AS units,
                coalesce(sum(coalesce(e.line_total, e.price * e.quantity)), 0) AS amount
            FROM ecom.events e
            WHERE e.event_type = 'purchase' AND e.event_time >= since AND e.event_time < until
              AND coalesce(e.currency = (SELECT ecom.chosen_currency()), true)
            GROUP BY 1, 2, 3
        ) l
        WINDOW w AS (PARTITION BY l.order_key, l.order_time)
    ) o
    GROUP BY o.order_key, o.order_time, o.named
$$;

COMMENT ON FUNCTION ecom.order_details(timestamptz, timestamptz) IS
    'The orders of a span of time, not sorted: the purchases with the same order_id, or without one those of one session at '
    'the same time, with the number of lines and units and their amount. Refunds are not subtracted: ecom.refunds has them. '
    'Lines without a currency are in that of the other lines of their order, if these have only one. An order in several '
    'currencies has a row for each. If a currency is chosen, only the orders in it.';


CREATE OR REPLACE FUNCTION ecom.refunds(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    refunded_at timestamptz, order_id text, session_id text, user_id text, product_id text, quantity integer,
    currency text, amount numeric, event_id uuid
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        e.event_time, e.order_id, e.session_id, e.user_id, e.product_id, e.quantity, e.currency,
        coalesce(e.line_total, e.price * e.quantity, 0), e.event_id
    FROM ecom.events e
    WHERE e.event_type = 'refund' AND e.event_time >= since AND e.event_time < until
      AND coalesce(e.currency = (SELECT ecom.chosen_currency()), true)
$$;

COMMENT ON FUNCTION ecom.refunds(timestamptz, timestamptz) IS
    'The refunds of a span of time, by the time of the refund, not sorted. The amount is above zero. The product is null if a '
    'whole order was refunded, or its shipping. If a currency is chosen, only the refunds in it.';


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
        ecom.in_one_currency(
            sum(ecom.net_amount(
                e.event_type, e.price, e.quantity, e.line_total, e.currency, (SELECT ecom.chosen_currency()))),
            min(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')),
            max(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')),
            (SELECT ecom.chosen_currency())
        ) AS revenue
    FROM ecom.events e
    WHERE e.event_time >= since AND e.event_time < until
    GROUP BY date_trunc('minute', e.event_time)
$$;

COMMENT ON FUNCTION ecom.events_per_minute(timestamptz, timestamptz) IS
    'Number of events and revenue per minute, within a span of time. Minutes without events have no row. events counts all '
    'types, also refunds and events without a product. revenue is purchases minus refunds; null over several currencies, unless '
    'one is chosen. Reads only the partitions of the span.';
COMMENT ON VIEW ecom.events_per_minute IS
    'Number of events and revenue per minute, of all time. Minutes without events have no row. The function is faster, '
    'since it reads only a span of time: SELECT * FROM ecom.events_per_minute(now() - interval ''1 hour'').';
COMMENT ON COLUMN ecom.events_per_minute.events IS
    'Number of events of all types, also refunds and events without a product.';
COMMENT ON COLUMN ecom.events_per_minute.revenue IS
    'Purchases minus refunds: the sum of line_total or else price times quantity. Null over several currencies, unless one is '
    'chosen.';


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
        ecom.in_one_currency(
            sum(ecom.net_amount(
                e.event_type, e.price, e.quantity, e.line_total, e.currency, (SELECT ecom.chosen_currency()))),
            min(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')),
            max(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')),
            (SELECT ecom.chosen_currency())
        ) AS revenue
    FROM ecom.events e
    WHERE e.event_time >= since AND e.event_time < until
    GROUP BY e.event_type
    ORDER BY events DESC, e.event_type
$$;

COMMENT ON FUNCTION ecom.events_by_type(timestamptz, timestamptz) IS
    'Number of events and revenue per event type, within a span of time, also of refunds, whose revenue is below zero, and of '
    'types without a product. revenue is null over several currencies, unless one is chosen. Reads only the partitions of the '
    'span.';
COMMENT ON COLUMN ecom.events_by_type.event_type IS 'The event type, as in ecom.events.';
COMMENT ON COLUMN ecom.events_by_type.revenue IS
    'Sum of line_total or else price times quantity for purchase, minus that sum for refund, 0 for all other types. Null over '
    'several currencies, unless one is chosen.';


CREATE OR REPLACE FUNCTION ecom.orders(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    session_id text, ordered_at timestamptz, user_id text, lines bigint, units bigint, revenue numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        min(o.session_id) AS session_id,
        min(o.ordered_at) AS ordered_at,
        min(o.user_id) AS user_id,
        sum(o.lines)::bigint AS lines,
        sum(o.units)::bigint AS units,
        sum(o.amount) AS revenue
    FROM (
        SELECT
            l.*,
            coalesce(l.currency, CASE WHEN min(l.currency) OVER w = max(l.currency) OVER w THEN min(l.currency) OVER w END) AS named
        FROM (
            SELECT
                coalesce(d.order_id, d.session_id) AS order_key,
                CASE WHEN d.order_id IS NULL THEN d.ordered_at ELSE '-infinity' END AS order_time,
                d.currency, d.session_id, d.ordered_at, d.user_id, d.lines, d.units, d.amount
            FROM ecom.order_details(since, until) d
            UNION ALL
            SELECT
                coalesce(r.order_id, r.session_id),
                CASE WHEN r.order_id IS NULL THEN r.refunded_at ELSE '-infinity' END,
                r.currency, NULL, NULL, NULL, 0, 0, -r.amount
            FROM ecom.refunds(since, until) r
        ) l
        WINDOW w AS (PARTITION BY l.order_key, l.order_time)
    ) o
    GROUP BY o.order_key, o.order_time, o.named
    HAVING sum(o.lines) > 0
$$;

COMMENT ON FUNCTION ecom.orders(timestamptz, timestamptz) IS
    'The orders of a span of time, not sorted: the purchases with the same order_id, or without one those of one session at '
    'the same time, with the number of lines and units and the revenue. Refunds of the span are subtracted from the order that '
    'they name by order_id, or without one from the order of their session at their time; other refunds belong to no row here, '
    'but ecom.sales_over_time subtracts them. A line or a refund without a currency is in that of its order, if it has only '
    'one. An order in several currencies has a row for each. If a currency is chosen, only the orders in it.';


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
            sum(o.amount) AS amount,
            min(o.currency) AS lowest,
            max(o.currency) AS highest
        FROM ecom.order_details(since, until) o
        GROUP BY 1
    ),
    refunded AS (
        SELECT
            width_bucket(r.refunded_at, (SELECT ecom.buckets(since, until, bucket))) AS bucket_no,
            sum(r.amount) AS amount,
            min(r.currency) AS lowest,
            max(r.currency) AS highest
        FROM ecom.refunds(since, until) r
        GROUP BY 1
    )
    SELECT
        b.bucket_start,
        coalesce(s.orders, 0) AS orders,
        coalesce(s.buyers, 0) AS buyers,
        coalesce(s.units, 0) AS units,
        n.revenue,
        round(n.revenue / s.orders, 2) AS revenue_per_order
    FROM unnest((SELECT ecom.buckets(since, until, bucket))) WITH ORDINALITY AS b (bucket_start, bucket_no)
    LEFT JOIN sold s ON s.bucket_no = b.bucket_no
    LEFT JOIN refunded r ON r.bucket_no = b.bucket_no
    CROSS JOIN LATERAL (
        SELECT ecom.in_one_currency(
            coalesce(s.amount, 0) - coalesce(r.amount, 0),
            least(s.lowest, r.lowest), greatest(s.highest, r.highest), NULL
        ) AS revenue
    ) n
    ORDER BY b.bucket_start
$$;

COMMENT ON FUNCTION ecom.sales_over_time(timestamptz, timestamptz, interval) IS
    'Orders, buyers, units and revenue per bucket, within a span of time. Buckets without sales have a row too: SELECT '
    '* FROM ecom.sales_over_time(date_trunc(''day'', now()), bucket => ''15 minutes''). revenue is the orders of the bucket '
    'minus all refunds in the bucket, whenever their order was; it may be below zero. It is null over several currencies; if '
    'one is chosen, all columns count the orders in it.';


CREATE OR REPLACE FUNCTION ecom.refunds_over_time(
    since timestamptz,
    until timestamptz DEFAULT now(),
    bucket interval DEFAULT '1 day'
) RETURNS TABLE (
    bucket_start timestamptz, refunds bigint, users bigint, units bigint, refunded numeric, sold numeric, refund_rate numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH refunded AS (
        SELECT
            width_bucket(r.refunded_at, (SELECT ecom.buckets(since, until, bucket))) AS bucket_no,
            count(*) AS refunds,
            count(DISTINCT r.user_id) AS users,
            sum(r.quantity) FILTER (WHERE r.product_id IS NOT NULL) AS units,
            sum(r.amount) AS amount,
            min(r.currency) AS lowest,
            max(r.currency) AS highest
        FROM ecom.refunds(since, until) r
        GROUP BY 1
    ),
    sold AS (
        SELECT
            width_bucket(o.ordered_at, (SELECT ecom.buckets(since, until, bucket))) AS bucket_no,
            sum(o.amount) AS amount,
            min(o.currency) AS lowest,
            max(o.currency) AS highest
        FROM ecom.order_details(since, until) o
        GROUP BY 1
    )
    SELECT
        b.bucket_start,
        coalesce(r.refunds, 0) AS refunds,
        coalesce(r.users, 0) AS users,
        coalesce(r.units, 0) AS units,
        n.refunded,
        n.sold,
        CASE WHEN coalesce(s.lowest = r.lowest, true) THEN round(n.refunded / nullif(n.sold, 0), 4) END AS refund_rate
    FROM unnest((SELECT ecom.buckets(since, until, bucket))) WITH ORDINALITY AS b (bucket_start, bucket_no)
    LEFT JOIN refunded r ON r.bucket_no = b.bucket_no
    LEFT JOIN sold s ON s.bucket_no = b.bucket_no
    CROSS JOIN LATERAL (
        SELECT
            ecom.in_one_currency(r.amount, r.lowest, r.highest, NULL) AS refunded,
            ecom.in_one_currency(s.amount, s.lowest, s.highest, NULL) AS sold
    ) n
    ORDER BY b.bucket_start
$$;

COMMENT ON FUNCTION ecom.refunds_over_time(timestamptz, timestamptz, interval) IS
    'Refunds per bucket of the time of the refund, within a span of time: their number, users, units, their amount, the amount '
    'of the orders of the bucket, and the quotient of both. Buckets without refunds have a row too. units counts refunds of a '
    'product only. Amounts are null over several currencies; if one is chosen, all columns count what is in it.';


CREATE OR REPLACE FUNCTION ecom.revenue_by_currency(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    currency text, purchases bigint, units bigint, sold numeric, refunds bigint, refunded numeric, revenue numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        l.currency,
        count(*) FILTER (WHERE NOT l.is_refund) AS purchases,
        coalesce(sum(l.quantity) FILTER (WHERE NOT l.is_refund), 0) AS units,
        coalesce(sum(l.amount) FILTER (WHERE NOT l.is_refund), 0) AS sold,
        count(*) FILTER (WHERE l.is_refund) AS refunds,
        coalesce(sum(l.amount) FILTER (WHERE l.is_refund), 0) AS refunded,
        coalesce(sum(CASE WHEN l.is_refund THEN -l.amount ELSE l.amount END), 0) AS revenue
    FROM (
        SELECT e.currency, e.quantity, coalesce(e.line_total, e.price * e.quantity) AS amount, false AS is_refund
        FROM ecom.events e
        WHERE e.event_type = 'purchase' AND e.event_time >= since AND e.event_time < until
        UNION ALL
        SELECT e.currency, e.quantity, coalesce(e.line_total, e.price * e.quantity), true
        FROM ecom.events e
        WHERE e.event_type = 'refund' AND e.event_time >= since AND e.event_time < until
    ) l
    GROUP BY l.currency
    ORDER BY purchases DESC, l.currency
$$;

COMMENT ON FUNCTION ecom.revenue_by_currency(timestamptz, timestamptz) IS
    'Purchases, refunds and revenue (purchases minus refunds) of each currency, within a span of time, whatever currency is '
    'chosen. The currency is null for events without one. Refunds without a product are counted too.';


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
            sum(ecom.net_amount(
                e.event_type, e.price, e.quantity, e.line_total, e.currency, (SELECT ecom.chosen_currency()))) AS amount,
            min(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')) AS lowest,
            max(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')) AS highest
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until
        GROUP BY 1
    )
    SELECT
        d.weekday,
        h.hour,
        coalesce(sum(s.events), 0)::bigint AS events,
        coalesce(sum(s.purchases), 0)::bigint AS purchases,
        ecom.in_one_currency(
            sum(s.amount), min(s.lowest), max(s.highest), (SELECT ecom.chosen_currency())) AS revenue
    FROM generate_series(1, 7) AS d (weekday)
    CROSS JOIN generate_series(0, 23) AS h (hour)
    LEFT JOIN hours s ON date_part('isodow', s.hour) = d.weekday AND date_part('hour', s.hour) = h.hour
    GROUP BY d.weekday, h.hour
    ORDER BY d.weekday, h.hour
$$;

COMMENT ON FUNCTION ecom.hour_by_weekday(timestamptz, timestamptz, text) IS
    'Events, purchases and revenue by hour of the week, within a span of time. One row for each hour (0 to 23) of each '
    'weekday (1 is Monday), in the given time zone. Hours without events have a row too. events counts all types. revenue is '
    'purchases minus refunds, at the hour of the refund; null over several currencies, unless one is chosen.';


CREATE OR REPLACE FUNCTION ecom.top_products(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    product_id text, product_name text, category text, brand text,
    views bigint, adds bigint, purchases bigint, units bigint, revenue numeric, conversion numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    -- A product has few different descriptions. Grouping by them first makes it cheap to find the latest one.
    WITH forms AS (
        SELECT
            e.product_id,
            e.product_name,
            e.category,
            e.brand,
            max(e.event_time) AS last_seen,
            count(*) FILTER (WHERE e.event_type = 'view') AS views,
            count(*) FILTER (WHERE e.event_type = 'add_to_cart') AS adds,
            count(*) FILTER (WHERE e.event_type = 'purchase') AS purchases,
            sum(e.quantity) FILTER (WHERE e.event_type = 'purchase') AS units,
            sum(ecom.net_amount(
                e.event_type, e.price, e.quantity, e.line_total, e.currency, (SELECT ecom.chosen_currency()))) AS amount,
            min(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')) AS lowest,
            max(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')) AS highest
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until AND e.product_id IS NOT NULL
        GROUP BY e.product_id, e.product_name, e.category, e.brand
    )
    SELECT
        f.product_id,
        (array_agg(f.product_name ORDER BY f.last_seen DESC, f.product_name)
            FILTER (WHERE f.product_name IS NOT NULL))[1] AS product_name,
        (array_agg(f.category ORDER BY f.last_seen DESC, f.category)
            FILTER (WHERE f.category IS NOT NULL))[1] AS category,
        (array_agg(f.brand ORDER BY f.last_seen DESC, f.brand)
            FILTER (WHERE f.brand IS NOT NULL))[1] AS brand,
        sum(f.views)::bigint AS views,
        sum(f.adds)::bigint AS adds,
        sum(f.purchases)::bigint AS purchases,
        coalesce(sum(f.units), 0)::bigint AS units,
        ecom.in_one_currency(
            sum(f.amount), min(f.lowest), max(f.highest), (SELECT ecom.chosen_currency())) AS revenue,
        round(sum(f.purchases) / nullif(sum(f.views), 0), 4) AS conversion
    FROM forms f
    GROUP BY f.product_id
    ORDER BY revenue DESC NULLS LAST, purchases DESC, views DESC, f.product_id
$$;

COMMENT ON FUNCTION ecom.top_products(timestamptz, timestamptz) IS
    'Views, purchases and revenue per product, within a span of time, highest revenue first. revenue is purchases minus refunds '
    'of the product; null over several currencies, unless one is chosen. Refunds and other events without a product are not '
    'counted. Reads only the partitions of the span.';
COMMENT ON VIEW ecom.top_products IS
    'Views, purchases and revenue per product, of all time, highest revenue first. Events without a product are not counted. '
    'For a span of time: SELECT * FROM ecom.top_products(now() - interval ''1 day'') LIMIT 10.';
COMMENT ON COLUMN ecom.top_products.units IS 'Number of units purchased. Refunds do not change it.';
COMMENT ON COLUMN ecom.top_products.revenue IS
    'Purchases minus refunds of the product: the sum of line_total or else price times quantity. Null over several currencies, '
    'unless one is chosen.';


CREATE OR REPLACE FUNCTION ecom.top_brands(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    brand text, views bigint, adds bigint, purchases bigint, units bigint, revenue numeric, conversion numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        e.brand,
        count(*) FILTER (WHERE e.event_type = 'view') AS views,
        count(*) FILTER (WHERE e.event_type = 'add_to_cart') AS adds,
        count(*) FILTER (WHERE e.event_type = 'purchase') AS purchases,
        coalesce(sum(e.quantity) FILTER (WHERE e.event_type = 'purchase'), 0) AS units,
        ecom.in_one_currency(
            sum(ecom.net_amount(
                e.event_type, e.price, e.quantity, e.line_total, e.currency, (SELECT ecom.chosen_currency()))),
            min(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')),
            max(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')),
            (SELECT ecom.chosen_currency())
        ) AS revenue,
        round(
            count(*) FILTER (WHERE e.event_type = 'purchase')::numeric
                / nullif(count(*) FILTER (WHERE e.event_type = 'view'), 0), 4
        ) AS conversion
    FROM ecom.events e
    WHERE e.event_time >= since AND e.event_time < until AND e.product_id IS NOT NULL
    GROUP BY e.brand
    ORDER BY revenue DESC NULLS LAST, purchases DESC, views DESC, e.brand COLLATE "C"
$$;

COMMENT ON FUNCTION ecom.top_brands(timestamptz, timestamptz) IS
    'Views, purchases and revenue per brand, within a span of time, highest revenue first. The brand is null for '
    'products without one. To sort by another column: SELECT * FROM ecom.top_brands(now() - interval ''1 day'') ORDER '
    'BY views DESC LIMIT 10. revenue is purchases minus refunds of products; null over several currencies, unless one is '
    'chosen. Events without a product are not counted.';


CREATE OR REPLACE FUNCTION ecom.category_totals(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    category text, views bigint, adds bigint, purchases bigint, units bigint, amount numeric, lowest text, highest text
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        e.category,
        count(*) FILTER (WHERE e.event_type = 'view') AS views,
        count(*) FILTER (WHERE e.event_type = 'add_to_cart') AS adds,
        count(*) FILTER (WHERE e.event_type = 'purchase') AS purchases,
        coalesce(sum(e.quantity) FILTER (WHERE e.event_type = 'purchase'), 0) AS units,
        sum(ecom.net_amount(
            e.event_type, e.price, e.quantity, e.line_total, e.currency, (SELECT ecom.chosen_currency()))) AS amount,
        min(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')) AS lowest,
        max(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')) AS highest
    FROM ecom.events e
    WHERE e.event_time >= since AND e.event_time < until AND e.product_id IS NOT NULL
    GROUP BY e.category
$$;

COMMENT ON FUNCTION ecom.category_totals(timestamptz, timestamptz) IS
    'What ecom.top_categories and ecom.category_tree show, before it is checked for several currencies: the amount is purchases '
    'minus refunds of products, lowest and highest are the first and the last of their currencies. Events without a product are '
    'not counted.';


CREATE OR REPLACE FUNCTION ecom.top_categories(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    category text, views bigint, adds bigint, purchases bigint, units bigint, revenue numeric, conversion numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        t.category,
        t.views,
        t.adds,
        t.purchases,
        t.units,
        ecom.in_one_currency(t.amount, t.lowest, t.highest, (SELECT ecom.chosen_currency())) AS revenue,
        round(t.purchases::numeric / nullif(t.views, 0), 4) AS conversion
    FROM ecom.category_totals(since, until) t
    ORDER BY revenue DESC NULLS LAST, purchases DESC, views DESC, t.category COLLATE "C"
$$;

COMMENT ON FUNCTION ecom.top_categories(timestamptz, timestamptz) IS
    'Views, purchases and revenue per category, within a span of time, highest revenue first. Categories are as the '
    'events have them, without those above. The category is null for products without one. For totals of the '
    'categories above, use ecom.category_tree. revenue is purchases minus refunds of products; null over several currencies, '
    'unless one is chosen. Events without a product are not counted.';


CREATE OR REPLACE FUNCTION ecom.category_tree(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    category text, level integer, views bigint, adds bigint, purchases bigint, units bigint, revenue numeric,
    conversion numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        array_to_string(n.path, '.') AS category,
        cardinality(n.path) AS level,
        sum(t.views)::bigint AS views,
        sum(t.adds)::bigint AS adds,
        sum(t.purchases)::bigint AS purchases,
        sum(t.units)::bigint AS units,
        ecom.in_one_currency(
            sum(t.amount), min(t.lowest), max(t.highest), (SELECT ecom.chosen_currency())) AS revenue,
        round(sum(t.purchases) / nullif(sum(t.views), 0), 4) AS conversion
    FROM ecom.category_totals(since, until) t
    CROSS JOIN LATERAL string_to_array(t.category COLLATE "C", '.') AS parts
    CROSS JOIN LATERAL generate_series(1, cardinality(parts)) AS level
    CROSS JOIN LATERAL (SELECT parts[1:level] AS path) n
    GROUP BY n.path
    ORDER BY n.path
$$;

COMMENT ON FUNCTION ecom.category_tree(timestamptz, timestamptz) IS
    'Views, purchases and revenue per category, including all categories below it, within a span of time: electronics '
    'includes electronics.smartphone. level is 1 at the top. Sorted as a tree. For one level: WHERE level = 1. Events '
    'without a category or without a product are not counted. revenue is purchases minus refunds; null over several currencies, '
    'unless one is chosen.';


CREATE OR REPLACE FUNCTION ecom.products_of_category(
    for_category text,
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    product_id text, product_name text, brand text, views bigint, adds bigint, purchases bigint, units bigint,
    revenue numeric, conversion numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH forms AS (
        SELECT
            e.product_id,
            e.product_name,
            e.brand,
            max(e.event_time) AS last_seen,
            count(*) FILTER (WHERE e.event_type = 'view') AS views,
            count(*) FILTER (WHERE e.event_type = 'add_to_cart') AS adds,
            count(*) FILTER (WHERE e.event_type = 'purchase') AS purchases,
            sum(e.quantity) FILTER (WHERE e.event_type = 'purchase') AS units,
            sum(ecom.net_amount(
                e.event_type, e.price, e.quantity, e.line_total, e.currency, (SELECT ecom.chosen_currency()))) AS amount,
            min(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')) AS lowest,
            max(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')) AS highest
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until AND e.product_id IS NOT NULL
          -- The category itself, or what starts with it and a dot. A slash is the next character after the dot. The
          -- operators are those of the index on the category (text_pattern_ops).
          AND (e.category = for_category OR e.category ~>=~ (for_category || '.') AND e.category ~<~ (for_category || '/'))
        GROUP BY e.product_id, e.product_name, e.brand
    )
    SELECT
        f.product_id,
        (array_agg(f.product_name ORDER BY f.last_seen DESC, f.product_name)
            FILTER (WHERE f.product_name IS NOT NULL))[1] AS product_name,
        (array_agg(f.brand ORDER BY f.last_seen DESC, f.brand) FILTER (WHERE f.brand IS NOT NULL))[1] AS brand,
        sum(f.views)::bigint AS views,
        sum(f.adds)::bigint AS adds,
        sum(f.purchases)::bigint AS purchases,
        coalesce(sum(f.units), 0)::bigint AS units,
        ecom.in_one_currency(
            sum(f.amount), min(f.lowest), max(f.highest), (SELECT ecom.chosen_currency())) AS revenue,
        round(sum(f.purchases) / nullif(sum(f.views), 0), 4) AS conversion
    FROM forms f
    GROUP BY f.product_id
    ORDER BY revenue DESC NULLS LAST, purchases DESC, views DESC, f.product_id
$$;

COMMENT ON FUNCTION ecom.products_of_category(text, timestamptz, timestamptz) IS
    'Views, purchases and revenue per product of a category and of the categories below it, within a span of time, '
    'highest revenue first. Names and brands are the latest known. Fast on partitions that are settled (ecom-ingest '
    'settle). revenue is purchases minus refunds of the product that have the category; null over several currencies, unless '
    'one is chosen. Events without a product are not counted.';


CREATE OR REPLACE FUNCTION ecom.price_bands(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity',
    bounds numeric[] DEFAULT '{10,20,50,100,200,500,1000,2000}'
) RETURNS TABLE (
    price_from numeric, price_to numeric, views bigint, adds bigint, purchases bigint, units bigint, revenue numeric,
    conversion numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH sorted AS MATERIALIZED (
        SELECT coalesce(array_agg(DISTINCT b ORDER BY b), '{}') AS bounds FROM unnest(bounds) AS b WHERE b IS NOT NULL
    ),
    -- There are few different prices. Grouping by them first leaves few rows to put into bands.
    prices AS (
        SELECT
            coalesce(e.price, e.line_total / e.quantity) AS price,
            count(*) FILTER (WHERE e.event_type = 'view') AS views,
            count(*) FILTER (WHERE e.event_type = 'add_to_cart') AS adds,
            count(*) FILTER (WHERE e.event_type = 'purchase') AS purchases,
            sum(e.quantity) FILTER (WHERE e.event_type = 'purchase') AS units,
            sum(ecom.net_amount(
                e.event_type, e.price, e.quantity, e.line_total, e.currency, (SELECT ecom.chosen_currency()))) AS amount,
            min(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')) AS lowest,
            max(e.currency) FILTER (WHERE e.currency IS NOT NULL AND e.event_type IN ('purchase', 'refund')) AS highest
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until AND e.product_id IS NOT NULL
          AND coalesce(e.price, e.line_total) IS NOT NULL
          AND coalesce(e.currency = (SELECT ecom.chosen_currency()), true)
        GROUP BY 1
    ),
    bands AS (
        SELECT
            width_bucket(p.price, (SELECT s.bounds FROM sorted s)) AS band_no,
            sum(p.views)::bigint AS views,
            sum(p.adds)::bigint AS adds,
            sum(p.purchases)::bigint AS purchases,
            coalesce(sum(p.units), 0)::bigint AS units,
            sum(p.amount) AS amount,
            min(p.lowest) AS lowest,
            max(p.highest) AS highest
        FROM prices p
        GROUP BY 1
    )
    SELECT
        s.bounds[n.band_no] AS price_from,
        s.bounds[n.band_no + 1] AS price_to,
        coalesce(b.views, 0) AS views,
        coalesce(b.adds, 0) AS adds,
        coalesce(b.purchases, 0) AS purchases,
        coalesce(b.units, 0) AS units,
        ecom.in_one_currency(b.amount, b.lowest, b.highest, (SELECT ecom.chosen_currency())) AS revenue,
        round(b.purchases::numeric / nullif(b.views, 0), 4) AS conversion
    FROM sorted s
    CROSS JOIN LATERAL generate_series(0, cardinality(s.bounds)) AS n (band_no)
    LEFT JOIN bands b ON b.band_no = n.band_no
    ORDER BY n.band_no
$$;

COMMENT ON FUNCTION ecom.price_bands(timestamptz, timestamptz, numeric[]) IS
    'Views, purchases and revenue per price band, within a span of time. Bands without events have a row too. A band '
    'includes its lower bound and not its upper bound. The first band has no lower bound, the last one no upper bound. '
    'The price of a line that has only a total is the total by the quantity. Events without a price and without a product are '
    'not counted. revenue is purchases minus refunds, in the band of their own price; null over several currencies. Prices of '
    'several currencies are compared as numbers: if one is chosen, all columns count the events in it.';


CREATE OR REPLACE FUNCTION ecom.product_pairs(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity',
    min_orders bigint DEFAULT 2
) RETURNS TABLE (
    product_a text, product_b text, orders bigint, share_of_orders numeric, b_given_a numeric, a_given_b numeric,
    lift numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH lines AS MATERIALIZED (
        SELECT DISTINCT
            coalesce(e.order_id, e.session_id) AS order_key,
            CASE WHEN e.order_id IS NULL THEN e.event_time ELSE '-infinity' END AS order_time,
            e.product_id
        FROM ecom.events e
        WHERE e.event_type = 'purchase' AND e.event_time >= since AND e.event_time < until
    ),
    total AS (
        SELECT count(*) AS orders FROM (SELECT DISTINCT l.order_key, l.order_time FROM lines l) o
    ),
    products AS (
        SELECT l.product_id, count(*) AS orders FROM lines l GROUP BY l.product_id
    ),
    pairs AS (
        SELECT a.product_id AS product_a, b.product_id AS product_b, count(*) AS orders
        FROM lines a
        JOIN lines b ON b.order_key = a.order_key AND b.order_time = a.order_time AND b.product_id > a.product_id
        GROUP BY a.product_id, b.product_id
        HAVING count(*) >= min_orders
    )
    SELECT
        p.product_a,
        p.product_b,
        p.orders,
        round(p.orders::numeric / t.orders, 6) AS share_of_orders,
        round(p.orders::numeric / a.orders, 4) AS b_given_a,
        round(p.orders::numeric / b.orders, 4) AS a_given_b,
        round(p.orders::numeric * t.orders / (a.orders * b.orders), 4) AS lift
    FROM pairs p
    CROSS JOIN total t
    JOIN products a ON a.product_id = p.product_a
    JOIN products b ON b.product_id = p.product_b
    ORDER BY p.orders DESC, lift DESC, p.product_a, p.product_b
$$;

COMMENT ON FUNCTION ecom.product_pairs(timestamptz, timestamptz, bigint) IS
    'Pairs of products that were purchased in the same order, within a span of time, most frequent pairs first. An order is '
    'the purchases with the same order_id, or without one those of one session at the same time. '
    'b_given_a is the share of the orders with product a that also have product b. lift is how many times more often '
    'both occur together than by chance. Refunds change nothing, events without a product and currencies do not matter.';

COMMENT ON FUNCTION ecom.product_timeline(text, timestamptz, timestamptz) IS
    'Events of one product, within a span of time, oldest first, also its refunds, with a price above zero in their own '
    'currency. Fast on partitions that are settled (ecom-ingest settle).';

COMMENT ON FUNCTION ecom.conversion_funnel(timestamptz, timestamptz) IS
    'How many sessions reached each step towards a purchase, within a span of time. A session reaches a step if it has '
    'an event of that step and of all steps before it within the span. Events of other types, such as refunds and those '
    'without a product, are no step, and currencies do not matter. Reads only the partitions of the span.';
COMMENT ON FUNCTION ecom.conversion_funnel_by_user(timestamptz, timestamptz) IS
    'How many users reached each step towards a purchase, within a span of time. The same as ecom.conversion_funnel, '
    'but the steps of a user may be in different sessions. Events of other types, such as refunds and those without a product, '
    'are no step, and currencies do not matter.';


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
            coalesce(min(e.event_time) FILTER (WHERE e.event_type <> 'refund'), min(e.event_time)) AS started_at,
            coalesce(max(e.event_time) FILTER (WHERE e.event_type <> 'refund'), max(e.event_time)) AS ended_at,
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
            sum(o.amount) AS amount,
            min(o.currency) AS lowest,
            max(o.currency) AS highest
        FROM ecom.order_details(since, until) o
        GROUP BY o.session_id
    ),
    refunded AS (
        SELECT r.session_id, sum(r.amount) AS amount, min(r.currency) AS lowest, max(r.currency) AS highest
        FROM ecom.refunds(since, until) r
        GROUP BY r.session_id
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
        ecom.in_one_currency(
            coalesce(o.amount, 0) - coalesce(r.amount, 0),
            least(o.lowest, r.lowest), greatest(o.highest, r.highest), NULL
        ) AS revenue
    FROM sessions s
    LEFT JOIN sold o ON o.session_id = s.session_id
    LEFT JOIN refunded r ON r.session_id = s.session_id
$$;

COMMENT ON FUNCTION ecom.session_summary(timestamptz, timestamptz) IS
    'One row per session with its events, orders and revenue, within a span of time, not sorted. Events outside the '
    'span are not counted, even if they belong to a session of the span. events counts all types, also those without a '
    'product. revenue is purchases minus refunds; a refund does not make the session longer, unless it has nothing else. It is '
    'null over several currencies; if one is chosen, orders, purchases and units are those in it.';


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
            coalesce(sum(
                CASE e.event_type WHEN 'add_to_cart' THEN 1 ELSE -1 END * coalesce(e.line_total, e.price * e.quantity)
            ) FILTER (
                WHERE e.event_type <> 'purchase' AND coalesce(e.currency = (SELECT ecom.chosen_currency()), true)
            ), 0) AS value,
            min(e.currency) FILTER (WHERE e.event_type <> 'purchase') AS lowest,
            max(e.currency) FILTER (WHERE e.event_type <> 'purchase') AS highest
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
            sum(greatest(b.value, 0)) FILTER (WHERE NOT b.purchased) AS abandoned_value,
            min(b.lowest) FILTER (WHERE NOT b.purchased) AS lowest,
            max(b.highest) FILTER (WHERE NOT b.purchased) AS highest
        FROM baskets b
        GROUP BY 1
    )
    SELECT
        b.bucket_start,
        coalesce(c.baskets, 0) AS baskets,
        coalesce(c.purchased, 0) AS purchased,
        coalesce(c.baskets - c.purchased, 0) AS abandoned,
        round((c.baskets - c.purchased)::numeric / c.baskets, 4) AS abandonment,
        ecom.in_one_currency(
            c.abandoned_value, c.lowest, c.highest, (SELECT ecom.chosen_currency())) AS abandoned_value
    FROM unnest((SELECT ecom.buckets(since, until, bucket))) WITH ORDINALITY AS b (bucket_start, bucket_no)
    LEFT JOIN counted c ON c.bucket_no = b.bucket_no
    ORDER BY b.bucket_start
$$;

COMMENT ON FUNCTION ecom.basket_abandonment(timestamptz, timestamptz, interval) IS
    'Sessions that put something into the cart within a span of time, per bucket of their first such event, and how '
    'many of them purchased nothing within the span. abandoned_value is the value of what was put into the cart and '
    'not taken out, at the prices of those events; null over several currencies, unless one is chosen. A basket that was '
    'purchased and refunded was purchased. Events without a product, such as a checkout, change nothing.';

COMMENT ON FUNCTION ecom.user_timeline(text, timestamptz, timestamptz) IS
    'Events of one user, within a span of time, oldest first: of all types, also refunds, with a price above zero in their own '
    'currency, and events without a product. Fast on partitions that are settled (ecom-ingest settle).';


CREATE OR REPLACE FUNCTION ecom.lifetime_value(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    user_id text, orders bigint, units bigint, revenue numeric, revenue_per_order numeric, first_order_at timestamptz,
    last_order_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH sold AS (
        SELECT
            o.user_id,
            count(*) AS orders,
            sum(o.units)::bigint AS units,
            sum(o.amount) AS amount,
            min(o.currency) AS lowest,
            max(o.currency) AS highest,
            min(o.ordered_at) AS first_order_at,
            max(o.ordered_at) AS last_order_at
        FROM ecom.order_details(since, until) o
        GROUP BY o.user_id
    ),
    refunded AS (
        SELECT r.user_id, sum(r.amount) AS amount, min(r.currency) AS lowest, max(r.currency) AS highest
        FROM ecom.refunds(since, until) r
        GROUP BY r.user_id
    )
    SELECT
        user_id,
        coalesce(s.orders, 0) AS orders,
        coalesce(s.units, 0) AS units,
        n.revenue,
        round(n.revenue / s.orders, 2) AS revenue_per_order,
        s.first_order_at,
        s.last_order_at
    FROM sold s
    FULL JOIN refunded r USING (user_id)
    CROSS JOIN LATERAL (
        SELECT ecom.in_one_currency(
            coalesce(s.amount, 0) - coalesce(r.amount, 0),
            least(s.lowest, r.lowest), greatest(s.highest, r.highest), NULL
        ) AS revenue
    ) n
    ORDER BY revenue DESC NULLS LAST, user_id COLLATE "C"
$$;

COMMENT ON FUNCTION ecom.lifetime_value(timestamptz, timestamptz) IS
    'Orders and revenue per user, within a span of time or of all time, highest revenue first. Users without orders '
    'and refunds have no row. revenue is the orders minus the refunds of the span: below zero if only the refund of an order '
    'is in the span. It is null over several currencies; if one is chosen, all columns count the orders in it.';


CREATE OR REPLACE FUNCTION ecom.active_users(
    as_of timestamptz DEFAULT now()
) RETURNS TABLE (users_now bigint, users_day bigint, users_week bigint, users_month bigint)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH users AS (
        SELECT max(e.event_time) AS last_seen
        FROM ecom.events e
        WHERE e.event_time >= as_of - interval '720 hours' AND e.event_time < as_of AND e.event_type <> 'refund'
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
    'Number of users with an event in the 5 minutes, 24 hours, 7 days and 30 days before a given time: of any type, also '
    'without a product, but not a refund, which is no visit. Currencies do not matter.';


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
        WHERE e.event_time >= since AND e.event_time < until AND e.event_type <> 'refund'
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
    'bucket, those with events in an earlier bucket of the span, and those with a purchase. Events of all types count, also '
    'without a product, but not refunds. Currencies do not matter.';


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
        WHERE e.event_time >= since AND e.event_time < until AND e.event_type <> 'refund'
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
    'number of its users that have an event there. Buckets without such users have a row too. Events of all types count, also '
    'without a product, but not refunds. Currencies do not matter.';


CREATE OR REPLACE VIEW ecom.pulse AS
SELECT
    now() AS at,
    recent.events AS events_last_minute,
    recent.users AS users_last_minute,
    recent.newest AS newest_event,
    now() - recent.newest AS event_lag,
    sold.orders AS orders_last_hour,
    ecom.in_one_currency(
        sold.amount - refunded.amount,
        least(sold.lowest, refunded.lowest), greatest(sold.highest, refunded.highest), NULL
    ) AS revenue_last_hour,
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
    SELECT
        count(*) AS orders, coalesce(sum(o.amount), 0) AS amount, min(o.currency) AS lowest, max(o.currency) AS highest
    FROM ecom.order_details(now() - interval '1 hour', now() + interval '1 minute') o
) sold
CROSS JOIN (
    SELECT coalesce(sum(r.amount), 0) AS amount, min(r.currency) AS lowest, max(r.currency) AS highest
    FROM ecom.refunds(now() - interval '1 hour', now() + interval '1 minute') r
) refunded
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

COMMENT ON COLUMN ecom.pulse.events_last_minute IS
    'Number of events that happened in the last minute, of all types, also refunds and events without a product.';
COMMENT ON COLUMN ecom.pulse.users_last_minute IS 'Number of users with an event in the last minute.';
COMMENT ON COLUMN ecom.pulse.orders_last_hour IS
    'Number of orders in the last hour; if a currency is chosen, of those in it.';
COMMENT ON COLUMN ecom.pulse.revenue_last_hour IS
    'Revenue of the last hour: purchases minus refunds. Null over several currencies, unless one is chosen.';


COMMENT ON FUNCTION ecom.lag_over_time(timestamptz, timestamptz, interval, interval) IS
    'Time from event_time to processed_at per bucket, within a span of time: median (lag_p50), 99th percentile '
    '(lag_p99), maximum, and how many events took longer than late_after. Events of all types count, also refunds and those '
    'without a product.';


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
            count(e.product_id) AS with_product,
            count(e.product_name) FILTER (WHERE e.product_id IS NOT NULL) AS with_name,
            count(e.category) FILTER (WHERE e.product_id IS NOT NULL) AS with_category,
            count(e.brand) FILTER (WHERE e.product_id IS NOT NULL) AS with_brand,
            count(coalesce(e.price, e.line_total)) FILTER (WHERE e.product_id IS NOT NULL) AS with_price,
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
        coalesce(s.with_product - s.with_name, 0) AS without_name,
        coalesce(s.with_product - s.with_category, 0) AS without_category,
        coalesce(s.with_product - s.with_brand, 0) AS without_brand,
        coalesce(s.with_product - s.with_price, 0) AS without_price,
        coalesce(s.ahead_of_clock, 0) AS ahead_of_clock,
        coalesce(r.records, 0) AS rejected
    FROM stored s
    FULL JOIN refused r USING (day)
    ORDER BY day
$$;

COMMENT ON FUNCTION ecom.quality_by_day(timestamptz, timestamptz) IS
    'Missing values per day (UTC), within a span of time: events without a name, category, brand or price, and events '
    'with an event_time after processed_at. Events without a product need none of these values and count in events only. A '
    'line_total is a price. rejected is the number of records that were rejected on that day and wait '
    'for repair, whatever their event_time.';
COMMENT ON FUNCTION ecom.ids_at_several_times(timestamptz, timestamptz) IS
    'Identifiers that producers gave to events with different times, within a span of time. All of these events are '
    'stored, since the pipeline cannot know whether they are one event or several. Events of all types count, also refunds '
    'and those without a product.';
