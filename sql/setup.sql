-- Sets the schema "ecom" up, or brings it up to date:
--
--     psql -d DATABASE -f sql/setup.sql
--
-- Run it as the role that shall own the schema; that needs the right to CREATE in the database, no more. ecom-ingest
-- does the same at its start where its role may. Run again it changes nothing. All of it happens in one transaction.
--
-- sql/roles.sql then makes a role that may only ingest and one that may only read.
--
-- Where something was dropped or changed by hand, this runs all migrations again, which makes what is missing:
--
--     psql -d DATABASE -v again=on -f sql/setup.sql

\if :{?again}
\else
    \set again off
\endif
\set was_quiet :QUIET
\set QUIET on
\set ON_ERROR_STOP on

BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = pg_catalog;

-- The lock that ecom-ingest takes for the same work. The table is made here as refinery would, since it is asked next.
DO $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ecom.schema_history', 0));
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'ecom') THEN
        CREATE SCHEMA ecom;
    END IF;
    IF to_regclass('ecom.schema_history') IS NULL THEN
        CREATE TABLE ecom.schema_history (
            version    integer PRIMARY KEY,
            name       varchar(255),
            applied_on varchar(255),
            checksum   varchar(255)
        );
    END IF;
END
$$;

-- The time in the form that refinery reads, RFC 3339; it panics at any other.
SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS applied_on \gset

\set checksum 10243144775223379780
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 1 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V1__tables was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V1__tables.sql
    INSERT INTO ecom.schema_history VALUES (1, 'tables', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 16054965788557201403
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 2 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V2__ledger was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V2__ledger.sql
    INSERT INTO ecom.schema_history VALUES (2, 'ledger', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 17453351348941975562
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 3 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V3__partitions was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V3__partitions.sql
    INSERT INTO ecom.schema_history VALUES (3, 'partitions', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 7584549054198764214
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 4 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V4__views_sales was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V4__views_sales.sql
    INSERT INTO ecom.schema_history VALUES (4, 'views_sales', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 7899426932134473075
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 5 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V5__views_products was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V5__views_products.sql
    INSERT INTO ecom.schema_history VALUES (5, 'views_products', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 4921778565770856777
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 6 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V6__views_shoppers was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V6__views_shoppers.sql
    INSERT INTO ecom.schema_history VALUES (6, 'views_shoppers', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 13978803084626768557
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 7 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V7__views_ingest was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V7__views_ingest.sql
    INSERT INTO ecom.schema_history VALUES (7, 'views_ingest', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 4967918402495958118
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 8 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V8__views_quality was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V8__views_quality.sql
    INSERT INTO ecom.schema_history VALUES (8, 'views_quality', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

SELECT 'V' || version || '__' || name AS newest FROM ecom.schema_history ORDER BY version DESC LIMIT 1 \gset

COMMIT;

\echo The schema ecom is at :newest
\set QUIET :was_quiet
