//! Connections: how they are opened, and the settings of every session.

use std::time::Duration;

use ecom_stream::{ErrorKind, Result};
use futures::future::try_join;
use rand::seq::SliceRandom;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use super::hosts::{Host, Hosts};
use super::text_encoding::TextEncoding;
use crate::failure::{Deadline, Failure, delays};

/// A connection with settings of our own. Dropping it closes the socket at once, whatever the
/// server is doing.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// The server process of the session, so that another connection can terminate it if it
    /// hangs.
    pub(crate) backend_pid: i32,
    /// What the texts of the ledger may contain.
    pub(crate) encoding: TextEncoding,
    /// The task that reads from and writes to the socket.
    driver: JoinHandle<()>,
}

impl Connection {
    /// Asks for the server process. No statement is prepared, so that a pooler is detected by the
    /// answer and not by a failed statement.
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

/// How connections are opened: hosts, name, deadline. A clone opens connections of the same kind.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    hosts: Hosts,
    application_name: String,
    pub(crate) deadline: Deadline,
    /// Whether the server must accept writes.
    writes: bool,
}

/// The settings of every session, whatever is set for the role or the database. The lock timeout
/// is short because an older epoch that waits for a key of a younger one would wait for ever: the
/// younger one waits for its turn, and the server cannot see that cycle. JIT is off because these
/// statements are short, and compiling one takes longer than running it. The catalogue is read within
/// memory, since the role may not be allowed temporary files. `pg_settings` is large, so it is not
/// read at all.
const SETTINGS: &str = "
    SET lock_timeout = '100ms'; SET statement_timeout = 0; SET jit = off;
    SELECT set_config(name, '0', false)
    FROM unnest(ARRAY['idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout']) AS name
    WHERE current_setting(name, true) IS NOT NULL;
    SELECT set_config('work_mem', '4MB', false) WHERE pg_size_bytes(current_setting('work_mem')) < 4194304;
    SET quote_all_identifiers = off;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
    SET default_transaction_isolation = 'read committed'; SET search_path = pg_catalog;
    SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

/// Settings for sessions that query by key: each key is looked up in an index, whatever the
/// statistics say. By itself, the server would hash whole partitions, at a fifth of the speed; or
/// compare each key with each row, if its statistics are outdated; or read the whole ledger for a
/// size that no file has.
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

    /// Also accepts a server that is read-only, and a role that may only read.
    pub(crate) fn for_reading(mut self) -> Self {
        self.writes = false;
        self
    }

    /// Opens a connection. A server that cannot be reached is tried again for `wait_for_server`.
    ///
    /// # Errors
    ///
    /// `Unavailable` when it cannot be reached for that long; other errors at once.
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

    /// Opens a connection to the first host that can be reached and accepts writes.
    pub(crate) async fn connect(&self) -> Result<Connection, Failure> {
        let mut hosts: Vec<&Host> = self.hosts.list.iter().collect();
        if self.hosts.shuffled {
            hosts.shuffle(&mut rand::rng());
        }
        let mut failed = Failure::NoHost;
        for host in hosts {
            match self.reach(host).await {
                Ok(connection) => return Ok(connection),
                // It is the same role at all hosts.
                Err(failure @ Failure::ReadOnlyRole { .. }) => return Err(failure),
                Err(failure) => failed = failure,
            }
        }
        Err(failed)
    }

    /// Tries the ways to encrypt that the host allows.
    async fn reach(&self, host: &Host) -> Result<Connection, Failure> {
        let mut failed = Failure::NoHost;
        for mode in host.modes {
            failed = match self.open(host, *mode, self.writes).await {
                Ok(connection) => return Ok(connection),
                Err(failure) if failure.is_of_read_only() => {
                    return Err(self.why_read_only(host, *mode, failure).await);
                }
                Err(failure) if failure.is_of_encryption() => failure,
                Err(failure) => return Err(failure),
            };
        }
        Err(failed)
    }

    /// Finds out whether it is the role that may only read. Waiting for the server would not help.
    async fn why_read_only(&self, host: &Host, mode: SslMode, failure: Failure) -> Failure {
        const ROLE: &str = "
            SELECT quote_ident(session_user) WHERE NOT pg_is_in_recovery() AND EXISTS (
                SELECT FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
                WHERE s.setrole = (SELECT oid FROM pg_roles WHERE rolname = session_user)
                  AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                  AND setting LIKE 'default_transaction_read_only=%'
            )";
        let Ok(reader) = self.open(host, mode, false).await else {
            return failure;
        };
        let asked = self
            .deadline
            .of("connecting", reader.client.query_typed(ROLE, &[]))
            .await;
        match asked.ok().and_then(|rows| Some(rows.first()?.get(0))) {
            Some(role) => Failure::ReadOnlyRole { role },
            None => failure,
        }
    }

    /// Opens a connection and applies the settings.
    async fn open(&self, host: &Host, mode: SslMode, writes: bool) -> Result<Connection, Failure> {
        let mut config = host.config.clone();
        config.ssl_mode(mode).application_name(&self.application_name);
        if writes {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let opened = self
            .deadline
            .of("connecting", Box::pin(config.connect(host.tls.clone())))
            .await;
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
            encoding: TextEncoding::Unicode,
            driver,
        };
        // Here rather than in the options at the start, which poolers refuse or drop.
        let set = connection.client.batch_execute(SETTINGS);
        self.deadline.of("connecting", set).await?;
        let encoding = connection
            .client
            .query_typed_one("SELECT current_setting('server_encoding')", &[]);
        let encoding = self.deadline.of("connecting", encoding);
        let (pid, encoding) = try_join(connection.ask_backend_pid(self.deadline), encoding).await?;
        connection.backend_pid = pid;
        connection.encoding = TextEncoding::of_server(encoding.get(0));
        Ok(connection)
    }
}
