-- Which file is which: copies, files that were renamed, and who may take files away.

ALTER TABLE ecom.ingest_split
    ADD COLUMN IF NOT EXISTS finished_size bigint GENERATED ALWAYS AS (
        CASE WHEN state = 'finished' AND json_typeof(mark -> 'size') = 'number'
             THEN greatest(least((mark ->> 'size')::numeric, 9223372036854775807), 0)::bigint END
    ) STORED,
    ADD COLUMN IF NOT EXISTS finished_digest_hash bigint GENERATED ALWAYS AS (
        CASE WHEN state = 'finished' THEN hashtextextended((mark ->> 'digest') COLLATE "C", 0) END
    ) STORED,
    ADD COLUMN IF NOT EXISTS copy_of    text COLLATE "C" GENERATED ALWAYS AS (mark ->> 'copy_of') STORED,
    ADD COLUMN IF NOT EXISTS renamed_to text COLLATE "C" GENERATED ALWAYS AS (mark ->> 'renamed_to') STORED;

COMMENT ON COLUMN ecom.ingest_split.finished_size IS
    'Its size once it is finished: files of the same size may have the same bytes.';
COMMENT ON COLUMN ecom.ingest_split.finished_digest_hash IS 'A short form of its digest once it is finished.';
COMMENT ON COLUMN ecom.ingest_split.copy_of IS
    'Path of the file that had the same bytes and was read already: nothing was read of this one.';
COMMENT ON COLUMN ecom.ingest_split.renamed_to IS 'Path that the file got while it was not finished: reading went on there.';
COMMENT ON COLUMN ecom.ingest_split.state IS
    'open: there may be more to read; finished: read to its end, or gone on with under another name; damaged: read up to '
    'damage; set_aside: nothing can be used.';

-- A file of a new name is looked for among the splits that are not finished, and among the finished ones of its
-- size and digest.
-- Progress changes no column of these, so it stays a heap-only update.
DROP INDEX IF EXISTS ecom.ingest_split_unfinished;
CREATE INDEX IF NOT EXISTS ingest_split_resumable ON ecom.ingest_split (pipeline, source, split_id)
WHERE state IN ('open', 'damaged');
CREATE INDEX IF NOT EXISTS ingest_split_bytes
ON ecom.ingest_split (pipeline, source, finished_size, finished_digest_hash)
WHERE finished_size IS NOT NULL;

ALTER TABLE ecom.ingest_pipeline ADD COLUMN IF NOT EXISTS owns text[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN ecom.ingest_pipeline.owns IS
    'Locations of its sources that it takes files away from: no other pipeline may read there.';

CREATE OR REPLACE VIEW ecom.ingest_aliases AS
SELECT
    s.pipeline,
    s.source,
    s.path,
    s.generation,
    s.copy_of,
    s.renamed_to,
    s.finished_at
FROM ecom.ingest_split s
WHERE s.copy_of IS NOT NULL OR s.renamed_to IS NOT NULL;

COMMENT ON VIEW ecom.ingest_aliases IS
    'Files of which nothing, or nothing more, was read because they are others under another name.';
COMMENT ON COLUMN ecom.ingest_aliases.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.ingest_aliases.source IS 'Name of the source in the pipeline.';
COMMENT ON COLUMN ecom.ingest_aliases.path IS 'Name of the file below the directory of the source.';
COMMENT ON COLUMN ecom.ingest_aliases.generation IS
    'How often the path had been given new content before; 0 for the first.';
COMMENT ON COLUMN ecom.ingest_aliases.copy_of IS
    'Path of the file that had the same bytes and was read already; null if it was renamed.';
COMMENT ON COLUMN ecom.ingest_aliases.renamed_to IS
    'Path that the file got while it was not finished, where reading went on; null if it is a copy.';
COMMENT ON COLUMN ecom.ingest_aliases.finished_at IS 'When that was found.';
