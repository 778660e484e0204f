-- The ledger, which makes ingest exactly once: it changes in the transaction that stores the records.
--
--     ingest_pipeline   the pipelines, and which instance leads each of them
--     ingest_split      how far each file has been read, and what became of its records
--     operator_state    what transforms remember from one batch to the next
--
-- The views of the ledger are in V7__views_ingest.sql. Running this file again changes nothing.

-- There are no foreign keys between these tables: each write to a split would lock the row of its pipeline, which every
-- transaction updates. Names and paths have the collation "C", so that an update of the operating system's collations
-- cannot corrupt an index.

CREATE TABLE IF NOT EXISTS ecom.ingest_pipeline (
    pipeline     text COLLATE "C" PRIMARY KEY,
    pipeline_id  bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    sources      jsonb NOT NULL DEFAULT '{}',
    fence        bigint NOT NULL DEFAULT 0,
    epoch        bigint NOT NULL DEFAULT 0,
    started_at   timestamptz,
    committed_at timestamptz,
    holder       text,
    owns         text[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

COMMENT ON TABLE ecom.ingest_pipeline IS
    'The pipelines that write to this schema, one row per pipeline. Each transaction of a pipeline ends with an update '
    'of its row, and is rolled back if another instance has taken over.';
COMMENT ON COLUMN ecom.ingest_pipeline.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.ingest_pipeline.pipeline_id IS
    'Number of the pipeline. The numbers of its splits start at this number times 10^12.';
COMMENT ON COLUMN ecom.ingest_pipeline.sources IS
    'Where the sources of the pipeline read, as an object of source name to location.';
COMMENT ON COLUMN ecom.ingest_pipeline.fence IS
    'Fencing token. It increases by one when an instance takes over. An instance that has an older number can no '
    'longer commit.';
COMMENT ON COLUMN ecom.ingest_pipeline.epoch IS 'Number of the last transaction (epoch) that the pipeline committed.';
COMMENT ON COLUMN ecom.ingest_pipeline.started_at IS 'Time at which the current or last leading instance took over.';
COMMENT ON COLUMN ecom.ingest_pipeline.committed_at IS 'Time of the last commit of the pipeline.';
COMMENT ON COLUMN ecom.ingest_pipeline.holder IS
    'The current or last leading instance: its application_name, as in pg_stat_activity.';
COMMENT ON COLUMN ecom.ingest_pipeline.owns IS
    'Locations from which the pipeline moves or deletes files that it has read. No other pipeline may read there.';


-- Progress changes no indexed column, and the fill factor leaves room on the page: it is a heap-only update (HOT).
CREATE TABLE IF NOT EXISTS ecom.ingest_split (
    split_id        bigint PRIMARY KEY,
    read_offset     bigint NOT NULL DEFAULT 0,
    record_no       bigint NOT NULL DEFAULT 0,
    read            bigint NOT NULL DEFAULT 0,
    stored          bigint NOT NULL DEFAULT 0,
    duplicates      bigint NOT NULL DEFAULT 0,
    rejected        bigint NOT NULL DEFAULT 0,
    filtered        bigint NOT NULL DEFAULT 0,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    generation      integer NOT NULL DEFAULT 0,
    pipeline        text COLLATE "C" NOT NULL,
    source          text COLLATE "C" NOT NULL,
    path            text COLLATE "C" NOT NULL,
    state           text COLLATE "C" NOT NULL DEFAULT 'open',
    reason          text COLLATE "C",
    detail          text,
    mark            json,
    -- The source decides what is in the mark. A value of another type, or out of range, must not make a commit fail.
    size            bigint GENERATED ALWAYS AS (
        CASE WHEN json_typeof(mark -> 'size') = 'number'
             THEN greatest(least((mark ->> 'size')::numeric, 9223372036854775807), 0)::bigint END
    ) STORED,
    mtime           timestamptz GENERATED ALWAYS AS (
        CASE WHEN json_typeof(mark -> 'mtime_ns') = 'number'
             THEN CASE WHEN (mark ->> 'mtime_ns')::numeric BETWEEN -9223372036854775808 AND 9223372036854775807
                       THEN to_timestamp(((mark ->> 'mtime_ns')::numeric / 1000000000)::double precision) END END
    ) STORED,
    digest          text COLLATE "C" GENERATED ALWAYS AS (mark ->> 'digest') STORED,
    ignored_columns text GENERATED ALWAYS AS (mark ->> 'ignored_columns') STORED,
    finished_size   bigint GENERATED ALWAYS AS (
        CASE WHEN state = 'finished' AND json_typeof(mark -> 'size') = 'number'
             THEN greatest(least((mark ->> 'size')::numeric, 9223372036854775807), 0)::bigint END
    ) STORED,
    finished_digest_hash bigint GENERATED ALWAYS AS (
        CASE WHEN state = 'finished' THEN hashtextextended((mark ->> 'digest') COLLATE "C", 0) END
    ) STORED,
    copy_of         text COLLATE "C" GENERATED ALWAYS AS (mark ->> 'copy_of') STORED,
    renamed_to      text COLLATE "C" GENERATED ALWAYS AS (mark ->> 'renamed_to') STORED,
    UNIQUE (pipeline, source, path, generation)
) WITH (fillfactor = 70);

-- For a file with a new path: it may be a file that was renamed while it was read, or a copy of one that is finished.
-- Neither index has a column that progress changes, so that it stays a heap-only update.
CREATE INDEX IF NOT EXISTS ingest_split_resumable ON ecom.ingest_split (pipeline, source, split_id)
WHERE state IN ('open', 'damaged');
CREATE INDEX IF NOT EXISTS ingest_split_bytes
ON ecom.ingest_split (pipeline, source, finished_size, finished_digest_hash)
WHERE finished_size IS NOT NULL;

COMMENT ON TABLE ecom.ingest_split IS
    'The ledger: how far each file has been read, and what became of its records. One row per split, that is per '
    'generation of a file. The row changes in the transaction that stores the records, so both always agree: read = '
    'stored + duplicates + rejected + filtered.';
COMMENT ON COLUMN ecom.ingest_split.split_id IS 'Number of the split. ecom.events and ecom.dead_letters refer to it.';
COMMENT ON COLUMN ecom.ingest_split.read_offset IS
    'Offset in bytes at which reading resumes. All records before it are committed.';
COMMENT ON COLUMN ecom.ingest_split.record_no IS
    'Number of the last record that was read. The first record of a file has number 1.';
COMMENT ON COLUMN ecom.ingest_split.read IS 'Number of records that have been read.';
COMMENT ON COLUMN ecom.ingest_split.stored IS 'How many of the records read were stored.';
COMMENT ON COLUMN ecom.ingest_split.duplicates IS 'How many of the records read had already been stored before.';
COMMENT ON COLUMN ecom.ingest_split.rejected IS
    'How many of the records read were rejected and wait in ecom.dead_letters.';
COMMENT ON COLUMN ecom.ingest_split.filtered IS 'How many of the records read were left out by a filter of the pipeline.';
COMMENT ON COLUMN ecom.ingest_split.first_seen_at IS 'Time at which the split was added to the ledger.';
COMMENT ON COLUMN ecom.ingest_split.updated_at IS 'Time of the last change of this row.';
COMMENT ON COLUMN ecom.ingest_split.finished_at IS
    'Time at which the file was read to its end or given up. Null while the state is open.';
COMMENT ON COLUMN ecom.ingest_split.generation IS
    'How many times the path had received new content before. The first content has generation 0.';
COMMENT ON COLUMN ecom.ingest_split.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.ingest_split.source IS 'Name of the source in the pipeline.';
COMMENT ON COLUMN ecom.ingest_split.path IS 'Path of the file, relative to the directory of the source.';
COMMENT ON COLUMN ecom.ingest_split.state IS
    'open: there may be more to read. finished: the file was read to its end, or is read on under another name. '
    'damaged: the file was read up to the damage. set_aside: the file cannot be used.';
COMMENT ON COLUMN ecom.ingest_split.reason IS 'Why the file is damaged or set aside, as a code to group by.';
COMMENT ON COLUMN ecom.ingest_split.detail IS 'Why the file is damaged or set aside, as a message to read.';
COMMENT ON COLUMN ecom.ingest_split.mark IS
    'What the source needs to recognize the file again. Its format belongs to the source.';
COMMENT ON COLUMN ecom.ingest_split.size IS 'Size of the file in bytes when it was last read. Taken from the mark.';
COMMENT ON COLUMN ecom.ingest_split.mtime IS
    'Time of the last modification of the file, to the microsecond. Taken from the mark.';
COMMENT ON COLUMN ecom.ingest_split.digest IS
    'Digest of all bytes that were read, in hexadecimal digits. Taken from the mark.';
COMMENT ON COLUMN ecom.ingest_split.ignored_columns IS
    'Columns of the file that are ignored, as a JSON array of names. Taken from the mark.';
COMMENT ON COLUMN ecom.ingest_split.finished_size IS
    'Size of the file in bytes once it is finished. Copies of a file are looked up by size and digest.';
COMMENT ON COLUMN ecom.ingest_split.finished_digest_hash IS 'Hash of the digest once the file is finished.';
COMMENT ON COLUMN ecom.ingest_split.copy_of IS
    'Path of a finished file that has the same bytes. Such a copy is not read. Taken from the mark.';
COMMENT ON COLUMN ecom.ingest_split.renamed_to IS
    'New path of a file that was renamed before it was finished. It is read on under that path. Taken from the mark.';


CREATE TABLE IF NOT EXISTS ecom.operator_state (
    epoch    bigint NOT NULL,
    format   integer NOT NULL,
    pipeline text COLLATE "C" NOT NULL,
    operator text COLLATE "C" NOT NULL,
    key      bytea NOT NULL,
    value    bytea NOT NULL,
    PRIMARY KEY (pipeline, operator, key)
) WITH (fillfactor = 70);

COMMENT ON TABLE ecom.operator_state IS
    'What transforms remember from one batch to the next, one row per entry. The rows change in the transaction that '
    'stores the records.';
COMMENT ON COLUMN ecom.operator_state.epoch IS
    'Number of the transaction (epoch) of the pipeline that last changed the entry.';
COMMENT ON COLUMN ecom.operator_state.format IS 'Version of the format of key and value. It belongs to the transform.';
COMMENT ON COLUMN ecom.operator_state.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.operator_state.operator IS 'Name of the transform in the pipeline.';
COMMENT ON COLUMN ecom.operator_state.key IS 'Key of the entry, in a format that belongs to the transform.';
COMMENT ON COLUMN ecom.operator_state.value IS 'Value of the entry, in a format that belongs to the transform.';
