-- Dead letters that went in again: what became of each. Any number of runs leave the same result.

ALTER TABLE ecom.dead_letters
    ADD COLUMN IF NOT EXISTS resolved_at timestamptz,
    ADD COLUMN IF NOT EXISTS resolution  text COLLATE "C";

COMMENT ON COLUMN ecom.dead_letters.resolved_at IS
    'When a repaired form of it went in again, in the transaction that stored the row; null while it waits.';
COMMENT ON COLUMN ecom.dead_letters.resolution IS
    'What became of the repaired form: stored, or duplicate where the table had the event already. In the ledger the record '
    'then counts as that, and as rejected no more.';
