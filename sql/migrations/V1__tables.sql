-- The schema ecom and the tables that receive records.
--
--     schema_history   the migrations that were applied
--     events           one row per event, partitioned by time
--     dead_letters     records that were rejected
--
-- Running this file again changes nothing.

-- CREATE SCHEMA IF NOT EXISTS would need the CREATE privilege on the database even if the schema exists.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'ecom') THEN
        CREATE SCHEMA ecom;
    END IF;

    -- Only the owner may comment. The owner of the schema may be an administrator who made it for this role.
    IF EXISTS (
        SELECT FROM pg_catalog.pg_namespace
        WHERE nspname = 'ecom' AND pg_catalog.pg_has_role(nspowner, 'USAGE')
    ) THEN
        COMMENT ON SCHEMA ecom IS 'Events of shops, stored exactly once, and the ledger of their ingest.';
    END IF;
END
$$;


-- The same definition as that of refinery, which ecom-ingest uses, so that either may create the table.
CREATE TABLE IF NOT EXISTS ecom.schema_history (
    version    integer PRIMARY KEY,
    name       varchar(255),
    applied_on varchar(255),
    checksum   varchar(255)
);

COMMENT ON TABLE ecom.schema_history IS 'The migrations that were applied to this schema, one row per migration.';
COMMENT ON COLUMN ecom.schema_history.version IS 'Number of the migration, as in the name of its file.';
COMMENT ON COLUMN ecom.schema_history.name IS 'Name of the migration, as in the name of its file.';
COMMENT ON COLUMN ecom.schema_history.applied_on IS 'Time at which the migration was applied, in the format of RFC 3339.';
COMMENT ON COLUMN ecom.schema_history.checksum IS
    'SipHash-1-3 of the name, number and text of the migration, as a decimal number.';


-- The order of the columns avoids padding between them. There are no CHECK constraints, since the pipeline has checked
-- every value and they would cost time for each row. There is no default partition, since it would block attaching new
-- ones.
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
    extra        jsonb,
    PRIMARY KEY (event_id, event_time)
) PARTITION BY RANGE (event_time);

CREATE INDEX IF NOT EXISTS events_event_time_brin ON ecom.events USING brin (event_time);
CREATE INDEX IF NOT EXISTS events_purchases ON ecom.events (event_time) WHERE event_type = 'purchase';

COMMENT ON TABLE ecom.events IS
    'What shoppers did, one row per event. The table is partitioned by event_time, by day unless ecom.settings has '
    'another width. See ecom.partitions and ecom.ensure_partitions.';
COMMENT ON COLUMN ecom.events.event_time IS 'Time at which the event happened, to the microsecond.';
COMMENT ON COLUMN ecom.events.processed_at IS 'Time at which the pipeline processed the event.';
COMMENT ON COLUMN ecom.events.split_id IS
    'The file that the event was read from: the key of its row in ecom.ingest_split. Null if a transform made the '
    'event.';
COMMENT ON COLUMN ecom.events.record_no IS
    'Number of the record in that file. The first record has number 1. Null if a transform made the event.';
COMMENT ON COLUMN ecom.events.event_id IS
    'Identifier that the producer gave to the event. It is unique together with event_time: the first copy is stored, '
    'later ones are counted as duplicates.';
COMMENT ON COLUMN ecom.events.quantity IS 'Number of units, at least 1.';
COMMENT ON COLUMN ecom.events.event_type IS 'Type of the event: view, add_to_cart, remove_from_cart or purchase.';
COMMENT ON COLUMN ecom.events.user_id IS 'Identifier of the user, as the shop assigns it.';
COMMENT ON COLUMN ecom.events.session_id IS 'Identifier of the session, as the shop assigns it.';
COMMENT ON COLUMN ecom.events.product_id IS 'Identifier of the product, as the shop assigns it.';
COMMENT ON COLUMN ecom.events.product_name IS 'Name of the product at the time of the event.';
COMMENT ON COLUMN ecom.events.category IS
    'Category of the product, with dots between its levels, such as electronics.smartphone.';
COMMENT ON COLUMN ecom.events.brand IS 'Brand of the product.';
COMMENT ON COLUMN ecom.events.price IS
    'Price of one unit, in the currency of the shop. A purchase always has a price, unless the mapping of the pipeline '
    'makes it optional.';
COMMENT ON COLUMN ecom.events.extra IS
    'Further columns of the file, as an object of column name to value: SELECT extra ->> ''colour'' FROM ecom.events. '
    'Null unless the mapping of the pipeline keeps such columns.';


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
    raw_text    text,
    resolved_at timestamptz,
    resolution  text COLLATE "C"
);

CREATE INDEX IF NOT EXISTS dead_letters_split ON ecom.dead_letters (split_id, record_no);
CREATE INDEX IF NOT EXISTS dead_letters_reason ON ecom.dead_letters (reason);

-- Dead letters are stored in the order of their time, so a BRIN index is small and costs little to maintain.
CREATE INDEX IF NOT EXISTS dead_letters_rejected_at ON ecom.dead_letters USING brin (rejected_at);

COMMENT ON TABLE ecom.dead_letters IS
    'Records that were rejected, one row per record, with everything that is needed to repair and retry them. They may '
    'contain personal data: delete them when you no longer need them.';
COMMENT ON COLUMN ecom.dead_letters.id IS 'Number of the dead letter. A later one has a higher number.';
COMMENT ON COLUMN ecom.dead_letters.split_id IS
    'The file that the record was read from: the key of its row in ecom.ingest_split. Null if a transform made the '
    'record.';
COMMENT ON COLUMN ecom.dead_letters.record_no IS 'Number of the record in that file. The first record has number 1.';
COMMENT ON COLUMN ecom.dead_letters.byte_offset IS 'Offset in bytes at which the record starts in that file.';
COMMENT ON COLUMN ecom.dead_letters.epoch IS
    'Number of the transaction (epoch) of the pipeline that stored the dead letter.';
COMMENT ON COLUMN ecom.dead_letters.rejected_at IS 'Time at which the record was rejected.';
COMMENT ON COLUMN ecom.dead_letters.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.dead_letters.path IS 'Path of that file, as in ecom.ingest_split.';
COMMENT ON COLUMN ecom.dead_letters.reason IS 'Why the record was rejected, as a code to group by.';
COMMENT ON COLUMN ecom.dead_letters.detail IS 'Why the record was rejected, as a message to read.';
COMMENT ON COLUMN ecom.dead_letters.raw IS 'The bytes of the record, exactly as the file has them.';
COMMENT ON COLUMN ecom.dead_letters.raw_text IS 'The record as text. Bytes that are not valid text are replaced.';
COMMENT ON COLUMN ecom.dead_letters.resolved_at IS
    'Time at which the repaired record was loaded (ecom-ingest rejects retry). It is set in the transaction that loads '
    'the record, and null while the record waits for repair.';
COMMENT ON COLUMN ecom.dead_letters.resolution IS
    'What became of the repaired record: stored, or duplicate if the table already had the event. The ledger then '
    'counts the record as that, and no longer as rejected.';
