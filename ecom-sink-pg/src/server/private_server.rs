//! A running private server: starting it again, stopping it, and creating databases.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Mutex;
use tracing::info;

use super::binaries::Binaries;
use super::connection;
use super::error::{Problem, ServerError};
use super::shutdown::Shutdown;
use super::watchdog::{STOP_WITHIN, SpawnContext, Watchdog};

/// A running PostgreSQL server that ends with this value or its process.
///
/// Dropping it is enough: the server then ends in the background, and what is
/// temporary is removed. In a static, which is never dropped, it ends with the
/// process. It belongs to no tokio runtime, so that tests with a runtime each
/// can share one.
#[derive(Debug)]
pub struct PrivateServer {
    pub(super) running: Mutex<Option<Watchdog>>,
    pub(super) url: String,
    pub(super) binaries: Binaries,
    pub(super) data: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) context: SpawnContext,
    pub(super) settings: Vec<OsString>,
    /// What the server gets when it loses its owner.
    pub(super) at_end: Shutdown,
    pub(super) start_timeout: Duration,
}

impl PrivateServer {
    /// The URL of the database `postgres`; the same after each start.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A shell line that opens [`url`](Self::url) in `psql`.
    #[must_use]
    pub fn psql_command(&self) -> String {
        connection::psql(&self.url, &self.binaries)
    }

    /// Where the data are.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The server's log.
    #[must_use]
    pub fn log_file(&self) -> &Path {
        self.context.log.path()
    }

    /// The server's version, such as `15.13`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.binaries.version()
    }

    /// Starts the server again after [`stop`](Self::stop) or a crash, and
    /// waits until it answers a query. Does nothing while it runs.
    ///
    /// # Errors
    ///
    /// `InUse` when another server still uses the data after 20 s, `TimedOut`
    /// or `Failed` with the end of the log when the server does not come up.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the server is stopped.
    pub async fn start(&self) -> Result<(), ServerError> {
        let mut running = self.running.lock().await;
        if self.is_up(&mut running)? {
            return Ok(());
        }
        *running = Some(self.launch().await?);
        info!(data = %self.data.display(), version = self.version(), "PostgreSQL server started");
        Ok(())
    }

    /// Stops the server and waits for its end; data and URL remain. Does
    /// nothing when it is stopped.
    ///
    /// # Errors
    ///
    /// `TimedOut` when the server is still there after 120 s. It is asked more
    /// firmly after 60 s and killed after 90 s.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the server ends in the background.
    pub async fn stop(&self, how: Shutdown) -> Result<(), ServerError> {
        let mut running = self.running.lock().await;
        let Some(mut watchdog) = running.take() else {
            return Ok(());
        };
        let stopped = watchdog.stop(how.into()).await;
        if stopped.map_err(ServerError::process(&self.postgres()))? {
            Ok(())
        } else {
            Err(Problem::NotStopped {
                within: STOP_WITHIN,
                log: self.log_file().to_owned(),
            }
            .into())
        }
    }

    /// [`stop`](Self::stop), then [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// Those of the two.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the server is stopped.
    pub async fn restart(&self, how: Shutdown) -> Result<(), ServerError> {
        self.stop(how).await?;
        self.start().await
    }

    /// The process id of the server's first process, for sending signals.
    ///
    /// # Errors
    ///
    /// `NotRunning` when the server is stopped or has crashed.
    ///
    /// # Cancel safety
    ///
    /// Safe: it only reads.
    pub async fn postmaster_pid(&self) -> Result<u32, ServerError> {
        let mut running = self.running.lock().await;
        if !self.is_up(&mut running)? {
            return Err(Problem::NotRunning.into());
        }
        let pid = self.pid_in_file().await;
        pid.ok_or_else(|| Problem::NotRunning.into())
    }

    /// Creates an empty database and returns its URL.
    ///
    /// Any number of callers may do so at the same time; they take turns.
    ///
    /// # Errors
    ///
    /// `Database` when the name is taken or cannot be one (1 to 63 bytes),
    /// `NotRunning` when the server is stopped or has crashed.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the database may or may not be there.
    pub async fn create_database(&self, name: &str) -> Result<String, ServerError> {
        // The server would cut a longer name short.
        if name.is_empty() || name.len() > 63 || name.contains('\0') {
            return Err(Problem::DatabaseName { name: name.into() }.into());
        }
        let mut running = self.running.lock().await;
        if !self.is_up(&mut running)? {
            return Err(Problem::NotRunning.into());
        }
        let sql = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
        match connection::value(&self.socket, &sql).await {
            Ok(_) => Ok(connection::url(&self.socket, name)),
            Err(source) => Err(Problem::Database {
                name: name.into(),
                source,
            }
            .into()),
        }
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.binaries.program("postgres")
    }

    fn is_up(&self, running: &mut Option<Watchdog>) -> Result<bool, ServerError> {
        let Some(watchdog) = running else {
            return Ok(false);
        };
        let ended = watchdog.ended();
        let ended = ended.map_err(ServerError::process(&self.postgres()))?;
        if ended.is_some() {
            *running = None;
        }
        Ok(ended.is_none())
    }
}
