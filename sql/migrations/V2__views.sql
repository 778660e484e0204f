-- Views to look at the events, and at how they came in. Any number of runs leave the same result.


-- What the shops see -------------------------------------------------------------------------------------------------

-- Each question is a function over a span of time, and a view of the same name over all time. The function reads only
-- the partitions of its span. A condition on the view can't do that: PostgreSQL does not see through date_trunc, and
-- three of the four have no column of time. The functions are inlined, so a query is planned as if it was written out.
-- A span includes its start and not its end: spans that touch count nothing twice.

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
    'Events and revenue of each minute of a span of time; minutes without events are left out. Reads only the '
    'partitions of the span.';

CREATE OR REPLACE VIEW ecom.events_per_minute AS
SELECT * FROM ecom.events_per_minute('-infinity', 'infinity');

COMMENT ON VIEW ecom.events_per_minute IS
    'Events and revenue of each minute, of all time; minutes without events are left out. For a span of time, which is '
    'quicker: SELECT * FROM ecom.events_per_minute(now() - interval ''1 hour'').';
COMMENT ON COLUMN ecom.events_per_minute.minute IS 'Start of the minute.';
COMMENT ON COLUMN ecom.events_per_minute.events IS 'Number of events.';
COMMENT ON COLUMN ecom.events_per_minute.views IS 'How many of these were views of a product.';
COMMENT ON COLUMN ecom.events_per_minute.adds IS 'How many of these put a product into the cart.';
COMMENT ON COLUMN ecom.events_per_minute.removes IS 'How many of these took a product out of the cart.';
COMMENT ON COLUMN ecom.events_per_minute.purchases IS 'How many of these were purchases.';
COMMENT ON COLUMN ecom.events_per_minute.revenue IS
    'Sum of price times quantity over the purchases, in the currency of the shop.';


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
    'How many sessions went how far towards a purchase in a span of time. A session reaches a step when it did that '
    'and all steps before it within the span. Reads only the partitions of the span.';

CREATE OR REPLACE VIEW ecom.conversion_funnel AS
SELECT * FROM ecom.conversion_funnel('-infinity', 'infinity');

COMMENT ON VIEW ecom.conversion_funnel IS
    'How many sessions went how far towards a purchase, of all time, one row a step. A session reaches a step when it '
    'did that and all steps before it. For a span of time: '
    'SELECT * FROM ecom.conversion_funnel(''2026-11-23'', ''2026-11-24'').';
COMMENT ON COLUMN ecom.conversion_funnel.step_no IS 'Number of the step, from 1.';
COMMENT ON COLUMN ecom.conversion_funnel.step IS 'The step: view, add_to_cart, purchase.';
COMMENT ON COLUMN ecom.conversion_funnel.sessions IS 'Number of sessions that reached it.';
COMMENT ON COLUMN ecom.conversion_funnel.share_of_first IS
    'These as a share of the first step, 0 to 1; null without any session.';
COMMENT ON COLUMN ecom.conversion_funnel.share_of_previous IS
    'These as a share of the step before, 0 to 1; null for the first step and when none reached the step before.';


CREATE OR REPLACE FUNCTION ecom.top_products(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    product_id text, product_name text, category text, brand text,
    views bigint, adds bigint, purchases bigint, units bigint, revenue numeric, conversion numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    -- First by all that describes a product, of which there are few forms, so that the latest form is cheap to find.
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
            sum(e.price * e.quantity) FILTER (WHERE e.event_type = 'purchase') AS revenue
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until
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
        coalesce(sum(f.revenue), 0) AS revenue,
        round(sum(f.purchases) / nullif(sum(f.views), 0), 4) AS conversion
    FROM forms f
    GROUP BY f.product_id
    ORDER BY revenue DESC, purchases DESC, views DESC, f.product_id
$$;

COMMENT ON FUNCTION ecom.top_products(timestamptz, timestamptz) IS
    'What became of each product in a span of time, the highest revenue first. Reads only the partitions of the span.';

CREATE OR REPLACE VIEW ecom.top_products AS
SELECT * FROM ecom.top_products('-infinity', 'infinity');

COMMENT ON VIEW ecom.top_products IS
    'What became of each product, of all time, the highest revenue first. For a span of time: '
    'SELECT * FROM ecom.top_products(now() - interval ''1 day'') LIMIT 10.';
COMMENT ON COLUMN ecom.top_products.product_id IS 'Identifier of the product.';
COMMENT ON COLUMN ecom.top_products.product_name IS 'Its latest known name.';
COMMENT ON COLUMN ecom.top_products.category IS 'Its latest known category.';
COMMENT ON COLUMN ecom.top_products.brand IS 'Its latest known brand.';
COMMENT ON COLUMN ecom.top_products.views IS 'How often it was viewed.';
COMMENT ON COLUMN ecom.top_products.adds IS 'How often it was put into a cart.';
COMMENT ON COLUMN ecom.top_products.purchases IS 'How often it was purchased.';
COMMENT ON COLUMN ecom.top_products.units IS 'How many pieces were purchased.';
COMMENT ON COLUMN ecom.top_products.revenue IS
    'Sum of price times quantity over the purchases, in the currency of the shop.';
COMMENT ON COLUMN ecom.top_products.conversion IS 'Purchases a view; null for a product without views.';


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
    'Events and revenue of each type in a span of time. Reads only the partitions of the span.';

CREATE OR REPLACE VIEW ecom.events_by_type AS
SELECT * FROM ecom.events_by_type('-infinity', 'infinity');

COMMENT ON VIEW ecom.events_by_type IS
    'Events and revenue of each type, of all time. For a span of time: '
    'SELECT * FROM ecom.events_by_type(now() - interval ''1 day'').';
COMMENT ON COLUMN ecom.events_by_type.event_type IS 'The type: view, add_to_cart, remove_from_cart, purchase.';
COMMENT ON COLUMN ecom.events_by_type.events IS 'Number of events of it.';
COMMENT ON COLUMN ecom.events_by_type.share IS 'These as a share of all events, 0 to 1.';
COMMENT ON COLUMN ecom.events_by_type.revenue IS
    'Sum of price times quantity, in the currency of the shop; 0 for all types but purchase.';


CREATE OR REPLACE VIEW ecom.ids_at_several_times AS
SELECT
    e.event_id,
    count(*) AS times,
    min(e.event_time) AS first_time,
    max(e.event_time) AS last_time
FROM ecom.events e
GROUP BY e.event_id
HAVING count(*) > 1;

COMMENT ON VIEW ecom.ids_at_several_times IS
    'Identifiers that producers gave to events at more than one time. Such events are all stored, since the pipeline '
    'can''t know whether it is one event or several. Reads the whole table.';
COMMENT ON COLUMN ecom.ids_at_several_times.event_id IS 'The identifier.';
COMMENT ON COLUMN ecom.ids_at_several_times.times IS 'Number of times that events with it have.';
COMMENT ON COLUMN ecom.ids_at_several_times.first_time IS 'The earliest of these times.';
COMMENT ON COLUMN ecom.ids_at_several_times.last_time IS 'The latest of these times.';


-- What the operators see ---------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW ecom.ingest_status AS
SELECT
    s.split_id,
    s.pipeline,
    s.source,
    s.path,
    s.generation,
    s.state,
    s.reason,
    s.detail,
    s.size,
    s.read_offset AS bytes_read,
    CASE
        WHEN s.size > 0 THEN least(round(100.0 * s.read_offset / s.size, 1), 100.0)
        WHEN s.state = 'finished' THEN 100.0
    END AS percent,
    s.read,
    s.stored,
    s.duplicates,
    s.rejected,
    s.filtered,
    s.read = s.stored + s.duplicates + s.rejected + s.filtered AS balance_ok,
    s.ignored_columns,
    s.mtime,
    s.first_seen_at,
    s.updated_at,
    s.finished_at,
    -- Clocks of two machines may differ.
    CASE WHEN s.mtime > s.updated_at THEN interval '0' ELSE s.updated_at - s.mtime END AS lag
FROM ecom.ingest_split s;

COMMENT ON VIEW ecom.ingest_status IS 'How far each file was read, and what became of its records.';
COMMENT ON COLUMN ecom.ingest_status.split_id IS 'Number of the split, that is of one generation of a file.';
COMMENT ON COLUMN ecom.ingest_status.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.ingest_status.source IS 'Name of the source in the pipeline.';
COMMENT ON COLUMN ecom.ingest_status.path IS 'Name of the file below the directory of the source.';
COMMENT ON COLUMN ecom.ingest_status.generation IS
    'How often the path had been given new content before; 0 for the first.';
COMMENT ON COLUMN ecom.ingest_status.state IS 'open, finished, damaged or set_aside.';
COMMENT ON COLUMN ecom.ingest_status.reason IS 'Why it is damaged or set aside: a code.';
COMMENT ON COLUMN ecom.ingest_status.detail IS 'Why it is damaged or set aside, in words.';
COMMENT ON COLUMN ecom.ingest_status.size IS
    'Size of the file when it was last read, in bytes; null if the source does not say.';
COMMENT ON COLUMN ecom.ingest_status.bytes_read IS 'Bytes of it that were read and committed.';
COMMENT ON COLUMN ecom.ingest_status.percent IS 'These as a percentage of the size, 0 to 100.';
COMMENT ON COLUMN ecom.ingest_status.read IS 'Records that were read so far.';
COMMENT ON COLUMN ecom.ingest_status.stored IS 'Records of these that were stored.';
COMMENT ON COLUMN ecom.ingest_status.duplicates IS 'Records of these that had been stored before.';
COMMENT ON COLUMN ecom.ingest_status.rejected IS 'Records of these that are in ecom.dead_letters.';
COMMENT ON COLUMN ecom.ingest_status.filtered IS 'Records of these that the pipeline left out on purpose.';
COMMENT ON COLUMN ecom.ingest_status.balance_ok IS
    'Whether read = stored + duplicates + rejected + filtered. False is a bug, unless a transform makes one '
    'record of several.';
COMMENT ON COLUMN ecom.ingest_status.ignored_columns IS
    'Columns of the file that the schema does not know, as a JSON array of names.';
COMMENT ON COLUMN ecom.ingest_status.mtime IS 'When the file was last written to.';
COMMENT ON COLUMN ecom.ingest_status.first_seen_at IS 'When it was entered into the ledger.';
COMMENT ON COLUMN ecom.ingest_status.updated_at IS 'When its last records were committed.';
COMMENT ON COLUMN ecom.ingest_status.finished_at IS 'When it was read to its end, or given up; null while it is open.';
COMMENT ON COLUMN ecom.ingest_status.lag IS 'Time from the last write to the file to the last commit of its records.';


CREATE OR REPLACE VIEW ecom.ingest_balance AS
SELECT
    p.pipeline,
    count(s.split_id) AS files,
    count(*) FILTER (WHERE s.state = 'open') AS files_open,
    count(*) FILTER (WHERE s.state = 'finished') AS files_finished,
    count(*) FILTER (WHERE s.state = 'damaged') AS files_damaged,
    count(*) FILTER (WHERE s.state = 'set_aside') AS files_set_aside,
    coalesce(sum(s.read), 0)::bigint AS read,
    coalesce(sum(s.stored), 0)::bigint AS stored,
    coalesce(sum(s.duplicates), 0)::bigint AS duplicates,
    coalesce(sum(s.rejected), 0)::bigint AS rejected,
    coalesce(sum(s.filtered), 0)::bigint AS filtered,
    -- File by file, so that two errors can't cancel out.
    coalesce(bool_and(s.read = s.stored + s.duplicates + s.rejected + s.filtered), true) AS balance_ok,
    p.epoch,
    p.committed_at
FROM ecom.ingest_pipeline p
LEFT JOIN ecom.ingest_split s ON s.pipeline = p.pipeline
GROUP BY p.pipeline, p.epoch, p.committed_at;

COMMENT ON VIEW ecom.ingest_balance IS 'What became of all files and records of each pipeline.';
COMMENT ON COLUMN ecom.ingest_balance.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.ingest_balance.files IS 'Number of files, each generation counted.';
COMMENT ON COLUMN ecom.ingest_balance.files_open IS 'Files of these that may have more to read.';
COMMENT ON COLUMN ecom.ingest_balance.files_finished IS 'Files of these that were read to their end.';
COMMENT ON COLUMN ecom.ingest_balance.files_damaged IS 'Files of these that were read up to damage.';
COMMENT ON COLUMN ecom.ingest_balance.files_set_aside IS 'Files of these that nothing could be used of.';
COMMENT ON COLUMN ecom.ingest_balance.read IS 'Records that were read so far.';
COMMENT ON COLUMN ecom.ingest_balance.stored IS 'Records of these that were stored.';
COMMENT ON COLUMN ecom.ingest_balance.duplicates IS 'Records of these that had been stored before.';
COMMENT ON COLUMN ecom.ingest_balance.rejected IS 'Records of these that are in ecom.dead_letters.';
COMMENT ON COLUMN ecom.ingest_balance.filtered IS 'Records of these that the pipeline left out on purpose.';
COMMENT ON COLUMN ecom.ingest_balance.balance_ok IS
    'Whether read = stored + duplicates + rejected + filtered in every single file.';
COMMENT ON COLUMN ecom.ingest_balance.epoch IS 'Number of the last transaction that was committed.';
COMMENT ON COLUMN ecom.ingest_balance.committed_at IS 'When that was.';


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
    'Why records were refused, how often, and an example of each, the most frequent first.';
COMMENT ON COLUMN ecom.dead_letter_summary.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.dead_letter_summary.reason IS 'Why: a code.';
COMMENT ON COLUMN ecom.dead_letter_summary.records IS 'Number of records that were refused for it.';
COMMENT ON COLUMN ecom.dead_letter_summary.first_at IS 'When the first of them was entered.';
COMMENT ON COLUMN ecom.dead_letter_summary.last_at IS 'When the last of them was entered.';
COMMENT ON COLUMN ecom.dead_letter_summary.example_id IS 'The last one in ecom.dead_letters, as an example.';
COMMENT ON COLUMN ecom.dead_letter_summary.example_path IS 'The file that the example came from.';
COMMENT ON COLUMN ecom.dead_letter_summary.example_record_no IS 'Number of its record in that file.';
COMMENT ON COLUMN ecom.dead_letter_summary.example_detail IS 'Why the example was refused, in words.';
COMMENT ON COLUMN ecom.dead_letter_summary.example_text IS 'The example to read, at most its first 200 characters.';
