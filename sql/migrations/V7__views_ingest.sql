-- How ingest goes.
--
--     pulse                                  the current state, in one row
--     ingest_balance                         totals per pipeline
--     ingest_status                          each file
--     ingest_aliases                         files that were copied or renamed
--     dead_letter_summary, reject_outcomes   rejected records
--
-- Numbers of rejected records count those that wait for repair, as the ledger does. Only reject_outcomes also counts
-- those that were repaired and retried. Running this file again changes nothing.

CREATE OR REPLACE VIEW ecom.pulse AS
SELECT
    now() AS at,
    recent.events AS events_last_minute,
    recent.users AS users_last_minute,
    recent.newest AS newest_event,
    now() - recent.newest AS event_lag,
    sold.orders AS orders_last_hour,
    sold.revenue AS revenue_last_hour,
    pipelines.epochs,
    now() - pipelines.committed_at AS since_commit,
    files.open AS files_open,
    files.damaged AS files_damaged,
    letters.records AS rejected_last_hour
FROM (
    SELECT count(*) AS events, count(DISTINCT e.user_id) AS users, max(e.event_time) AS newest
    FROM ecom.events e
    WHERE e.event_time >= now() - interval '1 minute' AND e.event_time < now() + interval '1 minute'
) recent
CROSS JOIN (
    SELECT count(*) AS orders, coalesce(sum(o.revenue), 0) AS revenue
    FROM ecom.orders(now() - interval '1 hour', now() + interval '1 minute') o
) sold
CROSS JOIN (
    SELECT coalesce(sum(p.epoch), 0)::bigint AS epochs, max(p.committed_at) AS committed_at FROM ecom.ingest_pipeline p
) pipelines
CROSS JOIN (
    SELECT count(*) FILTER (WHERE s.state = 'open') AS open, count(*) FILTER (WHERE s.state = 'damaged') AS damaged
    FROM ecom.ingest_split s
    WHERE s.state IN ('open', 'damaged')
) files
CROSS JOIN (
    SELECT count(*) AS records
    FROM ecom.dead_letters d
    WHERE d.rejected_at >= now() - interval '1 hour' AND d.resolved_at IS NULL
) letters;

COMMENT ON VIEW ecom.pulse IS 'The current state of ingest and sales, in one row: SELECT * FROM ecom.pulse \watch 1';
COMMENT ON COLUMN ecom.pulse.at IS 'Current time of the server.';
COMMENT ON COLUMN ecom.pulse.events_last_minute IS 'Number of events that happened in the last minute.';
COMMENT ON COLUMN ecom.pulse.users_last_minute IS 'Number of users with an event in the last minute.';
COMMENT ON COLUMN ecom.pulse.newest_event IS 'Time of the newest of these events. Null if there are none.';
COMMENT ON COLUMN ecom.pulse.event_lag IS 'Age of the newest of these events.';
COMMENT ON COLUMN ecom.pulse.orders_last_hour IS 'Number of orders in the last hour.';
COMMENT ON COLUMN ecom.pulse.revenue_last_hour IS
    'Revenue of these orders: sum of price times quantity, in the currency of the shop.';
COMMENT ON COLUMN ecom.pulse.epochs IS 'Number of transactions (epochs) that all pipelines have committed.';
COMMENT ON COLUMN ecom.pulse.since_commit IS 'Time since the last commit of any pipeline.';
COMMENT ON COLUMN ecom.pulse.files_open IS 'Number of files that may have more to read.';
COMMENT ON COLUMN ecom.pulse.files_damaged IS 'Number of files that were read up to damage.';
COMMENT ON COLUMN ecom.pulse.rejected_last_hour IS
    'Number of records that were rejected in the last hour and wait for repair.';


CREATE OR REPLACE VIEW ecom.ingest_balance AS
SELECT
    p.pipeline,
    count(s.split_id) AS files,
    count(*) FILTER (WHERE s.state = 'open') AS files_open,
    count(*) FILTER (WHERE s.state = 'finished') AS files_finished,
    count(*) FILTER (WHERE s.state = 'damaged') AS files_damaged,
    count(*) FILTER (WHERE s.state = 'set_aside') AS files_set_aside,
    coalesce(sum(s.read), 0)::bigint AS read,
    coalesce(sum(s.stored), 0)::bigint AS stored,
    coalesce(sum(s.duplicates), 0)::bigint AS duplicates,
    coalesce(sum(s.rejected), 0)::bigint AS rejected,
    coalesce(sum(s.filtered), 0)::bigint AS filtered,
    -- Checked per file, so that two errors cannot cancel each other out.
    coalesce(bool_and(s.read = s.stored + s.duplicates + s.rejected + s.filtered), true) AS balance_ok,
    p.epoch,
    p.committed_at
FROM ecom.ingest_pipeline p
LEFT JOIN ecom.ingest_split s ON s.pipeline = p.pipeline
GROUP BY p.pipeline, p.epoch, p.committed_at;

COMMENT ON VIEW ecom.ingest_balance IS 'Totals of files and records per pipeline.';
COMMENT ON COLUMN ecom.ingest_balance.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.ingest_balance.files IS 'Number of files. Each generation of a file is counted.';
COMMENT ON COLUMN ecom.ingest_balance.files_open IS 'Number of files that may have more to read.';
COMMENT ON COLUMN ecom.ingest_balance.files_finished IS 'Number of files that were read to their end.';
COMMENT ON COLUMN ecom.ingest_balance.files_damaged IS 'Number of files that were read up to damage.';
COMMENT ON COLUMN ecom.ingest_balance.files_set_aside IS 'Number of files that cannot be used.';
COMMENT ON COLUMN ecom.ingest_balance.read IS 'Number of records that have been read.';
COMMENT ON COLUMN ecom.ingest_balance.stored IS 'How many of the records read were stored.';
COMMENT ON COLUMN ecom.ingest_balance.duplicates IS 'How many of the records read had already been stored before.';
COMMENT ON COLUMN ecom.ingest_balance.rejected IS
    'How many of the records read were rejected and wait in ecom.dead_letters.';
COMMENT ON COLUMN ecom.ingest_balance.filtered IS
    'How many of the records read were left out by a filter of the pipeline.';
COMMENT ON COLUMN ecom.ingest_balance.balance_ok IS
    'Whether read = stored + duplicates + rejected + filtered holds for each single file.';
COMMENT ON COLUMN ecom.ingest_balance.epoch IS 'Number of the last transaction (epoch) that the pipeline committed.';
COMMENT ON COLUMN ecom.ingest_balance.committed_at IS 'Time of the last commit of the pipeline.';


CREATE OR REPLACE VIEW ecom.ingest_status AS
SELECT
    s.split_id,
    s.pipeline,
    s.source,
    s.path,
    s.generation,
    s.state,
    s.reason,
    s.detail,
    s.size,
    s.read_offset AS bytes_read,
    CASE
        WHEN s.size > 0 THEN least(round(100.0 * s.read_offset / s.size, 1), 100.0)
        WHEN s.state = 'finished' THEN 100.0
    END AS percent,
    s.read,
    s.stored,
    s.duplicates,
    s.rejected,
    s.filtered,
    s.read = s.stored + s.duplicates + s.rejected + s.filtered AS balance_ok,
    s.ignored_columns,
    s.mtime,
    s.first_seen_at,
    s.updated_at,
    s.finished_at,
    -- The clocks of two machines may differ.
    CASE WHEN s.mtime > s.updated_at THEN interval '0' ELSE s.updated_at - s.mtime END AS lag
FROM ecom.ingest_split s;

COMMENT ON VIEW ecom.ingest_status IS 'How far each file has been read, and what became of its records.';
COMMENT ON COLUMN ecom.ingest_status.split_id IS 'Number of the split, that is of one generation of a file.';
COMMENT ON COLUMN ecom.ingest_status.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.ingest_status.source IS 'Name of the source in the pipeline.';
COMMENT ON COLUMN ecom.ingest_status.path IS 'Path of the file, relative to the directory of the source.';
COMMENT ON COLUMN ecom.ingest_status.generation IS
    'How many times the path had received new content before. The first content has generation 0.';
COMMENT ON COLUMN ecom.ingest_status.state IS 'State of the file: open, finished, damaged or set_aside.';
COMMENT ON COLUMN ecom.ingest_status.reason IS 'Why the file is damaged or set aside, as a code to group by.';
COMMENT ON COLUMN ecom.ingest_status.detail IS 'Why the file is damaged or set aside, as a message to read.';
COMMENT ON COLUMN ecom.ingest_status.size IS
    'Size of the file in bytes when it was last read. Null if the source does not report it.';
COMMENT ON COLUMN ecom.ingest_status.bytes_read IS 'Number of bytes that were read and committed.';
COMMENT ON COLUMN ecom.ingest_status.percent IS 'Bytes read as a percentage of the size, from 0 to 100.';
COMMENT ON COLUMN ecom.ingest_status.read IS 'Number of records that have been read.';
COMMENT ON COLUMN ecom.ingest_status.stored IS 'How many of the records read were stored.';
COMMENT ON COLUMN ecom.ingest_status.duplicates IS 'How many of the records read had already been stored before.';
COMMENT ON COLUMN ecom.ingest_status.rejected IS
    'How many of the records read were rejected and wait in ecom.dead_letters.';
COMMENT ON COLUMN ecom.ingest_status.filtered IS
    'How many of the records read were left out by a filter of the pipeline.';
COMMENT ON COLUMN ecom.ingest_status.balance_ok IS
    'Whether read = stored + duplicates + rejected + filtered. False is a bug, unless a transform combines several '
    'records into one.';
COMMENT ON COLUMN ecom.ingest_status.ignored_columns IS 'Columns of the file that are ignored, as a JSON array of names.';
COMMENT ON COLUMN ecom.ingest_status.mtime IS 'Time of the last modification of the file.';
COMMENT ON COLUMN ecom.ingest_status.first_seen_at IS 'Time at which the file was added to the ledger.';
COMMENT ON COLUMN ecom.ingest_status.updated_at IS 'Time of the last commit of records of the file.';
COMMENT ON COLUMN ecom.ingest_status.finished_at IS
    'Time at which the file was read to its end or given up. Null while the state is open.';
COMMENT ON COLUMN ecom.ingest_status.lag IS
    'Time from the last modification of the file to the last commit of its records.';


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
    'Files that are known under another path: copies of a file that was already read, and files that were renamed '
    'while they were read.';
COMMENT ON COLUMN ecom.ingest_aliases.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.ingest_aliases.source IS 'Name of the source in the pipeline.';
COMMENT ON COLUMN ecom.ingest_aliases.path IS 'Path of the file, relative to the directory of the source.';
COMMENT ON COLUMN ecom.ingest_aliases.generation IS
    'How many times the path had received new content before. The first content has generation 0.';
COMMENT ON COLUMN ecom.ingest_aliases.copy_of IS
    'Path of a finished file that has the same bytes. Null if the file was renamed.';
COMMENT ON COLUMN ecom.ingest_aliases.renamed_to IS
    'New path of the file, under which it is read on. Null if the file is a copy.';
COMMENT ON COLUMN ecom.ingest_aliases.finished_at IS 'Time at which this was found.';


CREATE OR REPLACE VIEW ecom.dead_letter_summary AS
WITH summary AS (
    SELECT
        d.pipeline,
        d.reason,
        count(*) AS records,
        min(d.rejected_at) AS first_at,
        max(d.rejected_at) AS last_at,
        max(d.id) AS example_id
    FROM ecom.dead_letters d
    WHERE d.resolved_at IS NULL
    GROUP BY d.pipeline, d.reason
)
SELECT
    s.pipeline,
    s.reason,
    s.records,
    s.first_at,
    s.last_at,
    s.example_id,
    e.path AS example_path,
    e.record_no AS example_record_no,
    e.detail AS example_detail,
    left(e.raw_text, 200) AS example_text
FROM summary s
JOIN ecom.dead_letters e ON e.id = s.example_id
ORDER BY s.records DESC, s.pipeline, s.reason;

COMMENT ON VIEW ecom.dead_letter_summary IS
    'The rejected records that wait for repair, per pipeline and reason, with an example of each. Most frequent reason '
    'first.';
COMMENT ON COLUMN ecom.dead_letter_summary.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.dead_letter_summary.reason IS 'Why the records were rejected, as a code.';
COMMENT ON COLUMN ecom.dead_letter_summary.records IS
    'Number of records that were rejected for this reason and wait for repair.';
COMMENT ON COLUMN ecom.dead_letter_summary.first_at IS 'Time at which the first of them was rejected.';
COMMENT ON COLUMN ecom.dead_letter_summary.last_at IS 'Time at which the last of them was rejected.';
COMMENT ON COLUMN ecom.dead_letter_summary.example_id IS
    'Number in ecom.dead_letters of the last of them, which is the example.';
COMMENT ON COLUMN ecom.dead_letter_summary.example_path IS 'Path of the file that the example was read from.';
COMMENT ON COLUMN ecom.dead_letter_summary.example_record_no IS 'Number of the record of the example in that file.';
COMMENT ON COLUMN ecom.dead_letter_summary.example_detail IS 'Why the example was rejected, as a message to read.';
COMMENT ON COLUMN ecom.dead_letter_summary.example_text IS 'The example as text, at most the first 200 characters.';


CREATE OR REPLACE VIEW ecom.reject_outcomes AS
SELECT
    d.pipeline,
    d.reason,
    count(*) AS refused,
    count(*) FILTER (WHERE d.resolved_at IS NULL) AS waiting,
    count(*) FILTER (WHERE d.resolution = 'stored') AS stored,
    count(*) FILTER (WHERE d.resolution = 'duplicate') AS duplicates,
    max(d.rejected_at) AS last_refused_at,
    max(d.resolved_at) AS last_mended_at
FROM ecom.dead_letters d
GROUP BY d.pipeline, d.reason
ORDER BY waiting DESC, refused DESC, d.pipeline, d.reason;

COMMENT ON VIEW ecom.reject_outcomes IS
    'What became of rejected records, per pipeline and reason: how many wait for repair, and how many were repaired '
    'and retried. Dead letters that ecom-ingest retain has deleted are not counted.';
COMMENT ON COLUMN ecom.reject_outcomes.pipeline IS 'Name of the pipeline.';
COMMENT ON COLUMN ecom.reject_outcomes.reason IS 'Why the records were rejected, as a code.';
COMMENT ON COLUMN ecom.reject_outcomes.refused IS
    'Number of records that were rejected for this reason, repaired or not.';
COMMENT ON COLUMN ecom.reject_outcomes.waiting IS 'How many of them wait for repair.';
COMMENT ON COLUMN ecom.reject_outcomes.stored IS 'How many of them were repaired and stored.';
COMMENT ON COLUMN ecom.reject_outcomes.duplicates IS
    'How many of them were repaired and turned out to be stored already.';
COMMENT ON COLUMN ecom.reject_outcomes.last_refused_at IS 'Time at which the last of them was rejected.';
COMMENT ON COLUMN ecom.reject_outcomes.last_mended_at IS
    'Time at which the last repaired record was loaded. Null if none was repaired.';
