//! Connections: how they are opened, and the settings of every session.

use std::time::Duration;

use ecom_stream::{ErrorKind, Result};
use rand::seq::SliceRandom;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use super::hosts::{Host, Hosts};
use crate::failure::{Deadline, Failure, delays};

/// A connection of our own. Dropping it closes the socket at once, whatever the server is doing.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// The process that serves it, to be ended from another connection if it hangs.
    pub(crate) backend_pid: i32,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Without a statement that is prepared, so that a pooler in between is found out by what is asked, not by an accident.
    pub(crate) async fn ask_backend_pid(&self, deadline: Deadline) -> Result<i32, Failure> {
        let asked = self.client.query_typed_one("SELECT pg_backend_pid()", &[]);
        Ok(deadline.of("connecting", asked).await?.get(0))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// How connections are opened.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    hosts: Hosts,
    application_name: String,
    pub(crate) deadline: Deadline,
    writes: bool,
}

/// What holds for every session, whatever is set for the role or the database. Waiting for a lock of another session is given
/// up so early because an older epoch that waits for a younger one's key would wait for ever, and the server sees no cycle.
/// Statements here are short: compiling one takes longer than running it.
const SETTINGS: &str = "
    SET lock_timeout = '100ms'; SET statement_timeout = 0; SET jit = off;
    SELECT set_config(name, '0', false) FROM pg_settings
    WHERE name IN ('idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout');
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
    SET default_transaction_isolation = 'read committed'; SET search_path = pg_catalog;
    SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

/// For sessions that ask by key: each is looked up in an index, whatever the statistics say. By itself the server hashes whole
/// partitions, at a fifth of the speed; compares each key with each row, where the statistics are of a time when there were
/// few; and reads the whole ledger for a size that no file has, where all others are of one size.
pub(crate) const BY_KEY: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off";

impl Connector {
    pub(crate) fn new(hosts: Hosts, application_name: String, deadline: Deadline) -> Self {
        Self {
            hosts,
            application_name,
            deadline,
            writes: true,
        }
    }

    /// Lets the server be one that takes no writes, and the role one that makes none.
    pub(crate) fn for_reading(mut self) -> Self {
        self.writes = false;
        self
    }

    /// Opens a connection, trying for so long if the server cannot be reached.
    pub(crate) async fn connect_within(&self, wait_for_server: Duration) -> Result<Connection> {
        let give_up = Instant::now().checked_add(wait_for_server);
        let mut delays = delays();
        loop {
            let err = match self.connect().await {
                Ok(connection) => return Ok(connection),
                Err(failure) => failure.into_error("connecting to the server"),
            };
            let delay = delays.next().unwrap_or_default();
            if err.kind() != ErrorKind::Unavailable || give_up.is_some_and(|at| Instant::now() + delay > at) {
                return Err(err);
            }
            tracing::warn!("trying again: {}", err.report());
            sleep(delay).await;
        }
    }

    /// Opens a connection to the first host that can be reached and lets us write.
    pub(crate) async fn connect(&self) -> Result<Connection, Failure> {
        let mut hosts: Vec<&Host> = self.hosts.list.iter().collect();
        if self.hosts.shuffled {
            hosts.shuffle(&mut rand::rng());
        }
        let mut failed = Failure::NoHost;
        for host in hosts {
            match self.reach(host).await {
                Ok(connection) => return Ok(connection),
                Err(failure) => failed = failure,
            }
        }
        Err(failed)
    }

    async fn reach(&self, host: &Host) -> Result<Connection, Failure> {
        let mut failed = Failure::NoHost;
        for mode in host.modes {
            failed = match self.open(host, *mode).await {
                Ok(connection) => return Ok(connection),
                Err(failure) if failure.is_of_encryption() => failure,
                Err(failure) => return Err(failure),
            };
        }
        Err(failed)
    }

    async fn open(&self, host: &Host, mode: SslMode) -> Result<Connection, Failure> {
        let mut config = host.config.clone();
        config.ssl_mode(mode).application_name(&self.application_name);
        if self.writes {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let opened = self.deadline.of("connecting", config.connect(host.tls.clone())).await;
        let (client, connection) = opened.map_err(|failure| failure.at(&host.name))?;
        let driver = tokio::spawn(async move {
            if let Err(err) = connection.await {
                // What the client sees is often only that the connection is closed.
                tracing::debug!("a connection ended: {err}");
            }
        });
        let mut connection = Connection {
            client,
            backend_pid: 0,
            driver,
        };
        // Here rather than in the options at the start, which poolers refuse or drop.
        let set = connection.client.batch_execute(SETTINGS);
        self.deadline.of("connecting", set).await?;
        connection.backend_pid = connection.ask_backend_pid(self.deadline).await?;
        Ok(connection)
    }
}
