-- Tables of the event store: the events, what was refused, the ledger that makes ingest exactly once, and the state of
-- transforms. Any number of runs leave the same result.

-- Not CREATE SCHEMA IF NOT EXISTS, which asks for a right on the database even where the schema is there already.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'ecom') THEN
        CREATE SCHEMA ecom;
    END IF;

    -- Only an owner may comment, and an administrator may have made the schema for us.
    IF EXISTS (
        SELECT FROM pg_catalog.pg_namespace
        WHERE nspname = 'ecom' AND pg_catalog.pg_has_role(nspowner, 'USAGE')
    ) THEN
        COMMENT ON SCHEMA ecom IS 'Events of shops, ingested exactly once, and the ledger of that.';
    END IF;
END
$$;

-- In the form in which refinery makes it, so that it does not matter who comes first.
CREATE TABLE IF NOT EXISTS ecom.schema_history (
    version    integer PRIMARY KEY,
    name       varchar(255),
    applied_on varchar(255),
    checksum   varchar(255)
);

COMMENT ON TABLE ecom.schema_history IS 'The migrations that were applied to this schema.';
COMMENT ON COLUMN ecom.schema_history.version IS 'Number of the migration, as in the name of its file.';
COMMENT ON COLUMN ecom.schema_history.name IS 'Name of the migration, as in the name of its file.';
COMMENT ON COLUMN ecom.schema_history.applied_on IS 'When it was applied, in RFC 3339.';
COMMENT ON COLUMN ecom.schema_history.checksum IS 'SipHash-1-3 of name, number and text of the migration, in decimal.';


-- Events -------------------------------------------------------------------------------------------------------------

-- The columns stand in this order so that no padding is needed between them. No CHECK constraints: the pipeline has
-- checked every value, and they would be paid for with each row. No default partition: it would block attaching.
CREATE TABLE IF NOT EXISTS ecom.events (
    event_time   timestamptz NOT NULL,
    processed_at timestamptz NOT NULL,
    split_id     bigint,
    record_no    bigint,
    event_id     uuid NOT NULL,
    quantity     integer NOT NULL,
    event_type   text COLLATE "C" NOT NULL,
    user_id      text COLLATE "C" NOT NULL,
    session_id   text COLLATE "C" NOT NULL,
    product_id   text COLLATE "C" NOT NULL,
    product_name text,
    category     text,
    brand        text,
    price        numeric(12, 2),
    PRIMARY KEY (event_id, event_time)
) PARTITION BY RANGE (event_time);

CREATE INDEX IF NOT EXISTS events_event_time_brin ON ecom.events USING brin (event_time);
CREATE INDEX IF NOT EXISTS events_purchases ON ecom.events (event_time) WHERE event_type = 'purchase';

COMMENT ON TABLE ecom.events IS
    'What shoppers did, one row an event. Partitioned by day of event_time (UTC); see ecom.ensure_partitions.';
COMMENT ON COLUMN ecom.events.event_time IS 'When it happened, to the microsecond.';
COMMENT ON COLUMN ecom.events.processed_at IS 'When the pipeline processed it.';
COMMENT ON COLUMN ecom.events.split_id IS
    'The file that it came from, in ecom.ingest_split; null for an event that a transform made.';
COMMENT ON COLUMN ecom.events.record_no IS
    'Number of its record in that file, the first is 1; null for an event that a transform made.';
COMMENT ON COLUMN ecom.events.event_id IS
    'Identifier that the producer gave. Together with event_time it is unique: the first copy is kept.';
COMMENT ON COLUMN ecom.events.quantity IS 'How many pieces, at least 1.';
COMMENT ON COLUMN ecom.events.event_type IS 'view, add_to_cart, remove_from_cart or purchase.';
COMMENT ON COLUMN ecom.events.user_id IS 'Who did it, in the terms of the shop.';
COMMENT ON COLUMN ecom.events.session_id IS 'In which visit, in the terms of the shop.';
COMMENT ON COLUMN ecom.events.product_id IS 'To which product, in the terms of the shop.';
COMMENT ON COLUMN ecom.events.product_name IS 'Name of the product at that time.';
COMMENT ON COLUMN ecom.events.category IS 'Dotted category of the product, such as electronics.smartphone.';
COMMENT ON COLUMN ecom.events.brand IS 'Brand of the product.';
COMMENT ON COLUMN ecom.events.price IS 'Price of one piece, in the currency of the shop; always there for a purchase.';


-- Runs with the rights of its owner, so that a role that may only insert can have partitions made. The settings pin
-- what names mean and how bounds are printed, whatever the session has.
CREATE OR REPLACE FUNCTION ecom.ensure_partitions(days date[]) RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
AS $$
DECLARE
    missing    date[];
    day        date;
    starts     text;
    ends       text;
    name       text;
    made       integer := 0;
BEGIN
    -- The quick look, without a lock: by name and exact bounds.
    missing := ARRAY(
        SELECT DISTINCT d
        FROM unnest(days) AS d
        WHERE d IS NOT NULL AND NOT EXISTS (
            SELECT
            FROM pg_class c
            JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = 'ecom.events'::regclass
            WHERE c.relnamespace = 'ecom'::regnamespace
              AND c.relname = 'events_y' || to_char(d, 'YYYYMMDD')
              AND pg_get_expr(c.relpartbound, c.oid) = format(
                  'FOR VALUES FROM (''%s 00:00:00+00'') TO (''%s 00:00:00+00'')',
                  to_char(d, 'YYYY-MM-DD'), to_char(d + 1, 'YYYY-MM-DD'))
              -- Through jsonb because PostgreSQL 13 does not have this column yet.
              AND coalesce(to_jsonb(i) ->> 'inhdetachpending', 'false') = 'false'
        )
        ORDER BY d
    );
    IF cardinality(missing) = 0 THEN
        RETURN 0;
    END IF;
    IF missing[1] < '0001-01-01' OR missing[cardinality(missing)] > '9999-12-30' THEN
        RAISE EXCEPTION 'ecom.ensure_partitions takes days of the years 1 to 9999, not % to %',
            missing[1], missing[cardinality(missing)]
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    PERFORM pg_advisory_xact_lock(hashtextextended('ecom.ensure_partitions', 0));

    FOREACH day IN ARRAY missing LOOP
        starts := to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00';
        ends := to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00';
        name := 'events_y' || to_char(day, 'YYYYMMDD');

        -- The thorough look: another session may have been first, or a wider partition may hold the day.
        CONTINUE WHEN EXISTS (
            SELECT
            FROM pg_inherits i
            JOIN pg_class c ON c.oid = i.inhrelid
            CROSS JOIN regexp_match(
                pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \(''?(.*?)''?\) TO \(''?(.*?)''?\)$'
            ) AS bound
            WHERE i.inhparent = 'ecom.events'::regclass
              AND coalesce(to_jsonb(i) ->> 'inhdetachpending', 'false') = 'false'
              AND replace(bound[1], 'MINVALUE', '-infinity')::timestamptz <= starts::timestamptz
              AND replace(bound[2], 'MAXVALUE', 'infinity')::timestamptz >= ends::timestamptz
        );

        IF to_regclass(format('ecom.%I', name)) IS NOT NULL THEN
            RAISE EXCEPTION 'ecom.% exists, but it is not the partition of ecom.events for %', name, day
                USING ERRCODE = 'duplicate_table',
                      HINT = format(
                          'Attach it with ALTER TABLE ecom.events ATTACH PARTITION ecom.%I FOR VALUES FROM (%L) TO (%L)'
                          ', or rename it, or finish its detaching.', name, starts, ends);
        END IF;

        -- Made apart and then attached, which lets others read and write meanwhile; PARTITION OF would lock them out.
        EXECUTE format(
            'CREATE TABLE ecom.%I (LIKE ecom.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', name);
        EXECUTE format('COMMENT ON TABLE ecom.%I IS %L', name, 'Events of ' || to_char(day, 'YYYY-MM-DD') || ' (UTC).');
        EXECUTE format(
            'ALTER TABLE ecom.events ATTACH PARTITION ecom.%I FOR VALUES FROM (%L) TO (%L)', name, starts, ends);
        made := made + 1;
    END LOOP;

    RETURN made;
END
$$;

REVOKE EXECUTE ON FUNCTION ecom.ensure_partitions(date[]) FROM PUBLIC;

COMMENT ON FUNCTION ecom.ensure_partitions(date[]) IS
    'Makes the partitions of ecom.events for those days (UTC) that have none yet and returns how many it made. Call it '
    'in a transaction of its own, at READ COMMITTED, before the COPY that needs them: a COPY that has begun does not '
    'see them, and other callers wait until the transaction ends. Readers and writers do not wait.';


-- The ledger ---------------------------------------------------------------------------------------------------------

-- No foreign keys between these tables: each row of a split would lock the row of its pipeline, the busiest one.
-- Names and paths are compared as bytes, so that an update of the operating system's collations can't break an index.

CREATE TABLE IF NOT EXISTS ecom.ingest_pipeline (
    pipeline     text COLLATE "C" PRIMARY KEY,
    pipeline_id  bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    sources      jsonb NOT NULL DEFAULT '{}',
    fence        bigint NOT NULL DEFAULT 0,
    epoch        bigint NOT NULL DEFAULT 0,
    started_at   timestamptz,
    committed_at timestamptz,
    holder       text
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

-- Progress changes no indexed column and finds room on its page, so it stays a heap-only update.
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
    -- A mark belongs to its source: what is no number, or none that fits, must not make a commit fail.
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
    UNIQUE (pipeline, source, path, generation)
) WITH (fillfactor = 70);

-- Few rows at any time: what is being read, and what was given up.
CREATE INDEX IF NOT EXISTS ingest_split_unfinished ON ecom.ingest_split (pipeline, source, path)
WHERE state <> 'finished';

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
    'open: there may be more to read. finished: read to its end. damaged: read up to damage. set_aside: nothing in it '
    'can be used.';
COMMENT ON COLUMN ecom.ingest_split.reason IS 'Why it is damaged or set aside: a code to group by.';
COMMENT ON COLUMN ecom.ingest_split.detail IS 'Why it is damaged or set aside, in words.';
COMMENT ON COLUMN ecom.ingest_split.mark IS 'What the source recognises the split by; its own affair.';
COMMENT ON COLUMN ecom.ingest_split.size IS 'From the mark: size of the file when it was last read, in bytes.';
COMMENT ON COLUMN ecom.ingest_split.mtime IS 'From the mark: when the file was last written to, to the microsecond.';
COMMENT ON COLUMN ecom.ingest_split.digest IS 'From the mark: digest of all that was read, in hexadecimal digits.';
COMMENT ON COLUMN ecom.ingest_split.ignored_columns IS
    'From the mark: columns of the file that the schema does not know, as a JSON array of names.';

CREATE TABLE IF NOT EXISTS ecom.dead_letters (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    split_id    bigint,
    record_no   bigint,
    byte_offset bigint,
    epoch       bigint NOT NULL,
    rejected_at timestamptz NOT NULL DEFAULT now(),
    pipeline    text COLLATE "C" NOT NULL,
    path        text COLLATE "C",
    reason      text COLLATE "C" NOT NULL,
    detail      text NOT NULL,
    raw         bytea,
    raw_text    text
);

CREATE INDEX IF NOT EXISTS dead_letters_split ON ecom.dead_letters (split_id, record_no);
CREATE INDEX IF NOT EXISTS dead_letters_reason ON ecom.dead_letters (reason);

COMMENT ON TABLE ecom.dead_letters IS
    'Records that can''t be used, with all that is needed to mend them. They may hold personal data: delete them when '
    'done.';
COMMENT ON COLUMN ecom.dead_letters.id IS 'Number of the entry; later entries have higher ones.';
COMMENT ON COLUMN ecom.dead_letters.split_id IS
    'The file that it came from, in ecom.ingest_split; null for a record that a transform made.';
COMMENT ON COLUMN ecom.dead_letters.record_no IS 'Number of the record in that file, the first is 1.';
COMMENT ON COLUMN ecom.dead_letters.byte_offset IS 'Where the record starts in that file, in bytes from its start.';
COMMENT ON COLUMN ecom.dead_letters.epoch IS 'The transaction of the pipeline that entered it.';
COMMENT ON COLUMN ecom.dead_letters.rejected_at IS 'When it was entered.';
COMMENT ON COLUMN ecom.dead_letters.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.dead_letters.path IS 'Name of that file, so that the entry can be read alone.';
COMMENT ON COLUMN ecom.dead_letters.reason IS 'Why it was refused: a code to group by.';
COMMENT ON COLUMN ecom.dead_letters.detail IS 'Why it was refused, in words.';
COMMENT ON COLUMN ecom.dead_letters.raw IS 'The record byte by byte as it stood in the file.';
COMMENT ON COLUMN ecom.dead_letters.raw_text IS 'The record to read: bytes that are not text are replaced.';

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
