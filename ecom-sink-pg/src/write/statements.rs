//! The SQL statements of an epoch's transaction, and their parameters.
//!
//! Rows are passed as arrays, one for each column, and expanded by `unnest`: one statement for
//! any number of rows, with one plan.

use std::borrow::Cow;

use ecom_stream::StateChange;
use postgres_types::ToSql;

use crate::connect::TextEncoding;
use crate::epoch::{DeadLetterRow, SplitDelta};

/// Creates the partitions of days that have none.
pub(crate) const ENSURE_PARTITIONS: &str = "SELECT ecom.ensure_partitions($1::date[])";

/// Copies events. The columns are those of `COLUMNS` in `epoch/row.rs`, in the same order.
pub(crate) const COPY: &str = "
    COPY ecom.events (event_time, processed_at, split_id, record_no, event_id, quantity, event_type, user_id,
                      session_id, product_id, product_name, category, brand, price)
    FROM STDIN (FORMAT binary)";

/// The same with `FURTHER_COLUMNS`, for epochs in which an event has one of them.
pub(crate) const COPY_WITH_FURTHER: &str = "
    COPY ecom.events (event_time, processed_at, split_id, record_no, event_id, quantity, event_type, user_id,
                      session_id, product_id, product_name, category, brand, price, order_id, currency,
                      line_total, extra)
    FROM STDIN (FORMAT binary)";

/// Inserts dead letters.
pub(crate) const DEAD_LETTERS: &str = "
    INSERT INTO ecom.dead_letters
           (pipeline, epoch, split_id, path, record_no, byte_offset, reason, detail, raw, raw_text)
    SELECT $1, $2, l.*
    FROM unnest($3::int8[], $4::text[], $5::int8[], $6::int8[], $7::text[], $8::text[], $9::bytea[], $10::text[]) AS l";

/// Withdraws splits: their dead letters, at most $2 at once, and then their counts. Returns how many letters it has resolved, or
/// -1 if something of one of the splits was stored.
pub(crate) const WITHDRAW: &str = "SELECT ecom.withdraw_splits($1::int8[], $2::int4)";

/// Deletes entries of operator state. If one of them stays, it divides by zero.
///
/// As in [`SPLITS`], LIMIT makes the server look up one entry after the other: by itself it would
/// read all of them if its statistics say that there are few.
pub(crate) const FORGET_STATE: &str = "
    WITH known AS MATERIALIZED (
        SELECT found.ctid
        FROM unnest($2::text[], $3::bytea[]) AS gone (operator, key), LATERAL (
            SELECT s.ctid FROM ecom.operator_state s
            WHERE s.pipeline = $1 AND s.operator = gone.operator AND s.key = gone.key
            LIMIT 1
        ) found),
    forgotten AS (
        DELETE FROM ecom.operator_state WHERE ctid = ANY (ARRAY(SELECT k.ctid FROM known k))
        RETURNING 1)
    SELECT 1 / ((SELECT count(*) FROM forgotten) = (SELECT count(*) FROM known))::int";

/// Inserts or replaces entries of operator state. If one of them is not stored, it divides by zero.
pub(crate) const KEEP_STATE: &str = "
    WITH kept AS (
        INSERT INTO ecom.operator_state (pipeline, epoch, operator, key, format, value)
        SELECT $1, $2, k.* FROM unnest($3::text[], $4::bytea[], $5::int4[], $6::bytea[]) AS k
        ON CONFLICT (pipeline, operator, key)
        DO UPDATE SET format = excluded.format, value = excluded.value, epoch = excluded.epoch
        RETURNING 1)
    SELECT 1 / (count(*) = cardinality($3))::int FROM kept";

/// Adds the counts of an epoch to those of its splits, and sets their positions. A position stays
/// as it is if the epoch has none. If one of the rows is not stored, it divides by zero.
pub(crate) const SPLITS: &str = "
    WITH written AS (
    INSERT INTO ecom.ingest_split AS s
           (pipeline, split_id, source, path, generation, state, reason, detail, read_offset, record_no, mark,
            read, stored, duplicates, rejected, filtered, finished_at)
    SELECT $1, n.split_id, n.source, n.path, n.generation, coalesce(n.state, old.state, 'open'), n.reason, n.detail,
           coalesce(n.read_offset, old.read_offset, 0), coalesce(n.record_no, old.record_no, 0),
           coalesce(n.mark::json, old.mark), n.read, n.stored, n.duplicates, n.rejected, n.filtered,
           CASE WHEN coalesce(n.state, old.state, 'open') <> 'open' THEN now() END
    FROM unnest($2::int8[], $3::text[], $4::text[], $5::int4[], $6::text[], $7::text[], $8::text[], $9::int8[],
                $10::int8[], $11::text[], $12::int8[], $13::int8[], $14::int8[], $15::int8[], $16::int8[])
         AS n (split_id, source, path, generation, state, reason, detail, read_offset, record_no, mark,
               read, stored, duplicates, rejected, filtered)
    LEFT JOIN LATERAL (
        SELECT s.state, s.read_offset, s.record_no, s.mark FROM ecom.ingest_split s WHERE s.split_id = n.split_id LIMIT 1
    ) old ON true
    ON CONFLICT (split_id) DO UPDATE SET
           state = excluded.state, reason = excluded.reason, detail = excluded.detail,
           read_offset = excluded.read_offset, record_no = excluded.record_no, mark = excluded.mark,
           read = s.read + excluded.read, stored = s.stored + excluded.stored,
           duplicates = s.duplicates + excluded.duplicates, rejected = s.rejected + excluded.rejected,
           filtered = s.filtered + excluded.filtered,
           finished_at = excluded.finished_at, updated_at = now()
    RETURNING 1)
    SELECT 1 / (count(*) = cardinality($2))::int FROM written";

/// Advances the row of the pipeline. It must update exactly one row: otherwise another instance
/// leads, or this transaction is not what it seems. In that case it divides by zero, which turns
/// the COMMIT that was sent with it into a rollback. So do the statements above.
pub(crate) const ADVANCE: &str = "
    WITH advanced AS (
        UPDATE ecom.ingest_pipeline SET epoch = $4, committed_at = now()
        WHERE pipeline = $1 AND fence = $2 AND epoch = $3 AND holder_id = $5
        RETURNING epoch)
    SELECT 1 / count(*) FROM advanced";

/// The parameters of a statement.
type Params<'a> = Vec<&'a (dyn ToSql + Sync)>;

/// The most bytes of input in the dead letters of a statement. A message to the server takes many times its bytes: it is
/// written, and then copied into the buffer of its connection.
const PIECE_BYTES: usize = 256 << 10;

/// The dead letters of an epoch in pieces, each for a statement of its own.
pub(crate) fn pieces(letters: &[DeadLetterRow]) -> impl Iterator<Item = &[DeadLetterRow]> {
    let mut rest = letters;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let raw = |letter: &DeadLetterRow| letter.reject.origin.as_ref().map_or(0, |origin| origin.raw.len());
        let fits = |letter: &&DeadLetterRow| {
            bytes += raw(letter);
            bytes <= PIECE_BYTES
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (piece, others) = rest.split_at_checked(count)?;
        rest = others;
        Some(piece)
    })
}

/// Dead letters, column by column.
#[derive(Debug, Default)]
pub(crate) struct DeadLetterColumns<'a> {
    split_ids: Vec<Option<i64>>,
    paths: Vec<Option<Cow<'a, str>>>,
    record_nos: Vec<Option<i64>>,
    byte_offsets: Vec<Option<i64>>,
    reasons: Vec<Cow<'a, str>>,
    details: Vec<String>,
    raws: Vec<Option<&'a [u8]>>,
    raw_texts: Vec<Option<String>>,
}

impl<'a> DeadLetterColumns<'a> {
    pub(crate) fn new(letters: &'a [DeadLetterRow], encoding: TextEncoding) -> Self {
        let mut columns = Self::default();
        for DeadLetterRow { reject, split_id } in letters {
            let origin = reject.origin.as_ref();
            columns.split_ids.push(*split_id);
            columns
                .paths
                .push(origin.map(|origin| encoding.store(origin.split.path())));
            columns.record_nos.push(origin.map(|origin| origin.record as i64));
            columns
                .byte_offsets
                .push(origin.map(|origin| origin.byte_offset as i64));
            columns.reasons.push(encoding.store(reject.refusal.reason.as_str()));
            columns.details.push(storable(&reject.refusal.detail, encoding));
            columns.raws.push(origin.map(|origin| &*origin.raw));
            columns
                .raw_texts
                .push(origin.map(|origin| storable(&String::from_utf8_lossy(&origin.raw), encoding)));
        }
        columns
    }

    /// The parameters of [`DEAD_LETTERS`].
    pub(crate) fn params<'b>(&'b self, pipeline: &'b &str, epoch: &'b i64) -> Params<'b> {
        vec![
            pipeline,
            epoch,
            &self.split_ids,
            &self.paths,
            &self.record_nos,
            &self.byte_offsets,
            &self.reasons,
            &self.details,
            &self.raws,
            &self.raw_texts,
        ]
    }
}

/// A text that the server accepts: its texts cannot contain NUL, nor what its encoding lacks.
fn storable(text: &str, encoding: TextEncoding) -> String {
    encoding.store(&text.replace('\0', "\u{fffd}")).into_owned()
}

/// Changes of operator state, column by column: deleted entries, then entries that are set.
#[derive(Debug, Default)]
pub(crate) struct StateColumns<'a> {
    gone_operators: Vec<&'a str>,
    gone_keys: Vec<&'a [u8]>,
    operators: Vec<&'a str>,
    keys: Vec<&'a [u8]>,
    formats: Vec<i32>,
    values: Vec<&'a [u8]>,
}

impl<'a> StateColumns<'a> {
    pub(crate) fn new(changes: impl Iterator<Item = &'a StateChange>) -> Self {
        let mut columns = Self::default();
        for change in changes {
            match &change.value {
                Some(value) => {
                    columns.operators.push(&change.operator);
                    columns.keys.push(&change.key);
                    columns.formats.push(change.format.into());
                    columns.values.push(value);
                }
                None => {
                    columns.gone_operators.push(&change.operator);
                    columns.gone_keys.push(&change.key);
                }
            }
        }
        columns
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.operators.is_empty() && self.gone_operators.is_empty()
    }

    /// The parameters of [`FORGET_STATE`].
    pub(crate) fn forget_params<'b>(&'b self, pipeline: &'b &str) -> Params<'b> {
        vec![pipeline, &self.gone_operators, &self.gone_keys]
    }

    /// The parameters of [`KEEP_STATE`].
    pub(crate) fn keep_params<'b>(&'b self, pipeline: &'b &str, epoch: &'b i64) -> Params<'b> {
        vec![
            pipeline,
            epoch,
            &self.operators,
            &self.keys,
            &self.formats,
            &self.values,
        ]
    }
}

/// What an epoch does to splits, column by column.
#[derive(Debug, Default)]
pub(crate) struct SplitColumns<'a> {
    split_ids: Vec<i64>,
    sources: Vec<&'a str>,
    paths: Vec<Cow<'a, str>>,
    generations: Vec<i32>,
    states: Vec<Option<&'a str>>,
    reasons: Vec<Option<Cow<'a, str>>>,
    details: Vec<Option<String>>,
    offsets: Vec<Option<i64>>,
    record_nos: Vec<Option<i64>>,
    marks: Vec<Option<Cow<'a, str>>>,
    /// Read, stored, duplicates, rejected and filtered.
    counts: [Vec<i64>; 5],
}

impl<'a> SplitColumns<'a> {
    pub(crate) fn new(progress: &'a [SplitDelta], encoding: TextEncoding) -> Self {
        let mut columns = Self::default();
        for of in progress {
            let position = of.position.as_ref();
            let refusal = position.and_then(|position| position.state.refusal());
            columns.split_ids.push(of.split_id);
            columns.sources.push(of.split.source());
            columns.paths.push(encoding.store(of.split.path()));
            columns.generations.push(of.split.generation() as i32);
            columns.states.push(position.map(|position| position.state.as_str()));
            columns
                .reasons
                .push(refusal.map(|refusal| encoding.store(refusal.reason.as_str())));
            columns
                .details
                .push(refusal.map(|refusal| storable(&refusal.detail, encoding)));
            columns.offsets.push(position.map(|position| position.offset as i64));
            columns.record_nos.push(position.map(|position| position.record as i64));
            columns.marks.push(
                position
                    .and_then(|position| position.mark.as_json())
                    .map(|mark| encoding.store(mark)),
            );
            let counts = &of.counts;
            let counted = [
                counts.read,
                counts.stored,
                counts.duplicates,
                counts.rejected,
                counts.filtered,
            ];
            for (column, count) in columns.counts.iter_mut().zip(counted) {
                column.push(count as i64);
            }
        }
        columns
    }

    /// The parameters of [`SPLITS`].
    pub(crate) fn params<'b>(&'b self, pipeline: &'b &str) -> Params<'b> {
        let mut params: Params<'b> = vec![
            pipeline,
            &self.split_ids,
            &self.sources,
            &self.paths,
            &self.generations,
            &self.states,
            &self.reasons,
            &self.details,
            &self.offsets,
            &self.record_nos,
            &self.marks,
        ];
        params.extend(self.counts.iter().map(|column| column as &(dyn ToSql + Sync)));
        params
    }
}

#[cfg(test)]
mod tests {
    use ecom_stream::{Origin, Refusal, Reject, Split};

    use super::*;
    use crate::epoch::{COLUMNS, FURTHER_COLUMNS};

    #[test]
    fn copy_lists_the_columns_in_the_order_of_the_encoding() {
        let listed = |copy: &'static str| -> Vec<&str> {
            let listed = copy.split(['(', ')']).nth(1).unwrap();
            listed.split(',').map(str::trim).collect()
        };
        assert_eq!(listed(COPY), COLUMNS);
        let all: Vec<&str> = COLUMNS.into_iter().chain(FURTHER_COLUMNS).collect();
        assert_eq!(listed(COPY_WITH_FURTHER), all);
    }

    #[test]
    fn long_dead_letters_are_inserted_by_a_few() {
        let letter = |bytes: usize| DeadLetterRow {
            reject: Reject::new(
                Origin::new(Split::new("csv", "a.csv"), 1, 0, vec![b'x'; bytes]),
                Refusal::new("product_name_too_long", ""),
            ),
            split_id: Some(1),
        };
        let lengths = |bytes: &[usize]| -> Vec<usize> {
            let letters: Vec<DeadLetterRow> = bytes.iter().map(|&bytes| letter(bytes)).collect();
            pieces(&letters).map(<[_]>::len).collect()
        };
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&[100; 2_000]), [2_000]);
        assert_eq!(lengths(&[60_000; 10]), [4, 4, 2]);
        assert_eq!(
            lengths(&[PIECE_BYTES + 1, 1, PIECE_BYTES, PIECE_BYTES + 1]),
            [1, 1, 1, 1]
        );
    }
}
