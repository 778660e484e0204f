//! A connection that writes epochs, and the steps of an epoch's transaction.

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
use crate::failure::{Deadline, Failure};
use crate::lead::Leader;
use crate::tables::{CheckedTable, PreparedTable, prepare_statements};

/// Of how many days partitions are made in one transaction: a day may have 24, and each takes ten locks.
const DAYS_AT_ONCE: usize = 8;

/// So long may a session keep stages. The server cannot clean up after old transactions in temporary tables, and refuses to write
/// at last.
const OLD_AFTER: Duration = Duration::from_hours(1);

/// A connection that writes epochs, with its prepared statements.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    since: Instant,
    deadline: Deadline,
    ensure_partitions: Statement,
    copy: Statement,
    copy_with_extra: Statement,
    letters: Statement,
    forget_state: Statement,
    keep_state: Statement,
    splits: Statement,
    advance: Statement,
    tables: Vec<PreparedTable>,
}

impl Session {
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
                prepare(statements::COPY_WITH_EXTRA),
                prepare(statements::DEAD_LETTERS),
            ),
            try_join4(
                prepare(statements::FORGET_STATE),
                prepare(statements::KEEP_STATE),
                prepare(statements::SPLITS),
                prepare(statements::ADVANCE),
            ),
        );
        let ((), (ensure_partitions, copy, copy_with_extra, letters), (forget_state, keep_state, splits, advance)) =
            prepared.await?;
        let tables = prepare_statements(&connection, deadline, tables).await?;
        Ok(Self {
            connection,
            since: Instant::now(),
            deadline,
            ensure_partitions,
            copy,
            copy_with_extra,
            letters,
            forget_state,
            keep_state,
            splits,
            advance,
            tables,
        })
    }

    /// The process that serves it.
    pub(crate) fn backend_pid(&self) -> i32 {
        self.connection.backend_pid
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.connection.client.is_closed()
    }

    /// Whether another is to take its place.
    pub(crate) fn is_old(&self) -> bool {
        self.tables.iter().any(|table| table.merge.is_some()) && self.since.elapsed() > OLD_AFTER
    }

    /// Makes partitions for days that have none. Not within a transaction.
    pub(crate) async fn make_partitions(
        &self,
        known: &mut BTreeSet<Date>,
        days: &BTreeSet<Date>,
    ) -> Result<(), Failure> {
        let missing: Vec<Date> = days.difference(known).copied().collect();
        // Each making is a transaction, and takes several locks a day.
        for days in missing.chunks(DAYS_AT_ONCE) {
            let days_made: [&(dyn ToSql + Sync); 1] = [&days];
            let made = self.connection.client.query(&self.ensure_partitions, &days_made);
            self.deadline.of("creating partitions", made).await?;
            known.extend(days);
            crash_point!("partitions.made");
        }
        Ok(())
    }

    /// Runs a statement that begins or ends something.
    pub(crate) async fn run(&self, doing: &'static str, sql: &'static str) -> Result<(), Failure> {
        self.deadline.of(doing, self.connection.client.batch_execute(sql)).await
    }

    /// Begins the transaction of an epoch, and leaves out of it what the table has already. Says how many rows that were.
    pub(crate) async fn begin_looking_up(&self, epoch: &mut Epoch) -> Result<u64, Failure> {
        let (begun, found) = join(self.run("starting a transaction", "BEGIN"), self.look_up(epoch)).await;
        begun?;
        found
    }

    pub(crate) async fn look_up(&self, epoch: &mut Epoch) -> Result<u64, Failure> {
        duplicates::look_up(&self.connection.client, epoch, self.deadline).await
    }

    /// Begins the transaction of an epoch and copies its rows.
    pub(crate) async fn begin_and_copy(&self, epoch: &Epoch) -> Result<(), Failure> {
        self.copy_after(Some("BEGIN"), epoch, 0..epoch.len()).await
    }

    /// Copies the rows of a range and checks that the server stored as many as were sent.
    pub(crate) async fn copy(&self, epoch: &Epoch, range: Range<usize>) -> Result<(), Failure> {
        self.copy_after(None, epoch, range).await
    }

    async fn copy_after(&self, begin: Option<&'static str>, epoch: &Epoch, range: Range<usize>) -> Result<(), Failure> {
        let statement = match epoch.has_extra() {
            true => &self.copy_with_extra,
            false => &self.copy,
        };
        let sent = epoch.rows_to_copy(range.clone());
        self.send_rows(begin, statement, sent, epoch.pieces(range)).await
    }

    /// Copies the rows for tables of the user's own: into the tables, or into their stages.
    pub(crate) async fn copy_tables(&self, epoch: &Epoch) -> Result<(), Failure> {
        for (number, rows) in epoch.tables() {
            self.copy_table(number, rows, 0..rows.len()).await?;
        }
        Ok(())
    }

    /// Copies some rows for the table of that number.
    pub(crate) async fn copy_table(&self, number: usize, rows: &TableRows, range: Range<usize>) -> Result<(), Failure> {
        let sent = rows.rows_to_copy(range.clone());
        self.send_rows(None, &self.tables[number].copy, sent, rows.pieces(range))
            .await
    }

    /// Writes what is staged into the tables. When all older epochs are committed: they may have the same keys.
    pub(crate) async fn merge_staging_tables(&self, epoch: &Epoch) -> Result<(), Failure> {
        for (number, _) in epoch.tables() {
            self.merge_staging_table(number).await?;
        }
        Ok(())
    }

    /// Writes what is staged for the table of that number, if its rows are.
    pub(crate) async fn merge_staging_table(&self, number: usize) -> Result<(), Failure> {
        if let Some(merge) = &self.tables[number].merge {
            let merged = self.connection.client.execute(merge, &[]);
            self.deadline.of("merging rows", merged).await?;
        }
        Ok(())
    }

    /// Empties the stage of the table of that number, if there is one.
    pub(crate) async fn clear_staging_table(&self, number: usize) -> Result<(), Failure> {
        if self.tables[number].merge.is_some() {
            let clear = CheckedTable::clear_staging_table(number);
            let cleared = self.connection.client.batch_execute(&clear);
            self.deadline.of("clearing a staging table", cleared).await?;
        }
        Ok(())
    }

    /// The name of the table of that number.
    pub(crate) fn table_name(&self, number: usize) -> &str {
        &self.tables[number].name
    }

    async fn send_rows(
        &self,
        begin: Option<&'static str>,
        statement: &Statement,
        sent: u64,
        pieces: impl Iterator<Item = Bytes>,
    ) -> Result<(), Failure> {
        let begin = OptionFuture::from(begin.map(|begin| self.run("starting a transaction", begin)));
        if sent == 0 {
            return begin.await.unwrap_or(Ok(()));
        }
        let copy = self.connection.client.copy_in::<_, Bytes>(statement);
        // Sent together. Nothing is stored before both are answered: a copy that had begun without a transaction is dropped.
        let (begun, copy) = join(begin, self.deadline.of("starting to copy", copy)).await;
        begun.unwrap_or(Ok(()))?;
        let mut copy = pin!(copy?);
        crash_point!("copy.begun");
        for piece in pieces {
            self.deadline.of("copying", send(&mut copy, piece)).await?;
            crash_point!("copy.piece_sent");
        }
        let stored = self.deadline.of("copying", copy.as_mut().finish()).await?;
        match stored == sent {
            true => Ok(()),
            false => Err(Failure::Miscounted { sent, stored }),
        }
    }

    /// Writes the dead letters of an epoch.
    pub(crate) async fn write_dead_letters(&self, epoch: &Epoch, pipeline: &str) -> Result<(), Failure> {
        let letters = epoch.dead_letters();
        if !letters.is_empty() {
            let columns = statements::DeadLetterColumns::new(&letters);
            self.execute(&self.letters, &columns.params(&pipeline, &epoch.number()))
                .await?;
            crash_point!("ledger.letters_written");
        }
        Ok(())
    }

    /// Writes state and progress, and commits, all in one round trip. The last statement proves that no other instance
    /// leads, that all older epochs are committed, and that this transaction is alive: COMMIT alone reports success even if
    /// the server rolls back. A statement that fails makes the COMMIT behind it a rollback, so that of these either all
    /// become true or none.
    pub(crate) async fn write_ledger_and_commit(&self, epoch: &Epoch, leader: &Leader) -> Result<(), Failure> {
        let (pipeline, fence, number) = (leader.pipeline(), leader.fence(), epoch.number());
        let state = statements::StateColumns::new(epoch.state());
        let (forget, keep) = (state.forget_params(&pipeline), state.keep_params(&pipeline, &number));
        let progress = epoch.split_deltas();
        let splits = statements::SplitColumns::new(&progress);
        let splits = splits.params(&pipeline);
        let expected = number - 1;
        let advance: [&(dyn ToSql + Sync); 4] = [&pipeline, &fence, &expected, &number];

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
        for written in [forgotten, kept, written].into_iter().flatten() {
            written?;
        }
        match advanced {
            Err(failure) if failure.state() == Some(&SqlState::DIVISION_BY_ZERO) => {
                return Err(Failure::LedgerRowChanged {
                    pipeline: pipeline.to_owned(),
                });
            }
            advanced => advanced?,
        };
        committed
    }

    async fn execute(&self, statement: &Statement, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Failure> {
        let executed = self.connection.client.execute(statement, params);
        let executed = self.deadline.of("writing the ledger", executed).await;
        executed.map_err(Failure::of_the_ledger)
    }
}

async fn send(
    copy: &mut (impl Sink<Bytes, Error = tokio_postgres::Error> + Unpin),
    piece: Bytes,
) -> Result<(), tokio_postgres::Error> {
    copy.send(piece).await
}
