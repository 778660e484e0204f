-- What a server may lack that was promoted from a logical replica.
--
--     catch_up_sequences     moves the sequences of numbers behind the rows that have them
--
-- Running this file again changes nothing.

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
