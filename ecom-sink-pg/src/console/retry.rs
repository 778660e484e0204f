//! Retries records that were corrected, exactly once.
//!
//! A row, its dead letter and the counts of its file change in one transaction, and a dead letter
//! that is resolved is skipped. So a file can be retried any number of times, also after a crash
//! or a lost answer.
//!
//! Each transaction stores up to 500 rows: it locks the dead letters that are open, inserts the
//! events, adjusts the counts of their files, and marks the dead letters as resolved.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use ecom_stream::{
    Columns, CsvRecord, Error, ErrorKind, Event, Header, Mapping, Origin, Reason, Record, Refusal, Result, Rules,
    Split, crash_point, read_csv,
};
use futures::StreamExt;
use postgres_types::ToSql;
use time::{Date, OffsetDateTime};
use tokio_postgres::Client;
use uuid::Uuid;

use super::columns::{COLUMNS, ID};
use super::console::{Console, DEADLINE};
use super::corrected_file::{cant_open, header, unreadable};
use super::dead_letters::{DeadLetter, DeadLetterFilter, among};
use super::resolve::{OPEN, RESOLVE, check_count, resolve_filtered};
use super::retried::{Retried, StillRejected, retry_error};
use crate::connect::{BY_KEY, Connection};
use crate::failure::{Action, Blame, Failure, Step};
use crate::schema;
use crate::write::ENSURE_PARTITIONS;

/// A row of the corrected file, and the dead letter that it belongs to.
struct CorrectedRow {
    record: u64,
    letter: DeadLetter,
    event: Event,
}

/// How many rows a transaction stores.
const AT_ONCE: usize = 500;

/// Inserts events, and returns the keys of those that were new.
const INSERT: &str = "
    INSERT INTO ecom.events (event_time, processed_at, split_id, record_no, event_id, quantity, event_type, user_id,
                             session_id, product_id, product_name, category, brand, price, order_id, currency,
                             line_total, extra)
    SELECT n.event_time, now(), n.split_id, n.record_no, n.event_id, n.quantity, n.event_type, n.user_id, n.session_id,
           n.product_id, n.product_name, n.category, n.brand, n.price::numeric,
           n.order_id, n.currency, n.line_total::numeric, n.extra::jsonb
    FROM unnest($1::timestamptz[], $2::int8[], $3::int8[], $4::uuid[], $5::int4[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
                $17::text[])
         AS n (event_time, split_id, record_no, event_id, quantity, event_type, user_id, session_id, product_id,
               product_name, category, brand, price, order_id, currency, line_total, extra)
    ORDER BY n.event_id, n.event_time
    ON CONFLICT (event_id, event_time) DO NOTHING
    RETURNING event_id, event_time";

/// Counts the events of the given keys that the table has.
const STORED: &str = "
    SELECT count(*) FROM unnest($1::uuid[], $2::timestamptz[]) AS k (event_id, event_time), LATERAL (
        SELECT FROM ecom.events e WHERE e.event_id = k.event_id AND e.event_time = k.event_time LIMIT 1
    ) found";

/// Moves records from rejected to stored or duplicates, so that the counts stay balanced. Returns
/// how many rows of the ledger it has found, and how many of them it has changed.
const COUNT: &str = "
    WITH counted AS (
        UPDATE ecom.ingest_split s
        SET rejected = s.rejected - ($2::int8[])[array_position($1::int8[], s.split_id)]
                                  - ($3::int8[])[array_position($1::int8[], s.split_id)],
            stored = s.stored + ($2::int8[])[array_position($1::int8[], s.split_id)],
            duplicates = s.duplicates + ($3::int8[])[array_position($1::int8[], s.split_id)]
        WHERE s.split_id = ANY ($1::int8[])
        RETURNING 1)
    SELECT (SELECT count(*) FROM ecom.ingest_split WHERE split_id = ANY ($1)), (SELECT count(*) FROM counted)";

/// An epoch may hold locks on the rows of the ledger, but not for long.
const PATIENCE: &str = "SET lock_timeout = '10s'";

impl Console {
    /// Stores the rows of a file that [`export`](Self::export) wrote and somebody corrected. Each
    /// row is checked with `mapping` and `rules` as if it were in its original file, and gets the
    /// same id if it has none. A row whose file was read with a mapping is rejected without one.
    /// If its file was read with another mapping, or without any, a warning is logged.
    ///
    /// In the ledger, a row that is stored now counts as stored or as a duplicate, and no longer
    /// as rejected. A row whose dead letter was resolved earlier, by this file or another,
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`status`](Self::status); [`ErrorKind::Configuration`] when the mapping names
    /// columns that the file does not have; [`ErrorKind::Source`] when the file cannot be read or
    /// has no column `reject_id`; [`ErrorKind::Schema`] when the role lacks a privilege. Rows
    /// that were stored before the error stay stored.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, some rows may be stored already. Retry the file again: they
    /// are skipped.
    pub async fn retry(&self, file: &Path, mapping: Option<&Mapping>, rules: Rules) -> Result<Retried> {
        let mut revalidator = Revalidator {
            columns: mapping.map(Mapping::columns),
            fingerprint: mapping.map(Mapping::fingerprint),
            warned_of: HashSet::new(),
            rules: match mapping {
                Some(mapping) => rules.mapping(mapping.clone()),
                None => rules,
            },
        };
        let input = tokio::fs::File::open(file).await.map_err(|err| cant_open(file, err))?;
        let mut connection = self.session_to_write().await?;
        let split = Split::new("file", file.display().to_string());
        let mut rows = pin!(read_csv(input, split, Columns::any()));
        let header = header(file).await?;
        let mut retried = Retried::default();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            retried
                .rejected
                .extend(unreadable(&connection, batch.rejects, &header).await?);
            for records in batch.records.chunks(AT_ONCE) {
                let (corrected, left_out) =
                    corrected_rows(&connection, records, &mut revalidator, &mut retried).await?;
                let filtered = resolve_filtered(&connection.client, &left_out).await;
                retried.add(filtered.map_err(retry_error)?);
                self.store(&mut connection, corrected, &mut retried).await?;
            }
        }
        retried.rejected.sort_by_key(|refused| refused.record);
        Ok(retried)
    }

    /// A session that may write, after a check of the schema.
    async fn session_to_write(&self) -> Result<Connection> {
        let connection = self.connector().connect_within(self.database.wait_for_server).await?;
        schema::check(&connection.client).await?;
        let settings = format!("{BY_KEY}; {PATIENCE}");
        let patient = DEADLINE
            .of("connecting", connection.client.batch_execute(&settings))
            .await;
        patient.map_err(retry_error)?;
        Ok(connection)
    }

    /// Stores rows in one transaction, or one by one if the server rejects one of them.
    async fn store(&self, connection: &mut Connection, rows: Vec<CorrectedRow>, retried: &mut Retried) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let failure = match try_store(&connection.client, &rows).await {
            Ok(done) => {
                retried.add(done);
                return Ok(());
            }
            Err(failure) => failure,
        };
        *connection = self.session_to_write().await?;
        if !is_of_a_row(&failure) {
            return Err(retry_error(failure));
        }
        for one in rows {
            let (record, letter) = (one.record, one.letter.clone());
            match try_store(&connection.client, &[one]).await {
                Ok(done) => retried.add(done),
                Err(failure) if is_of_a_row(&failure) => {
                    let code = failure
                        .state()
                        .map(|state| state.code().to_lowercase())
                        .unwrap_or_default();
                    let refusal = Refusal::new(format!("sqlstate_{code}"), failure.detail());
                    retried.rejected.push(StillRejected::of(record, &letter, refusal));
                    *connection = self.session_to_write().await?;
                }
                Err(failure) => return Err(retry_error(failure)),
            }
        }
        Ok(())
    }
}

/// Whether a row is to blame, so that the others can be stored without it.
fn is_of_a_row(failure: &Failure) -> bool {
    // A day for which no partition can be made.
    let is_of_its_time =
        failure.step() == Step::Partitions && failure.state().is_some_and(|state| state.code().starts_with("22"));
    let is_rejected = matches!(failure.action(), Action::Bisect | Action::LookUpKeys);
    is_of_its_time || (is_rejected && failure.blame() != Blame::Database)
}

/// Finds the dead letter of each record, and makes an event of it. Returns the events, and the dead letters of the records that are left
/// out. What is still rejected is added to `retried`.
async fn corrected_rows(
    connection: &Connection,
    records: &[Record<CsvRecord>],
    revalidator: &mut Revalidator,
    retried: &mut Retried,
) -> Result<(Vec<CorrectedRow>, Vec<DeadLetter>)> {
    let id_of = |record: &CsvRecord| record.get(ID).and_then(|id| id.trim().parse::<i64>().ok());
    let ids: Vec<i64> = records.iter().filter_map(|record| id_of(&record.value)).collect();
    let filter = DeadLetterFilter::waiting().ids(ids).with_resolved(true);
    let letters = among(connection, &filter).await.map_err(retry_error)?;
    let mut letters: HashMap<i64, DeadLetter> = letters.into_iter().map(|letter| (letter.id, letter)).collect();
    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for Record { value, origin, .. } in records {
        let record = origin.as_ref().map_or(0, |origin| origin.record);
        let id = id_of(value);
        let mut refuse = |refusal| {
            retried.rejected.push(StillRejected {
                record,
                id,
                first: None,
                refusal,
            });
        };
        if id.is_some_and(|id| !seen.insert(id)) {
            refuse(Refusal::new(
                "reject_twice",
                "the file has this reject_id in another row too",
            ));
            continue;
        }
        let Some(letter) = id.and_then(|id| letters.remove(&id)) else {
            refuse(Refusal::new(
                "reject_unknown",
                "there is no dead letter with this reject_id",
            ));
            continue;
        };
        if letter.resolved_at.is_some() {
            retried.already_resolved += 1;
            continue;
        }
        revalidator.check_columns(value.header(), &letter)?;
        match revalidator.event(value, &letter) {
            Ok(event) => rows.push(CorrectedRow { record, letter, event }),
            Err(refusal) if refusal.reason == Reason::FILTERED => left_out.push(letter),
            Err(refusal) => retried.rejected.push(StillRejected::of(record, &letter, refusal)),
        }
    }
    Ok((rows, left_out))
}

/// Makes events of corrected records.
struct Revalidator {
    rules: Rules,
    /// The columns that the mapping needs.
    columns: Option<Columns>,
    /// The fingerprint of the mapping.
    fingerprint: Option<String>,
    /// Files read with another mapping for which a warning was logged.
    warned_of: HashSet<String>,
}

impl Revalidator {
    /// The event of a corrected row, or why it is still rejected.
    fn event(&mut self, row: &CsvRecord, letter: &DeadLetter) -> Result<Event, Refusal> {
        match (letter.is_mapped, self.fingerprint.is_some()) {
            (true, false) => {
                let detail = "its file was read with a mapping: retry it with that mapping, --map";
                return Err(Refusal::new("mapping_missing", detail));
            }
            (_, true) => self.warn_of_another_mapping(letter),
            (false, false) => {}
        }
        // Where it stood at first, so that an event without an id gets the one that it would have had.
        let origin =
            letter.split.clone().zip(letter.record).map(|(split, record)| {
                Origin::new(split, record, letter.byte_offset.unwrap_or_default(), Bytes::new())
            });
        self.rules.event(&original(row), origin.as_ref(), &letter.pipeline)
    }

    /// Checks that the file has all columns of the mapping. All rows of a file have the same
    /// columns, so nothing of it was stored before.
    fn check_columns(&self, header: &Header, letter: &DeadLetter) -> Result<()> {
        let columns = self.columns.as_ref();
        let missing = columns.map(|columns| columns.missing_in(header)).unwrap_or_default();
        if missing.is_empty() {
            return Ok(());
        }
        let path = letter.split.as_ref().map_or("the file", |split| split.path());
        let message = format!(
            "the mapping names columns that {path} does not have: {}",
            missing.join(", ")
        );
        Err(Error::new(ErrorKind::Configuration, message).hint(
            "check --map; if there are several shops, retry the rejects of each with its own mapping: --only \
             NAME --map MAPPING",
        ))
    }

    /// Warns if the file was read with another mapping, or without any. It may be the same one,
    /// corrected, so the row is not rejected.
    fn warn_of_another_mapping(&mut self, letter: &DeadLetter) {
        let read_by = match &letter.mapping {
            _ if !letter.is_mapped => "without a mapping",
            None => return,
            same if *same == self.fingerprint => return,
            Some(_) => "with a different mapping",
        };
        let path = letter.split.as_ref().map_or("", |split| split.path());
        if self.warned_of.insert(path.to_owned()) {
            tracing::warn!(
                "{path} was read {read_by}: its corrected rows are stored with the time zone, the \
                 values and the columns of this one, which is right if it is the mapping of these files, and wrong \
                 if it belongs to another shop"
            );
        }
    }
}

/// The record without the columns that the export has added: a mapping may keep all columns, or
/// derive the id from all fields.
fn original(row: &CsvRecord) -> CsvRecord {
    let fields = row.header().names().iter().zip(row.fields());
    let (names, fields): (Vec<&String>, Vec<&str>) =
        fields.filter(|(name, _)| !COLUMNS.contains(&name.as_str())).unzip();
    // There are as many of them.
    CsvRecord::new(Arc::new(Header::new(names)), fields).unwrap_or_else(|_| row.clone())
}

/// Stores rows and resolves their dead letters, in one transaction.
async fn try_store(client: &Client, corrected: &[CorrectedRow]) -> Result<Retried, Failure> {
    let days: BTreeSet<Date> = corrected.iter().map(|one| one.event.event_time.date()).collect();
    for days in Vec::from_iter(days).chunks(8) {
        DEADLINE
            .of("creating partitions", client.execute(ENSURE_PARTITIONS, &[&days]))
            .await
            .map_err(|failure| failure.at_step(Step::Partitions))?;
    }
    DEADLINE
        .of("starting a transaction", client.batch_execute("BEGIN"))
        .await?;
    let ids: Vec<i64> = corrected.iter().map(|one| one.letter.id).collect();
    let open = DEADLINE.of("locking dead letters", client.query(OPEN, &[&ids])).await?;
    let open: HashSet<i64> = open.iter().map(|row| row.get(0)).collect();
    crash_point!("retry.locked");
    let rows: Vec<&CorrectedRow> = corrected.iter().filter(|one| open.contains(&one.letter.id)).collect();
    let mut new = insert(client, &rows).await?;
    crash_point!("retry.inserted");

    let mut done = Retried {
        already_resolved: (corrected.len() - rows.len()) as u64,
        ..Retried::default()
    };
    let mut resolutions = Vec::with_capacity(rows.len());
    let mut counts: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for one in &rows {
        let is_stored = new.remove(&(one.event.event_id, one.event.event_time));
        let mut unknown = (0, 0);
        let of_split = match one.letter.split_id {
            Some(split_id) => counts.entry(split_id).or_default(),
            None => &mut unknown,
        };
        match is_stored {
            true => (done.stored, of_split.0) = (done.stored + 1, of_split.0 + 1),
            false => (done.duplicates, of_split.1) = (done.duplicates + 1, of_split.1 + 1),
        }
        resolutions.push(if is_stored { "stored" } else { "duplicate" });
    }
    let split_ids: Vec<i64> = counts.keys().copied().collect();
    let (stored, duplicates): (Vec<i64>, Vec<i64>) = counts.values().copied().unzip();
    let params: [&(dyn ToSql + Sync); 3] = [&split_ids, &stored, &duplicates];
    let ids: Vec<i64> = rows.iter().map(|one| one.letter.id).collect();
    let resolved = DEADLINE
        .of("resolving dead letters", client.execute(RESOLVE, &[&ids, &resolutions]))
        .await?;
    // This proves that the transaction lives: COMMIT alone reports success even if the server rolls back.
    check_count("ecom.dead_letters", ids.len() as u64, resolved)?;
    // From here on the ingest waits, because both change the sums of the pipeline.
    let counted = DEADLINE.of("counting", client.query_one(COUNT, &params)).await?;
    check_count(
        "ecom.ingest_split",
        counted.get::<_, i64>(0) as u64,
        counted.get::<_, i64>(1) as u64,
    )?;
    crash_point!("retry.settled");
    let committed = DEADLINE.of("committing", client.batch_execute("COMMIT")).await;
    committed.map_err(|failure| failure.at_step(Step::Commit))?;
    crash_point!("retry.committed");
    Ok(done)
}

/// Inserts the events that the table does not have, and returns their keys.
async fn insert(client: &Client, rows: &[&CorrectedRow]) -> Result<HashSet<(Uuid, OffsetDateTime)>, Failure> {
    fn column<'a, T>(rows: &'a [&CorrectedRow], of: impl Fn(&'a CorrectedRow) -> T) -> Vec<T> {
        rows.iter().map(|one| of(one)).collect()
    }
    let times = column(rows, |one| one.event.event_time);
    let split_ids = column(rows, |one| one.letter.split_id);
    let record_nos = column(rows, |one| one.letter.record.map(|record| record as i64));
    let event_ids = column(rows, |one| one.event.event_id);
    let quantities = column(rows, |one| one.event.quantity);
    let types = column(rows, |one| one.event.event_type.as_str());
    let users = column(rows, |one| one.event.user_id.as_str());
    let sessions = column(rows, |one| one.event.session_id.as_str());
    let products = column(rows, |one| {
        Some(one.event.product_id.as_str()).filter(|id| !id.is_empty())
    });
    let names = column(rows, |one| one.event.product_name.as_deref());
    let categories = column(rows, |one| one.event.category.as_deref());
    let brands = column(rows, |one| one.event.brand.as_deref());
    let prices = column(rows, |one| one.event.price.map(|price| price.to_string()));
    let orders = column(rows, |one| one.event.order_id.as_deref());
    let currencies = column(rows, |one| one.event.currency.map(|currency| currency.to_string()));
    let line_totals = column(rows, |one| one.event.line_total.map(|total| total.to_string()));
    let extras = column(rows, |one| one.event.extra.as_deref());
    let params: [&(dyn ToSql + Sync); 17] = [
        &times,
        &split_ids,
        &record_nos,
        &event_ids,
        &quantities,
        &types,
        &users,
        &sessions,
        &products,
        &names,
        &categories,
        &brands,
        &prices,
        &orders,
        &currencies,
        &line_totals,
        &extras,
    ];
    let stored = DEADLINE.of("storing", client.query(INSERT, &params)).await;
    let stored = stored.map_err(|failure| failure.at_step(Step::Rows))?;
    let stored: HashSet<(Uuid, OffsetDateTime)> = stored.iter().map(|row| (row.get(0), row.get(1))).collect();
    // The others are duplicates, unless the server has left them out.
    let known: [&(dyn ToSql + Sync); 2] = [&event_ids, &times];
    let known = DEADLINE.of("storing", client.query_one(STORED, &known)).await?;
    let sent: HashSet<(Uuid, OffsetDateTime)> = event_ids.iter().copied().zip(times.iter().copied()).collect();
    let new = stored.intersection(&sent).count() as u64;
    let duplicates = (known.get::<_, i64>(0) as u64).saturating_sub(new);
    check_count("ecom.events", event_ids.len() as u64, stored.len() as u64 + duplicates)?;
    Ok(stored)
}
