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
    'The pipelines that write here, one row each. Every transaction of a pipeline ends with a checked update of its '
    'row.';
COMMENT ON COLUMN ecom.ingest_pipeline.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.ingest_pipeline.pipeline_id IS
    'Number of the pipeline; its splits have numbers from this times 10^12 on.';
COMMENT ON COLUMN ecom.ingest_pipeline.sources IS
    'Where its sources read, as an object: name of the source to location.';
COMMENT ON COLUMN ecom.ingest_pipeline.fence IS
    'Goes up by one when an instance takes over; an instance that knows an older number can''t commit any more.';
COMMENT ON COLUMN ecom.ingest_pipeline.epoch IS 'Number of the last transaction that was committed.';
COMMENT ON COLUMN ecom.ingest_pipeline.started_at IS 'When the instance that works, or the last that did, took over.';
COMMENT ON COLUMN ecom.ingest_pipeline.committed_at IS 'When the last transaction was committed.';
COMMENT ON COLUMN ecom.ingest_pipeline.holder IS
    'The instance that works, or the last that did: its application_name, as in pg_stat_activity.';
COMMENT ON COLUMN ecom.ingest_pipeline.owns IS
    'Locations of its sources that it takes files away from: no other pipeline may read there.';


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
    'The ledger: how far each file was read, and what became of its records. It changes in the transaction that stores '
    'the records, so it is never ahead of them nor behind. Always read = stored + duplicates + rejected + filtered.';
COMMENT ON COLUMN ecom.ingest_split.split_id IS
    'Number of the split, that is of one generation of a file; ecom.events and ecom.dead_letters refer to it.';
COMMENT ON COLUMN ecom.ingest_split.read_offset IS
    'Reading resumes here: the number of bytes before it, all of them committed.';
COMMENT ON COLUMN ecom.ingest_split.record_no IS 'Number of the last record that was read; the first of a file is 1.';
COMMENT ON COLUMN ecom.ingest_split.read IS 'Records that were read so far.';
COMMENT ON COLUMN ecom.ingest_split.stored IS 'Records of these that were stored.';
COMMENT ON COLUMN ecom.ingest_split.duplicates IS 'Records of these that had been stored before.';
COMMENT ON COLUMN ecom.ingest_split.rejected IS 'Records of these that can''t be used and are in ecom.dead_letters.';
COMMENT ON COLUMN ecom.ingest_split.filtered IS 'Records of these that the pipeline left out on purpose.';
COMMENT ON COLUMN ecom.ingest_split.first_seen_at IS 'When it was entered here.';
COMMENT ON COLUMN ecom.ingest_split.updated_at IS 'When this row last changed.';
COMMENT ON COLUMN ecom.ingest_split.finished_at IS 'When it was read to its end, or given up; null while it is open.';
COMMENT ON COLUMN ecom.ingest_split.generation IS
    'How often the path had been given new content before; 0 for the first.';
COMMENT ON COLUMN ecom.ingest_split.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.ingest_split.source IS 'Name of the source in the pipeline.';
COMMENT ON COLUMN ecom.ingest_split.path IS 'What the source calls it: the name of the file below its directory.';
COMMENT ON COLUMN ecom.ingest_split.state IS
    'open: there may be more to read; finished: read to its end, or gone on with under another name; damaged: read up to '
    'damage; set_aside: nothing can be used.';
COMMENT ON COLUMN ecom.ingest_split.reason IS 'Why it is damaged or set aside: a code to group by.';
COMMENT ON COLUMN ecom.ingest_split.detail IS 'Why it is damaged or set aside, in words.';
COMMENT ON COLUMN ecom.ingest_split.mark IS 'What the source recognises the split by; its own affair.';
COMMENT ON COLUMN ecom.ingest_split.size IS 'From the mark: size of the file when it was last read, in bytes.';
COMMENT ON COLUMN ecom.ingest_split.mtime IS 'From the mark: when the file was last written to, to the microsecond.';
COMMENT ON COLUMN ecom.ingest_split.digest IS 'From the mark: digest of all that was read, in hexadecimal digits.';
COMMENT ON COLUMN ecom.ingest_split.ignored_columns IS
    'From the mark: columns of the file that the schema does not know, as a JSON array of names.';
COMMENT ON COLUMN ecom.ingest_split.finished_size IS
    'Its size once it is finished: files of the same size may have the same bytes.';
COMMENT ON COLUMN ecom.ingest_split.finished_digest_hash IS 'A short form of its digest once it is finished.';
COMMENT ON COLUMN ecom.ingest_split.copy_of IS
    'Path of the file that had the same bytes and was read already: nothing was read of this one.';
COMMENT ON COLUMN ecom.ingest_split.renamed_to IS 'Path that the file got while it was not finished: reading went on there.';


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
    'What transforms must remember from one batch to the next. It changes in the transaction that stores the records.';
COMMENT ON COLUMN ecom.operator_state.epoch IS 'The transaction of the pipeline that last changed it.';
COMMENT ON COLUMN ecom.operator_state.format IS 'Version of the format of key and value; the transform''s own affair.';
COMMENT ON COLUMN ecom.operator_state.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.operator_state.operator IS 'Name of the transform in the pipeline.';
COMMENT ON COLUMN ecom.operator_state.key IS 'What the entry is about; the transform''s own affair.';
COMMENT ON COLUMN ecom.operator_state.value IS 'What is remembered; the transform''s own affair.';
