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

\set checksum 5546283333476318399
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 1 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V1__tables was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V1__tables.sql
    INSERT INTO ecom.schema_history VALUES (1, 'tables', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 3062037769682270757
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 2 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V2__views was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V2__views.sql
    INSERT INTO ecom.schema_history VALUES (2, 'views', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 11309637743096356340
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 3 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V3__identity was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V3__identity.sql
    INSERT INTO ecom.schema_history VALUES (3, 'identity', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 16723427004592063586
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 4 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V4__partitions was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V4__partitions.sql
    INSERT INTO ecom.schema_history VALUES (4, 'partitions', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 3941003681796307407
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 5 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V5__sales was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V5__sales.sql
    INSERT INTO ecom.schema_history VALUES (5, 'sales', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 10567413536075262002
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 6 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V6__products was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V6__products.sql
    INSERT INTO ecom.schema_history VALUES (6, 'products', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 13424256625506927930
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 7 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V7__shoppers was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V7__shoppers.sql
    INSERT INTO ecom.schema_history VALUES (7, 'shoppers', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 14670314947935384375
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 8 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V8__operations was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V8__operations.sql
    INSERT INTO ecom.schema_history VALUES (8, 'operations', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 11351898000183320388
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 9 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V9__extra was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V9__extra.sql
    INSERT INTO ecom.schema_history VALUES (9, 'extra', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 12059157460212443939
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 10 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V10__rejects was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V10__rejects.sql
    INSERT INTO ecom.schema_history VALUES (10, 'rejects', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

\set checksum 14516895520423478177
SELECT count(*) = 0 OR :'again' AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 11 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V11__mended was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V11__mended.sql
    INSERT INTO ecom.schema_history VALUES (11, 'mended', :'applied_on', :'checksum') ON CONFLICT DO NOTHING;
\endif

SELECT 'V' || version || '__' || name AS newest FROM ecom.schema_history ORDER BY version DESC LIMIT 1 \gset

COMMIT;

\echo The schema ecom is at :newest
\set QUIET :was_quiet
