//! The ledger of a pipeline as its source and its operators read it: positions, finished files
//! and state.
//!
//! It only reads. The ledger is written by the transactions of epochs, in `write/session.rs`.
//! Nothing here loads the whole ledger: a source asks for the files that it sees, so that a
//! ledger of millions of files costs no memory. A finished file that `retain` took out of the
//! ledger is known by its row in `ecom.ingest_pruned`, and has a position all the same.

use std::sync::Arc;

use async_stream::try_stream;
use ecom_stream::{
    Error, ErrorKind, Ledger, MAX_FINISHED_CANDIDATES, MAX_UNFINISHED_CANDIDATES, Mark, Position, Refusal, Result,
    Split, SplitCandidates, SplitState, StateChange,
};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, StreamExt};
use tokio_postgres::Row;

use super::leader::Leader;
use crate::connect::TextEncoding;

/// The ledger of one pipeline.
#[derive(Debug, Clone)]
pub(crate) struct PgLedger {
    pub(crate) leader: Arc<Leader>,
    /// Whether operators of the pipeline keep state. What enters it counts as filtered.
    pub(crate) has_state: bool,
}

// In these queries LIMIT keeps the server from turning the join around: a plan that was made when
// the ledger was small would read all of it for each query.

/// The newest generation of each path that is asked for. A file that has left the ledger has a
/// mark with what is kept of it.
const POSITIONS: &str = "
    SELECT found.*
    FROM unnest($2::text[], $3::text[]) AS asked (source, path), LATERAL (
        (SELECT s.source, s.path, s.generation, s.read_offset, s.record_no, s.state, s.reason, s.detail, s.mark::text,
                false AS pruned
         FROM ecom.ingest_split s
         WHERE s.pipeline = $1 AND s.source = asked.source AND s.path = asked.path
         ORDER BY s.generation DESC LIMIT 1)
        UNION ALL
        (SELECT p.source, asked.path, p.generation, p.size, p.record_no, 'finished', NULL, NULL,
                json_build_object('size', p.size, 'mtime_ns', 0, 'inode', 0, 'unterminated', p.unterminated,
                                  'digest', encode(p.digest, 'hex'))::text,
                true
         FROM ecom.ingest_pruned p
         WHERE p.path_hash = hashtextextended(asked.path COLLATE \"C\", 0) AND p.pipeline = $1 AND p.source = asked.source
         ORDER BY p.generation DESC LIMIT 1)
        ORDER BY generation DESC, pruned LIMIT 1
    ) found";

/// The unfinished splits, and, in rows of their own, those of the given sizes that some finished
/// split has. Each size takes one look into an index, however many splits have it. It is one
/// query and not two, since a file that comes alone waits for the answer.
const ALIKE: &str = "
    (SELECT s.source, s.path, s.generation, s.read_offset, s.record_no, s.state, s.reason, s.detail, s.mark::text,
            NULL::int8 AS finished_size
     FROM ecom.ingest_split s
     WHERE s.pipeline = $1 AND s.source = $2 AND s.state IN ('open', 'damaged')
     ORDER BY s.split_id DESC LIMIT $4)
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, asked.size
    FROM unnest($3::int8[]) AS asked (size), LATERAL (
        (SELECT true FROM ecom.ingest_split s
         WHERE s.pipeline = $1 AND s.source = $2 AND s.finished_size = asked.size LIMIT 1)
        UNION ALL
        (SELECT true FROM ecom.ingest_pruned p
         WHERE p.size = asked.size AND p.pipeline = $1 AND p.source = $2 LIMIT 1)
        LIMIT 1
    ) found";

/// Finished splits with one of the given sizes and digests. The hash of the digest is in the
/// index, the digest itself is compared. Of a file that has left the ledger the path is not known:
/// the digest takes its place.
const FINISHED: &str = "
    SELECT found.*
    FROM unnest($3::int8[], $4::text[]) AS asked (size, digest), LATERAL (
        (SELECT s.source, s.path, s.generation, s.read_offset, s.record_no, s.state, s.reason, s.detail, s.mark::text
         FROM ecom.ingest_split s
         WHERE s.pipeline = $1 AND s.source = $2 AND s.finished_size = asked.size
           AND s.finished_digest_hash = hashtextextended(asked.digest COLLATE \"C\", 0) AND s.digest = asked.digest
         ORDER BY s.split_id DESC LIMIT $5)
        UNION ALL
        (SELECT p.source, 'pruned:' || left(asked.digest, 16), 0, p.size, p.record_no, 'finished', NULL, NULL,
                json_build_object('size', p.size, 'mtime_ns', 0, 'inode', 0, 'unterminated', p.unterminated,
                                  'digest', asked.digest, 'copy_of', 'pruned:' || left(asked.digest, 16))::text
         FROM ecom.ingest_pruned p
         WHERE p.size = asked.size AND p.pipeline = $1 AND p.source = $2
           AND hashtextextended(encode(p.digest, 'hex') COLLATE \"C\", 0) = hashtextextended(asked.digest COLLATE \"C\", 0)
           AND encode(p.digest, 'hex') = asked.digest
         LIMIT 1)
    ) found";

/// Those of the given splits of which records were read and nothing was stored, and copies of such files; and whether this role
/// may withdraw them. If $5, filtered records count as stored. A copy has the digest of the file that was read: of the files with
/// this digest, some of the oldest are looked at, since thousands may be copies. What has left the ledger counts as stored, and
/// so do records that were read under the former name of a file.
const NOTHING_STORED: &str = "
    SELECT asked.source, asked.path, asked.generation,
           coalesce(has_function_privilege(to_regprocedure('ecom.withdraw_splits(bigint[],integer)'), 'EXECUTE'), false)
    FROM unnest($2::text[], $3::text[], $4::int4[]) AS asked (source, path, generation), LATERAL (
        SELECT s.read, s.record_no, s.stored, s.duplicates, s.filtered, s.state, s.copy_of, s.finished_size, s.finished_digest_hash, s.digest
        FROM ecom.ingest_split s
        WHERE s.pipeline = $1 AND s.source = asked.source AND s.path = asked.path AND s.generation = asked.generation
        LIMIT 1
    ) s
    WHERE s.state <> 'withdrawn' AND s.stored = 0 AND s.duplicates = 0 AND NOT ($5 AND s.filtered > 0)
        AND (s.read > 0 AND s.read = s.record_no OR s.copy_of IS NOT NULL AND (
            SELECT count(*) > 0 AND bool_and(o.read = o.record_no AND o.stored = 0 AND o.duplicates = 0
                                             AND NOT ($5 AND o.filtered > 0))
            FROM (
                SELECT o.read, o.record_no, o.stored, o.duplicates, o.filtered FROM ecom.ingest_split o
                WHERE o.pipeline = $1 AND o.source = asked.source AND o.finished_size = s.finished_size
                    AND o.finished_digest_hash = s.finished_digest_hash AND o.digest = s.digest
                ORDER BY o.split_id LIMIT $6
            ) o
            WHERE o.read > 0
        ) AND NOT EXISTS (
            SELECT FROM ecom.ingest_pruned p
            WHERE p.size = s.finished_size AND p.pipeline = $1 AND p.source = asked.source
                AND hashtextextended(encode(p.digest, 'hex') COLLATE \"C\", 0) = s.finished_digest_hash
                AND encode(p.digest, 'hex') = s.digest
        ))";

/// The saved state of one operator.
const STATE: &str = "SELECT key, format::int4, value FROM ecom.operator_state WHERE pipeline = $1 AND operator = $2";

impl Ledger for PgLedger {
    fn pipeline(&self) -> &str {
        self.leader.pipeline()
    }

    fn positions<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Position>>> {
        async move {
            let encoding = self.leader.encoding();
            let (sources, paths): (Vec<&str>, Vec<_>) = of
                .iter()
                .map(|split| (split.source(), encoding.store(split.path())))
                .unzip();
            let rows = self
                .leader
                .query(POSITIONS, &[&self.leader.pipeline(), &sources, &paths])
                .await?;
            rows.iter().map(|row| position(row, encoding)).collect()
        }
        .boxed()
    }

    fn candidates<'a>(&'a self, source: &'a str, sizes: &'a [u64]) -> BoxFuture<'a, Result<SplitCandidates>> {
        async move {
            let (pipeline, most) = (self.leader.pipeline(), MAX_UNFINISHED_CANDIDATES as i64);
            let sizes: Vec<i64> = sizes.iter().filter_map(|size| i64::try_from(*size).ok()).collect();
            let mut alike = SplitCandidates::default();
            for row in self.leader.query(ALIKE, &[&pipeline, &source, &sizes, &most]).await? {
                match row.get::<_, Option<i64>>(9) {
                    Some(size) => alike.finished_sizes.push(size as u64),
                    None => alike.unfinished.push(position(&row, self.leader.encoding())?),
                }
            }
            Ok(alike)
        }
        .boxed()
    }

    fn finished_by_digest<'a>(
        &'a self,
        source: &'a str,
        of: &'a [(u64, String)],
    ) -> BoxFuture<'a, Result<Vec<Position>>> {
        async move {
            let sizes: Vec<i64> = of
                .iter()
                .map(|(size, _)| i64::try_from(*size).unwrap_or(i64::MAX))
                .collect();
            let digests: Vec<&str> = of.iter().map(|(_, digest)| digest.as_str()).collect();
            let rows = self
                .leader
                .query(
                    FINISHED,
                    &[
                        &self.leader.pipeline(),
                        &source,
                        &sizes,
                        &digests,
                        &(MAX_FINISHED_CANDIDATES as i64),
                    ],
                )
                .await?;
            rows.iter().map(|row| position(row, self.leader.encoding())).collect()
        }
        .boxed()
    }

    fn nothing_stored<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Split>>> {
        async move {
            let encoding = self.leader.encoding();
            let sources: Vec<&str> = of.iter().map(|split| split.source()).collect();
            let paths: Vec<_> = of.iter().map(|split| encoding.store(split.path())).collect();
            let generations: Vec<i32> = of.iter().map(|split| split.generation() as i32).collect();
            let rows = self
                .leader
                .query(
                    NOTHING_STORED,
                    &[
                        &self.leader.pipeline(),
                        &sources,
                        &paths,
                        &generations,
                        &self.has_state,
                        &(MAX_FINISHED_CANDIDATES as i64),
                    ],
                )
                .await?;
            if rows.iter().any(|row| !row.get::<_, bool>(3)) {
                tracing::warn!(
                    "files of which nothing was stored are not read again, since this role may not withdraw their rejects: \
                     GRANT EXECUTE ON FUNCTION ecom.withdraw_splits(bigint[], integer), or run sql/roles.sql again"
                );
                return Ok(Vec::new());
            }
            let split = |row: &Row| {
                let (path, generation): (String, i32) = (encoding.load(row.get(1)), row.get(2));
                Split::with_generation(row.get::<_, &str>(0), path, generation as u32)
            };
            Ok(rows.iter().map(split).collect())
        }
        .boxed()
    }

    fn state<'a>(&'a self, operator: &'a str) -> BoxStream<'a, Result<StateChange>> {
        try_stream! {
            let rows = self.leader.query(STATE, &[&self.leader.pipeline(), &operator]).await?;
            let operator: Arc<str> = operator.into();
            for row in rows {
                yield StateChange::new(operator.clone(), row.get(0), u16::try_from(row.get::<_, i32>(1)).unwrap_or(u16::MAX), Some(row.get(2)));
            }
        }
        .boxed()
    }
}

/// The position in a row of these queries.
///
/// # Errors
///
/// `Schema` when the row has a state that only a newer version knows.
fn position(row: &Row, encoding: TextEncoding) -> Result<Position> {
    let (source, path): (&str, String) = (row.get(0), encoding.load(row.get(1)));
    let generation: i32 = row.get(2);
    let split = Split::with_generation(source, path, generation as u32);
    let refusal = || {
        let reason: Option<String> = row.get(6);
        let detail: Option<String> = row.get(7);
        Refusal::new(
            encoding.load(reason.unwrap_or_default()),
            encoding.load(detail.unwrap_or_default()),
        )
    };
    let state = match row.get(5) {
        "open" => SplitState::Open,
        "finished" => SplitState::Finished,
        "damaged" => SplitState::Damaged(refusal()),
        "set_aside" => SplitState::SetAside(refusal()),
        "withdrawn" => SplitState::Withdrawn,
        other => {
            let message = format!("the ledger has the state {other:?} for {split}, which this version does not know");
            return Err(Error::new(ErrorKind::Schema, message).hint("a newer version has written it: use that version"));
        }
    };
    let mark: Option<String> = row.get(8);
    let (offset, record) = (row.get::<_, i64>(3) as u64, row.get::<_, i64>(4) as u64);
    Ok(Position::new(split, offset, record)
        .with_state(state)
        .with_mark(mark.map_or(Mark::NONE, |mark| Mark::new(encoding.load(mark)))))
}
