-- What the owner of the tables may do to them, and what a promoted server may lack.
--
--     partition_like         which properties of ecom.events a new partition has
--     catch_up_sequences     moves the sequences of numbers behind the rows that have them
--
-- Running this file again changes nothing.

-- An identity column is not among them: a row that comes through ecom.events gets its value there, and since PostgreSQL 17
-- a partition takes it over when it is attached.
CREATE OR REPLACE FUNCTION ecom.partition_like() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'LIKE ecom.events INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE'
        || CASE WHEN current_setting('server_version_num')::integer >= 140000 THEN ' INCLUDING COMPRESSION' ELSE '' END
$$;

COMMENT ON FUNCTION ecom.partition_like() IS
    'Which properties of ecom.events a new partition has, as a part of CREATE TABLE: among others generated columns, '
    'which a partition must have too, storage and compression.';

-- Only this part of ecom.ensure_partitions changes, which V3__partitions.sql creates.
DO $$
DECLARE
    before constant text := '(LIKE ecom.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)''';
    after  constant text := '('' || ecom.partition_like() || '')''';
    maker  record;
BEGIN
    FOR maker IN
        SELECT pg_catalog.pg_get_functiondef(p.oid) AS definition
        FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'ecom'
        WHERE p.prokind = 'f' AND position(before IN p.prosrc) > 0
    LOOP
        EXECUTE replace(maker.definition, before, after);
    END LOOP;
END
$$;


-- Logical replication copies rows, but not how far their sequences are. Runs with the privileges of its owner, since only
-- the owner of a sequence may move it.
CREATE OR REPLACE FUNCTION ecom.catch_up_sequences() RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    identity record;
    highest  bigint;
    last     bigint;
    moved    integer := 0;
BEGIN
    FOR identity IN
        SELECT a.attrelid::regclass AS table_name, a.attname,
            pg_get_serial_sequence(a.attrelid::regclass::text, a.attname) AS sequence
        FROM pg_attribute a
        WHERE a.attrelid IN ('ecom.ingest_pipeline'::regclass, 'ecom.dead_letters'::regclass) AND a.attidentity <> ''
    LOOP
        EXECUTE format('SELECT max(%I) FROM %s', identity.attname, identity.table_name) INTO highest;
        EXECUTE format('SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM %s', identity.sequence)
            INTO last;
        IF highest > last THEN
            PERFORM setval(identity.sequence, highest);
            moved := moved + 1;
        END IF;
    END LOOP;
    RETURN moved;
END
$$;

REVOKE EXECUTE ON FUNCTION ecom.catch_up_sequences() FROM PUBLIC;

COMMENT ON FUNCTION ecom.catch_up_sequences() IS
    'Moves the sequences of ecom.ingest_pipeline and ecom.dead_letters behind the highest number that is used, and '
    'returns how many it moved. They are behind after a logical replica was promoted. ecom-ingest calls it at its start.';
