-- Files that are read again: nothing of them was stored, and the pipeline has another mapping now.
--
--     withdraw_splits     takes back what the ledger and the dead letters have of such files
--
-- Running this file again changes nothing.

-- A pipeline may insert dead letters and not change them, so this runs with the privileges of its owner (SECURITY DEFINER).
-- Dead letters are locked before the ledger, and in the order of their numbers, as ecom-ingest rejects retry does.
CREATE OR REPLACE FUNCTION ecom.withdraw_splits(splits bigint[], most integer) RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    letters   bigint[];
    withdrawn bigint;
BEGIN
    letters := ARRAY(
        SELECT d.id FROM ecom.dead_letters d
        WHERE d.split_id = ANY (splits) AND d.resolved_at IS NULL
        ORDER BY d.id LIMIT most
        FOR UPDATE
    );
    UPDATE ecom.dead_letters d SET resolved_at = now(), resolution = 'read_again' WHERE d.id = ANY (letters);
    IF cardinality(letters) >= most THEN
        RETURN cardinality(letters);
    END IF;
    UPDATE ecom.ingest_split s SET state = 'withdrawn', read = 0, rejected = 0, filtered = 0, updated_at = now()
    WHERE s.split_id = ANY (splits) AND s.stored = 0 AND s.duplicates = 0;
    GET DIAGNOSTICS withdrawn = ROW_COUNT;
    RETURN CASE WHEN withdrawn = cardinality(splits) THEN cardinality(letters) ELSE -1 END;
END
$$;

REVOKE EXECUTE ON FUNCTION ecom.withdraw_splits(bigint[], integer) FROM PUBLIC;

COMMENT ON FUNCTION ecom.withdraw_splits(bigint[], integer) IS
    'Takes back splits of which nothing was stored, because their records are read again by another mapping: resolves '
    'their dead letters as read_again, at most the given number at once, and sets their state to withdrawn and their counts '
    'to 0. Returns how many dead letters it resolved; if they are fewer than that number, all is done. Returns -1 if '
    'something of one of the splits was stored or a duplicate: then the transaction must be rolled back.';

COMMENT ON COLUMN ecom.ingest_split.state IS
    'open: there may be more to read. finished: the file was read to its end, or is read on under another name. '
    'damaged: the file was read up to the damage. set_aside: the file cannot be used. withdrawn: nothing of the file was '
    'stored, and another mapping reads it again, as another split. The records of a withdrawn split are counted there, and '
    'no longer here.';
COMMENT ON COLUMN ecom.ingest_split.read IS
    'Number of records that have been read; 0 if the split is withdrawn.';
COMMENT ON COLUMN ecom.ingest_split.rejected IS
    'How many of the records read were rejected and wait in ecom.dead_letters; 0 if the split is withdrawn, since its dead '
    'letters are resolved as read_again.';
COMMENT ON COLUMN ecom.ingest_status.state IS
    'State of the file: open, finished, damaged, set_aside or withdrawn. A withdrawn file is read again by another mapping, '
    'as another split.';
COMMENT ON COLUMN ecom.ingest_balance.files IS
    'Number of files. Each generation of a file is counted, and a file that comes back after it left the ledger, but not '
    'generations that are withdrawn.';
COMMENT ON COLUMN ecom.dead_letters.resolved_at IS
    'Time at which the repaired record was loaded (ecom-ingest rejects retry), or at which its file began to be read again '
    'by another mapping. It is set in the transaction that does so, and null while the record waits for repair.';
COMMENT ON COLUMN ecom.dead_letters.resolution IS
    'What became of the repaired record: stored, or duplicate if the table already had the event. The ledger then '
    'counts the record as that, and no longer as rejected. Or read_again: nothing of its file was stored, and another '
    'mapping reads the file again, so that the record is counted there.';
COMMENT ON VIEW ecom.reject_outcomes IS
    'What became of rejected records, per pipeline and reason: how many wait for repair, and how many were repaired '
    'and retried. The others are of files that another mapping has read again. Dead letters that ecom-ingest retain has '
    'deleted are not counted.';
COMMENT ON COLUMN ecom.reject_outcomes.last_mended_at IS
    'Time at which the last repaired record was loaded, or read again. Null if none was.';
