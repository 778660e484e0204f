//! The writing of one epoch: a transaction that copies the rows, writes the ledger, and proves that it is ours.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use ecom_stream::{Commit, Refusal, Result, Stages, crash_point};
use futures::{Sink, SinkExt};
use postgres_types::ToSql;
use time::Date;
use tokio::time::Instant;
use tokio_postgres::Statement;

use crate::action::Action;
use crate::backoff::{PAUSE, delays};
use crate::connect::{Connection, Connector};
use crate::epoch::{Epoch, Fate};
use crate::failure::Failure;
use crate::leader::{Leader, Outcome};
use crate::{duplicates, statements};

/// Writes epochs, one after the other, on a connection of its own.
#[derive(Debug)]
pub(crate) struct Writer {
    connector: Connector,
    leader: Arc<Leader>,
    session: Option<Session>,
    /// Days whose partitions are known to be there.
    partitions: BTreeSet<Date>,
    /// Whether the last epoch had rows that the table had already: then the next one likely has too.
    look_up_first: bool,
}

#[derive(Debug)]
struct Session {
    connection: Connection,
    statements: HashMap<&'static str, Statement>,
}

/// After so many, a unique violation is not one of our key: the rows are found like any others that are refused.
const MAX_FRUITLESS_LOOK_UPS: u32 = 3;

/// Of how many days partitions are made in one transaction: a day may have 24, and each takes ten locks.
const DAYS_AT_ONCE: usize = 8;

/// What is known about an epoch from tries that failed.
#[derive(Debug, Default)]
struct Tried {
    /// Look-ups in a row that found nothing, though the server had complained.
    fruitless: u32,
    found: bool,
    made_partitions: bool,
    bisected: bool,
}

impl Writer {
    pub(crate) fn new(connector: Connector, leader: Arc<Leader>) -> Self {
        Self {
            connector,
            leader,
            session: None,
            partitions: BTreeSet::new(),
            look_up_first: false,
        }
    }

    /// Makes an epoch durable, trying until it is. `number` is one more than that of the last.
    ///
    /// # Errors
    ///
    /// Only when another instance has taken over.
    pub(crate) async fn write(&mut self, epoch: &mut Epoch, number: i64) -> Result<Commit> {
        epoch.seal();
        let mut stages = Stages::default();
        stages.add("gather", epoch.age());
        let began = Instant::now();
        let mut last_try;
        let mut tried = Tried::default();
        let mut delays = delays();
        loop {
            last_try = Stages::default();
            let failure = match self.try_write(epoch, number, &mut tried, &mut last_try).await {
                Ok(()) => break,
                Err(failure) => failure,
            };
            // Whatever happened, its transaction ends with it.
            let writer_pid = self.session.take().map(|session| session.connection.backend_pid);
            let action = failure.action();
            let unknown = failure.is_unknown_outcome();
            match action {
                Action::LookUpKeys if tried.fruitless < MAX_FRUITLESS_LOOK_UPS => {
                    tracing::debug!(epoch = number, "some rows are in the table already: looking them up");
                    self.look_up_first = true;
                    continue;
                }
                Action::MakePartitions if !tried.made_partitions => {
                    self.partitions.clear();
                    tried.made_partitions = true;
                    continue;
                }
                // Of the unique violations, those of another key than ours.
                Action::LookUpKeys | Action::Bisect if !tried.bisected => {
                    let said = failure.detail();
                    tracing::warn!(epoch = number, "the server refuses a row, looking for it: {said}");
                    match self.bisect(epoch, action).await {
                        Ok(()) => tried.bisected = true,
                        Err(failure) => {
                            tracing::warn!("trying again: {}", failure.into_error("copying").report());
                            tokio::time::sleep(delays.next().unwrap_or_default()).await;
                        }
                    }
                    continue;
                }
                Action::Pause => {
                    tracing::error!("paused: {}", failure.into_error("writing").report());
                    tokio::time::sleep(PAUSE).await;
                }
                _ => tracing::warn!(
                    epoch = number,
                    "trying again: {}",
                    failure.into_error("writing").report()
                ),
            }
            tried = Tried::default();
            self.partitions.clear();
            tokio::time::sleep(delays.next().unwrap_or_default()).await;
            if unknown && self.leader.settle(number, writer_pid).await? == Outcome::Committed {
                tracing::info!(epoch = number, "it had been committed, though the answer was lost");
                break;
            }
        }
        stages.add("retry", began.elapsed().saturating_sub(last_try.sum()));
        for (stage, time) in last_try.iter() {
            stages.add(stage, time);
        }
        Ok(commit(epoch, number, stages))
    }

    async fn try_write(
        &mut self,
        epoch: &mut Epoch,
        number: i64,
        tried: &mut Tried,
        stages: &mut Stages,
    ) -> Result<(), Failure> {
        let mut clock = Instant::now();
        let mut ended = |stage| {
            let began = std::mem::replace(&mut clock, Instant::now());
            stages.add(stage, clock - began);
        };
        let deadline = self.connector.deadline;
        let session = match &mut self.session {
            Some(session) if !session.connection.client.is_closed() => session,
            session => session.insert(Session {
                connection: self.connector.connect().await?,
                statements: HashMap::new(),
            }),
        };

        let missing: Vec<Date> = epoch.days().difference(&self.partitions).copied().collect();
        if !missing.is_empty() {
            let ensure = session.prepared(statements::ENSURE_PARTITIONS, &self.connector).await?;
            let client = &session.connection.client;
            // Each making is a transaction, and takes several locks a day.
            for days in missing.chunks(DAYS_AT_ONCE) {
                deadline
                    .of("making partitions", client.query(&ensure, &[&days]))
                    .await?;
                self.partitions.extend(days);
                crash_point!("partitions.made");
            }
        }

        let begin = session.connection.client.batch_execute("BEGIN");
        deadline.of("beginning", begin).await?;
        ended("begin");
        crash_point!("epoch.begun");
        if self.look_up_first {
            let found = duplicates::look_up(&session.connection.client, epoch, deadline).await?;
            tried.fruitless = if found == 0 { tried.fruitless + 1 } else { 0 };
            tried.found |= found > 0;
            // Without any in this epoch the next one tries the fast path again.
            self.look_up_first = tried.found;
            ended("look_up");
            crash_point!("keys.looked_up");
        }
        session.copy(epoch, 0..epoch.len(), &self.connector).await?;
        ended("copy");
        crash_point!("copy.finished");
        session
            .write_ledger(epoch, number, &self.leader, &self.connector)
            .await?;
        ended("ledger");
        crash_point!("commit.begun");
        let commit = session.connection.client.batch_execute("COMMIT");
        deadline.of("committing", commit).await?;
        ended("commit");
        crash_point!("commit.acknowledged");
        Ok(())
    }

    /// Finds the rows that the server refuses for a reason like the one it gave, by copying halves, and leaves them out.
    ///
    /// All in one transaction that is rolled back, so that rows are tried beside those before them: two may be refused
    /// together that would each be taken alone.
    async fn bisect(&mut self, epoch: &mut Epoch, refused: Action) -> Result<(), Failure> {
        let deadline = self.connector.deadline;
        let mut session = Session {
            connection: self.connector.connect().await?,
            statements: HashMap::new(),
        };
        // What is checked at the end of the transaction otherwise would be found of no row here.
        let begin = "BEGIN; SET CONSTRAINTS ALL IMMEDIATE";
        deadline
            .of("beginning", session.connection.client.batch_execute(begin))
            .await?;
        // What the table has already must not be taken for refused.
        duplicates::look_up(&session.connection.client, epoch, deadline).await?;
        let mut ranges = Vec::from([Range {
            start: 0,
            end: epoch.len(),
        }]);
        while let Some(range) = ranges.pop() {
            if epoch.copied(range.clone()) == 0 {
                continue;
            }
            deadline
                .of("probing", session.connection.client.batch_execute("SAVEPOINT probe"))
                .await?;
            let failure = match session.copy(epoch, range.clone(), &self.connector).await {
                Ok(()) => continue,
                Err(failure) => failure,
            };
            crash_point!("bisect.refused");
            match failure.action() {
                Action::Bisect => {}
                Action::LookUpKeys if refused == Action::LookUpKeys => {}
                _ => return Err(failure),
            }
            // A copy that fails at its data leaves the connection usable.
            deadline
                .of("probing", session.connection.client.batch_execute("ROLLBACK TO probe"))
                .await?;
            if range.len() > 1 {
                let middle = range.start + range.len() / 2;
                ranges.push(middle..range.end);
                ranges.push(range.start..middle);
            } else {
                let code = failure.state().map(|state| state.code().to_owned()).unwrap_or_default();
                let refusal = Refusal::new(format!("sqlstate_{}", code.to_lowercase()), failure.detail());
                epoch.leave_out(range.start, Fate::Refused(refusal));
                crash_point!("bisect.found");
            }
        }
        Ok(())
    }
}

impl Session {
    async fn prepared(&mut self, statement: &'static str, connector: &Connector) -> Result<Statement, Failure> {
        if let Some(prepared) = self.statements.get(statement) {
            return Ok(prepared.clone());
        }
        let prepared = connector
            .deadline
            .of("preparing", self.connection.client.prepare(statement))
            .await?;
        self.statements.insert(statement, prepared.clone());
        Ok(prepared)
    }

    /// Copies the rows of a range and checks that the server stored as many as were sent.
    async fn copy(&mut self, epoch: &Epoch, range: Range<usize>, connector: &Connector) -> Result<(), Failure> {
        let sent = epoch.copied(range.clone());
        if sent == 0 {
            return Ok(());
        }
        let deadline = connector.deadline;
        let statement = self.prepared(statements::COPY, connector).await?;
        let copy = deadline
            .of(
                "starting to copy",
                self.connection.client.copy_in::<_, Bytes>(&statement),
            )
            .await?;
        let mut copy = pin!(copy);
        crash_point!("copy.begun");
        for piece in epoch.pieces(range) {
            deadline.of("copying", send(&mut copy, piece)).await?;
            crash_point!("copy.piece_sent");
        }
        let stored = deadline.of("copying", copy.as_mut().finish()).await?;
        match stored == sent {
            true => Ok(()),
            false => Err(Failure::Miscounted { sent, stored }),
        }
    }

    /// Writes letters, state and progress; last of all the row that proves that no other instance leads, and that this
    /// transaction is alive: COMMIT alone reports success even if the server rolls back.
    async fn write_ledger(
        &mut self,
        epoch: &Epoch,
        number: i64,
        leader: &Leader,
        connector: &Connector,
    ) -> Result<(), Failure> {
        let pipeline = leader.pipeline();
        let letters = epoch.letters();
        if !letters.is_empty() {
            let columns = statements::Letters::new(&letters);
            self.execute(statements::LETTERS, &columns.params(&pipeline, &number), connector)
                .await?;
            crash_point!("ledger.letters_written");
        }
        let state = statements::State::new(epoch.state());
        if !state.is_empty() {
            self.execute(statements::FORGET_STATE, &state.forget_params(&pipeline), connector)
                .await?;
            self.execute(
                statements::KEEP_STATE,
                &state.keep_params(&pipeline, &number),
                connector,
            )
            .await?;
        }
        let progress = epoch.progress();
        if !progress.is_empty() {
            let columns = statements::Splits::new(&progress);
            self.execute(statements::SPLITS, &columns.params(&pipeline), connector)
                .await?;
            crash_point!("ledger.splits_written");
        }
        let expected = number - 1;
        let touched = self
            .execute(
                statements::ADVANCE,
                &[&pipeline, &leader.fence(), &expected, &number],
                connector,
            )
            .await?;
        match touched {
            1 => Ok(()),
            _ => Err(Failure::LedgerMoved),
        }
    }

    async fn execute(
        &mut self,
        statement: &'static str,
        params: &[&(dyn ToSql + Sync)],
        connector: &Connector,
    ) -> Result<u64, Failure> {
        let prepared = self.prepared(statement, connector).await?;
        connector
            .deadline
            .of("writing the ledger", self.connection.client.execute(&prepared, params))
            .await
    }
}

async fn send(
    copy: &mut (impl Sink<Bytes, Error = tokio_postgres::Error> + Unpin),
    piece: Bytes,
) -> Result<(), tokio_postgres::Error> {
    copy.send(piece).await
}

fn commit(epoch: &Epoch, number: i64, stages: Stages) -> Commit {
    let mut commit = Commit::new(number as u64);
    for progress in epoch.progress() {
        commit.counts += progress.counts;
        commit.positions.extend(progress.position);
    }
    commit.bytes = epoch.input_bytes();
    commit.times = epoch.times();
    commit.stages = stages;
    commit
}
