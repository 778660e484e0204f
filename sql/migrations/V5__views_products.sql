-- What sells: products, brands, categories, prices, and what is bought together.
--
--     top_products, top_brands, top_categories   views, purchases and revenue of each
--     category_tree, products_of_category        a category with all that is below it
--     price_bands                                by price
--     product_pairs                              purchased in the same order
--     product_timeline                           the events of one product
--
-- All but the last two have the same measures, from views to conversion. Most are sorted by revenue: use ORDER BY to sort
-- by another measure. Running this file again changes nothing.

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
    'Views, purchases and revenue per product, within a span of time, highest revenue first. Reads only the partitions '
    'of the span.';


CREATE OR REPLACE VIEW ecom.top_products AS
SELECT * FROM ecom.top_products('-infinity', 'infinity');

COMMENT ON VIEW ecom.top_products IS
    'Views, purchases and revenue per product, of all time, highest revenue first. For a span of time: SELECT * FROM '
    'ecom.top_products(now() - interval ''1 day'') LIMIT 10.';
COMMENT ON COLUMN ecom.top_products.product_id IS 'Identifier of the product.';
COMMENT ON COLUMN ecom.top_products.product_name IS 'Latest known name of the product.';
COMMENT ON COLUMN ecom.top_products.category IS 'Latest known category of the product.';
COMMENT ON COLUMN ecom.top_products.brand IS 'Latest known brand of the product.';
COMMENT ON COLUMN ecom.top_products.views IS 'How many times the product was viewed.';
COMMENT ON COLUMN ecom.top_products.adds IS 'How many times the product was put into a cart.';
COMMENT ON COLUMN ecom.top_products.purchases IS 'How many times the product was purchased.';
COMMENT ON COLUMN ecom.top_products.units IS 'Number of units purchased.';
COMMENT ON COLUMN ecom.top_products.revenue IS
    'Sum of price times quantity over the purchases, in the currency of the shop.';
COMMENT ON COLUMN ecom.top_products.conversion IS 'Purchases per view. Null for a product without views.';


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
        coalesce(sum(e.price * e.quantity) FILTER (WHERE e.event_type = 'purchase'), 0) AS revenue,
        round(
            count(*) FILTER (WHERE e.event_type = 'purchase')::numeric
                / nullif(count(*) FILTER (WHERE e.event_type = 'view'), 0), 4
        ) AS conversion
    FROM ecom.events e
    WHERE e.event_time >= since AND e.event_time < until
    GROUP BY e.brand
    ORDER BY revenue DESC, purchases DESC, views DESC, e.brand COLLATE "C"
$$;

COMMENT ON FUNCTION ecom.top_brands(timestamptz, timestamptz) IS
    'Views, purchases and revenue per brand, within a span of time, highest revenue first. The brand is null for '
    'products without one. To sort by another column: SELECT * FROM ecom.top_brands(now() - interval ''1 day'') ORDER '
    'BY views DESC LIMIT 10.';


CREATE OR REPLACE FUNCTION ecom.top_categories(
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    category text, views bigint, adds bigint, purchases bigint, units bigint, revenue numeric, conversion numeric
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        e.category,
        count(*) FILTER (WHERE e.event_type = 'view') AS views,
        count(*) FILTER (WHERE e.event_type = 'add_to_cart') AS adds,
        count(*) FILTER (WHERE e.event_type = 'purchase') AS purchases,
        coalesce(sum(e.quantity) FILTER (WHERE e.event_type = 'purchase'), 0) AS units,
        coalesce(sum(e.price * e.quantity) FILTER (WHERE e.event_type = 'purchase'), 0) AS revenue,
        round(
            count(*) FILTER (WHERE e.event_type = 'purchase')::numeric
                / nullif(count(*) FILTER (WHERE e.event_type = 'view'), 0), 4
        ) AS conversion
    FROM ecom.events e
    WHERE e.event_time >= since AND e.event_time < until
    GROUP BY e.category
    ORDER BY revenue DESC, purchases DESC, views DESC, e.category COLLATE "C"
$$;

COMMENT ON FUNCTION ecom.top_categories(timestamptz, timestamptz) IS
    'Views, purchases and revenue per category, within a span of time, highest revenue first. Categories are as the '
    'events have them, without those above. The category is null for products without one. For totals of the '
    'categories above, use ecom.category_tree.';


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
        sum(t.revenue) AS revenue,
        round(sum(t.purchases) / nullif(sum(t.views), 0), 4) AS conversion
    FROM ecom.top_categories(since, until) t
    CROSS JOIN LATERAL string_to_array(t.category COLLATE "C", '.') AS parts
    CROSS JOIN LATERAL generate_series(1, cardinality(parts)) AS level
    CROSS JOIN LATERAL (SELECT parts[1:level] AS path) n
    GROUP BY n.path
    ORDER BY n.path
$$;

COMMENT ON FUNCTION ecom.category_tree(timestamptz, timestamptz) IS
    'Views, purchases and revenue per category, including all categories below it, within a span of time: electronics '
    'includes electronics.smartphone. level is 1 at the top. Sorted as a tree. For one level: WHERE level = 1. Events '
    'without a category are not counted.';


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
            sum(e.price * e.quantity) FILTER (WHERE e.event_type = 'purchase') AS revenue
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until
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
        coalesce(sum(f.revenue), 0) AS revenue,
        round(sum(f.purchases) / nullif(sum(f.views), 0), 4) AS conversion
    FROM forms f
    GROUP BY f.product_id
    ORDER BY revenue DESC, purchases DESC, views DESC, f.product_id
$$;

COMMENT ON FUNCTION ecom.products_of_category(text, timestamptz, timestamptz) IS
    'Views, purchases and revenue per product of a category and of the categories below it, within a span of time, '
    'highest revenue first. Names and brands are the latest known. Fast on partitions that are settled (ecom-ingest '
    'settle).';


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
            e.price,
            count(*) FILTER (WHERE e.event_type = 'view') AS views,
            count(*) FILTER (WHERE e.event_type = 'add_to_cart') AS adds,
            count(*) FILTER (WHERE e.event_type = 'purchase') AS purchases,
            sum(e.quantity) FILTER (WHERE e.event_type = 'purchase') AS units
        FROM ecom.events e
        WHERE e.event_time >= since AND e.event_time < until AND e.price IS NOT NULL
        GROUP BY e.price
    ),
    bands AS (
        SELECT
            width_bucket(p.price, (SELECT s.bounds FROM sorted s)) AS band_no,
            sum(p.views)::bigint AS views,
            sum(p.adds)::bigint AS adds,
            sum(p.purchases)::bigint AS purchases,
            coalesce(sum(p.units), 0)::bigint AS units,
            coalesce(sum(p.price * p.units), 0) AS revenue
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
        coalesce(b.revenue, 0) AS revenue,
        round(b.purchases::numeric / nullif(b.views, 0), 4) AS conversion
    FROM sorted s
    CROSS JOIN LATERAL generate_series(0, cardinality(s.bounds)) AS n (band_no)
    LEFT JOIN bands b ON b.band_no = n.band_no
    ORDER BY n.band_no
$$;

COMMENT ON FUNCTION ecom.price_bands(timestamptz, timestamptz, numeric[]) IS
    'Views, purchases and revenue per price band, within a span of time. Bands without events have a row too. A band '
    'includes its lower bound and not its upper bound. The first band has no lower bound, the last one no upper bound. '
    'Events without a price are not counted.';


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
        SELECT DISTINCT e.session_id, e.event_time, e.product_id
        FROM ecom.events e
        WHERE e.event_type = 'purchase' AND e.event_time >= since AND e.event_time < until
    ),
    total AS (
        SELECT count(*) AS orders FROM (SELECT DISTINCT l.session_id, l.event_time FROM lines l) o
    ),
    products AS (
        SELECT l.product_id, count(*) AS orders FROM lines l GROUP BY l.product_id
    ),
    pairs AS (
        SELECT a.product_id AS product_a, b.product_id AS product_b, count(*) AS orders
        FROM lines a
        JOIN lines b ON b.session_id = a.session_id AND b.event_time = a.event_time AND b.product_id > a.product_id
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
    'Pairs of products that were purchased in the same order, within a span of time, most frequent pairs first. '
    'b_given_a is the share of the orders with product a that also have product b. lift is how many times more often '
    'both occur together than by chance.';


CREATE OR REPLACE FUNCTION ecom.product_timeline(
    for_product text,
    since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
    event_time timestamptz, event_type text, user_id text, session_id text, price numeric, quantity integer, event_id uuid
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT e.event_time, e.event_type, e.user_id, e.session_id, e.price, e.quantity, e.event_id
    FROM ecom.events e
    WHERE e.product_id = for_product AND e.event_time >= since AND e.event_time < until
    ORDER BY e.event_time, e.event_id
$$;

COMMENT ON FUNCTION ecom.product_timeline(text, timestamptz, timestamptz) IS
    'Events of one product, within a span of time, oldest first. Fast on partitions that are settled (ecom-ingest '
    'settle).';
