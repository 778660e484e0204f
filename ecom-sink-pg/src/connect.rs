//! Connections: how they are opened, what is set on them, and how they end.

use std::time::Duration;

use ecom_stream::{ErrorKind, Result};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config, NoTls};

use crate::backoff::delays;
use crate::failure::{Deadline, Failure};

/// A connection of our own. Dropping it closes the socket at once, whatever the server is doing.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// The process that serves it, to be ended from another connection if it hangs.
    pub(crate) backend_pid: i32,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// How connections are opened.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    config: Config,
    pub(crate) deadline: Deadline,
}

/// Waiting for a lock of another session is given up after this: an older epoch that waits for a younger one's key would
/// wait for ever, and the server sees no cycle.
const LOCK_TIMEOUT_MS: u32 = 100;

impl Connector {
    pub(crate) fn new(mut config: Config, application_name: &str, deadline: Deadline) -> Self {
        config.application_name(application_name);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        // A link that died without a word is noticed by both ends.
        config.keepalives(true).keepalives_idle(Duration::from_secs(10));
        config.keepalives_interval(Duration::from_secs(5)).keepalives_retries(3);
        config.tcp_user_timeout(Duration::from_secs(30));
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        let own = format!(
            "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c synchronous_commit=on \
             -c default_transaction_isolation=read\\ committed -c statement_timeout=0 \
             -c lock_timeout={LOCK_TIMEOUT_MS} -c search_path=pg_catalog \
             -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
        );
        let options = match config.get_options() {
            Some(given) => format!("{given} {own}"),
            None => own,
        };
        config.options(options);
        Self { config, deadline }
    }

    /// Opens a connection, trying for so long if the server can't be reached.
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

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Result<Connection, Failure> {
        let (client, connection) = self.deadline.of("connecting", self.config.connect(NoTls)).await?;
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
        let row = self
            .deadline
            .of(
                "connecting",
                connection.client.query_one("SELECT pg_backend_pid()", &[]),
            )
            .await?;
        connection.backend_pid = row.get(0);
        Ok(connection)
    }
}
