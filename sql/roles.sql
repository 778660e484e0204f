-- Creates two roles with few privileges, or updates their privileges:
--
--     psql -d DATABASE -f sql/roles.sql
--
-- ecom_writer may ingest and nothing else: of the events it may read the keys only, it may not change or delete any, and it
-- may create tables only through ecom.ensure_partitions. ecom_reader may read everything that dashboards show, for at most
-- 30 seconds per statement. Both can log in once they have a password (\password ecom_writer) or pg_hba.conf lets them.
--
-- Run it after sql/setup.sql, and again after each upgrade, as the owner of the schema. The owner needs CREATEROLE to create
-- the roles. Only the owner may run migrations, ecom-ingest settle, retain and layout.

\set was_quiet :QUIET
\set QUIET on
\set ON_ERROR_STOP on

BEGIN;
SET LOCAL client_min_messages = warning;

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['ecom_writer', 'ecom_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', role);
        END IF;
    END LOOP;
END
$$;

-- Revoke what earlier versions of this file granted, so that the roles have exactly the privileges below.
REVOKE ALL ON ALL TABLES IN SCHEMA ecom FROM ecom_writer, ecom_reader;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ecom FROM ecom_writer, ecom_reader;
REVOKE ALL ON SCHEMA ecom FROM ecom_writer, ecom_reader;

GRANT USAGE ON SCHEMA ecom TO ecom_writer;
GRANT SELECT ON ecom.schema_history TO ecom_writer;
GRANT SELECT (event_id, event_time), INSERT ON ecom.events TO ecom_writer;
GRANT INSERT ON ecom.dead_letters TO ecom_writer;
GRANT SELECT, INSERT, UPDATE ON ecom.ingest_pipeline, ecom.ingest_split TO ecom_writer;
GRANT SELECT ON ecom.ingest_pruned TO ecom_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON ecom.operator_state TO ecom_writer;
GRANT EXECUTE ON FUNCTION ecom.ensure_partitions(date[]), ecom.catch_up_sequences(),
    ecom.withdraw_splits(bigint[], integer) TO ecom_writer;

GRANT USAGE ON SCHEMA ecom TO ecom_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA ecom TO ecom_reader;
REVOKE ALL ON ecom.operator_state FROM ecom_reader;

-- A role belongs to all databases, so these settings are limited to this one.
ALTER ROLE ecom_reader IN DATABASE :"DBNAME" SET statement_timeout = '30s';
ALTER ROLE ecom_reader IN DATABASE :"DBNAME" SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE ecom_reader IN DATABASE :"DBNAME" SET default_transaction_read_only = on;

COMMIT;

\echo The roles ecom_writer and ecom_reader are up to date
\set QUIET :was_quiet
