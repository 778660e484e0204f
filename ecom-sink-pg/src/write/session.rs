//! A connection that writes epochs, and the steps of an epoch's transaction.
//!
//! Statements are pipelined: those that need no answer of each other are sent together, so that
//! an epoch takes few round trips however far away the server is.

use std::collections::BTreeSet;
use std::ops::Range;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use ecom_stream::{Result, crash_point};
use futures::future::{OptionFuture, join, join5, try_join4};
use futures::{Sink, SinkExt};
use postgres_types::ToSql;
use time::Date;
use tokio::time::Instant;
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;

use super::{duplicates, statements};
use crate::connect::{BY_KEY, Connection, Connector};
use crate::epoch::{Epoch, TableRows};
use crate::failure::{Deadline, Failure, Step};
use crate::lead::{Leader, Token};
use crate::tables::{CheckedTable, PreparedMerge, PreparedTable, prepare_statements};

/// How many days `ecom.ensure_partitions` takes at once.
const DAYS_AT_ONCE: usize = 1_000;

/// How many partitions it creates at most in one transaction, since each takes ten locks.
const PARTITIONS_AT_ONCE: i32 = 200;

/// The age after which a session with staging tables is replaced. The server cannot vacuum
/// temporary tables behind the oldest transaction, and would refuse to write at last.
const OLD_AFTER: Duration = Duration::from_hours(1);

/// A connection that writes epochs, with its prepared statements.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    /// When it was opened.
    since: Instant,
    deadline: Deadline,
    ensure_partitions: Statement,
    copy: Statement,
    copy_with_further: Statement,
    letters: Statement,
    forget_state: Statement,
    keep_state: Statement,
    splits: Statement,
    advance: Statement,
    tables: Vec<PreparedTable>,
}

impl Session {
    /// Connects, prepares all statements in one round trip, and creates the staging tables.
    pub(crate) async fn open(connector: &Connector, tables: &[CheckedTable]) -> Result<Self, Failure> {
        let (connection, deadline) = (connector.connect().await?, connector.deadline);
        let prepare = |statement| deadline.of("preparing statements", connection.client.prepare(statement));
        // All of them in one round trip.
        let by_key = deadline.of("preparing statements", connection.client.batch_execute(BY_KEY));
        let prepared = futures::future::try_join3(
            by_key,
            try_join4(
                prepare(statements::ENSURE_PARTITIONS),
                prepare(statements::COPY),
                prepare(statements::COPY_WITH_FURTHER),
                prepare(statements::DEAD_LETTERS),
            ),
            try_join4(
                prepare(statements::FORGET_STATE),
                prepare(statements::KEEP_STATE),
                prepare(statements::SPLITS),
                prepare(statements::ADVANCE),
            ),
        );
        let ((), (ensure_partitions, copy, copy_with_further, letters), (forget_state, keep_state, splits, advance)) =
            prepared.await?;
        let tables = prepare_statements(&connection, deadline, tables).await?;
        Ok(Self {
            connection,
            since: Instant::now(),
            deadline,
            ensure_partitions,
            copy,
            copy_with_further,
            letters,
            forget_state,
            keep_state,
            splits,
            advance,
            tables,
        })
    }

    /// The server process of this session.
    pub(crate) fn backend_pid(&self) -> i32 {
        self.connection.backend_pid
    }

    /// Whether the connection is known to be broken.
    pub(crate) fn is_closed(&self) -> bool {
        self.connection.client.is_closed()
    }

    /// Whether a new session should take its place.
    pub(crate) fn is_old(&self) -> bool {
        self.tables.iter().any(|table| table.merge.is_some()) && self.since.elapsed() > OLD_AFTER
    }

    /// Creates partitions for the days that have none. Not within a transaction. `known` collects
    /// the days that are done.
    pub(crate) async fn make_partitions(
        &self,
        known: &mut BTreeSet<Date>,
        days: &BTreeSet<Date>,
    ) -> Result<(), Failure> {
        let missing: Vec<Date> = days.difference(known).copied().collect();
        // All at once, since the server chooses wider partitions for many days.
        for days in missing.chunks(DAYS_AT_ONCE) {
            let asked: [&(dyn ToSql + Sync); 1] = [&days];
            loop {
                let made = self.connection.client.query_one(&self.ensure_partitions, &asked);
                let made = self.deadline.of("creating partitions", made).await;
                let made = made.map_err(|failure| failure.at_step(Step::Partitions))?;
                crash_point!("partitions.made");
                if made.get::<_, i32>(0) < PARTITIONS_AT_ONCE {
                    break;
                }
            }
            known.extend(days);
        }
        Ok(())
    }

    /// Runs a statement without parameters, such as `BEGIN`.
    pub(crate) async fn run(&self, doing: &'static str, sql: &'static str) -> Result<(), Failure> {
        self.deadline.of(doing, self.connection.client.batch_execute(sql)).await
    }

    /// Begins the transaction of an epoch, and leaves out of it the rows that the table has
    /// already. Returns how many they are.
    pub(crate) async fn begin_looking_up(&self, epoch: &mut Epoch) -> Result<u64, Failure> {
        let (begun, found) = join(self.run("starting a transaction", "BEGIN"), self.look_up(epoch)).await;
        begun?;
        found
    }

    /// Leaves out the rows that the table has already; see [`duplicates`].
    pub(crate) async fn look_up(&self, epoch: &mut Epoch) -> Result<u64, Failure> {
        duplicates::look_up(&self.connection.client, epoch, self.deadline).await
    }

    /// Begins the transaction of an epoch and copies its events.
    pub(crate) async fn begin_and_copy(&self, epoch: &Epoch) -> Result<(), Failure> {
        self.copy_after(Some("BEGIN"), epoch, 0..epoch.len()).await
    }

    /// Copies the events of a range, and checks that the server stored as many as were sent.
    pub(crate) async fn copy(&self, epoch: &Epoch, range: Range<usize>) -> Result<(), Failure> {
        self.copy_after(None, epoch, range).await
    }

    async fn copy_after(&self, begin: Option<&'static str>, epoch: &Epoch, range: Range<usize>) -> Result<(), Failure> {
        let statement = match epoch.has_further() {
            true => &self.copy_with_further,
            false => &self.copy,
        };
        let sent = epoch.rows_to_copy(range.clone());
        self.send_rows(begin, "ecom.events", statement, sent, epoch.pieces(range))
            .await
    }

    /// Copies the rows of the user's tables: into the tables, or into their staging tables.
    pub(crate) async fn copy_tables(&self, epoch: &Epoch) -> Result<(), Failure> {
        for (number, rows) in epoch.tables() {
            self.copy_table(number, rows, 0..rows.len()).await?;
        }
        Ok(())
    }

    /// Copies a range of rows for the user's table with that number.
    pub(crate) async fn copy_table(&self, number: usize, rows: &TableRows, range: Range<usize>) -> Result<(), Failure> {
        let sent = rows.rows_to_copy(range.clone());
        let table = &self.tables[number];
        self.send_rows(None, &table.name, &table.copy, sent, rows.pieces(range))
            .await
    }

    /// Merges the staging tables into the user's tables. Only when all older epochs are
    /// committed, since they may have the same keys.
    pub(crate) async fn merge_staging_tables(&self, epoch: &Epoch) -> Result<(), Failure> {
        for (number, _) in epoch.tables() {
            self.merge_staging_table(number).await?;
        }
        Ok(())
    }

    /// Merges the staging table of the table with that number, if it has one, and checks that the
    /// table has every key then.
    pub(crate) async fn merge_staging_table(&self, number: usize) -> Result<(), Failure> {
        let table = &self.tables[number];
        let Some(PreparedMerge { merge, left_out }) = &table.merge else {
            return Ok(());
        };
        let client = &self.connection.client;
        let merged = self.deadline.of("merging rows", client.execute(merge, &[]));
        let left_out = self.deadline.of("merging rows", client.query_one(left_out, &[]));
        // Sent together.
        let (merged, left_out) = join(merged, left_out).await;
        let at_rows = |failure: Failure| failure.at_step(Step::Rows);
        let (merged, left_out) = (merged.map_err(at_rows)?, left_out.map_err(at_rows)?);
        let (keys, is_each_written): (i64, bool) = (left_out.get(0), left_out.get(1));
        match (keys as u64, is_each_written) {
            (keys, true) if keys != merged => Err(Failure::Miscounted {
                table: table.name.clone(),
                sent: keys,
                stored: merged,
            }),
            (missing, false) if missing > 0 => Err(Failure::Miscounted {
                table: table.name.clone(),
                sent: merged + missing,
                stored: merged,
            }),
            _ => Ok(()),
        }
    }

    /// Empties the staging table of the table with that number, if it has one.
    pub(crate) async fn clear_staging_table(&self, number: usize) -> Result<(), Failure> {
        if self.tables[number].merge.is_some() {
            let clear = CheckedTable::clear_staging_table(number);
            let cleared = self.connection.client.batch_execute(&clear);
            self.deadline.of("clearing a staging table", cleared).await?;
        }
        Ok(())
    }

    /// The name of the table with that number, with its schema, quoted.
    pub(crate) fn table_name(&self, number: usize) -> &str {
        &self.tables[number].name
    }

    /// Sends the data of a COPY, behind `BEGIN` if that is given, and checks the count. Nothing
    /// is sent for no rows.
    async fn send_rows(
        &self,
        begin: Option<&'static str>,
        table: &str,
        statement: &Statement,
        sent: u64,
        pieces: impl Iterator<Item = Bytes>,
    ) -> Result<(), Failure> {
        let begin = OptionFuture::from(begin.map(|begin| self.run("starting a transaction", begin)));
        if sent == 0 {
            return begin.await.unwrap_or(Ok(()));
        }
        let copy = self.connection.client.copy_in::<_, Bytes>(statement);
        // What fails before the first row is no row's fault.
        // Sent together. Nothing is stored before both are answered: a copy that had begun without a transaction is dropped.
        let (begun, copy) = join(begin, self.deadline.of("starting to copy", copy)).await;
        begun.unwrap_or(Ok(()))?;
        let mut copy = pin!(copy?);
        crash_point!("copy.begun");
        for piece in pieces {
            let sent = self.deadline.of("copying", send(&mut copy, piece)).await;
            sent.map_err(|failure| failure.at_step(Step::Rows))?;
            crash_point!("copy.piece_sent");
        }
        let stored = self.deadline.of("copying", copy.as_mut().finish()).await;
        let stored = stored.map_err(|failure| failure.at_step(Step::Rows))?;
        match stored == sent {
            true => Ok(()),
            false => Err(Failure::Miscounted {
                table: table.to_owned(),
                sent,
                stored,
            }),
        }
    }

    /// Inserts the dead letters of an epoch.
    pub(crate) async fn write_dead_letters(&self, epoch: &Epoch, pipeline: &str) -> Result<(), Failure> {
        let letters = epoch.dead_letters();
        for piece in statements::pieces(&letters) {
            let columns = statements::DeadLetterColumns::new(piece, self.connection.encoding);
            let stored = self
                .execute(&self.letters, &columns.params(&pipeline, &epoch.number()))
                .await?;
            let sent = piece.len() as u64;
            if stored != sent {
                let table = "ecom.dead_letters".to_owned();
                return Err(Failure::Miscounted { table, sent, stored });
            }
        }
        if !letters.is_empty() {
            crash_point!("ledger.letters_written");
        }
        Ok(())
    }

    /// Withdraws the splits whose records this epoch begins to read again. Their dead letters are resolved in several steps, so
    /// that none takes longer than the deadline.
    pub(crate) async fn withdraw_splits(&self, epoch: &Epoch) -> Result<(), Failure> {
        const AT_ONCE: i32 = 200_000;
        let splits = epoch.withdrawn();
        while !splits.is_empty() {
            let step: [&(dyn ToSql + Sync); 2] = [&splits, &AT_ONCE];
            let withdrawn = self.connection.client.query_one(statements::WITHDRAW, &step);
            let withdrawn = self.deadline.of("withdrawing rejects", withdrawn).await;
            let withdrawn = withdrawn.map_err(|failure| failure.at_step(Step::Ledger))?;
            crash_point!("withdraw.letters");
            match withdrawn.get::<_, i32>(0) {
                ..0 => return Err(Failure::NotWithdrawn),
                AT_ONCE.. => {}
                _ => break,
            }
        }
        Ok(())
    }

    /// Writes operator state and positions, and commits, all in one round trip.
    ///
    /// The last statement before COMMIT proves three things: no other instance leads, all older
    /// epochs are committed, and this transaction is alive. COMMIT alone would not prove the last
    /// one, since it reports success even if the server rolls back. A statement that fails turns
    /// the COMMIT behind it into a rollback, so that either all of them take effect or none.
    pub(crate) async fn write_ledger_and_commit(&self, epoch: &Epoch, leader: &Leader) -> Result<(), Failure> {
        let (pipeline, Token { fence, holder }, number) = (leader.pipeline(), leader.token(), epoch.number());
        let state = statements::StateColumns::new(epoch.state());
        let (forget, keep) = (state.forget_params(&pipeline), state.keep_params(&pipeline, &number));
        let progress = epoch.split_deltas();
        let splits = statements::SplitColumns::new(&progress, self.connection.encoding);
        let splits = splits.params(&pipeline);
        let expected = number - 1;
        let advance: [&(dyn ToSql + Sync); 5] = [&pipeline, &fence, &expected, &number, &holder];

        let when =
            |is_needed: bool, statement, params| OptionFuture::from(is_needed.then(|| self.execute(statement, params)));
        let (forgotten, kept, written, advanced, committed) = join5(
            when(!state.is_empty(), &self.forget_state, &forget[..]),
            when(!state.is_empty(), &self.keep_state, &keep[..]),
            when(!progress.is_empty(), &self.splits, &splits[..]),
            self.execute(&self.advance, &advance),
            self.run("committing", "COMMIT"),
        )
        .await;
        let (operator_state, splits) = ("ecom.operator_state", "ecom.ingest_split");
        for (written, table) in [(forgotten, operator_state), (kept, operator_state), (written, splits)] {
            if let Some(Err(failure)) = written {
                return Err(match is_checked(&failure) {
                    true => Failure::RowsDropped { table: table.into() },
                    false => failure,
                });
            }
        }
        match advanced {
            Err(failure) if is_checked(&failure) => return Err(Failure::NotAdvanced),
            advanced => advanced?,
        };
        committed.map_err(|failure| failure.at_step(Step::Commit))
    }

    /// Executes a statement that writes the ledger. Its failures are marked as such, since no row
    /// is to blame for them.
    async fn execute(&self, statement: &Statement, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Failure> {
        let executed = self.connection.client.execute(statement, params);
        let executed = self.deadline.of("writing the ledger", executed).await;
        executed.map_err(|failure| failure.at_step(Step::Ledger))
    }
}

/// Whether a statement failed that divides by zero if it has not stored every row.
fn is_checked(failure: &Failure) -> bool {
    failure.state() == Some(&SqlState::DIVISION_BY_ZERO)
}

async fn send(
    copy: &mut (impl Sink<Bytes, Error = tokio_postgres::Error> + Unpin),
    piece: Bytes,
) -> Result<(), tokio_postgres::Error> {
    copy.send(piece).await
}
