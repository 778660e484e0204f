-- Who leads a pipeline. The fence alone is a number that a server can give out twice: after a restore, or a fail-over to a
-- replica that lagged behind. So each leader also writes a random number, which never comes twice.
--
-- Running this file again changes nothing.

ALTER TABLE ecom.ingest_pipeline
    ADD COLUMN IF NOT EXISTS holder_id uuid,
    ADD COLUMN IF NOT EXISTS taken_over uuid[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN ecom.ingest_pipeline.holder_id IS
    'A random number that the current or last leading instance has chosen when it took over. Only the instance with this '
    'number can commit.';
COMMENT ON COLUMN ecom.ingest_pipeline.taken_over IS
    'The holder_id of instances that --take-over has ended, the last ones. An instance that finds its own number here '
    'exits; one that has lost its lead in another way stands by again.';
