-- Creates the schema "ecom", or upgrades it:
--
--     psql -d DATABASE -f sql/setup.sql
--
-- Run it as the role that shall own the schema. The role needs the CREATE privilege on the database, and nothing else.
-- ecom-ingest does the same at its start if its role may. Running this file again changes nothing. Everything happens in
-- one transaction.
--
-- sql/roles.sql then creates a role that may only ingest and one that may only read.
--
-- If objects were dropped or changed by hand, run all migrations again. This creates what is missing:
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

-- ecom-ingest takes the same lock to migrate. The table is the one that refinery, which ecom-ingest uses, would create.
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

-- refinery reads times in RFC 3339 only.
SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS applied_on \gset

\set checksum 3759378583773727497
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 1 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V1__tables was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V1__tables.sql
    INSERT INTO ecom.schema_history VALUES (1, 'tables', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 12380404944827451532
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 2 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V2__ledger was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V2__ledger.sql
    INSERT INTO ecom.schema_history VALUES (2, 'ledger', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 1791941481552389396
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 3 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V3__partitions was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V3__partitions.sql
    INSERT INTO ecom.schema_history VALUES (3, 'partitions', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 11896986880361958075
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 4 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V4__views_sales was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V4__views_sales.sql
    INSERT INTO ecom.schema_history VALUES (4, 'views_sales', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 2431971119956879999
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 5 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V5__views_products was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V5__views_products.sql
    INSERT INTO ecom.schema_history VALUES (5, 'views_products', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 4893106057262104958
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 6 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V6__views_shoppers was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V6__views_shoppers.sql
    INSERT INTO ecom.schema_history VALUES (6, 'views_shoppers', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 481913930765093524
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 7 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V7__views_ingest was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V7__views_ingest.sql
    INSERT INTO ecom.schema_history VALUES (7, 'views_ingest', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 13495165454981456936
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 8 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V8__views_quality was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V8__views_quality.sql
    INSERT INTO ecom.schema_history VALUES (8, 'views_quality', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 8553574471004759077
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 9 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V9__partition_widths was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V9__partition_widths.sql
    INSERT INTO ecom.schema_history VALUES (9, 'partition_widths', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 14386944441338262576
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 10 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V10__merged_partitions was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V10__merged_partitions.sql
    INSERT INTO ecom.schema_history VALUES (10, 'merged_partitions', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 6496859309082532549
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 11 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V11__sequences was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V11__sequences.sql
    INSERT INTO ecom.schema_history VALUES (11, 'sequences', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 4660681957482160264
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 12 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V12__leader was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V12__leader.sql
    INSERT INTO ecom.schema_history VALUES (12, 'leader', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 377149841775950610
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 13 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V13__ledger_totals was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V13__ledger_totals.sql
    INSERT INTO ecom.schema_history VALUES (13, 'ledger_totals', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 15279643732384601123
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 14 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V14__directories was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V14__directories.sql
    INSERT INTO ecom.schema_history VALUES (14, 'directories', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 7716365593569096376
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 15 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V15__refunds_orders_currencies was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V15__refunds_orders_currencies.sql
    INSERT INTO ecom.schema_history VALUES (15, 'refunds_orders_currencies', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 13994397175251855394
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 16 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V16__read_again was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V16__read_again.sql
    INSERT INTO ecom.schema_history VALUES (16, 'read_again', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

SELECT 'V' || version || '__' || name AS newest FROM ecom.schema_history ORDER BY version DESC LIMIT 1 \gset

COMMIT;

\echo The schema ecom is at :newest
\set QUIET :was_quiet
