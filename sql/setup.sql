-- Sets the schema "ecom" up, or brings it up to date:
--
--     psql -d DATABASE -f sql/setup.sql
--
-- Run it as the role that shall own the schema; that needs the right to CREATE in the database, no more. ecom-ingest
-- does the same at its start where its role may. Run again it changes nothing. All of it happens in one transaction.
--
-- A role that only ingests needs, besides CONNECT:
--
--     GRANT USAGE ON SCHEMA ecom TO writer;
--     GRANT SELECT ON ecom.schema_history TO writer;
--     GRANT SELECT, INSERT ON ecom.events TO writer;
--     GRANT INSERT ON ecom.dead_letters TO writer;
--     GRANT SELECT, INSERT, UPDATE ON ecom.ingest_pipeline, ecom.ingest_split TO writer;
--     GRANT SELECT, INSERT, UPDATE, DELETE ON ecom.operator_state TO writer;
--     GRANT EXECUTE ON FUNCTION ecom.ensure_partitions(date[]) TO writer;
--
-- and a role that only reads:
--
--     GRANT USAGE ON SCHEMA ecom TO reader;
--     GRANT SELECT ON ALL TABLES IN SCHEMA ecom TO reader;

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
SELECT count(*) = 0 AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 1 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V1__tables was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V1__tables.sql
    INSERT INTO ecom.schema_history VALUES (1, 'tables', :'applied_on', :'checksum');
\endif

\set checksum 3062037769682270757
SELECT count(*) = 0 AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 2 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V2__views was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V2__views.sql
    INSERT INTO ecom.schema_history VALUES (2, 'views', :'applied_on', :'checksum');
\endif

\set checksum 11309637743096356340
SELECT count(*) = 0 AS pending, count(*) FILTER (WHERE checksum IS DISTINCT FROM :'checksum') > 0 AS differs
FROM ecom.schema_history WHERE version = 3 \gset
\if :differs
    DO $$ BEGIN RAISE 'migration V3__identity was applied here in another form than this file has'; END $$;
\elif :pending
    \ir migrations/V3__identity.sql
    INSERT INTO ecom.schema_history VALUES (3, 'identity', :'applied_on', :'checksum');
\endif

SELECT 'V' || version || '__' || name AS newest FROM ecom.schema_history ORDER BY version DESC LIMIT 1 \gset

COMMIT;

\echo The schema ecom is at :newest
\set QUIET :was_quiet
