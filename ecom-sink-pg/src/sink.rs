//! The sink: its options, and its implementation of the contract of [`Sink`].

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use ecom_stream::{BatchStream, Checkpoint, Commit, Error, ErrorKind, Result, Sink, Topology};
use futures::future::{Either, select};
use futures::stream::{Stream, StreamExt};
use tokio::time::{Instant, sleep};
use tokio_postgres::Config;

use crate::connect::{Connection, Connector, Hosts, of_process, preflight};
use crate::epoch::EpochLimits;
use crate::failure::{Deadline, Failure, delays};
use crate::lead::{
    Claim, ClaimOptions, InstanceState, InstanceStateReceiver, InstanceStateSender, Leader, PgLedger, claim,
};
use crate::schema;
use crate::tables::{CheckedTable, Events, Tables, ensure_tables};
use crate::write;

/// Stores events in PostgreSQL, exactly once; or rows of any type, in [tables](Self::into_tables)
/// of your own.
///
/// The rows, dead letters, operator state and positions of an epoch are committed in one
/// transaction. Its last statement proves that this instance still leads the pipeline. Events
/// that are in the table already are counted as duplicates. A row that the server rejects becomes
/// a dead letter. Temporary failures (a restart of the server, a broken connection, a lock) are
/// retried until they are over.
///
/// Epochs are copied in parallel, on several [connections](Self::connections), and committed in
/// order, so that what is durable is always a prefix of the input.
///
/// Only one instance of a pipeline works at a time. Others stand by in [`ledger`](Sink::ledger)
/// until it ends.
///
/// A run ends with [`ErrorKind::Stale`] when the instance does not lead any more, for example because
/// another one took the lead while this one was cut off from the server, or when the server has lost
/// commits, as after a restore from a backup. Run the pipeline again then, with a clone of the sink:
/// it stands by, or continues from what the ledger has, and reports what the server has lost. Clones
/// are runs of one instance, and share its [state](Self::instance_state).
///
/// # Stages
///
/// The [stages](ecom_stream::Commit::stages) of a commit are:
///
/// | stage | time spent |
/// |---|---|
/// | `gather` | from the first batch of the epoch until a connection is free |
/// | `retry` | in tries that failed, and in the pauses between them |
/// | `begin` | connecting and creating partitions, if needed |
/// | `look_up` | looking up keys of duplicates; only if there are any |
/// | `copy` | copying the rows |
/// | `turn` | waiting for the commits of older epochs |
/// | `commit` | writing the ledger, and COMMIT |
///
/// All but `gather` and `retry` are those of the last try.
///
/// # Examples
///
/// ```
/// use std::num::NonZeroUsize;
/// use std::time::Duration;
///
/// use ecom_sink_pg::{EpochLimits, InstanceState, PgSink};
///
/// let sink = PgSink::from_url("postgresql://ingest@localhost/shop")?
///     .pipeline("clicks")
///     .connections(NonZeroUsize::new(4).unwrap())
///     .epoch_limits(EpochLimits::default().max_rows(50_000))
///     .deadline(Duration::from_secs(30));
/// assert_eq!(sink.instance_state().now(), InstanceState::Connecting);
/// # Ok::<(), ecom_stream::Error>(())
/// ```
#[must_use = "a sink does nothing until a pipeline into it runs"]
#[derive(Debug)]
pub struct PgSink<W = Events> {
    hosts: Hosts,
    pipeline: String,
    limits: EpochLimits,
    connections: usize,
    deadline: Duration,
    wait_for_server: Duration,
    moved: bool,
    take_over: bool,
    claim: Option<Claim>,
    state_sender: InstanceStateSender,
    writes: W,
    tables: Arc<[CheckedTable]>,
}

impl PgSink {
    /// A sink into the database of a URL such as `postgresql://user:password@host/database`, for
    /// the pipeline `events`.
    ///
    /// The URL, or libpq's form `host=… user=…`, means what it means to `psql`. Settings that it
    /// leaves out are taken from the same environment variables (`PGHOST`, `PGUSER`,
    /// `PGPASSWORD`, `PGSSLMODE` …) and files (`~/.pgpass`, `~/.postgresql/`). Two defaults are
    /// stricter than those of libpq: without `sslmode`, a host other than this machine is
    /// connected to with `verify-full`; and where no CA is given (`sslrootcert`,
    /// `~/.postgresql/root.crt`), the certificate is checked against the CAs of the system. The
    /// files are read now, once. Nothing is connected to yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the URL cannot be read, names no host, or has a setting
    /// that is not supported, and when a file with certificates cannot be used. No error quotes
    /// the URL, since it may contain a password.
    ///
    /// # Examples
    ///
    /// ```
    /// use ecom_sink_pg::PgSink;
    /// use ecom_stream::ErrorKind;
    ///
    /// assert!(PgSink::from_url("host=localhost user=ingest dbname=shop").is_ok());
    /// let err = PgSink::from_url("postgresql://localhost?nonsense=1").unwrap_err();
    /// assert_eq!(err.kind(), ErrorKind::Configuration);
    /// ```
    pub fn from_url(url: &str) -> Result<Self> {
        Ok(Self::to(Hosts::of_url(url, &of_process)?))
    }

    /// A sink into the database that the environment variables name (`PGHOST`, `PGDATABASE` …),
    /// for the pipeline `events`.
    ///
    /// # Errors
    ///
    /// Those of [`from_url`](Self::from_url).
    pub fn from_env() -> Result<Self> {
        Self::from_url("")
    }

    /// A sink into the database that `config` names, for the pipeline `events`. The environment
    /// is ignored.
    ///
    /// `SslMode::Prefer`, the default of [`Config`], means `verify-full` with the CAs of the
    /// system unless all hosts are this machine.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the system has no trusted CAs.
    pub fn with_config(config: Config) -> Result<Self> {
        Ok(Self::to(Hosts::of_config(config)?))
    }

    /// A sink with default options.
    fn to(hosts: Hosts) -> Self {
        Self {
            hosts,
            pipeline: "events".into(),
            limits: EpochLimits::default(),
            connections: 2,
            deadline: Duration::from_secs(60),
            wait_for_server: Duration::from_secs(30),
            moved: false,
            take_over: false,
            claim: None,
            state_sender: InstanceStateSender::new(),
            writes: Events,
            tables: Arc::default(),
        }
    }
}

impl<W> PgSink<W> {
    /// Writes to other tables than [`Events`]: to a [`Table`](crate::Table) of your own, with rows of any type, or for records
    /// that are [`Either`](ecom_stream::Either) of two to a pair of tables, all in one transaction.
    ///
    /// Raw events beside their number by user and minute, both exactly once. (An event that a producer sends twice is one event
    /// in the table of events, and counts twice in the minute unless it is [deduplicated](ecom_stream::operators::KeyBy::deduplicate)
    /// before.)
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use ecom_sink_pg::{Events, PgSink, Table};
    /// use ecom_stream::aggregate::Count;
    /// use ecom_stream::operators::Windowed;
    /// use ecom_stream::{CsvDirSource, Event, Rules, SourceExt};
    ///
    /// # fn main() -> ecom_stream::Result<()> {
    /// let minutes = Table::new("events_per_minute")
    ///     .create_if_missing(true)
    ///     .column("minute", |minute: &Windowed<String, u64>| minute.window.start)
    ///     .column("user_id", |minute| minute.key.clone())
    ///     .column("events", |minute| minute.value)
    ///     .key(["minute", "user_id"]);
    /// let pipeline = CsvDirSource::new("data")
    ///     .validate(Rules::default())
    ///     .with_branch(|events| {
    ///         events
    ///             .event_time(|event: &Event| event.event_time, Duration::from_secs(30))
    ///             .key_by(|event: &Event| event.user_id.clone())
    ///             .tumbling(Duration::from_mins(1))
    ///             .aggregate(Count)
    ///     })
    ///     .to(PgSink::from_url("postgresql://localhost/shop")?.into_tables((Events, minutes)));
    /// # let _ = pipeline;
    /// # Ok(()) }
    /// ```
    pub fn into_tables<X>(self, tables: X) -> PgSink<X> {
        PgSink {
            hosts: self.hosts,
            pipeline: self.pipeline,
            limits: self.limits,
            connections: self.connections,
            deadline: self.deadline,
            wait_for_server: self.wait_for_server,
            moved: self.moved,
            take_over: self.take_over,
            claim: None,
            state_sender: self.state_sender,
            writes: tables,
            tables: Arc::default(),
        }
    }

    /// The name under which the ledger knows the pipeline, `events` by default. Pipelines with
    /// different names are independent of each other. The name must stay the same from run to
    /// run: it is how a run finds its positions.
    pub fn pipeline(mut self, name: impl Into<String>) -> Self {
        self.pipeline = name.into();
        self
    }

    /// The size at which an epoch is full. A quiet stream commits at once, whatever the limits
    /// are.
    pub fn epoch_limits(mut self, limits: EpochLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The number of connections that write at the same time, 2 by default. Epochs are copied in
    /// parallel and committed in order. One more connection leads the pipeline. If the server gives
    /// fewer, but at least two in all, the writers take turns with those that there are.
    ///
    /// Each connection holds an epoch of its own in memory, at most as large as
    /// [`epoch_limits`](Self::epoch_limits) allows.
    pub fn connections(mut self, connections: NonZeroUsize) -> Self {
        self.connections = connections.get();
        self
    }

    /// How long the server may take to answer a statement, 60 seconds by default. After that the
    /// connection is dropped, and the epoch is tried again on another one.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long to wait at the start for a server that cannot be reached, 30 seconds by default.
    /// Once the server was reached, it is waited for without limit.
    pub fn wait_for_server(mut self, wait: Duration) -> Self {
        self.wait_for_server = wait;
        self
    }

    /// Permits that the sources of the pipeline read from another location than in earlier runs;
    /// `false` by default. Without it such a run is refused, because positions of another
    /// directory mean nothing here.
    pub fn moved(mut self, moved: bool) -> Self {
        self.moved = moved;
        self
    }

    /// Terminates the instance that runs the pipeline, instead of standing by until it ends;
    /// `false` by default. The other instance then fails with [`ErrorKind::Fenced`]. Nothing that
    /// it committed is lost, and it commits nothing more. Another run of this instance does not take
    /// over again: it stands by.
    ///
    /// Use it for a single start by hand, for example when the machine of the other instance
    /// hangs. Two instances that are always started with it terminate each other in turn. The
    /// role must be that of the other instance, or a member of it or of `pg_signal_backend`.
    pub fn take_over(mut self, take_over: bool) -> Self {
        self.take_over = take_over;
        self
    }

    /// A receiver of the state of this instance: whether it connects, stands by, leads or fails.
    #[must_use]
    pub fn instance_state(&self) -> InstanceStateReceiver {
        self.state_sender.receiver()
    }

    /// A connector whose sessions all have one `application_name`, which no other instance has:
    /// `ecom`, a random number, and the pipeline.
    fn connector(&self) -> Connector {
        let name = format!("ecom {:08x} {}", rand::random::<u32>(), self.pipeline);
        Connector::new(self.hosts.clone(), name, Deadline(self.deadline))
    }

    /// Prepares the database before the pipeline is claimed: applies migrations, creates and
    /// checks the user's tables, and warns of settings that weaken the guarantees.
    async fn prepare<T>(&mut self, connection: &mut Connection, connector: &Connector) -> Result<()>
    where
        W: Tables<T>,
    {
        preflight::check_sessions(connection, connector).await?;
        // Migrations wait longer for locks than the writing of epochs does.
        let patient = connection.client.batch_execute("SET lock_timeout = '60s'").await;
        patient.map_err(|err| Failure::from(err).into_error("preparing the schema"))?;
        schema::apply(&mut connection.client).await?;
        let mut specs = Vec::new();
        self.writes.specs(&mut specs);
        let found = ensure_tables(connection, &specs, connector.deadline).await?;
        self.writes.set_tables(&found);
        self.tables = found.into();
        preflight::warn(connection, connector).await
    }
}

impl<T: Send, W: Tables<T>> Sink<T> for PgSink<W> {
    async fn ledger(&mut self, topology: &Topology) -> Result<Checkpoint> {
        if self.pipeline.is_empty() {
            return Err(
                Error::new(ErrorKind::Configuration, "the name of the pipeline is empty")
                    .hint("pass a name to PgSink::pipeline"),
            );
        }
        let connector = self.connector();
        self.state_sender.begin_run();
        let has_led = self.state_sender.has_led();
        let wait_for_server = match has_led {
            true => Duration::MAX,
            false => self.wait_for_server,
        };
        let give_up = Instant::now().checked_add(wait_for_server);
        let mut delays = delays();
        loop {
            let mut connection = connector.connect_within(wait_for_server).await?;
            let err = match Box::pin(self.prepare::<T>(&mut connection, &connector)).await {
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
        let options = ClaimOptions {
            pipeline: &self.pipeline,
            topology,
            moved: self.moved,
            take_over: self.take_over && !has_led,
            state_sender: &self.state_sender,
        };
        let claim = Box::pin(claim(&connector, options, wait_for_server)).await?;
        self.state_sender.set_phase(InstanceState::Leading);
        claim.leader.keep_leading();
        let ledger = PgLedger {
            leader: claim.leader.clone(),
            has_state: !topology.operators().is_empty(),
        };
        self.claim = Some(claim);
        Ok(Arc::new(ledger))
    }

    fn commit(self, input: impl BatchStream<T> + 'static) -> impl Stream<Item = Result<Commit>> + Send {
        try_stream! {
            let Some(claim) = self.claim else {
                Err(Error::new(ErrorKind::Configuration, "commit() was called before ledger(), which claims the \
                 pipeline: call ledger() first"))?;
                return;
            };
            let leader = claim.leader.clone();
            let commits = write::commit(input, claim, self.writes, self.tables, self.limits, self.connections);
            for await commit in until_step_down(commits, leader) {
                yield commit?;
            }
        }
    }
}

/// Yields the commits, and ends them with an error as soon as this instance does not lead any more,
/// whatever they are waiting for.
fn until_step_down(
    commits: impl Stream<Item = Result<Commit>> + Send,
    leader: Arc<Leader>,
) -> impl Stream<Item = Result<Commit>> + Send {
    try_stream! {
        let mut commits = pin!(commits);
        let mut step_down = pin!(leader.wait_step_down());
        loop {
            let next = match select(step_down.as_mut(), commits.next()).await {
                Either::Left((err, _)) => Some(Err(err)),
                Either::Right((next, _)) => next,
            };
            match next {
                Some(commit) => yield commit?,
                None => {
                    leader.check_at_end().await?;
                    break;
                }
            }
        }
    }
}

impl<W: Clone> Clone for PgSink<W> {
    fn clone(&self) -> Self {
        Self {
            hosts: self.hosts.clone(),
            pipeline: self.pipeline.clone(),
            limits: self.limits,
            connections: self.connections,
            deadline: self.deadline,
            wait_for_server: self.wait_for_server,
            moved: self.moved,
            take_over: self.take_over,
            claim: None,
            state_sender: self.state_sender.clone(),
            writes: self.writes.clone(),
            tables: self.tables.clone(),
        }
    }
}
