//! The sink.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use ecom_stream::{
    Batch, BatchStream, Checkpoint, Commit, Error, ErrorKind, Event, Result, Sink, Topology, crash_point,
};
use futures::future::{Either, FutureExt, select};
use futures::stream::{Stream, StreamExt};
use time::{OffsetDateTime, UtcOffset};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_postgres::Config;

use crate::backoff::delays;
use crate::claim::{Claim, Terms, claim};
use crate::connect::{Connection, Connector, Hosts, of_process};
use crate::epoch::{Epoch, EpochLimits, FULL_AT_DAYS};
use crate::failure::{Deadline, Failure};
use crate::leader::Leader;
use crate::ledger::PgLedger;
use crate::preflight;
use crate::schema;
use crate::split_ids::{SplitIds, is_over};
use crate::writer::Writer;

/// Stores events in PostgreSQL, exactly once.
///
/// Rows, dead letters, operator state and positions of an epoch are committed in one transaction, whose last statement
/// proves that this instance still leads. Events that the table has already are counted as duplicates. A row that the
/// server refuses becomes a dead letter. Whatever passes (a restart of the server, a broken connection, a lock) is
/// waited for.
///
/// One instance of a pipeline works; others stand by in [`ledger`](Sink::ledger) until it ends.
///
/// The [stages](ecom_stream::Commit::stages) of an epoch are `gather` (from its first batch until the connection is free),
/// `retry` (tries that failed, with the pauses between; next to nothing otherwise), and of the last try `begin` (with
/// connecting and making partitions, where needed), `look_up` (only when duplicates come), `copy`, `ledger` and `commit`.
#[must_use = "a sink does nothing until a pipeline into it runs"]
#[derive(Debug)]
pub struct PgSink {
    hosts: Hosts,
    pipeline: String,
    limits: EpochLimits,
    deadline: Duration,
    wait_for_server: Duration,
    moved: bool,
    take_over: bool,
    claim: Option<Claim>,
}

impl PgSink {
    /// A sink into the database of a URL such as `postgresql://user:password@host/database`, for the pipeline `events`.
    ///
    /// The URL, or libpq's form `host=… user=…`, means what it means to `psql`, and what it leaves open comes from the same
    /// variables (`PGHOST`, `PGUSER`, `PGPASSWORD`, `PGSSLMODE` …) and files (`~/.pgpass`, `~/.postgresql/`). Two things
    /// are stricter than there: without `sslmode` a host other than this machine is connected to with `verify-full`, and
    /// where no CA is named (`sslrootcert`, `~/.postgresql/root.crt`) that is checked against the system's. The files are
    /// read now, once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the URL can't be read, names no host, or has a setting that is not supported, and
    /// when a file with certificates can't be used. No error quotes the URL.
    pub fn from_url(url: &str) -> Result<Self> {
        Ok(Self::to(Hosts::of_url(url, &of_process)?))
    }

    /// A sink into the database that the environment names (`PGHOST`, `PGDATABASE` …), for the pipeline `events`.
    ///
    /// # Errors
    ///
    /// Those of [`from_url`](Self::from_url).
    pub fn from_env() -> Result<Self> {
        Self::from_url("")
    }

    /// A sink into the database that `config` names, for the pipeline `events`, without regard to the environment.
    ///
    /// `SslMode::Prefer`, its default, stands for `verify-full` with the system's CAs if a host is not this machine.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the system has no CAs that could be asked.
    pub fn with_config(config: Config) -> Result<Self> {
        Ok(Self::to(Hosts::of_config(config)?))
    }

    fn to(hosts: Hosts) -> Self {
        Self {
            hosts,
            pipeline: "events".into(),
            limits: EpochLimits::default(),
            deadline: Duration::from_secs(60),
            wait_for_server: Duration::from_secs(30),
            moved: false,
            take_over: false,
            claim: None,
        }
    }

    /// The name of the pipeline, under which the ledger knows it. Pipelines of different names don't know of each other.
    pub fn pipeline(mut self, name: impl Into<String>) -> Self {
        self.pipeline = name.into();
        self
    }

    /// When an epoch is full. A quiet stream commits at once, whatever this is.
    pub fn epoch_limits(mut self, limits: EpochLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How long the server may take to answer, 60 seconds. After that the connection is dropped and the epoch tried again
    /// on another.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long to wait at the start for a server that can't be reached, 30 seconds. Later it is waited for without end.
    pub fn wait_for_server(mut self, wait: Duration) -> Self {
        self.wait_for_server = wait;
        self
    }

    /// Lets the sources of the pipeline be in another place than in the runs before.
    pub fn moved(mut self, moved: bool) -> Self {
        self.moved = moved;
        self
    }

    /// Ends the instance that works, in place of standing by until it ends; that one then fails with
    /// [`ErrorKind::Fenced`]. Nothing that it committed is lost, and it commits nothing more.
    ///
    /// For one start by hand, such as when the machine of the other hangs: two instances that are always started so end each
    /// other in turn. The role must be that of the other, or a member of it or of `pg_signal_backend`.
    pub fn take_over(mut self, take_over: bool) -> Self {
        self.take_over = take_over;
        self
    }

    fn connector(&self) -> Connector {
        let name = format!("ecom {:08x} {}", rand::random::<u32>(), self.pipeline);
        Connector::new(self.hosts.clone(), name, Deadline(self.deadline))
    }
}

impl Sink<Event> for PgSink {
    async fn ledger(&mut self, topology: &Topology) -> Result<Checkpoint> {
        if self.pipeline.is_empty() {
            return Err(Error::new(ErrorKind::Configuration, "the pipeline has no name").hint("give it one"));
        }
        let connector = self.connector();
        let give_up = Instant::now().checked_add(self.wait_for_server);
        let mut delays = delays();
        loop {
            let mut connection = connector.connect_within(self.wait_for_server).await?;
            let err = match prepare(&mut connection, &connector).await {
                Ok(()) => break,
                Err(err) => err,
            };
            let delay = delays.next().unwrap_or_default();
            // Such as a server that is restarted just now.
            if err.kind() != ErrorKind::Unavailable || give_up.is_some_and(|at| Instant::now() + delay > at) {
                return Err(err);
            }
            tracing::warn!("trying again: {}", err.report());
            sleep(delay).await;
        }
        let terms = Terms {
            pipeline: &self.pipeline,
            topology,
            moved: self.moved,
            take_over: self.take_over,
        };
        let claim = claim(&connector, terms, self.wait_for_server).await?;
        claim.leader.keep_leading();
        let ledger = PgLedger(claim.leader.clone());
        self.claim = Some(claim);
        Ok(Arc::new(ledger))
    }

    fn commit(self, input: impl BatchStream<Event> + 'static) -> impl Stream<Item = Result<Commit>> + Send {
        let leader = self.claim.as_ref().map(|claim| claim.leader.clone());
        let commits = try_stream! {
            let Some(Claim { leader, epoch: mut last, last_split_id }) = self.claim else {
                Err(Error::new(ErrorKind::Configuration, "the sink was not asked for its ledger first"))?;
                return;
            };
            let mut input = pin!(input.fuse());
            let mut ids = SplitIds::new(last_split_id);
            let mut gathering = Epoch::new(self.limits);
            let mut idle = Some(Writer::new(leader.connector().clone(), leader.clone()));
            let mut writing: Option<Writing> = None;
            let mut ended = None;
            loop {
                // What has come in already, as far as it fits.
                let mut batches = Vec::new();
                let mut rows = 0;
                let mut days = gathering.days().clone();
                while ended.is_none()
                    && !gathering.is_full()
                    && rows < self.limits.max_rows
                    && batches.len() < self.limits.max_rows
                    && days.len() < FULL_AT_DAYS
                {
                    match input.next().now_or_never() {
                        Some(Some(Ok(batch))) => {
                            let times = batch.records.iter().map(|record| record.value.event_time);
                            days.extend(times.map(|time| time.to_offset(UtcOffset::UTC).date()));
                            rows += batch.records.len() + batch.rejects.len();
                            batches.push(batch);
                        }
                        Some(Some(Err(err))) => ended = Some(Err(err)),
                        Some(None) => ended = Some(Ok(())),
                        None => break,
                    }
                }
                gather(&mut gathering, batches, &mut ids, &leader).await?;

                match (idle.take(), writing.take()) {
                    (Some(mut writer), _) if !gathering.is_empty() => {
                        let mut epoch = std::mem::replace(&mut gathering, Epoch::new(self.limits));
                        last += 1;
                        let number = last;
                        writing = Some(Writing(tokio::spawn(async move {
                            let commit = writer.write(&mut epoch, number).await;
                            (writer, commit)
                        })));
                    }
                    (Some(writer), _) => {
                        idle = Some(writer);
                        if let Some(end) = ended.take() {
                            end?;
                            break;
                        }
                        match input.next().await {
                            Some(Ok(batch)) => gather(&mut gathering, vec![batch], &mut ids, &leader).await?,
                            Some(Err(err)) => ended = Some(Err(err)),
                            None => ended = Some(Ok(())),
                        }
                    }
                    (None, Some(mut in_flight)) => {
                        let has_room = ended.is_none() && !gathering.is_full();
                        let next = async {
                            match has_room {
                                true => input.next().await,
                                false => futures::future::pending().await,
                            }
                        };
                        let (written, came) = match select(&mut in_flight.0, pin!(next)).await {
                            Either::Left((written, _)) => (Some(written), None),
                            Either::Right((came, _)) => (None, Some(came)),
                        };
                        if written.is_none() {
                            writing = Some(in_flight);
                        }
                        match came {
                            Some(Some(Ok(batch))) => gather(&mut gathering, vec![batch], &mut ids, &leader).await?,
                            Some(Some(Err(err))) => ended = Some(Err(err)),
                            Some(None) => ended = Some(Ok(())),
                            None => {}
                        }
                        if let Some(written) = written {
                            let (writer, commit) = written.map_err(|err| {
                                Error::new(ErrorKind::Panicked, "writing an epoch panicked").caused_by(err)
                            })?;
                            idle = Some(writer);
                            let commit = commit?;
                            for position in commit.positions.iter().filter(|position| is_over(&position.state)) {
                                ids.forget(&position.split);
                            }
                            ids.shrink(|split| gathering.has(split));
                            crash_point!("commit.before_yield");
                            yield commit;
                        }
                    }
                    (None, None) => break,
                }
            }
        };
        unless_overtaken(commits, leader)
    }
}

/// Ends the commits with an error when another instance has taken over, whatever they wait for.
fn unless_overtaken(
    commits: impl Stream<Item = Result<Commit>> + Send,
    leader: Option<Arc<Leader>>,
) -> impl Stream<Item = Result<Commit>> + Send {
    try_stream! {
        let mut commits = pin!(commits);
        let Some(leader) = leader else {
            while let Some(commit) = commits.next().await {
                yield commit?;
            }
            return;
        };
        let mut overtaken = pin!(leader.overtaken());
        loop {
            let next = match select(commits.next(), overtaken.as_mut()).await {
                Either::Left((next, _)) => next,
                Either::Right(_) => Some(Err(leader.fenced())),
            };
            match next {
                Some(commit) => yield commit?,
                None => break,
            }
        }
    }
}

async fn prepare(connection: &mut Connection, connector: &Connector) -> Result<()> {
    preflight::check_sessions(connection, connector).await?;
    // Migrations wait longer for locks than the writing of epochs does.
    let patient = connection.client.batch_execute("SET lock_timeout = '60s'").await;
    patient.map_err(|err| Failure::from(err).into_error("preparing the schema"))?;
    schema::apply(&mut connection.client).await?;
    preflight::warn(connection, connector).await
}

/// An epoch on its way, in a task of its own: it goes on while the next one is gathered, and must not wait for that.
/// Dropping it gives it up, as a crash would.
struct Writing(JoinHandle<(Writer, Result<Commit>)>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn gather(epoch: &mut Epoch, batches: Vec<Batch<Event>>, ids: &mut SplitIds, leader: &Leader) -> Result<()> {
    crash_point!("gather.begun");
    ids.prepare(&batches, leader).await?;
    let now = OffsetDateTime::now_utc();
    for batch in batches {
        epoch.add(batch, |split| ids.get(split), now);
        crash_point!("gather.added");
    }
    Ok(())
}
