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

COMMENT ON TABLE ecom.schema_history IS 'The migrations that were applied to this schema.';
COMMENT ON COLUMN ecom.schema_history.version IS 'Number of the migration, as in the name of its file.';
COMMENT ON COLUMN ecom.schema_history.name IS 'Name of the migration, as in the name of its file.';
COMMENT ON COLUMN ecom.schema_history.applied_on IS 'When it was applied, in RFC 3339.';
COMMENT ON COLUMN ecom.schema_history.checksum IS 'SipHash-1-3 of name, number and text of the migration, in decimal.';


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
    'What shoppers did, one row an event. Partitioned by event_time, by day unless ecom.settings has another width; see '
    'ecom.partitions and ecom.ensure_partitions.';
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
COMMENT ON COLUMN ecom.events.price IS
    'Price of one piece, in the currency of the shop; there for a purchase, unless the mapping of the pipeline lets it be absent.';
COMMENT ON COLUMN ecom.events.extra IS
    'What its file says besides, by the names of the columns there; null unless the mapping of the pipeline keeps it. '
    'SELECT extra ->> ''colour'' FROM ecom.events.';


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
COMMENT ON COLUMN ecom.dead_letters.resolved_at IS
    'When a repaired form of it went in again, in the transaction that stored the row; null while it waits.';
COMMENT ON COLUMN ecom.dead_letters.resolution IS
    'What became of the repaired form: stored, or duplicate where the table had the event already. In the ledger the record '
    'then counts as that, and as rejected no more.';
